//! Checks of the secrets that the database holds encrypted.

use std::sync::Arc;

use behalf_agents::SealedSecrets;
use behalf_config::Settings;
use behalf_host_db::SigningKeyStore;
use behalf_telemetry::Finding;
use behalf_tools::PluginSecretStore;

use crate::app::sealer;
use crate::cli::host_db::host_db;

const NAME: &str = "sealed-secrets";
/// Secrets that are named; further ones are counted.
const NAMED: usize = 5;

/// Counts what is left under an earlier key, and what no key opens.
pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    // Whatever is wrong with the address or the keys is the finding of another check.
    let (Some(_), Ok(sealer)) = (&settings.host_database_url, sealer(settings)) else {
        return vec![Finding::skipped(NAME, "needs the host's database address and usable keys")];
    };
    let Ok(db) = host_db(settings).await else {
        return vec![Finding::skipped(NAME, "the database cannot be reached as the host")];
    };
    let sealer = Arc::new(sealer);
    let examined = SealedSecrets::examine(&db, &sealer).await;
    let keys = SigningKeyStore::new(db.clone()).examine(&sealer).await;
    let plugins = PluginSecretStore::new(db.clone(), sealer).examine().await;
    db.close().await;
    match (examined, keys, plugins) {
        (Ok(mut found), Ok(keys), Ok(plugins)) => {
            found.current += plugins.current;
            found.previous += plugins.previous;
            found.closed.extend(plugins.closed);
            found.current += keys.current;
            found.previous += keys.previous;
            found.closed.extend(keys.closed.iter().map(|key| format!("signing key {key}")));
            judge(&found, settings.secrets_key_previous.is_some())
        }
        (Err(error), ..) => vec![Finding::skipped(NAME, format!("needs the migrations: {error}"))],
        (_, Err(error), _) => vec![Finding::skipped(NAME, format!("needs the migrations: {error}"))],
        (.., Err(error)) => vec![Finding::skipped(NAME, format!("needs the migrations: {error}"))],
    }
}

fn judge(found: &SealedSecrets, has_previous: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !found.closed.is_empty() {
        let named = found.closed.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = found.closed.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        findings.push(Finding::warning(
            NAME,
            format!("{} open with no key that is set: {named}{more}", found.closed.len()),
            "add the key they were sealed with to BEHALF_SECRETS_KEY_PREVIOUS and run behalf secrets reseal, or store them again",
        ));
    }
    if found.previous > 0 {
        findings.push(Finding::warning(
            NAME,
            format!("{} are sealed with an earlier key, {} with the current one", found.previous, found.current),
            "behalf secrets reseal; then unset BEHALF_SECRETS_KEY_PREVIOUS",
        ));
    }
    if findings.is_empty() {
        let unused = if has_previous { "; BEHALF_SECRETS_KEY_PREVIOUS opens nothing and can be unset" } else { "" };
        findings.push(Finding::ok(NAME, format!("{} are sealed with the current key{unused}", found.current)));
    }
    findings
}
