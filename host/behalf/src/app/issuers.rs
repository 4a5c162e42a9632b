//! The setting `issuers`: whose tokens are accepted beside the project's own.

use behalf_config::{ConfigError, Settings};
use behalf_identity::{IssuerOptions, Issuers};
use serde_json::Value;

/// Reads the list, or says what is wrong with it.
pub(crate) fn issuers(settings: &Settings) -> Result<Issuers, ConfigError> {
    let issuers = Issuers::new(entries(settings)?).map_err(|error| wrong(&describe(&error)))?;
    if let Some(issuer) = issuers.with_ids() {
        let own = settings.jwt_secret.is_some() || settings.jwks_url.is_some() || settings.jwks_file.is_some();
        if own {
            return Err(wrong(&format!(
                "{issuer:?} has `subject: \"uuid\"`, and so do tokens of the project's own key (jwt_secret, jwks_url or \
                 jwks_file); one issuer at most may, or each could name the other's users"
            )));
        }
    }
    let own = settings.public_url.as_deref().map(|url| format!("{}/auth/v1", url.trim_end_matches('/')));
    if let Some(issuer) = settings.jwt_issuer.iter().chain(&own).find(|issuer| issuers.contains(issuer)) {
        return Err(wrong(&format!("{issuer:?} is the project's own issuer, which needs no entry")));
    }
    Ok(issuers)
}

/// The entries as they are set: a list in `behalf.toml`, or JSON.
pub(crate) fn entries(settings: &Settings) -> Result<Vec<IssuerOptions>, ConfigError> {
    let value = match &settings.issuers {
        None => return Ok(Vec::new()),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|error| wrong(&error))?,
        Some(value) => value.clone(),
    };
    serde_json::from_value(value).map_err(|error| wrong(&error))
}

fn wrong(why: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::Value(format!("issuers: {why}"))
}

/// An error with its causes.
fn describe(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(list: &Value, more: &[(&str, &str)]) -> Result<Issuers, String> {
        let more = more.iter().map(|(name, value)| (*name, format!("{value:?}")));
        let mut settings = Settings::from_pairs(more).expect("settings");
        settings.issuers = Some(list.clone());
        issuers(&settings).map_err(|error| error.to_string())
    }

    #[test]
    fn an_entry_says_for_whom_its_tokens_are_made() {
        let auth0 = json!({ "issuer": "https://app.eu.auth0.com/", "audience": ["https://api.example"] });
        assert!(read(&json!([auth0]), &[]).is_ok());
        let as_text = json!(json!([auth0]).to_string());
        assert!(read(&as_text, &[]).is_ok_and(|issuers| issuers.contains("https://app.eu.auth0.com/")));
        for (bad, why) in [
            (json!([{ "issuer": "https://a.example" }]), "audience"),
            (json!([{ "issuer": "", "audience": "x" }]), "no name"),
            (json!([{ "issuer": "https://a.example", "audience": "" }]), "empty"),
            (json!([{ "issuer": "https://a.example", "audience": "x", "algorithms": "HS256" }]), "algorithms"),
            (json!([{ "issuer": "https://a.example", "audience": "x", "algorithms": [] }]), "algorithms"),
            (json!([{ "issuer": "https://a.example", "audience": "x", "claims": { "sub": "email" } }]), "claims"),
            (json!([{ "issuer": "https://a.example", "audience": "x", "default_role": "service_role" }]), "variant"),
            (json!([{ "issuer": "no-url", "audience": "x" }]), "jwks_url"),
            (json!([{ "issuer": "https://a.example", "audience": "x", "audiense": "y" }]), "audiense"),
            (json!([auth0, auth0]), "twice"),
            (json!({ "issuer": "https://a.example" }), "sequence"),
        ] {
            let error = read(&bad, &[]).expect_err("it is wrong");
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn one_issuer_at_most_has_ids_of_its_own() {
        let with_ids = |name: &str| json!({ "issuer": name, "audience": "x", "subject": "uuid" });
        let (one, two) = (with_ids("https://a.example"), with_ids("https://b.example"));
        assert!(read(&json!([one]), &[]).is_ok());
        assert!(read(&json!([one, two]), &[]).is_err());
        assert!(read(&json!([one]), &[("jwt_secret", "0123456789abcdef0123456789abcdef")]).is_err());
        assert!(read(&json!([one]), &[("jwks_url", "https://c.example/jwks")]).is_err());
        let mapped = json!({ "issuer": "https://b.example", "audience": "x" });
        assert!(read(&json!([mapped]), &[("jwt_secret", "0123456789abcdef0123456789abcdef")]).is_ok());
        assert!(read(&json!([mapped]), &[("jwt_issuer", "https://b.example")]).is_err());
        let own = json!({ "issuer": "https://host.example/auth/v1", "audience": "x" });
        assert!(read(&json!([own]), &[("public_url", "https://host.example/")]).is_err());
    }
}
