//! Background jobs: who may still have theirs done, which work is the host's own, and how long things are kept.

use std::sync::Arc;
use std::time::Duration;

use behalf_accounts::Delegations;
use behalf_caller_db::CallerDb;
use behalf_config::Settings;
use behalf_host_db::HostDb;
use behalf_identity::{Principal, PrincipalSeal};
use behalf_jobs::{Jobs, Next};
use behalf_queue::{OwnerCheck, Queue, WorkerOptions, Workers};
use behalf_sandbox::Sandbox;
use behalf_web::Web;
use futures::FutureExt;
use futures::future::BoxFuture;

/// How often what is too old is looked for that grows with requests.
const PRUNE: Duration = Duration::from_mins(10);

/// The same where it grows slowly.
const PRUNE_SLOWLY: Duration = Duration::from_hours(1);

/// How often a host looks for jobs that it was not told of.
const POLL: Duration = Duration::from_secs(1);

/// A host that is only busy would lose a shorter lease.
const MIN_LEASE: Duration = Duration::from_secs(2);

const DAY: Duration = Duration::from_hours(24);

/// Whether the user of the bound claims is banned or deleted, as far as the project's `auth.users` says. It has no users of other
/// issuers.
const IS_SUSPENDED: &str = "
    select behalf.uid() is not null and not behalf.jwt() ?| array['behalf_sub', 'behalf_uid']
        and coalesce((behalf.auth_user(behalf.uid()) ->> 'suspended')::boolean, false)";

/// Says whether the owners of jobs may still have them done.
#[derive(Debug)]
pub struct Owners {
    db: HostDb,
    delegations: Delegations,
}

impl Owners {
    /// Asks this database.
    pub fn new(db: HostDb) -> Self {
        Self { delegations: Delegations::new(db.clone()), db }
    }

    async fn is_there(&self, principal: &Principal) -> Result<bool, sqlx::Error> {
        if principal.is_service() {
            return Ok(true);
        }
        let mut tx = self.db.begin(principal).await?;
        let is_suspended: bool = sqlx::query_scalar(IS_SUSPENDED).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(!is_suspended && self.delegations.is_valid(principal).await?)
    }
}

impl OwnerCheck for Owners {
    fn may_act<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, Result<bool, sqlx::Error>> {
        self.is_there(principal).boxed()
    }
}

/// The jobs of this host, before features add theirs.
pub(super) fn workers(db: &HostDb, seal: &Arc<PrincipalSeal>, settings: &Settings) -> Workers {
    let options = WorkerOptions {
        lanes: Vec::new(),
        lease: Duration::from_secs(settings.sources.jobs_lease_seconds).max(MIN_LEASE),
        poll: POLL,
        kept_ended: days(settings.retention.retention_jobs),
    };
    let queue = Queue::new(db.clone(), Arc::clone(seal)).with_max_waiting(settings.sources.jobs_max_waiting);
    Workers::new(queue, Arc::new(Owners::new(db.clone())), options)
}

/// So many days; none where things are kept for ever.
fn days(days: u32) -> Option<Duration> {
    (days > 0).then(|| DAY.saturating_mul(days))
}

/// Deletes what the host itself keeps for a time only: texts of calls, idempotency keys, claims, the audit log, and usage where an operator
/// wants it.
pub(super) fn prune(db: &HostDb, web: &Web, caller_db: &CallerDb, settings: &Settings, workers: &mut Workers) {
    let (log, days) = (caller_db.audit().clone(), settings.call_texts_days);
    workers.every("prune-call-texts", PRUNE, move || {
        let log = log.clone();
        async move { log.prune_texts(days).await }
    });
    let keys = web.idempotency.clone();
    workers.every("prune-idempotency-keys", PRUNE, move || {
        let keys = keys.clone();
        async move { keys.prune().await.map(drop) }
    });
    let claims = web.claims.clone();
    workers.every("prune-claims", PRUNE, move || {
        let claims = claims.clone();
        async move { claims.prune().await }
    });
    let (audit, days) = (db.clone(), settings.retention.retention_audit);
    if days > 0 {
        workers.every("prune-audit", PRUNE_SLOWLY, move || {
            let db = audit.clone();
            async move { db.prune_audit(days).await }
        });
    }
    let (usage, days) = (db.clone(), settings.retention.retention_usage);
    if days > 0 {
        workers.every("prune-usage", PRUNE_SLOWLY, move || {
            let db = usage.clone();
            async move { db.prune_usage(days).await }
        });
    }
}

/// Deletes what is too old of the state folder. Each host does it for its own.
pub(super) fn prune_state(sandbox: &Arc<Sandbox>, settings: &Settings, jobs: &Jobs) {
    let (sandbox, kept) = (Arc::clone(sandbox), &settings.retention);
    let (compiled, workspaces) = (days(kept.retention_compiled), days(kept.retention_workspaces));
    jobs.every("prune-state", PRUNE_SLOWLY, move || {
        let sandbox = Arc::clone(&sandbox);
        async move { sandbox.prune(compiled, workspaces).await.map(|()| Next::Continue) }
    });
}
