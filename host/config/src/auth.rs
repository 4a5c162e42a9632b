//! The settings of `/auth/v1` and of letters.
//!
//! They are read by themselves: serde cannot refuse unknown names and flatten one struct into another at the same time.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Face, Secret, list};

/// The names of these settings.
pub(super) const NAMES: [&str; 34] = [
    "auth",
    "auth_site_url",
    "auth_redirect_urls",
    "auth_jwt_expiry_seconds",
    "auth_jwt_algorithm",
    "auth_signup",
    "auth_anonymous",
    "auth_autoconfirm",
    "auth_secure_email_change",
    "auth_manual_linking",
    "auth_password_min_length",
    "auth_password_classes",
    "auth_password_common",
    "auth_reauthenticate",
    "auth_code_seconds",
    "auth_code_digits",
    "auth_letter_pause_seconds",
    "auth_letters_per_hour",
    "auth_letters_per_client",
    "auth_refreshes_per_5_minutes",
    "auth_tries_per_5_minutes",
    "auth_refresh_reuse_seconds",
    "auth_session_seconds",
    "auth_session_idle_seconds",
    "auth_token_hook",
    "auth_max_factors",
    "auth_providers",
    "auth_hash_memory_kib",
    "auth_hash_passes",
    "auth_hashes",
    "smtp_url",
    "smtp_from",
    "auth_mail_folder",
    "auth_mail_templates",
];

/// How this host signs access tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum JwtAlgorithm {
    /// With the project's secret.
    #[default]
    #[serde(rename = "HS256")]
    Hs256,
    /// With keys of its own, on the curve P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// With RSA keys of its own.
    #[serde(rename = "RS256")]
    Rs256,
}

/// The settings of `/auth/v1` and of letters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct AuthSettings {
    /// Whether `/auth/v1` is served, or the address where it is; `None` where nobody said so, which means that it is, if it can.
    #[serde(default, rename = "auth")]
    pub face: Option<Face>,
    /// The app's address, where links lead if a request names no other. The default is this host's.
    pub auth_site_url: Option<String>,
    /// Where links may lead beside the app's address, with `*`, `**` and `?`.
    #[serde(default, deserialize_with = "list")]
    pub auth_redirect_urls: Vec<String>,
    /// How long an access token is valid.
    #[serde(default = "default_jwt_expiry_seconds")]
    pub auth_jwt_expiry_seconds: u64,
    /// How access tokens are signed.
    #[serde(default)]
    pub auth_jwt_algorithm: JwtAlgorithm,
    /// Whether strangers may sign up.
    #[serde(default = "yes")]
    pub auth_signup: bool,
    /// Whether strangers may sign up without an address.
    #[serde(default)]
    pub auth_anonymous: bool,
    /// Whether an address counts as confirmed without a letter.
    #[serde(default)]
    pub auth_autoconfirm: bool,
    /// Whether both the old and the new address confirm a change.
    #[serde(default = "yes")]
    pub auth_secure_email_change: bool,
    /// Whether a user may link and unlink identities.
    #[serde(default)]
    pub auth_manual_linking: bool,
    /// The least characters of a password.
    #[serde(default = "default_password_min_length")]
    pub auth_password_min_length: usize,
    /// Classes of which a password needs one character each.
    #[serde(default, deserialize_with = "list")]
    pub auth_password_classes: Vec<String>,
    /// Whether a password may be one that is commonly used.
    #[serde(default)]
    pub auth_password_common: bool,
    /// Whether a change of the password needs a recent sign-in or a code.
    #[serde(default)]
    pub auth_reauthenticate: bool,
    /// How long a one-time code is valid.
    #[serde(default = "default_code_seconds")]
    pub auth_code_seconds: u64,
    /// Digits of a one-time code.
    #[serde(default = "default_code_digits")]
    pub auth_code_digits: usize,
    /// The least time between two letters to one address.
    #[serde(default = "default_letter_pause_seconds")]
    pub auth_letter_pause_seconds: u64,
    /// Letters in an hour, from all hosts together.
    #[serde(default = "default_letters_per_hour")]
    pub auth_letters_per_hour: u32,
    /// Letters in an hour that one IP address asks for, from all hosts together; a third of all where nobody says.
    pub auth_letters_per_client: Option<u32>,
    /// Refreshes of one address in five minutes.
    #[serde(default = "default_refreshes_per_5_minutes")]
    pub auth_refreshes_per_5_minutes: u32,
    /// Sign-ups, sign-ins and tries of codes of one address in five minutes.
    #[serde(default = "default_tries_per_5_minutes")]
    pub auth_tries_per_5_minutes: u32,
    /// For how long a refresh token may be used again.
    #[serde(default = "default_refresh_reuse_seconds")]
    pub auth_refresh_reuse_seconds: u64,
    /// How long a session lives at most; 0: until it is ended.
    #[serde(default)]
    pub auth_session_seconds: u64,
    /// How long a session lives without a refresh; 0: for ever.
    #[serde(default)]
    pub auth_session_idle_seconds: u64,
    /// A function that may change the claims of each access token, such as `public.token_hook`.
    pub auth_token_hook: Option<String>,
    /// The most second factors of a user.
    #[serde(default = "default_max_factors")]
    pub auth_max_factors: usize,
    /// Providers of external sign-in, as JSON or a table.
    pub auth_providers: Option<serde_json::Value>,
    /// Memory of one hash of a password, in KiB.
    #[serde(default = "default_hash_memory_kib")]
    pub auth_hash_memory_kib: u32,
    /// Passes of one hash over its memory.
    #[serde(default = "default_hash_passes")]
    pub auth_hash_passes: u32,
    /// Hashes of passwords at the same time. 0: half as many as there are processors.
    #[serde(default)]
    pub auth_hashes: usize,
    /// The server that sends letters: `smtp://user:password@host:587` or `smtps://…`.
    pub smtp_url: Option<Secret>,
    /// The sender of letters, such as `My App <no-reply@app.example>`.
    pub smtp_from: Option<String>,
    /// A folder to which letters are written instead.
    pub auth_mail_folder: Option<PathBuf>,
    /// A folder with templates of letters.
    pub auth_mail_templates: Option<PathBuf>,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            face: None,
            auth_site_url: None,
            auth_redirect_urls: Vec::new(),
            auth_jwt_expiry_seconds: default_jwt_expiry_seconds(),
            auth_jwt_algorithm: JwtAlgorithm::default(),
            auth_signup: true,
            auth_anonymous: false,
            auth_autoconfirm: false,
            auth_secure_email_change: true,
            auth_manual_linking: false,
            auth_password_min_length: default_password_min_length(),
            auth_password_classes: Vec::new(),
            auth_password_common: false,
            auth_reauthenticate: false,
            auth_code_seconds: default_code_seconds(),
            auth_code_digits: default_code_digits(),
            auth_letter_pause_seconds: default_letter_pause_seconds(),
            auth_letters_per_hour: default_letters_per_hour(),
            auth_letters_per_client: None,
            auth_refreshes_per_5_minutes: default_refreshes_per_5_minutes(),
            auth_tries_per_5_minutes: default_tries_per_5_minutes(),
            auth_refresh_reuse_seconds: default_refresh_reuse_seconds(),
            auth_session_seconds: 0,
            auth_session_idle_seconds: 0,
            auth_token_hook: None,
            auth_max_factors: default_max_factors(),
            auth_providers: None,
            auth_hash_memory_kib: default_hash_memory_kib(),
            auth_hash_passes: default_hash_passes(),
            auth_hashes: 0,
            smtp_url: None,
            smtp_from: None,
            auth_mail_folder: None,
            auth_mail_templates: None,
        }
    }
}

fn yes() -> bool {
    true
}
fn default_jwt_expiry_seconds() -> u64 {
    3_600
}
fn default_password_min_length() -> usize {
    8
}
fn default_code_seconds() -> u64 {
    3_600
}
fn default_code_digits() -> usize {
    6
}
fn default_letter_pause_seconds() -> u64 {
    60
}
fn default_letters_per_hour() -> u32 {
    30
}
fn default_refreshes_per_5_minutes() -> u32 {
    150
}
fn default_tries_per_5_minutes() -> u32 {
    30
}
fn default_refresh_reuse_seconds() -> u64 {
    10
}
fn default_max_factors() -> usize {
    10
}
/// OWASP's first choice for argon2id: 19 MiB and two passes.
fn default_hash_memory_kib() -> u32 {
    19 * 1024
}
fn default_hash_passes() -> u32 {
    2
}
