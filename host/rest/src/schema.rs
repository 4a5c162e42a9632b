//! The schema cache: what the planner knows of the database, replaced as a whole when the database has changed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use behalf_host_db::HostDb;
use behalf_problem::LogText as _;
use behalf_rest_plan::SchemaCache;
use behalf_telemetry::metric;
use sqlx::Row as _;
use thiserror::Error;
use tokio::sync::Mutex;

/// Names that nobody knows make the host look for them in the database, at most this often.
const EARLY: Duration = Duration::from_secs(1);

/// How long such a request waits for the answer of the database.
const EARLY_PATIENCE: Duration = Duration::from_secs(5);

/// A text that is another one after every change that matters to the planner. `xmin` is the transaction that wrote a row of the
/// catalogue. $1 is the exposed schemas.
const FINGERPRINT: &str = "
with space as materialized (select oid from pg_catalog.pg_namespace where nspname = any ($1::text[])),
  relation as materialized (
    select c.oid, c.xmin::text::bigint as by from pg_catalog.pg_class c
    where c.relnamespace in (select oid from space) and c.relkind in ('r', 'v', 'm', 'f', 'p'))
select concat_ws(' ',
    (select concat(count(*), '/', sum(oid::bigint)) from space),
    (select concat(count(*), '/', sum(by)) from relation),
    (select concat(count(*), '/', sum(a.xmin::text::bigint)) from pg_catalog.pg_attribute a
     where a.attrelid in (select oid from relation) and a.attnum > 0),
    (select concat(count(*), '/', sum(w.xmin::text::bigint)) from pg_catalog.pg_rewrite w
     where w.ev_class in (select oid from relation)),
    (select concat(count(*), '/', sum(k.xmin::text::bigint)) from pg_catalog.pg_constraint k where k.oid >= 16384),
    (select concat(count(*), '/', sum(p.xmin::text::bigint)) from pg_catalog.pg_proc p where p.oid >= 16384),
    (select concat(count(*), '/', sum(c.xmin::text::bigint)) from pg_catalog.pg_cast c where c.oid >= 16384),
    (select concat(count(*), '/', sum(t.xmin::text::bigint)) from pg_catalog.pg_type t
     where t.oid >= 16384 and t.typtype in ('d', 'e')),
    (select concat(count(*), '/', sum(p.xmin::text::bigint)) from pg_catalog.pg_policy p),
    (select concat(count(*), '/', sum(d.xmin::text::bigint)) from pg_catalog.pg_attrdef d),
    (select concat(count(*), '/', sum(t.xmin::text::bigint)) from pg_catalog.pg_trigger t where not t.tgisinternal))";

/// Whether anything in the database can read `request.method`, `request.path`, `request.headers` or `request.cookies`. To bind
/// them costs a short request a good part of its time. Of a text of code every mention counts, and whatever could make the name
/// at run time; of a stored expression every use of `current_setting` (the functions 2077 and 3294). Functions in other languages
/// count, unless they belong to an extension.
const READS_REQUEST: &str = r"
select exists (
    select from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.oid >= 16384 and n.nspname not in ('behalf', 'ai')
      and case when l.lanname in ('sql', 'plpgsql')
          then p.prosrc ~* 'request\.(?!jwt)|request\W*\|\||pg_settings|current_setting\s*\(\s*[^''\s]|current_setting\s*\([^)]*\|\||\mexecute\M|\mshow\M'
              or p.prosqlbody::text ~ ':funcid (2077|3294) '
          else not exists (select from pg_catalog.pg_depend d
                           where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e') end)
  or exists (select from pg_catalog.pg_proc p where p.proargdefaults::text ~ ':funcid (2077|3294) ')
  or exists (select from pg_catalog.pg_type t where t.typdefaultbin::text ~ ':funcid (2077|3294) ')
  or exists (select from pg_catalog.pg_policy p
             where concat(p.polqual::text, p.polwithcheck::text) ~ ':funcid (2077|3294) ')
  or exists (select from pg_catalog.pg_attrdef d where d.adbin::text ~ ':funcid (2077|3294) ')
  or exists (select from pg_catalog.pg_constraint k where k.conbin::text ~ ':funcid (2077|3294) ')
  or exists (select from pg_catalog.pg_trigger t where t.tgqual::text ~ ':funcid (2077|3294) ')
  or exists (select from pg_catalog.pg_rewrite w where w.oid >= 16384 and concat(w.ev_action::text, w.ev_qual::text) ~ ':funcid (2077|3294) ')";

/// Whether `migrate` could install the triggers that tell of changes.
const HAS_TRIGGERS: &str = "select count(*) = 2 from pg_catalog.pg_event_trigger
    where evtname in ('behalf_schema_changed', 'behalf_schema_dropped') and evtenabled in ('O', 'A')";

/// The catalogue could not be read.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The server refused, or cannot be reached.
    #[error("cannot read the catalogue of the database")]
    Query(#[from] sqlx::Error),
    /// The planner does not understand what was read.
    #[error("the catalogue of the database has an unexpected form")]
    Form(#[from] serde_json::Error),
    /// The host stops.
    #[error("the host stops")]
    Stopped(#[from] tokio::task::JoinError),
}

/// The schema cache as it was read at one moment.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) cache: SchemaCache,
    /// Larger than that of every earlier one.
    pub(crate) version: u64,
    fingerprint: String,
    /// Whether the database tells of changes.
    pub(crate) has_triggers: bool,
    /// Whether anything in the database can read what is shown of a request.
    pub(crate) reads_request: bool,
}

/// The newest schema cache. Requests go on with the one that they began with.
#[derive(Debug)]
pub(crate) struct SchemaCell {
    db: HostDb,
    schemas: Vec<String>,
    extra: Vec<String>,
    current: RwLock<Arc<Loaded>>,
    versions: AtomicU64,
    /// Held by whoever reads the catalogue; when it was read last because of an unknown name.
    reading: Mutex<Option<Instant>>,
}

impl SchemaCell {
    /// Reads the catalogue for the first time.
    pub(crate) async fn load(db: HostDb, schemas: Vec<String>, extra: Vec<String>) -> Result<Self, LoadError> {
        let first = read(&db, &schemas, &extra, 1).await?;
        let (current, versions) = (RwLock::new(Arc::new(first)), AtomicU64::new(1));
        Ok(Self { db, schemas, extra, current, versions, reading: Mutex::default() })
    }

    /// The newest schema cache.
    pub(crate) fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the catalogue again.
    pub(crate) async fn reload(&self) -> Result<(), LoadError> {
        let _reading = self.reading.lock().await;
        self.replace().await
    }

    /// Reads the catalogue again if it has changed.
    pub(crate) async fn look(&self) -> Result<(), LoadError> {
        let _reading = self.reading.lock().await;
        if fingerprint(&self.db, &self.schemas).await? != self.current().fingerprint {
            self.replace().await?;
        }
        Ok(())
    }

    /// Looks for a name that the cache with this version does not know. Returns whether there is a newer cache.
    pub(crate) async fn look_early(&self, version: u64) -> bool {
        let mut last = self.reading.lock().await;
        let loaded = self.current();
        if loaded.version > version {
            return true;
        }
        if last.is_some_and(|last| last.elapsed() < EARLY) {
            return false;
        }
        let looked = async {
            if fingerprint(&self.db, &self.schemas).await? == loaded.fingerprint {
                return Ok(false);
            }
            self.replace().await.map(|()| true)
        };
        let looked = tokio::time::timeout(EARLY_PATIENCE, looked).await;
        *last = Some(Instant::now());
        match looked {
            Ok(Ok(is_new)) => is_new,
            Ok(Err::<_, LoadError>(error)) => {
                tracing::warn!(error = error.log_text(), "cannot look for a name in the database's catalogue");
                false
            }
            Err(_) => false,
        }
    }

    async fn replace(&self) -> Result<(), LoadError> {
        let version = self.versions.fetch_add(1, Ordering::Relaxed) + 1;
        let loaded = read(&self.db, &self.schemas, &self.extra, version).await?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        Ok(())
    }
}

async fn read(db: &HostDb, schemas: &[String], extra: &[String], version: u64) -> Result<Loaded, LoadError> {
    let started = Instant::now();
    // First the fingerprint: a change in between then makes it an old one, and the catalogue is read once more.
    let fingerprint = fingerprint(db, schemas).await?;
    let mut tx = db.begin_as_host().await?;
    // The server would take longer to compile the query than to run it.
    sqlx::query("set local jit = off").execute(&mut *tx).await?;
    // Then the server writes every name with its schema.
    sqlx::query("set local search_path = ''").execute(&mut *tx).await?;
    let has_triggers = sqlx::query_scalar(HAS_TRIGGERS).fetch_one(&mut *tx).await?;
    let reads_request = sqlx::query_scalar(READS_REQUEST).fetch_one(&mut *tx).await?;
    let row = sqlx::query(SchemaCache::QUERY).bind(schemas).bind(extra).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    // The whole catalogue is read at once, which takes long enough to hold up others.
    let parse = move || {
        let text: &str = row.try_get(0)?;
        Ok::<_, LoadError>(SchemaCache::from_json(text.as_bytes())?)
    };
    let cache = tokio::task::spawn_blocking(parse).await??;
    metric::rest_schema_read(started.elapsed(), cache.bytes());
    tracing::info!(duration_ms = started.elapsed().as_millis(), bytes = cache.bytes(), "the schema cache is new");
    Ok(Loaded { cache, version, fingerprint, has_triggers, reads_request })
}

async fn fingerprint(db: &HostDb, schemas: &[String]) -> Result<String, sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let text = sqlx::query_scalar(FINGERPRINT).bind(schemas).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(text)
}
