//! What an operator can set.

use std::collections::BTreeMap;
use std::time::Duration;

/// The options of `/auth/v1`.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct AuthOptions {
    /// Where this host is reached, without a slash at the end: links in letters begin with it.
    pub public_url: String,
    /// The app's address, where links lead if a request names no other.
    pub site_url: String,
    /// Where links may lead beside the app's address: addresses with `*`, `**` and `?`, as GoTrue reads them.
    pub redirect_urls: Vec<String>,
    /// `iss` of tokens.
    pub issuer: String,
    /// `aud` of tokens.
    pub audience: String,
    /// How long an access token is valid.
    pub token_lifetime: Duration,
    /// Whether strangers may sign up.
    pub sign_up: bool,
    /// Whether strangers may sign up without an address.
    pub anonymous: bool,
    /// Whether an address counts as confirmed without a letter.
    pub auto_confirm: bool,
    /// Whether both the old and the new address confirm a change.
    pub confirm_both_addresses: bool,
    /// Whether a user may link and unlink identities.
    pub manual_linking: bool,
    /// The least characters of a password.
    pub password_min_length: usize,
    /// Classes of which a password needs one character each, such as `lower`, `upper`, `digit`, `symbol`.
    pub password_classes: Vec<String>,
    /// Whether a password may be one that is commonly used.
    pub common_passwords: bool,
    /// Whether a change of the password needs a recent sign-in or a code.
    pub password_change_needs_reauthentication: bool,
    /// How long a one-time code is valid.
    pub code_lifetime: Duration,
    /// Digits of a one-time code.
    pub code_digits: usize,
    /// The least time between two letters to one address.
    pub letter_pause: Duration,
    /// Letters in an hour, from all hosts together.
    pub letters_per_hour: u32,
    /// Letters in an hour that one client asks for, from all hosts together.
    pub letters_per_client: u32,
    /// Refreshes of one address in five minutes.
    pub refreshes_per_5_minutes: u32,
    /// Sign-ups, sign-ins and tries of codes of one address in five minutes.
    pub tries_per_5_minutes: u32,
    /// For how long a refresh token may be used again, because its answer may have been lost.
    pub refresh_reuse: Duration,
    /// How long a session lives at most; `None`: until it is ended.
    pub session_lifetime: Option<Duration>,
    /// How long a session lives without a refresh.
    pub session_idle: Option<Duration>,
    /// A function `schema.name(jsonb) returns jsonb` that may change the claims of each access token.
    pub token_hook: Option<String>,
    /// The most second factors of a user.
    pub max_factors: usize,
    /// Providers of external sign-in, by name: presets such as `google`, or any name with an issuer.
    pub providers: BTreeMap<String, ProviderOptions>,
}

/// A provider of external sign-in.
#[derive(Clone, Debug)]
pub struct ProviderOptions {
    /// The issuer, from which the addresses are discovered. Presets have one.
    pub issuer: Option<String>,
    /// The app's id at the provider.
    pub client_id: String,
    /// The app's secret at the provider.
    pub client_secret: String,
    /// Scopes beside those that sign-in needs.
    pub scopes: Vec<String>,
    /// Other client ids that ID tokens may be for, such as those of the app's mobile clients.
    pub other_client_ids: Vec<String>,
    /// Whether an ID token without a nonce is taken.
    pub skip_nonce_check: bool,
}
