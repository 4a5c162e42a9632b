//! Looks, while the host runs, for tables and views that show every row to callers. `serve` refuses to start with one; a table
//! that is created later must not go unnoticed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::{Jobs, Next};
use behalf_telemetry::Finding;

use crate::doctor::{Scope, exposed};

/// How many tables and views show every row to callers. Clones share the number.
#[derive(Clone, Debug, Default)]
pub struct ExposureWatch(Arc<AtomicUsize>);

impl ExposureWatch {
    /// Starts to look, now and then every `period`. Each finding is logged once.
    pub fn start(host: &HostDb, scope: Scope, period: Duration, jobs: &Jobs) -> Self {
        let watch = Self::default();
        let (host, seen, scope) = (host.clone(), watch.clone(), Arc::new(scope));
        let told = Arc::new(tokio::sync::Mutex::new(BTreeSet::new()));
        jobs.every("exposure", period.max(Duration::from_secs(1)), move || {
            let (host, seen, scope, told) = (host.clone(), seen.clone(), Arc::clone(&scope), Arc::clone(&told));
            async move {
                let mut tx = host.begin_as_host().await?;
                let findings = exposed(&mut tx, &scope).await?;
                tx.commit().await?;
                seen.0.store(findings.len(), Ordering::Relaxed);
                let mut told = told.lock().await;
                tell(&findings, &mut told);
                Ok::<_, sqlx::Error>(Next::Continue)
            }
        });
        watch
    }

    /// The number at the last look.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Logs what is new, and forgets what is gone, so that it is logged again when it comes back.
fn tell(findings: &[Finding], told: &mut BTreeSet<String>) {
    told.retain(|known| findings.iter().any(|finding| finding.found == *known));
    for finding in findings {
        if told.insert(finding.found.clone()) {
            let fix = finding.fix.as_deref().unwrap_or_default();
            tracing::error!(check = finding.check, found = %finding.found, fix, "callers see every row");
        }
    }
}
