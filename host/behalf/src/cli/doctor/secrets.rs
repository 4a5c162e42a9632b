//! Checks of secrets and keys.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use behalf_config::{JwtAlgorithm, Secret, Settings};
use behalf_identity::{Verifier, VerifierOptions, VerifyError};
use behalf_telemetry::Finding;
use behalf_toolchain::DevEnv;

/// As many bytes as the hash has (RFC 7518, section 3.2).
const MIN_BYTES: usize = 32;
/// Less than this can be guessed.
const MIN_BITS: f64 = 100.0;
/// An opaque key is at least this long.
const MIN_KEY_BYTES: usize = 20;

/// Secrets that stand in everybody's documentation.
const WELL_KNOWN: [&str; 6] = [
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "your-256-bit-secret-your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "reallyreallyreallyreallyverysafe",
    "your-super-secret-and-long-postgres-password",
];

/// Parts of such secrets.
const TELLING: [&str; 8] = [
    "super-secret",
    "supersecret",
    "your-256-bit-secret",
    "at-least-32",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
];

/// The secret and the two keys.
pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    let mut findings = secret(settings);
    findings.extend(keys(settings).await);
    findings.extend(previous(settings).await);
    findings
}

fn secret(settings: &Settings) -> Vec<Finding> {
    const NAME: &str = "jwt-secret";
    const FIX: &str = "behalf keys makes a secret and the keys from it";
    let mut findings = Vec::new();
    match (&settings.jwks_url, &settings.jwks_file, &settings.jwt_secret) {
        (Some(_), Some(_), _) => {
            findings.push(Finding::error(NAME, "both JWKS_URL and JWKS_FILE are set", "unset one of them"));
        }
        (None, None, None) if settings.issuers.is_none() && settings.auth.auth_jwt_algorithm == JwtAlgorithm::Hs256 => {
            findings.push(Finding::error(
                NAME,
                "tokens cannot be verified: neither a secret nor a key set",
                format!("set BEHALF_JWT_SECRET, BEHALF_JWKS_URL, BEHALF_JWKS_FILE or BEHALF_ISSUERS; {FIX}"),
            ));
        }
        _ => {}
    }
    if settings.jwt_audience.is_empty() {
        findings.push(Finding::error(
            NAME,
            "JWT_AUDIENCE is empty",
            "set it to what your tokens carry, usually authenticated",
        ));
    }
    let Some(secret) = settings.jwt_secret.as_ref().map(Secret::expose) else { return findings };
    match weakness(secret) {
        Some(fault) => findings.push(Finding::error(NAME, fault, FIX)),
        None if is_dev_secret(settings, secret) && !settings.bind.ip().is_loopback() => {
            let found = "the dev host's secret is used beyond this machine";
            findings.push(Finding::warning(NAME, found, FIX));
        }
        None if findings.is_empty() => findings.push(Finding::ok(NAME, "long enough and not a known one")),
        None => {}
    }
    findings
}

/// What is wrong with a secret that tokens are signed with.
fn weakness(secret: &str) -> Option<String> {
    let bits = bits(secret);
    if secret.len() < MIN_BYTES {
        Some(format!("it has {} bytes; HS256 needs {MIN_BYTES}", secret.len()))
    } else if is_well_known(secret) {
        Some("it is an example from documentation, which everybody knows".to_owned())
    } else if bits < MIN_BITS {
        Some(format!("it can be guessed: its {} bytes hold about {bits:.0} bits of chance", secret.len()))
    } else {
        None
    }
}

/// Keys that were replaced and are still accepted. While a rotation lasts they are as good as the new ones.
async fn previous(settings: &Settings) -> Vec<Finding> {
    const NAME: &str = "previous-keys";
    let set = |key: &'_ Option<Secret>| key.as_ref().map(|key| key.expose().to_owned()).filter(|key| !key.is_empty());
    let (secret, anon) = (set(&settings.jwt_secret_previous), set(&settings.anon_key_previous));
    let service = set(&settings.service_role_key_previous);
    let (anon_now, service_now) = (set(&settings.anon_key), set(&settings.service_role_key));
    let mut findings = Vec::new();
    if let Some(fault) = secret.as_deref().and_then(weakness) {
        findings.push(Finding::error(
            NAME,
            format!("JWT_SECRET_PREVIOUS: {fault}"),
            "unset BEHALF_JWT_SECRET_PREVIOUS",
        ));
    }
    // Made with the previous secret, where that was replaced as well.
    let signer = secret.clone().or_else(|| set(&settings.jwt_secret));
    for (name, role, key) in
        [("ANON_KEY_PREVIOUS", "anon", &anon), ("SERVICE_ROLE_KEY_PREVIOUS", "service_role", &service)]
    {
        let Some(key) = key else { continue };
        if let Some((true, found)) = key_fault(name, role, key, signer.as_deref()).await {
            findings.push(Finding::error(NAME, found, format!("unset BEHALF_{name}")));
        }
    }
    let public = [&anon_now, &anon];
    let secrets = [&service_now, &service];
    if service.is_some() && public.contains(&&service) || anon.is_some() && secrets.contains(&&anon) {
        findings.push(Finding::error(
            NAME,
            "a key is set both as an anon key and as a service key: whoever has the public one is above row-level security",
            "unset BEHALF_ANON_KEY_PREVIOUS and BEHALF_SERVICE_ROLE_KEY_PREVIOUS",
        ));
    }
    let accepted: Vec<_> = [
        ("BEHALF_JWT_SECRET_PREVIOUS", &secret),
        ("BEHALF_ANON_KEY_PREVIOUS", &anon),
        ("BEHALF_SERVICE_ROLE_KEY_PREVIOUS", &service),
    ]
    .into_iter()
    .filter_map(|(name, key)| key.is_some().then_some(name))
    .collect();
    if !accepted.is_empty() && findings.is_empty() {
        findings.push(Finding::warning(
            NAME,
            format!("keys that were replaced are still accepted: {}", accepted.join(", ")),
            format!("when every client has the new ones: unset {}", accepted.join(" ")),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(NAME, "no replaced key is accepted"));
    }
    findings
}

fn is_well_known(secret: &str) -> bool {
    let lower = secret.to_lowercase();
    WELL_KNOWN.contains(&lower.as_str()) || TELLING.iter().any(|part| lower.contains(part))
}

fn is_dev_secret(settings: &Settings, secret: &str) -> bool {
    DevEnv::read(&settings.state_dir).is_ok_and(|env| env.jwt_secret == secret)
}

/// An upper bound for what a guesser has to try: the frequencies of characters, over the part that does not repeat.
fn bits(secret: &str) -> f64 {
    let bytes = secret.as_bytes();
    let period =
        (1..=bytes.len()).find(|n| bytes.iter().skip(*n).zip(bytes).all(|(a, b)| a == b)).unwrap_or(bytes.len());
    let unit = bytes.get(..period).unwrap_or(bytes);
    let mut counts: HashMap<u8, f64> = HashMap::new();
    for byte in unit {
        *counts.entry(*byte).or_default() += 1.0;
    }
    let steps = unit.windows(2).filter(|pair| matches!(pair, [a, b] if a.abs_diff(*b) <= 1)).count();
    #[expect(clippy::cast_precision_loss, reason = "secrets are short")]
    let (length, runs) = (unit.len() as f64, steps as f64);
    let per_byte: f64 = counts.values().map(|n| -(n / length) * (n / length).log2()).sum();
    // abcdef… and 111222… follow from their neighbours.
    per_byte * (length - runs)
}

async fn keys(settings: &Settings) -> Vec<Finding> {
    const NAME: &str = "api-keys";
    const FIX: &str = "behalf keys prints both for BEHALF_JWT_SECRET";
    let text = |key: &Option<Secret>| key.as_ref().map(|key| key.expose().to_owned()).filter(|key| !key.is_empty());
    let (anon, service) = (text(&settings.anon_key), text(&settings.service_role_key));
    let mut findings = Vec::new();
    match (&anon, &service) {
        (None, None) => findings.push(Finding::error(NAME, "neither key is set, so no request is accepted", FIX)),
        (None, Some(_)) => {
            findings.push(Finding::warning(NAME, "ANON_KEY is not set: clients have no key they may show", FIX));
        }
        (Some(_), None) => {
            findings.push(Finding::warning(NAME, "SERVICE_ROLE_KEY is not set: nobody can manage plugins", FIX));
        }
        (Some(anon), Some(service)) if anon == service => {
            findings.push(Finding::error(
                NAME,
                "both keys are the same: whoever has the public one is above row-level security",
                FIX,
            ));
        }
        _ => {}
    }
    let secret = settings.jwt_secret.as_ref().map(Secret::expose);
    for (name, role, key) in [("ANON_KEY", "anon", &anon), ("SERVICE_ROLE_KEY", "service_role", &service)] {
        let Some(key) = key else { continue };
        findings.extend(key_fault(name, role, key, secret).await.map(|(bad, found)| {
            let make = if bad { Finding::error } else { Finding::warning };
            make(NAME, found, FIX)
        }));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(NAME, "both are there, differ, and are what they say"));
    }
    findings
}

/// What is wrong with a key, and whether it must not be used. Keys that are no JWTs are passwords; the host compares both
/// kinds letter by letter, so one that should no longer work has to be taken out of the settings.
async fn key_fault(name: &str, role: &str, key: &str, secret: Option<&str>) -> Option<(bool, String)> {
    let is_service = role == "service_role";
    if key.split('.').count() != 3 {
        let weak = key.len() < MIN_KEY_BYTES || bits(key) < 64.0;
        return weak.then(|| (is_service, format!("{name} is short enough to guess")));
    }
    let hashed = part(key, 0).is_some_and(|header| header.get("alg").and_then(Value::as_str) == Some("HS256"));
    for known in WELL_KNOWN {
        if hashed && is_signed_with(key, known).await {
            return Some((true, format!("{name} is an example from documentation, which everybody knows")));
        }
    }
    let Some(claims) = part(key, 1) else {
        return Some((true, format!("{name} is neither a JWT nor a plain key")));
    };
    let stated = claims.get("role").and_then(Value::as_str).unwrap_or("none");
    if stated != role {
        return Some((true, format!("{name} says its role is {stated}, not {role}; are the keys swapped?")));
    }
    if let Some(secret) = secret
        && hashed
        && !is_signed_with(key, secret).await
    {
        return Some((
            true,
            format!("{name} was not made with the JWT secret; after a secret is changed the old keys must not work on"),
        ));
    }
    let ends = claims.get("exp").and_then(Value::as_i64)?;
    let left = ends - chrono::Utc::now().timestamp();
    match left {
        ..=0 => Some((is_service, format!("{name} has expired, and is still accepted here"))),
        1..2_592_000 => Some((false, format!("{name} expires in {} days", left / 86_400))),
        _ => None,
    }
}

/// What the key says of itself, header or claims; nobody has checked it.
fn part(key: &str, index: usize) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(key.split('.').nth(index)?).ok()?).ok()
}

/// A key is no user's token, so it is refused in any case; the reason tells whether its signature was right.
async fn is_signed_with(key: &str, secret: &str) -> bool {
    let options = VerifierOptions { secret: Some(secret.as_bytes().to_vec()), ..VerifierOptions::default() };
    let Ok(verifier) = Verifier::new(options) else { return false };
    !matches!(verifier.verify(key).await, Err(VerifyError::Invalid("wrong signature" | "it is not a signed JWT")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use behalf_identity::{mint_key, new_secret};
    use behalf_telemetry::Level;

    const OTHER: &str = "Zk3xP0aQ9vBn7LmRt5WcYh2Ge8Jd4Us6";

    async fn errors(pairs: &[(&str, &str)]) -> Vec<String> {
        let settings =
            Settings::from_pairs(pairs.iter().map(|(name, value)| (*name, format!("{value:?}")))).expect("settings");
        let bad = |finding: &Finding| finding.level == Level::Error;
        examine(&settings)
            .await
            .into_iter()
            .filter(bad)
            .map(|finding| format!("{}: {}", finding.check, finding.found))
            .collect()
    }

    #[tokio::test]
    async fn new_keys_are_sound() {
        let secret = new_secret().expect("a secret");
        let (anon, service) =
            (mint_key(&secret, "anon").expect("a key"), mint_key(&secret, "service_role").expect("a key"));
        assert_eq!(
            errors(&[("jwt_secret", &secret), ("anon_key", &anon), ("service_role_key", &service)]).await,
            [""; 0]
        );
        assert_eq!(
            errors(&[
                ("jwt_secret", OTHER),
                ("anon_key", "sb_publishable_gVn3xP0aQ9vBn7LmRt5W"),
                ("service_role_key", "sb_secret_Zk3xP0aQ9vBn7LmRt5WcYh")
            ])
            .await,
            [""; 0]
        );
    }

    #[tokio::test]
    async fn weak_secrets_are_found() {
        for weak in [
            "",
            "short",
            "super-secret-jwt-token-with-at-least-32-characters-long",
            "YOUR-SUPER-SECRET-jwt-token-with-at-least-32-characters-long",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "passwordpasswordpasswordpassword",
            "0123456789012345678901234567890123456789",
        ] {
            let found = errors(&[
                ("jwt_secret", weak),
                ("anon_key", "sb_publishable_gVn3xP0aQ9vBn7LmRt5W"),
                ("service_role_key", "sb_secret_Zk3xP0aQ9vBn7LmRt5WcYh"),
            ])
            .await;
            assert!(found.iter().any(|one| one.starts_with("jwt-secret")), "{weak}");
        }
    }

    #[tokio::test]
    async fn previous_keys_are_as_strong_as_the_present_ones_and_as_apart() {
        let secret = new_secret().expect("a secret");
        let key = |role: &str| mint_key(&secret, role).expect("a key");
        let (anon, service) = (key("anon"), key("service_role"));
        let with = async |more: &[(&str, &str)]| {
            let mut pairs = vec![("jwt_secret", secret.as_str()), ("anon_key", &anon), ("service_role_key", &service)];
            pairs.extend(more);
            errors(&pairs).await
        };
        assert_eq!(with(&[("jwt_secret_previous", OTHER), ("service_role_key_previous", OTHER)]).await, [""; 0]);
        let old_anon = mint_key(OTHER, "anon").expect("a key");
        for bad in [
            ("jwt_secret_previous", "passwordpasswordpasswordpassword"),
            ("anon_key_previous", service.as_str()),
            ("service_role_key_previous", anon.as_str()),
            // The public key of before the rotation, put in the wrong place.
            ("service_role_key_previous", old_anon.as_str()),
            ("service_role_key_previous", "hunter2"),
        ] {
            let found = with(&[bad]).await;
            assert!(found.iter().any(|one| one.starts_with("previous-keys")), "{bad:?} {found:?}");
        }
    }

    #[tokio::test]
    async fn wrong_keys_are_found() {
        let secret = new_secret().expect("a secret");
        let key = |secret: &str, role: &str| mint_key(secret, role).expect("a key");
        let (anon, service) = (key(&secret, "anon"), key(&secret, "service_role"));
        let demo = WELL_KNOWN.first().copied().unwrap_or_default();
        for (anon, service) in [
            (service.as_str(), anon.as_str()),
            (&anon, &anon),
            (&anon, &key(OTHER, "service_role")),
            (&key(demo, "anon"), &service),
            (&anon, "hunter2"),
            ("", ""),
        ] {
            let found = errors(&[("jwt_secret", &secret), ("anon_key", anon), ("service_role_key", service)]).await;
            assert!(found.iter().any(|one| one.starts_with("api-keys")), "{anon} {service}");
        }
    }
}
