//! What the routes need, and how it is made.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use behalf_caller_db::CallerDb;
use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_queue::Workers;
use behalf_web::Web;

use crate::body::Bodies;
use crate::options::RestOptions;
use crate::schema::{LoadError, SchemaCell};
use crate::watch;

/// How often old rows of the log are deleted.
const PRUNE: Duration = Duration::from_mins(10);

/// What the routes need. Clones share it.
#[derive(Clone, Debug)]
pub struct Rest(pub(crate) Arc<RestParts>);

/// What is shared.
#[derive(Debug)]
pub(crate) struct RestParts {
    pub(crate) web: Web,
    pub(crate) db: CallerDb,
    pub(crate) schema: Arc<SchemaCell>,
    pub(crate) bodies: Bodies,
    pub(crate) options: RestOptions,
}

impl Rest {
    /// Reads the catalogue, and starts to keep what was read fresh.
    pub async fn start(
        web: Web,
        host_db: &HostDb,
        db: CallerDb,
        options: RestOptions,
        jobs: &Jobs,
        workers: &mut Workers,
    ) -> Result<Self, LoadError> {
        let (schemas, extra) = (options.schemas.clone(), options.extra_search_path.clone());
        let schema = Arc::new(SchemaCell::load(host_db.clone(), schemas, extra).await?);
        watch::start(&schema, host_db, jobs);
        prune(&db, options.log_days, workers);
        let bodies = Bodies::new(options.max_body_bytes);
        Ok(Self(Arc::new(RestParts { web, db, schema, bodies, options })))
    }
}

impl FromRef<Rest> for Web {
    fn from_ref(rest: &Rest) -> Self {
        rest.0.web.clone()
    }
}

fn prune(db: &CallerDb, days: u32, workers: &mut Workers) {
    let log = db.app_log().clone();
    workers.every("prune-app-requests", PRUNE, move || {
        let log = log.clone();
        async move { log.prune(days).await }
    });
}
