//! Wakes those who follow a run, on this host and on others.
//!
//! A host that stored events notifies a channel of Postgres: which host it is and the ids of the runs, never anything of
//! their contents. Any role of the database can read and write such a channel, so a notification is a hint to look and nothing
//! else: each follower reads the events as its own caller, and once in a while one statement looks whether a hint was missed.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::{Jobs, Stop};
use behalf_problem::LogText as _;
use sqlx::FromRow;
use sqlx::postgres::PgListener;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::run_lease::RunLease;

const CHANNEL: &str = "behalf_runs";
/// The channel on which hosts wait for messages of `realtime.messages`. Triggers store those of runs.
const MESSAGES: &str = "behalf_realtime";
/// How long runs gather before other hosts are notified, and again before a notification wakes anybody here: a flood on the
/// channel wakes followers no more often.
const GATHER: Duration = Duration::from_millis(10);
/// How often all followed runs are looked at, in case that a notification was lost.
const LOOK: Duration = Duration::from_secs(2);
/// The same of runs that only wait for a person.
const LOOK_AT_ALL: Duration = Duration::from_mins(1);
/// How often runs are looked at while no notification can be received.
const LOOK_WITHOUT_LISTENER: Duration = Duration::from_millis(300);
/// Postgres takes payloads of less than 8,000 bytes.
const MAX_PAYLOAD: usize = 7_900;

/// Tells followers of runs that something was stored.
#[derive(Debug)]
pub(crate) struct RunNotifier {
    /// Tells this host's notifications from those of others.
    host: String,
    followed: Mutex<HashMap<String, Followed>>,
    /// Runs that other hosts are to be notified of.
    unpublished: Mutex<BTreeSet<String>>,
    some_unpublished: Notify,
    /// Whether messages of users' channels were stored with them.
    some_mirrored: AtomicBool,
}

#[derive(Debug)]
struct Followed {
    wake: watch::Sender<()>,
    followers: usize,
    /// Those of them that wait for long.
    quiet: usize,
    seen: Option<Position>,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
struct Position {
    status: Option<String>,
    /// The number of its last event.
    seq: Option<i64>,
    /// Calls of it that somebody decided about.
    decided: i64,
}

/// A followed run and how far it is.
#[derive(Debug, FromRow)]
struct Moved {
    run_id: String,
    #[sqlx(flatten)]
    position: Position,
}

/// Follows one run until it is dropped.
#[derive(Debug)]
pub(crate) struct RunFollower {
    notifier: Arc<RunNotifier>,
    run_id: String,
    is_quiet: bool,
    wake: watch::Receiver<()>,
}

impl RunNotifier {
    /// Starts to notify other hosts and to listen to them.
    pub(crate) fn start(db: &HostDb, jobs: &Jobs) -> Arc<Self> {
        let notifier = Arc::new(Self::new(Uuid::new_v4().simple().to_string()));
        let (publisher, listener) = (Arc::clone(&notifier), Arc::clone(&notifier));
        let (publish_db, listen_db) = (db.clone(), db.clone());
        jobs.spawn("run notifications", |stop| async move { publisher.notify_others(&publish_db, &stop).await });
        jobs.spawn("run listener", |stop| async move {
            tokio::select! {
                () = stop.requested() => {}
                () = listener.listen(&listen_db) => {}
            }
        });
        notifier
    }

    fn new(host: String) -> Self {
        Self {
            host,
            followed: Mutex::default(),
            unpublished: Mutex::default(),
            some_unpublished: Notify::new(),
            some_mirrored: AtomicBool::new(false),
        }
    }

    /// Tells that something was stored of a run: its followers look now, on this host and on others.
    pub(crate) fn publish(&self, lease: &RunLease) {
        if lease.is_mirrored {
            self.some_mirrored.store(true, Ordering::Release);
        }
        self.publish_decision(&lease.run_id);
    }

    /// Tells that something was decided about a run.
    pub(crate) fn publish_decision(&self, run_id: &str) {
        self.wake(run_id);
        if self.unpublished().insert(run_id.to_owned()) {
            self.some_unpublished.notify_one();
        }
    }

    /// Follows a run from now on, whether or not there is one. The follower reads the run's events as its own caller.
    pub(crate) fn follow(self: &Arc<Self>, run_id: &str) -> RunFollower {
        self.enter(run_id, false)
    }

    /// The same for whoever waits for long: the database is seldom asked whether a notification was lost.
    pub(crate) fn follow_quietly(self: &Arc<Self>, run_id: &str) -> RunFollower {
        self.enter(run_id, true)
    }

    fn enter(self: &Arc<Self>, run_id: &str, is_quiet: bool) -> RunFollower {
        let mut followed = self.followed();
        let entry = followed.entry(run_id.to_owned()).or_insert_with(|| Followed {
            wake: watch::channel(()).0,
            followers: 0,
            quiet: 0,
            seen: None,
        });
        entry.followers += 1;
        entry.quiet += usize::from(is_quiet);
        let wake = entry.wake.subscribe();
        RunFollower { notifier: Arc::clone(self), run_id: run_id.to_owned(), is_quiet, wake }
    }

    fn wake(&self, run_id: &str) {
        if let Some(followed) = self.followed().get(run_id) {
            followed.wake.send_replace(());
        }
    }

    /// Notifies other hosts. Not within the transaction that stores: Postgres lets one transaction at a time commit that
    /// notifies, and that would hold up all runs.
    async fn notify_others(&self, db: &HostDb, stop: &Stop) {
        loop {
            tokio::select! {
                () = self.some_unpublished.notified() => tokio::time::sleep(GATHER).await,
                () = stop.requested() => {}
            }
            let runs = std::mem::take(&mut *self.unpublished());
            let messages = self.some_mirrored.swap(false, Ordering::AcqRel).then(|| (MESSAGES, String::new()));
            let of_runs = payloads(&self.host, &runs).into_iter().map(|payload| (CHANNEL, payload));
            for (channel, payload) in messages.into_iter().chain(of_runs) {
                if let Err(error) = db.notify(channel, &payload).await {
                    tracing::warn!(
                        error = error.log_text(),
                        "cannot notify other hosts of events; they find them by themselves, later"
                    );
                }
            }
            if stop.is_requested() {
                return;
            }
        }
    }

    /// Listens to other hosts, and looks for what it may have missed.
    async fn listen(&self, db: &HostDb) {
        let (mut listener, mut looked_at_all) = (None, None::<Instant>);
        loop {
            if listener.is_none() {
                listener = listen_to_channel(db).await.ok();
                // What was told before it listened was not heard.
                looked_at_all = None;
            }
            let all = looked_at_all.is_none_or(|looked| looked.elapsed() >= LOOK_AT_ALL);
            looked_at_all = if all { Some(Instant::now()) } else { looked_at_all };
            if let Err(error) = self.look(db, all).await {
                tracing::debug!(error = error.log_text(), "cannot look after followed runs");
            }
            let pause = if listener.is_some() { LOOK } else { LOOK_WITHOUT_LISTENER };
            let until = Instant::now() + pause;
            while let Some(connection) = &mut listener {
                match gather(connection, until).await {
                    Some(payloads) if payloads.is_empty() => break,
                    Some(payloads) => self.wake_all(&payloads),
                    None => listener = None,
                }
            }
            if listener.is_none() {
                tokio::time::sleep_until(until).await;
            }
        }
    }

    /// Looks at the followed runs, or at those of them that nobody waits for long for, and wakes followers of those that moved since
    /// the last look.
    async fn look(&self, db: &HostDb, all: bool) -> Result<(), sqlx::Error> {
        let is_looked_at = |followed: &Followed| all || followed.followers > followed.quiet;
        let runs: Vec<_> = {
            let followed = self.followed();
            followed.iter().filter(|(_, followed)| is_looked_at(followed)).map(|(run, _)| run.clone()).collect()
        };
        if runs.is_empty() {
            return Ok(());
        }
        let mut tx = db.begin_as_host().await?;
        let found: Vec<Moved> = sqlx::query_as(
            "select f.run_id, r.status, (select max(e.seq) from ai.run_events e where e.run_id = f.run_id) as seq,
                (select count(*) from ai.run_approvals a where a.run_id = f.run_id and a.status <> 'pending') as decided
             from unnest($1::text[]) as f (run_id) left join ai.agent_runs r on r.run_id = f.run_id",
        )
        .bind(&runs)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let mut followed = self.followed();
        for Moved { run_id, position } in found {
            if let Some(entry) = followed.get_mut(&run_id)
                && entry.seen.as_ref() != Some(&position)
            {
                entry.seen = Some(position);
                entry.wake.send_replace(());
            }
        }
        Ok(())
    }

    fn wake_all(&self, payloads: &[String]) {
        let runs: BTreeSet<_> = payloads.iter().flat_map(|payload| self.runs_of_others(payload)).collect();
        runs.into_iter().for_each(|run_id| self.wake(run_id));
    }

    /// The runs that another host notifies of.
    fn runs_of_others<'a>(&self, payload: &'a str) -> impl Iterator<Item = &'a str> {
        let (host, runs) = payload.split_once(' ').unwrap_or((payload, ""));
        let is_other = host != self.host;
        runs.split(' ').filter(move |_| is_other)
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<String, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unpublished(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.unpublished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunFollower {
    /// Forgets what was told so far: only what comes from now on wakes the follower.
    pub(crate) fn mark_seen(&mut self) {
        self.wake.mark_unchanged();
    }

    /// Waits until something is stored of the run.
    pub(crate) async fn changed(&mut self) {
        if self.wake.changed().await.is_err() {
            // The sender lives as long as a follower does; without it nothing can come any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for RunFollower {
    fn drop(&mut self) {
        let mut followed = self.notifier.followed();
        if let Some(entry) = followed.get_mut(&self.run_id) {
            entry.followers -= 1;
            entry.quiet -= usize::from(self.is_quiet);
            if entry.followers == 0 {
                followed.remove(&self.run_id);
            }
        }
    }
}

/// As many payloads as the runs take.
fn payloads(host: &str, runs: &BTreeSet<String>) -> Vec<String> {
    let mut payloads: Vec<String> = Vec::new();
    for run in runs {
        match payloads.last_mut() {
            Some(payload) if payload.len() + run.len() < MAX_PAYLOAD => {
                payload.push(' ');
                payload.push_str(run);
            }
            _ => payloads.push(format!("{host} {run}")),
        }
    }
    payloads
}

async fn listen_to_channel(db: &HostDb) -> Result<PgListener, sqlx::Error> {
    let mut listener = db.listener().await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// The payloads that come within a moment, an empty list where nothing comes until `until`, none where the connection is lost.
async fn gather(listener: &mut PgListener, until: Instant) -> Option<Vec<String>> {
    let (mut payloads, mut end) = (Vec::new(), until);
    while let Ok(received) = timeout_at(end, listener.try_recv()).await {
        payloads.push(received.ok()??.payload().to_owned());
        if payloads.len() == 1 {
            end = Instant::now() + GATHER;
        }
    }
    Some(payloads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notifier() -> Arc<RunNotifier> {
        Arc::new(RunNotifier::new("here".to_owned()))
    }

    #[tokio::test]
    async fn followers_of_a_run_are_woken_and_nothing_is_kept_of_those_that_left() {
        let notifier = notifier();
        let (mut one, mut two) = (notifier.follow("run_a"), notifier.follow("run_a"));
        let mut other = notifier.follow("run_b");
        notifier.publish(&RunLease { run_id: "run_a".to_owned(), epoch: 1, is_mirrored: false });
        one.changed().await;
        two.changed().await;
        assert!(tokio::time::timeout(Duration::ZERO, other.changed()).await.is_err());
        drop((one, two));
        assert_eq!(notifier.followed().keys().collect::<Vec<_>>(), ["run_b"]);
    }

    #[test]
    fn payloads_are_cut_to_size_and_a_host_ignores_its_own() {
        let runs: BTreeSet<_> = (0..1_000).map(|number| format!("run_{number:012}")).collect();
        let payloads = payloads("there", &runs);
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() < 8_000));
        let notifier = notifier();
        assert_eq!(payloads.iter().flat_map(|payload| notifier.runs_of_others(payload)).count(), 1_000);
        let own = notifier.runs_of_others("here run_a").count();
        assert_eq!(own + notifier.runs_of_others("").filter(|run| !run.is_empty()).count(), 0);
    }
}
