//! Hosts that do the jobs of one database, each with threads and connections of its own, so that it can be killed.

use std::sync::Arc;
use std::time::Duration;

use behalf::app::Owners;
use behalf_host_db::{HostDb, HostTx};
use behalf_identity::{Principal, Verifier, VerifierOptions};
use behalf_jobs::Jobs;
use behalf_queue::{
    Added, Done, Ended, Failure, Handler, Job, JobId, JobLimits, LaneOptions, NewJob, Queue, RunningWorkers,
    WorkerOptions, Workers,
};
use behalf_tests::app::{anon_key, service_key, token};
use behalf_tests::{App, SECRET, TestDatabase, User, eventually};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub(super) const LANE: &str = "tests";
pub(super) const KIND: &str = "tests.work";

/// Owners whose counts are not those of their jobs.
const MISCOUNTED: &str = "
    select count(*) from behalf.job_owners o full join (
        select lane, owner, count(*) filter (where state = 'ready') as ready, count(*) filter (where state = 'running') as running
        from behalf.jobs group by lane, owner) j using (lane, owner)
    where coalesce(o.ready, 0) <> coalesce(j.ready, 0) or coalesce(o.running, 0) <> coalesce(j.running, 0)";

/// A database with jobs, and those who add them.
pub(super) struct Bed {
    pub(super) database: TestDatabase,
    pub(super) db: HostDb,
    pub(super) queue: Queue,
    pub(super) verifier: Arc<Verifier>,
}

impl Bed {
    pub(super) async fn new() -> Self {
        Self::on(TestDatabase::create().await, SECRET).await
    }

    /// With the secret that seals callers.
    pub(super) async fn on(database: TestDatabase, secret: &str) -> Self {
        let verifier = Verifier::new(VerifierOptions {
            secret: Some(secret.as_bytes().to_vec()),
            jwks: None,
            audience: "authenticated".to_owned(),
            issuer: None,
            anon_key: Some(anon_key()),
            service_key: Some(service_key()),
            clock_skew: Duration::ZERO,
        });
        Self::with(database, Arc::new(verifier.unwrap())).await
    }

    /// On the database of a whole host.
    pub(super) async fn of(app: &App) -> Self {
        Self::with(app.database.clone(), Arc::clone(&app.state.web.verifier)).await
    }

    async fn with(database: TestDatabase, verifier: Arc<Verifier>) -> Self {
        let host = database.logins.host();
        let tables = format!(
            "create table if not exists behalf.effects (
                 n bigint generated always as identity, job uuid not null, who uuid, role text, note text not null);
             create table if not exists behalf.endings (job uuid not null, who uuid, role text, code text, cancelled boolean);
             grant select, insert on behalf.effects, behalf.endings to {host};"
        );
        database.execute(&tables).await;
        let db = HostDb::connect(&database.host_url(), 4).await.unwrap();
        let queue = Queue::new(db.clone(), verifier.seal());
        Self { database, db, queue, verifier }
    }

    pub(super) async fn principal(&self, user: &User) -> Arc<Principal> {
        let token = match user {
            User::Anon => anon_key(),
            User::Service => service_key(),
            User::Is(user) => token(*user),
            User::Token(token) => token.clone(),
            other => panic!("{other:?} adds no jobs here"),
        };
        self.verifier.verify(&token).await.unwrap()
    }

    /// Adds a job of the tests' kind.
    pub(super) async fn add(&self, user: &User, payload: Value) -> JobId {
        self.add_new(user, &NewJob { payload, ..job() }).await.id()
    }

    pub(super) async fn add_new(&self, user: &User, job: &NewJob<'_>) -> Added {
        let principal = self.principal(user).await;
        let mut tx = self.db.begin(&principal).await.unwrap();
        let added = self.queue.add(&mut tx, &principal, job).await.unwrap();
        tx.commit().await.unwrap();
        added
    }

    /// Adds so many jobs in one transaction.
    pub(super) async fn add_many(&self, user: &User, count: usize) {
        let principal = self.principal(user).await;
        let mut tx = self.db.begin(&principal).await.unwrap();
        for number in 0..count {
            let job = NewJob { payload: json!(number), ..job() };
            self.queue.add(&mut tx, &principal, &job).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    pub(super) async fn cancel(&self, user: &User, id: JobId) -> behalf_queue::Cancel {
        let principal = self.principal(user).await;
        let mut tx = self.db.begin(&principal).await.unwrap();
        let cancel = self.queue.cancel(&mut tx, id).await.unwrap();
        tx.commit().await.unwrap();
        cancel
    }

    /// A number that the owner of the database reads.
    pub(super) async fn count(&self, sql: &str) -> i64 {
        self.database.value(sql).await
    }

    /// How many effects are stored.
    pub(super) async fn effects(&self) -> i64 {
        self.count("select count(*) from behalf.effects").await
    }

    /// A column of a job, as text; `gone` where it is no longer there.
    pub(super) async fn of_job(&self, id: JobId, column: &str) -> String {
        let sql = format!(
            "select coalesce((select coalesce({column}::text, '-') from behalf.jobs where id = '{id}'), 'gone')"
        );
        self.database.value(&sql).await
    }

    /// Returns once the job is in this state.
    pub(super) async fn is_soon(&self, id: JobId, state: &str) {
        eventually(&format!("the job is {state}"), async || self.of_job(id, "state").await == state).await;
    }

    /// Who the feature was told the end of, and how.
    pub(super) async fn ending(&self, id: JobId) -> String {
        let sql = format!(
            "select coalesce(string_agg(concat_ws(' ', coalesce(who::text, 'none'), role, code, cancelled), ', '), 'untold')
             from behalf.endings where job = '{id}'"
        );
        self.database.value(&sql).await
    }

    /// What counts the owners' jobs is true.
    pub(super) async fn counts_are_true(&self) {
        assert_eq!(self.count(MISCOUNTED).await, 0, "an owner's jobs are counted wrongly");
    }
}

/// A job of the tests' kind, without delay and with three attempts.
pub(super) fn job() -> NewJob<'static> {
    NewJob { lane: LANE, kind: KIND, unique_key: None, payload: json!({}), max_attempts: 3, delay: Duration::ZERO }
}

/// What hosts of tests do: leases are short, and they look often.
pub(super) fn options() -> WorkerOptions {
    WorkerOptions {
        lanes: vec![LaneOptions { name: LANE, places: 4, per_owner: 8 }],
        lease: Duration::from_secs(2),
        poll: Duration::from_millis(100),
        kept_ended: None,
    }
}

type Attempt = Box<dyn for<'a> Fn(&'a Job) -> BoxFuture<'a, Result<Done, Failure>> + Send + Sync>;

/// Does jobs as a test says, and notes the ends of the others.
pub(super) struct Work {
    kind: &'static str,
    limits: JobLimits,
    attempt: Attempt,
}

impl Work {
    pub(super) fn new<F>(attempt: F) -> Self
    where
        F: for<'a> Fn(&'a Job) -> BoxFuture<'a, Result<Done, Failure>> + Send + Sync + 'static,
    {
        let limits = JobLimits {
            deadline: Duration::from_mins(1),
            first_wait: Duration::from_millis(10),
            longest_wait: Duration::from_millis(100),
        };
        Self { kind: KIND, limits, attempt: Box::new(attempt) }
    }

    /// Stores one effect for each job.
    pub(super) fn effects(note: &'static str) -> Self {
        Self::new(move |job| Box::pin(effect(job, note)))
    }

    pub(super) fn within(self, deadline: Duration) -> Self {
        Self { limits: JobLimits { deadline, ..self.limits }, ..self }
    }
}

impl Handler for Work {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn limits(&self) -> JobLimits {
        self.limits
    }

    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Done, Failure>> {
        (self.attempt)(job)
    }

    fn gave_up<'a>(&'a self, tx: &'a mut HostTx, job: &'a Ended<'a>) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        Box::pin(async move {
            sqlx::query("insert into behalf.endings values ($1, auth.uid(), auth.role(), $2, $3)")
                .bind(job.id)
                .bind(job.code)
                .bind(job.is_cancelled)
                .execute(&mut **tx)
                .await
                .map(drop)
        })
    }
}

/// Stores one effect, and ends the job with it.
pub(super) async fn effect(job: &Job, note: &str) -> Result<Done, Failure> {
    let mut tx = job.begin().await?;
    note_effect(&mut tx, job, note).await?;
    job.finish(tx).await
}

pub(super) async fn note_effect(tx: &mut HostTx, job: &Job, note: &str) -> Result<(), sqlx::Error> {
    sqlx::query("insert into behalf.effects (job, who, role, note) values ($1, auth.uid(), auth.role(), $2)")
        .bind(job.id)
        .bind(note)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// A host.
pub(super) struct Host {
    runtime: Option<Runtime>,
    running: Arc<RunningWorkers>,
    jobs: Jobs,
}

impl Host {
    /// Starts one that does the tests' kind.
    pub(super) async fn start(bed: &Bed, work: Work) -> Self {
        Self::with(bed, options(), 2, |workers| workers.handle(work)).await
    }

    /// The same with other options and so many threads.
    pub(super) async fn with(
        bed: &Bed,
        options: WorkerOptions,
        threads: usize,
        prepare: impl FnOnce(&mut Workers) + Send + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
        let (address, seal, jobs) = (bed.database.host_url(), bed.verifier.seal(), Jobs::new());
        let of_host = jobs.clone();
        let started = runtime.spawn(async move {
            let db = HostDb::connect(&address, 6).await.unwrap();
            let owners = Arc::new(Owners::new(db.clone()));
            let mut workers = Workers::new(Queue::new(db, seal), owners, options);
            prepare(&mut workers);
            workers.start(&of_host)
        });
        Self { running: Arc::new(started.await.unwrap()), runtime: Some(runtime), jobs }
    }

    /// Ends it at once, wherever it is. It writes nothing more.
    pub(super) fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    /// Stops it as a signal does.
    pub(super) async fn stop(&self) {
        let (running, jobs) = (Arc::clone(&self.running), self.jobs.clone());
        let stopped = self.runtime.as_ref().unwrap().spawn(async move {
            running.shutdown().await;
            jobs.shutdown(Duration::from_secs(5)).await;
        });
        stopped.await.unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
