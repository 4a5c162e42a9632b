//! `behalf bench jobs`: what background jobs cost, and whether their owners are served in turn, with many that wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use behalf_host_db::{HostDb, HostTx, run_script};
use behalf_identity::{Principal, TokenRequest, mint_token};
use behalf_jobs::Jobs;
use behalf_queue::{Done, Ended, Failure, Handler, Job, LaneOptions, NewJob, Queue, WorkerOptions, Workers};
use clap::Args;
use futures::future::BoxFuture;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use uuid::Uuid;

use super::summary::Summary;
use super::test_bed::{Scene, TestBed, owner_id};
use crate::app::Owners;

const LANE: &str = "bench";
const KIND: &str = "bench.nothing";

/// Jobs of one transaction where they are added in batches.
const BATCH: u32 = 100;

/// Places whose throughput is measured.
const PLACES: [usize; 3] = [1, 2, 8];

/// Places while it is watched who is served.
const PLACES_OF_TURNS: usize = 8;

/// `behalf bench jobs`
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct JobsArgs {
    /// Jobs that wait. Half of them are one owner's.
    #[arg(long, default_value_t = 100_000)]
    jobs: u32,
    /// Owners of these jobs.
    #[arg(long, default_value_t = 1_000)]
    owners: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

pub(super) async fn measure(args: &JobsArgs, bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_message("preparing a database");
    let bed = TestBed::prepare(&Scene::demo(), 4).await?;
    let report = Measured::new(&bed, args).await?.report(bar).await;
    bed.clear().await?;
    report
}

/// A queue with many owners.
struct Measured<'a> {
    bed: &'a TestBed,
    db: HostDb,
    queue: Queue,
    owners: Vec<Arc<Principal>>,
    jobs: u32,
    time: Duration,
}

fn job() -> NewJob<'static> {
    NewJob { lane: LANE, kind: KIND, unique_key: None, payload: json!({}), max_attempts: 3, delay: Duration::ZERO }
}

impl<'a> Measured<'a> {
    async fn new(bed: &'a TestBed, args: &JobsArgs) -> anyhow::Result<Self> {
        let db = bed.state.host_db.clone();
        let mut owners = Vec::new();
        for number in 0..args.owners.max(2) {
            let token = mint_token(&bed.secret, &TokenRequest::for_user(&owner_id(number).to_string()))?;
            owners.push(bed.state.web.verifier.verify(&token).await?);
        }
        let queue = Queue::new(db.clone(), bed.state.web.verifier.seal());
        Ok(Self { bed, db, queue, owners, jobs: args.jobs, time: Duration::from_secs(args.seconds.max(1)) })
    }

    async fn report(&self, bar: &ProgressBar) -> anyhow::Result<Value> {
        bar.set_message("adding jobs one by one");
        let single = self.add_single().await?;
        bar.set_message("adding jobs in batches");
        let batches = self.fill(bar).await?;
        // What is measured is the queue, not whether the server has looked at its tables already.
        run_script(&self.bed.postgres().owner_url(), "analyze behalf.jobs; analyze behalf.job_owners").await?;
        bar.set_message("claiming");
        let claim = self.claims().await?;
        bar.set_message("claiming beside an older snapshot");
        let beside = self.claims_beside_a_snapshot().await?;
        let mut throughput = serde_json::Map::new();
        for places in PLACES {
            bar.set_message(format!("working with {places} places"));
            throughput.insert(places.to_string(), self.work(places).await?);
        }
        bar.set_message("watching who is served");
        let turns = self.turns().await?;
        Ok(json!({
            "postgres": self.bed.version(),
            "jobs": self.jobs,
            "owners": self.owners.len(),
            "add_single": single,
            "add_in_batches": batches,
            "claim": claim,
            "claim_beside_snapshot": beside,
            "claim_and_finish_per_second": throughput,
            "turns": turns,
        }))
    }

    /// Each in a transaction of its own, of owners in turn.
    async fn add_single(&self) -> anyhow::Result<Summary> {
        let (began, mut times) = (Instant::now(), Vec::new());
        for owner in self.owners.iter().cycle() {
            let before = Instant::now();
            let mut tx = self.db.begin(owner).await?;
            self.queue.add(&mut tx, owner, &job()).await?;
            tx.commit().await?;
            times.push(before.elapsed());
            if began.elapsed() >= self.time {
                break;
            }
        }
        Ok(Summary::of_times(times, began.elapsed()))
    }

    /// The first owner has half of all jobs, the others share the rest.
    async fn fill(&self, bar: &ProgressBar) -> anyhow::Result<Value> {
        let (first, others) = self.owners.split_first().context("no owner")?;
        let half = self.jobs / 2;
        let each = half / u32::try_from(others.len())?.max(1);
        let began = Instant::now();
        let mut added = self.add_batches(first, half).await?;
        for owner in others {
            added += self.add_batches(owner, each).await?;
            bar.set_message(format!("adding jobs in batches: {added}"));
        }
        Ok(json!({ "jobs": added, "batch": BATCH, "per_second": rate(added, began.elapsed()) }))
    }

    async fn add_batches(&self, owner: &Principal, jobs: u32) -> anyhow::Result<u64> {
        let mut left = jobs;
        while left > 0 {
            let batch = left.min(BATCH);
            let all = vec![job(); batch as usize];
            let mut tx = self.db.begin(owner).await?;
            self.queue.add_all(&mut tx, owner, &all).await?;
            tx.commit().await?;
            left -= batch;
        }
        Ok(jobs.into())
    }

    /// One claim after another, each in a transaction of its own, and each given back at once by taking it off the list.
    async fn claims(&self) -> anyhow::Result<Summary> {
        let (began, mut times, host) = (Instant::now(), Vec::new(), Uuid::new_v4());
        while began.elapsed() < self.time {
            let before = Instant::now();
            let mut tx = self.db.begin_as_host().await?;
            let claimed: Option<Uuid> =
                sqlx::query_scalar("select id from behalf.claim_job($1, array[$2], $3, 60, 1000)")
                    .bind(LANE)
                    .bind(KIND)
                    .bind(host)
                    .fetch_optional(&mut *tx)
                    .await?;
            tx.commit().await?;
            times.push(before.elapsed());
            let Some(id) = claimed else { break };
            let mut tx = self.db.begin_as_host().await?;
            sqlx::query("delete from behalf.jobs where id = $1").bind(id).execute(&mut *tx).await?;
            tx.commit().await?;
        }
        let wall = times.iter().sum();
        Ok(Summary::of_times(times, wall))
    }

    /// The same while another transaction sees everything as it was before: nothing that claims leave behind can be removed.
    async fn claims_beside_a_snapshot(&self) -> anyhow::Result<Summary> {
        let mut older = self.db.begin_as_host().await?;
        for sql in ["declare older cursor for select from behalf.job_owners", "fetch 1 from older"] {
            sqlx::query(sql).execute(&mut *older).await?;
        }
        let summary = self.claims().await?;
        older.commit().await?;
        Ok(summary)
    }

    /// Jobs that one host does in a second, with so many places.
    async fn work(&self, places: usize) -> anyhow::Result<Value> {
        let served = Arc::new(Served::of(self.owners.len()));
        let took = self.run(places, &served, self.time, |_| false).await;
        let done = served.all();
        Ok(json!({ "jobs": done, "per_second": rate(done, took) }))
    }

    /// Until each owner was served once, or for a few measurements.
    async fn turns(&self) -> anyhow::Result<Value> {
        let served = Arc::new(Served::of(self.owners.len()));
        self.run(PLACES_OF_TURNS, &served, self.time * 6, |served| served.each_once().is_some()).await;
        let counts = served.counts();
        let first = self.owners.first().and_then(|owner| owner.subject()).context("no owner")?;
        Ok(json!({
            "places": PLACES_OF_TURNS,
            "served": served.all(),
            "owners_served": counts.len(),
            "served_until_each_owner_was_served_once": served.each_once(),
            "least_of_an_owner": counts.values().min(),
            "most_of_an_owner": counts.values().max(),
            "of_the_owner_with_half_of_all": counts.get(&first).copied().unwrap_or_default(),
        }))
    }

    /// Works for so long, or until `is_enough`. Returns how long it took.
    async fn run(
        &self,
        places: usize,
        served: &Arc<Served>,
        most: Duration,
        is_enough: impl Fn(&Served) -> bool,
    ) -> Duration {
        let options = WorkerOptions {
            lanes: vec![LaneOptions { name: LANE, places, per_owner: 1_000 }],
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            kept_ended: None,
        };
        let mut workers = Workers::new(self.queue.clone(), Arc::new(Owners::new(self.db.clone())), options);
        workers.handle(Nothing(Arc::clone(served)));
        let jobs = Jobs::new();
        let began = Instant::now();
        let running = workers.start(&jobs);
        while began.elapsed() < most && !is_enough(served) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let took = began.elapsed();
        running.shutdown().await;
        jobs.shutdown(Duration::from_secs(5)).await;
        took
    }
}

/// Who was served how often.
struct Served {
    owners: usize,
    by_owner: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: u64,
    of: HashMap<Uuid, u64>,
    /// Jobs that were served when each owner had been.
    each_once: Option<u64>,
}

impl Served {
    fn of(owners: usize) -> Self {
        Self { owners, by_owner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.by_owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, owner: Uuid) {
        let mut counts = self.lock();
        counts.all += 1;
        *counts.of.entry(owner).or_default() += 1;
        if counts.each_once.is_none() && counts.of.len() >= self.owners {
            counts.each_once = Some(counts.all);
        }
    }

    fn all(&self) -> u64 {
        self.lock().all
    }

    fn each_once(&self) -> Option<u64> {
        self.lock().each_once
    }

    fn counts(&self) -> HashMap<Uuid, u64> {
        self.lock().of.clone()
    }
}

/// A job that stores nothing but its end.
struct Nothing(Arc<Served>);

impl Handler for Nothing {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Done, Failure>> {
        Box::pin(async move {
            let owner = job.principal()?.subject().unwrap_or_default();
            let done = job.finish(job.begin().await?).await?;
            self.0.add(owner);
            Ok(done)
        })
    }

    fn gave_up<'a>(&'a self, _: &'a mut HostTx, _: &'a Ended<'a>) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        Box::pin(async { Ok(()) })
    }
}

fn rate(count: u64, time: Duration) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from) / time.as_secs_f64()
}
