//! Checks of the issuers whose tokens are accepted beside the project's own.

use behalf_config::Settings;
use behalf_host_db::HostDb;
use behalf_identity::{IssuerOptions, SubjectForm, SubjectKind};
use behalf_telemetry::Finding;
use url::Url;

use crate::app::{issuer_entries, issuers, subject_form};

const NAME: &str = "issuers";
/// One check needs few connections.
const CONNECTIONS: u32 = 2;

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
    let mut findings: Vec<_> = entries.iter().flat_map(entry).collect();
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

fn entry(entry: &IssuerOptions) -> Vec<Finding> {
    let name = &entry.issuer;
    let mut findings = Vec::new();
    for (what, address) in [("its address", Some(name)), ("its jwks_url", entry.jwks_url.as_ref())] {
        if address.is_some_and(|address| travels_in_the_clear(address)) {
            findings.push(Finding::error(
                NAME,
                format!("{name}: {what} is http, so whoever is on the way can replace its keys and sign as each of its users"),
                "use the https address",
            ));
        }
    }
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

/// Whether an address is http and leads beyond this machine.
fn travels_in_the_clear(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let is_here = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && !is_here
}

/// Whether the database knows users of other issuers by their ids here.
async fn mapped(settings: &Settings) -> Option<Finding> {
    let address = settings.host_database_url.as_ref()?;
    let Ok(db) = HostDb::connect(address.expose(), CONNECTIONS).await else {
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

    fn levels(more: &Value) -> Vec<Level> {
        let mut value = json!({ "issuer": "https://a.example", "audience": "app" });
        value.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        entry(&serde_json::from_value(value).expect("an entry")).into_iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn what_users_write_and_what_travels_in_the_clear_is_found() {
        assert_eq!(levels(&json!({})), []);
        assert_eq!(
            levels(&json!({ "role_claim": "/app_metadata/role", "claims": { "app_metadata": "https://a/meta" } })),
            []
        );
        for bad in [
            json!({ "role_claim": "/user_metadata/role" }),
            json!({ "role_claim": "/unsafe_metadata/role" }),
            json!({ "claims": { "app_metadata": "/unsafeMetadata" } }),
            json!({ "issuer": "http://a.example" }),
            json!({ "jwks_url": "http://10.0.0.1/jwks" }),
        ] {
            assert_eq!(levels(&bad), [Level::Error], "{bad}");
        }
        assert_eq!(levels(&json!({ "jwks_url": "http://127.0.0.1:1/jwks" })), []);
        assert_eq!(levels(&json!({ "claims": { "user_metadata": "user_metadata" } })), []);
        for weak in [json!({ "audience": "account" }), json!({ "audience": "https://a.example/userinfo" })] {
            assert_eq!(levels(&weak), [Level::Warning], "{weak}");
        }
        assert_eq!(levels(&json!({ "audience": "account", "azp": "app" })), []);
    }
}
