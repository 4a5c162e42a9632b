//! Checks of the issuers whose tokens are accepted beside the project's own.

use behalf_config::Settings;
use behalf_identity::{IssuerOptions, SubjectForm, SubjectKind};
use behalf_telemetry::Finding;
use url::Url;

use super::network::{Reach, reach};
use crate::app::{issuer_entries, issuers, subject_form};
use crate::cli::host_db::host_db;

const NAME: &str = "issuers";

/// Parts of a claim's name that say that its user can write it.
const WRITTEN_BY_USERS: [&str; 5] =
    ["user_metadata", "unsafe_metadata", "unsafemetadata", "user_meta_data", "usermetadata"];

/// Audiences that an issuer writes into tokens of every app: Keycloak's and those of Supabase's projects.
const OF_EVERY_APP: [&str; 2] = ["account", "authenticated"];

/// Looks at each entry, and at how the database reads its users.
pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    let entries = match issuers(settings).and_then(|_| issuer_entries(settings)) {
        Ok(entries) if entries.is_empty() => {
            return vec![Finding::ok(NAME, "only the project's own tokens are accepted")];
        }
        Ok(entries) => entries,
        Err(error) => return vec![Finding::error(NAME, error.to_string(), "docs/own-issuer.md describes the form")],
    };
    let mut findings = Vec::new();
    for one in &entries {
        findings.extend(in_the_clear(one).await);
        findings.extend(entry(one));
    }
    if entries.iter().any(|entry| entry.subject == SubjectKind::Mapped) {
        findings.extend(mapped(settings).await);
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            NAME,
            format!("tokens of {} more are accepted, each for its own audience", entries.len()),
        ));
    }
    findings
}

/// Which of an entry's addresses are http beyond this machine.
async fn in_the_clear(entry: &IssuerOptions) -> Vec<Finding> {
    let name = &entry.issuer;
    let mut findings = Vec::new();
    for (what, address) in [("its address", Some(name)), ("its jwks_url", entry.jwks_url.as_ref())] {
        let Some(url) = address.and_then(|address| Url::parse(address).ok()).filter(|url| url.scheme() == "http")
        else {
            continue;
        };
        let make = match reach(url.host_str().unwrap_or_default()).await {
            Reach::Here => continue,
            Reach::Near => Finding::warning,
            Reach::Far => Finding::error,
        };
        findings.push(make(
            NAME,
            format!(
                "{name}: {what} is http, so whoever is on the way can replace its keys and sign as each of its users"
            ),
            "use the https address",
        ));
    }
    findings
}

/// What an entry takes from claims that say too little, or that users write.
fn entry(entry: &IssuerOptions) -> Vec<Finding> {
    let name = &entry.issuer;
    let mut findings = Vec::new();
    if let Some(claim) = entry.role_claim.as_deref().filter(|claim| is_written_by_users(claim)) {
        findings.push(Finding::error(
            NAME,
            format!("{name}: users write the claim {claim} themselves, and role_claim takes their role from it"),
            "take the role from a claim that only the issuer writes, such as app_metadata",
        ));
    }
    for (ours, theirs) in
        entry.claims.iter().filter(|(ours, theirs)| !is_written_by_users(ours) && is_written_by_users(theirs))
    {
        findings.push(Finding::error(
            NAME,
            format!("{name}: users write the claim {theirs} themselves, and policies read it as {ours}"),
            "copy a claim that only the issuer writes",
        ));
    }
    let weak = |audience: &&String| OF_EVERY_APP.contains(&audience.as_str()) || audience.ends_with("/userinfo");
    if let Some(audience) = entry.audience.iter().find(weak)
        && entry.azp.is_empty()
        && entry.client_id.is_empty()
    {
        findings.push(Finding::warning(
            NAME,
            format!("{name}: tokens for every app of this issuer may have the audience {audience}"),
            "set an audience of this app alone, or azp or client_id beside it",
        ));
    }
    findings
}

/// Whether a claim, or an object around it, is one that users write.
fn is_written_by_users(claim: &str) -> bool {
    let lower = claim.to_lowercase();
    WRITTEN_BY_USERS.iter().any(|part| lower.contains(part))
}

/// Whether the database knows users of other issuers by their ids here.
async fn mapped(settings: &Settings) -> Option<Finding> {
    settings.host_database_url.as_ref()?;
    let Ok(db) = host_db(settings).await else {
        return Some(Finding::skipped(NAME, "the database cannot be reached as the host"));
    };
    let form = subject_form(&db).await;
    db.close().await;
    match form {
        Ok(SubjectForm::Theirs) => None,
        Ok(SubjectForm::Ours) => Some(Finding::warning(
            NAME,
            "auth.uid() does not read behalf_uid, so for users of other issuers `sub` of the claims is their id here, and `behalf_sub` what the issuer calls them",
            "nothing, unless policies read auth.jwt()->>'sub': let them read coalesce(auth.jwt()->>'behalf_sub', auth.jwt()->>'sub'), or run migrations/0017_signing_keys.sql's auth.uid() as the owner of that function",
        )),
        Err(error) => Some(Finding::skipped(NAME, format!("needs the migrations: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use behalf_telemetry::Level;
    use serde_json::{Value, json};

    async fn levels(more: &Value) -> Vec<Level> {
        let mut value = json!({ "issuer": "https://a.example", "audience": "app" });
        value.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let read: IssuerOptions = serde_json::from_value(value).expect("an entry");
        in_the_clear(&read).await.into_iter().chain(entry(&read)).map(|finding| finding.level).collect()
    }

    #[tokio::test]
    async fn what_users_write_and_what_travels_in_the_clear_is_found() {
        assert_eq!(levels(&json!({})).await, []);
        assert_eq!(
            levels(&json!({ "role_claim": "/app_metadata/role", "claims": { "app_metadata": "https://a/meta" } }))
                .await,
            []
        );
        for bad in [
            json!({ "role_claim": "/user_metadata/role" }),
            json!({ "role_claim": "/unsafe_metadata/role" }),
            json!({ "claims": { "app_metadata": "/unsafeMetadata" } }),
            json!({ "issuer": "http://203.0.113.9" }),
            json!({ "jwks_url": "http://203.0.113.9/jwks" }),
            json!({ "jwks_url": "http://[2001:db8::1]/jwks" }),
        ] {
            assert_eq!(levels(&bad).await, [Level::Error], "{bad}");
        }
        for near in ["http://10.0.0.1/jwks", "http://192.168.1.2:8080/jwks", "http://[fd00::1]/jwks"] {
            assert_eq!(levels(&json!({ "jwks_url": near })).await, [Level::Warning], "{near}");
        }
        for here in
            ["http://127.0.0.1:1/jwks", "http://localhost/jwks", "http://[::1]/jwks", "https://203.0.113.9/jwks"]
        {
            assert_eq!(levels(&json!({ "jwks_url": here })).await, [], "{here}");
        }
        assert_eq!(levels(&json!({ "claims": { "user_metadata": "user_metadata" } })).await, []);
        for weak in [json!({ "audience": "account" }), json!({ "audience": "https://a.example/userinfo" })] {
            assert_eq!(levels(&weak).await, [Level::Warning], "{weak}");
        }
        assert_eq!(levels(&json!({ "audience": "account", "azp": "app" })).await, []);
    }
}
