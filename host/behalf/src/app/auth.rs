//! `/auth/v1`: its options, and its parts put together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use behalf_auth::{Auth, AuthOptions, AuthParts, ProviderOptions};
use behalf_config::{AuthSettings, ConfigError, Face, JwtAlgorithm, Secret, Settings};
use behalf_host_db::{HostDb, Sealer};
use behalf_identity::{LocalKeys, SigningAlgorithm, TokenSigner, Verifier};
use behalf_jobs::Jobs;
use behalf_mail::{MailOptions, Outbox, Transport};
use behalf_passwords::{Hasher, HasherOptions};
use behalf_problem::LogText as _;
use behalf_queue::Workers;
use behalf_web::{Routes, Web};
use serde::Deserialize;
use url::Url;

use super::signing_keys::KeyLoader;
use super::{Front, StartError, options};

/// Digits of a code: fewer can be guessed, and more do not fit where clients expect them.
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 6..=10;

/// Passwords that wait to be hashed. One second of waiting at least, on a small machine.
const WAITING_HASHES: usize = 256;

/// How long a provider may take to accept a connection, and to answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

/// The same verifier, which accepts tokens of this project's own sessions only while these live, whichever host signs users in.
/// Where the users of the database are another service's, there is no plan afterwards, or an error if an operator asked for
/// `/auth/v1`.
pub(super) async fn with_sessions(
    verifier: Verifier,
    plan: Option<AuthPlan>,
    db: &HostDb,
) -> Result<(Arc<Verifier>, Option<AuthPlan>), StartError> {
    let is_asked_for = plan.as_ref().map(|plan| plan.is_asked_for);
    match (behalf_auth::check_tables(db).await, is_asked_for) {
        (Ok(()), _) => {
            let sessions = Arc::new(behalf_auth::Sessions::new(db.clone()));
            return Ok((Arc::new(verifier.with_sessions(sessions)), plan));
        }
        (Err(behalf_auth::TablesError::Theirs), None) => {}
        (Err(behalf_auth::TablesError::Theirs), Some(false)) => {
            tracing::info!("/auth/v1 is off: the table auth.users of this database belongs to another service");
        }
        (Err(error), None) => {
            tracing::warn!(
                error = error.log_text(),
                "sessions of users that ended cannot be looked up: their access tokens are accepted until they expire"
            );
        }
        (Err(error), Some(_)) => return Err(error.into()),
    }
    Ok((Arc::new(verifier), None))
}

/// Loads the host's own keys, which may verify and sign access tokens.
pub(super) async fn load_keys(
    plan: Option<&mut AuthPlan>,
    db: &HostDb,
    sealer: &Arc<Sealer>,
    jobs: &Jobs,
) -> Result<Arc<LocalKeys>, StartError> {
    let keys = Arc::new(LocalKeys::default());
    let algorithm = plan.as_ref().and_then(|plan| plan.algorithm);
    KeyLoader::start(db, sealer, &keys, algorithm, jobs).await?;
    if let Some(plan) = plan {
        plan.keys = Arc::clone(&keys);
    }
    Ok(keys)
}

/// The routes of `/auth/v1`, or what they answer where it is served elsewhere.
pub(super) fn routes(
    plan: Option<AuthPlan>,
    settings: &Settings,
    front: &Front,
    web: &Web,
    db: &HostDb,
    sealer: &Arc<Sealer>,
    (jobs, workers): (&Jobs, &mut Workers),
) -> Result<Routes, StartError> {
    if web.verifier.knows_sessions() {
        behalf_auth::follow_ended(db.clone(), Arc::clone(&web.verifier), jobs);
    }
    let Some(plan) = plan else {
        return Ok(behalf_auth::elsewhere(settings.auth.face.as_ref().and_then(Face::address)));
    };
    plan.start(options::issuer(settings, front.address()), web, db, sealer, (jobs, workers))
}

/// What `/auth/v1` is made of, read before anything is connected.
pub(super) struct AuthPlan {
    /// Whether a setting says that it is served here.
    is_asked_for: bool,
    options: AuthOptions,
    /// None where this host signs with keys of its own.
    secret: Option<TokenSigner>,
    algorithm: Option<SigningAlgorithm>,
    /// The host's own keys, once they are loaded.
    keys: Arc<LocalKeys>,
    hasher: HasherOptions,
    mail: MailOptions,
}

impl AuthPlan {
    /// Reads the settings; nothing where `/auth/v1` is served elsewhere, or not at all.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, StartError> {
        let auth = &settings.auth;
        let has_secret = settings.jwt_secret.is_some();
        match auth.face {
            Some(Face::Off | Face::At(_)) => return Ok(None),
            // A host that only verifies the tokens of another service has nothing to sign with.
            None if !has_secret && auth.auth_jwt_algorithm == JwtAlgorithm::Hs256 => {
                tracing::info!("/auth/v1 is off: there is no JWT_SECRET to sign access tokens with");
                return Ok(None);
            }
            Some(Face::On) | None => {}
        }
        Ok(Some(Self {
            is_asked_for: auth.face == Some(Face::On),
            options: auth_options(settings)?,
            secret: secret(settings)?,
            algorithm: algorithm(auth.auth_jwt_algorithm),
            keys: Arc::default(),
            hasher: hasher(auth)?,
            mail: mail(auth)?,
        }))
    }

    /// Puts the parts together. `url` is where clients reach this host.
    fn start(
        mut self,
        url: String,
        web: &Web,
        db: &HostDb,
        sealer: &Arc<Sealer>,
        (jobs, workers): (&Jobs, &mut Workers),
    ) -> Result<Routes, StartError> {
        if self.options.issuer.is_empty() {
            self.options.issuer = format!("{url}/auth/v1");
        }
        if self.options.site_url.is_empty() {
            self.options.site_url.clone_from(&url);
        }
        self.options.public_url = url;
        let outbox = Outbox::start(&self.mail, jobs)?;
        if !outbox.sends() && !self.options.auto_confirm && self.options.sign_up {
            tracing::warn!(
                "nobody can sign up with an address: no letters are sent (SMTP_URL), and addresses need one (AUTH_AUTOCONFIRM)"
            );
        }
        let signer = match self.secret {
            Some(secret) => secret.publishing(self.keys),
            None => TokenSigner::with_keys(self.keys),
        };
        let hasher = Hasher::new(&self.hasher);
        behalf_auth::start(db, &hasher, &self.options, jobs, workers);
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .build()
            .map_err(|error| value(format!("the client for providers of external sign-in: {error}")))?;
        Ok(behalf_auth::routes(Auth::new(AuthParts {
            web: web.clone(),
            db: db.clone(),
            signer: Arc::new(signer),
            hasher,
            outbox,
            sealer: Arc::clone(sealer),
            http,
            options: self.options,
        })))
    }
}

fn value(text: String) -> ConfigError {
    ConfigError::Value(text)
}

/// The algorithm of keys of this host's own, where those sign.
fn algorithm(setting: JwtAlgorithm) -> Option<SigningAlgorithm> {
    match setting {
        JwtAlgorithm::Hs256 => None,
        JwtAlgorithm::Es256 => Some(SigningAlgorithm::Es256),
        JwtAlgorithm::Rs256 => Some(SigningAlgorithm::Rs256),
    }
}

/// The signer with the project's secret, where that signs.
fn secret(settings: &Settings) -> Result<Option<TokenSigner>, ConfigError> {
    if settings.auth.auth_jwt_algorithm != JwtAlgorithm::Hs256 {
        return Ok(None);
    }
    let hint = "BEHALF_AUTH=on signs access tokens with it; or set BEHALF_AUTH=off";
    let secret = settings.jwt_secret.as_ref().ok_or(ConfigError::Missing("JWT_SECRET", hint))?;
    TokenSigner::with_secret(secret.expose()).map(Some).map_err(|error| value(format!("jwt_secret: {error}")))
}

fn hasher(auth: &AuthSettings) -> Result<HasherOptions, ConfigError> {
    // The least that argon2 knows is 8 KiB for each lane.
    if auth.auth_hash_memory_kib < 8 || auth.auth_hash_passes == 0 {
        return Err(value("auth_hash_memory_kib must be at least 8, and auth_hash_passes at least 1".to_owned()));
    }
    Ok(HasherOptions {
        memory_kib: auth.auth_hash_memory_kib,
        passes: auth.auth_hash_passes,
        concurrent: match auth.auth_hashes {
            0 => HasherOptions::default().concurrent,
            hashes => hashes,
        },
        waiting: WAITING_HASHES,
    })
}

fn mail(auth: &AuthSettings) -> Result<MailOptions, ConfigError> {
    let transport = match (&auth.smtp_url, &auth.auth_mail_folder) {
        (Some(url), None) => Some(Transport::Smtp(url.expose().to_owned())),
        (None, Some(folder)) => Some(Transport::Folder(folder.clone())),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(value("set smtp_url or auth_mail_folder, not both".to_owned())),
    };
    if auth.smtp_url.is_some() && auth.smtp_from.is_none() {
        return Err(ConfigError::Missing(
            "SMTP_FROM",
            "letters need a sender, such as `My App <no-reply@app.example>`",
        ));
    }
    let from = auth.smtp_from.clone().unwrap_or_else(|| "Behalf <no-reply@localhost>".to_owned());
    Ok(MailOptions { transport, from, templates: auth.auth_mail_templates.clone() })
}

/// Seconds, of which 0 means that there is no limit.
fn limit(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds)).filter(|time| !time.is_zero())
}

fn auth_options(settings: &Settings) -> Result<AuthOptions, ConfigError> {
    let auth = &settings.auth;
    if auth.auth_jwt_expiry_seconds == 0 || auth.auth_code_seconds == 0 {
        return Err(value("auth_jwt_expiry_seconds and auth_code_seconds must be at least 1".to_owned()));
    }
    if !CODE_DIGITS.contains(&auth.auth_code_digits) {
        let (least, most) = CODE_DIGITS.into_inner();
        return Err(value(format!("auth_code_digits is {}; it must be {least} to {most}", auth.auth_code_digits)));
    }
    let longest = behalf_passwords::MAX_PASSWORD_BYTES;
    if !(1..=longest).contains(&auth.auth_password_min_length) {
        return Err(value(format!("auth_password_min_length must be 1 to {longest}")));
    }
    Ok(AuthOptions {
        // Known once the host listens.
        public_url: String::new(),
        site_url: site_url(auth)?,
        redirect_urls: auth.auth_redirect_urls.clone(),
        issuer: settings.jwt_issuer.clone().unwrap_or_default(),
        audience: settings.jwt_audience.clone(),
        token_lifetime: Duration::from_secs(auth.auth_jwt_expiry_seconds),
        sign_up: auth.auth_signup,
        anonymous: auth.auth_anonymous,
        auto_confirm: auth.auth_autoconfirm,
        confirm_both_addresses: auth.auth_secure_email_change,
        manual_linking: auth.auth_manual_linking,
        password_min_length: auth.auth_password_min_length,
        password_classes: auth.auth_password_classes.clone(),
        common_passwords: auth.auth_password_common,
        password_change_needs_reauthentication: auth.auth_reauthenticate,
        code_lifetime: Duration::from_secs(auth.auth_code_seconds),
        code_digits: auth.auth_code_digits,
        letter_pause: Duration::from_secs(auth.auth_letter_pause_seconds),
        letters_per_hour: auth.auth_letters_per_hour,
        letters_per_client: auth.auth_letters_per_client.unwrap_or_else(|| auth.auth_letters_per_hour.div_ceil(3)),
        refreshes_per_5_minutes: auth.auth_refreshes_per_5_minutes,
        tries_per_5_minutes: auth.auth_tries_per_5_minutes,
        refresh_reuse: Duration::from_secs(auth.auth_refresh_reuse_seconds),
        session_lifetime: limit(auth.auth_session_seconds),
        session_idle: limit(auth.auth_session_idle_seconds),
        token_hook: token_hook(auth)?,
        max_factors: auth.auth_max_factors,
        providers: providers(auth)?,
    })
}

/// The app's address without a slash at the end.
fn site_url(auth: &AuthSettings) -> Result<String, ConfigError> {
    let Some(text) = auth.auth_site_url.as_deref() else { return Ok(String::new()) };
    let url = Url::parse(text).map_err(|error| value(format!("auth_site_url: {error}")))?;
    // An app on a phone has an address of its own scheme.
    if url.scheme() == "javascript" || url.scheme() == "data" {
        return Err(value("auth_site_url is no address of an app".to_owned()));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The function that changes claims: `schema.name`, or as GoTrue writes it, `pg-functions://postgres/schema/name`.
pub(crate) fn token_hook(auth: &AuthSettings) -> Result<Option<String>, ConfigError> {
    let Some(text) = auth.auth_token_hook.as_deref() else { return Ok(None) };
    let path = text.strip_prefix("pg-functions://").and_then(|rest| rest.split_once('/'));
    let name = path.map_or_else(|| text.to_owned(), |(_, path)| path.replacen('/', ".", 1));
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    match name.split_once('.') {
        Some((schema, function)) if is_name(schema) && is_name(function) => Ok(Some(name)),
        _ => Err(value(format!("auth_token_hook: {text:?} is no name of a function with its schema"))),
    }
}

/// A provider as an operator writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderSetting {
    issuer: Option<String>,
    client_id: String,
    #[serde(default = "no_secret")]
    client_secret: Secret,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    other_client_ids: Vec<String>,
    #[serde(default)]
    skip_nonce_check: bool,
}

fn no_secret() -> Secret {
    Secret::new(String::new())
}

/// The providers by name, from a table or from JSON in a text.
fn providers(auth: &AuthSettings) -> Result<BTreeMap<String, ProviderOptions>, ConfigError> {
    let read = match &auth.auth_providers {
        None => return Ok(BTreeMap::new()),
        Some(serde_json::Value::String(text)) => serde_json::from_str(text),
        Some(table) => serde_json::from_value(table.clone()),
    };
    // The library's error may quote a value, and one of them is a secret.
    let wrong = |error: serde_json::Error| {
        let text = error.to_string();
        let what = if text.contains("field") { text } else { "it has not the documented form".to_owned() };
        value(format!("auth_providers: {what}"))
    };
    let settings: BTreeMap<String, ProviderSetting> = read.map_err(wrong)?;
    Ok(settings.into_iter().map(|(name, one)| (name, provider(one))).collect())
}

fn provider(one: ProviderSetting) -> ProviderOptions {
    ProviderOptions {
        issuer: one.issuer,
        client_id: one.client_id,
        client_secret: one.client_secret.expose().to_owned(),
        scopes: one.scopes,
        other_client_ids: one.other_client_ids,
        skip_nonce_check: one.skip_nonce_check,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Option<AuthPlan>, StartError> {
        let pairs = pairs.iter().map(|(name, text)| (*name, (*text).to_owned()));
        AuthPlan::read(&Settings::from_pairs(pairs).expect("settings"))
    }

    const SECRET: (&str, &str) = ("jwt_secret", "0123456789abcdef0123456789abcdef");

    #[test]
    fn a_host_without_a_secret_signs_nobody_in_unless_it_was_told_to() {
        assert!(read(&[]).expect("a plan").is_none());
        assert!(read(&[("auth", "off"), SECRET]).expect("a plan").is_none());
        assert!(read(&[("auth", "https://a.example/auth/v1"), SECRET]).expect("a plan").is_none());
        assert!(read(&[SECRET]).expect("a plan").is_some());
        let refused = read(&[("auth", "on")]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains("JWT_SECRET"), "{refused}");
    }

    #[test]
    fn a_wrong_option_is_said_before_anything_is_connected() {
        for pair in [
            ("auth_code_digits", "4"),
            ("auth_jwt_expiry_seconds", "0"),
            ("auth_password_min_length", "100"),
            ("auth_token_hook", "hook"),
            ("auth_token_hook", "public.hook('x')"),
            ("auth_site_url", "app.example"),
            ("auth_site_url", "javascript:alert(1)"),
            ("smtp_url", "smtp://mail.example"),
            ("auth_providers", "{\"x\": {\"client_id\": \"a\", \"secret\": \"b\"}}"),
        ] {
            assert!(read(&[SECRET, pair]).is_err(), "{pair:?}");
        }
        let hook = read(&[SECRET, ("auth_token_hook", "pg-functions://postgres/public/my_hook")]).ok().flatten();
        assert_eq!(hook.and_then(|plan| plan.options.token_hook).as_deref(), Some("public.my_hook"));
    }
}
