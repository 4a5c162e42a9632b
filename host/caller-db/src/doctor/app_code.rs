//! Checks the app's own code that needs what `behalf migrate` revokes from PUBLIC: what stays open for it, and what fails.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use behalf_host_db::{AppUse, app_uses};
use behalf_telemetry::Finding;

const NAME: &str = "app-code";

/// Compares what the app's code needs with what is left open.
pub(super) async fn examine(conn: &mut PgConnection, left_open: &[String]) -> Vec<Finding> {
    match app_uses(conn).await {
        Ok(uses) => compare(&uses, left_open),
        Err(error) => vec![super::failed(NAME, &error)],
    }
}

fn compare(uses: &[AppUse], left_open: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for AppUse { code, reason, objects, fix } in uses {
        let closed: Vec<_> = objects.iter().filter(|object| !left_open.contains(object)).collect();
        if closed.is_empty() {
            let found = format!(
                "{code} {reason}; what it needs is open to callers ({} objects), and the SQL gate holds alone there",
                objects.len()
            );
            findings.push(Finding::warning(NAME, found, fix));
        } else {
            let found = format!(
                "{code} {reason}; {} is closed to callers, so it may fail for them with \"permission denied for function\"",
                some(&closed)
            );
            let fix = format!("{fix}; or behalf migrate without BEHALF_REVOKE_ALL, which leaves open what it needs");
            findings.push(Finding::warning(NAME, found, fix));
        }
    }
    let needed: BTreeSet<_> = uses.iter().flat_map(|one| &one.objects).collect();
    let spare: Vec<_> = left_open.iter().filter(|object| !needed.contains(object)).collect();
    if !spare.is_empty() {
        let found = format!("{} is open to callers, and the app's code needs it no longer", some(&spare));
        findings.push(Finding::warning(NAME, found, "behalf migrate closes it"));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(NAME, "needs nothing that is closed to callers"));
    }
    findings
}

/// The first of many names.
fn some(objects: &[&String]) -> String {
    const SHOWN: usize = 5;
    let shown = objects.iter().take(SHOWN).map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    match objects.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
