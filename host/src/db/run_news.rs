//! Who waits for news of which run, on this host and on others.
//!
//! A host that stored events says so on a channel of Postgres: which host it is and the ids of the runs, never anything of
//! them. Any role of the database can read and write such a channel, so what is heard is a hint to look and nothing else:
//! each follower reads the events in its own name, and once in a while one statement looks whether a hint was missed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{PgPool, Row};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{Db, host_tx};

const CHANNEL: &str = "behalf_runs";
/// How long news gather before they are told to others, and again before they wake anybody here: whoever floods the
/// channel wakes followers no more often.
const GATHER: Duration = Duration::from_millis(10);
/// How often all followed runs are looked at, in case that an announcement was lost.
const LOOK: Duration = Duration::from_secs(2);
/// The same while no announcement can be heard.
const LOOK_DEAF: Duration = Duration::from_millis(300);
/// Postgres takes payloads of less than 8,000 bytes.
const MAX_PAYLOAD: usize = 7_900;

/// News of runs.
#[derive(Debug)]
pub(super) struct RunNews {
    /// Tells this host's announcements from others'.
    host: String,
    followed: Mutex<HashMap<String, Followed>>,
    untold: Mutex<BTreeSet<String>>,
    some_untold: Notify,
}

#[derive(Debug)]
struct Followed {
    wake: watch::Sender<()>,
    followers: usize,
    seen: Option<Mark>,
}

/// Where a run stands: its status and its last event.
type Mark = (Option<String>, Option<i64>);

/// Hears of one run. Dropped, it no longer does.
#[derive(Debug)]
pub struct RunFollower {
    news: Arc<RunNews>,
    run_id: String,
    wake: watch::Receiver<()>,
}

impl RunNews {
    /// Begins to tell and to hear; both end with the pool.
    pub(super) fn start(pool: &PgPool) -> Arc<Self> {
        let news = Arc::new(Self {
            host: Uuid::new_v4().simple().to_string(),
            followed: Mutex::default(),
            untold: Mutex::default(),
            some_untold: Notify::new(),
        });
        tokio::spawn(announce(Arc::downgrade(&news), pool.clone()));
        tokio::spawn(hear(Arc::downgrade(&news), pool.clone()));
        news
    }

    /// Something was stored of a run: whoever follows it looks now, here and on other hosts.
    pub(super) fn tell(&self, run_id: &str) {
        self.wake(run_id);
        if self.untold().insert(run_id.to_owned()) {
            self.some_untold.notify_one();
        }
    }

    fn wake(&self, run_id: &str) {
        if let Some(followed) = self.followed().get(run_id) {
            followed.wake.send_replace(());
        }
    }

    fn follow(self: &Arc<Self>, run_id: &str) -> RunFollower {
        let mut followed = self.followed();
        let entry = followed.entry(run_id.to_owned()).or_insert_with(|| Followed {
            wake: watch::channel(()).0,
            followers: 0,
            seen: None,
        });
        entry.followers += 1;
        RunFollower { news: Arc::clone(self), run_id: run_id.to_owned(), wake: entry.wake.subscribe() }
    }

    /// Looks at every followed run and wakes followers of those that moved since the last look.
    async fn look(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let runs: Vec<_> = self.followed().keys().cloned().collect();
        if runs.is_empty() {
            return Ok(());
        }
        let mut tx = host_tx::begin_as_host(pool).await?;
        let rows = sqlx::query(
            "select f.run_id, r.status, (select max(e.seq) from ai.run_events e where e.run_id = f.run_id) as seq
             from unnest($1::text[]) as f (run_id) left join ai.agent_runs r on r.run_id = f.run_id",
        )
        .bind(&runs)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let mut followed = self.followed();
        for row in &rows {
            let (run_id, mark): (String, Mark) =
                (row.try_get("run_id")?, (row.try_get("status")?, row.try_get("seq")?));
            if let Some(entry) = followed.get_mut(&run_id)
                && entry.seen.as_ref() != Some(&mark)
            {
                entry.seen = Some(mark);
                entry.wake.send_replace(());
            }
        }
        Ok(())
    }

    /// The runs of an announcement of another host.
    fn heard<'a>(&self, payload: &'a str) -> impl Iterator<Item = &'a str> {
        let (host, runs) = payload.split_once(' ').unwrap_or((payload, ""));
        let foreign = host != self.host;
        runs.split(' ').filter(move |_| foreign)
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<String, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn untold(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunFollower {
    /// Whatever comes from now on is news.
    pub fn mark_seen(&mut self) {
        self.wake.mark_unchanged();
    }

    /// Waits for news.
    pub async fn changed(&mut self) {
        if self.wake.changed().await.is_err() {
            // The sender lives as long as a follower does; without it nothing can come any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for RunFollower {
    fn drop(&mut self) {
        let mut followed = self.news.followed();
        if let Some(entry) = followed.get_mut(&self.run_id) {
            entry.followers -= 1;
            if entry.followers == 0 {
                followed.remove(&self.run_id);
            }
        }
    }
}

impl Db {
    /// Hears of a run from now on, whether or not there is one. What it is, the follower reads in its own name.
    pub fn follow_run(&self, run_id: &str) -> RunFollower {
        self.news.follow(run_id)
    }
}

/// Tells other hosts. Not within the transaction that stores: Postgres lets one transaction at a time commit that
/// announces something, and that would hold up all runs.
async fn announce(news: Weak<RunNews>, pool: PgPool) {
    loop {
        let Some(held) = news.upgrade() else { return };
        tokio::select! {
            () = held.some_untold.notified() => tokio::time::sleep(GATHER).await,
            () = pool.close_event() => return,
        }
        let untold = std::mem::take(&mut *held.untold());
        for payload in payloads(&held.host, &untold) {
            match sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(&pool).await {
                Ok(_) => {}
                Err(sqlx::Error::PoolClosed) => return,
                Err(error) => {
                    tracing::warn!(error = %error, "cannot tell other hosts of events; they find them by themselves, later");
                }
            }
        }
    }
}

/// As many announcements as the runs take.
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

/// Hears other hosts, and looks after what it may have missed.
async fn hear(news: Weak<RunNews>, pool: PgPool) {
    let mut listener = None;
    while !pool.is_closed() {
        if listener.is_none() {
            listener = listen(&pool).await;
        }
        let Some(held) = news.upgrade() else { return };
        if let Err(error) = held.look(&pool).await {
            tracing::debug!(error = %error, "cannot look after followed runs");
        }
        let until = Instant::now() + if listener.is_some() { LOOK } else { LOOK_DEAF };
        while let Some(ears) = &mut listener {
            let heard = tokio::select! {
                heard = gather(ears, until) => heard,
                () = pool.close_event() => return,
            };
            let Some(payloads) = heard else {
                listener = None;
                break;
            };
            if payloads.is_empty() {
                break;
            }
            let runs: BTreeSet<_> = payloads.iter().flat_map(|payload| held.heard(payload)).collect();
            runs.into_iter().for_each(|run_id| held.wake(run_id));
        }
        drop(held);
        if listener.is_none() {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = pool.close_event() => return,
            }
        }
    }
}

async fn listen(pool: &PgPool) -> Option<PgListener> {
    let mut listener = PgListener::connect_with(pool).await.ok()?;
    listener.listen(CHANNEL).await.ok()?;
    Some(listener)
}

/// What is announced within a moment, nothing where nobody says a word until then, none where the connection is lost.
async fn gather(listener: &mut PgListener, until: Instant) -> Option<Vec<String>> {
    let (mut payloads, mut end) = (Vec::new(), until);
    while let Ok(heard) = timeout_at(end, listener.try_recv()).await {
        payloads.push(heard.ok()??.payload().to_owned());
        if payloads.len() == 1 {
            end = Instant::now() + GATHER;
        }
    }
    Some(payloads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news() -> Arc<RunNews> {
        Arc::new(RunNews {
            host: "here".to_owned(),
            followed: Mutex::default(),
            untold: Mutex::default(),
            some_untold: Notify::new(),
        })
    }

    #[tokio::test]
    async fn followers_of_a_run_are_woken_and_nothing_is_kept_of_those_that_left() {
        let news = news();
        let (mut one, mut two, mut other) = (news.follow("run_a"), news.follow("run_a"), news.follow("run_b"));
        news.tell("run_a");
        one.changed().await;
        two.changed().await;
        assert!(tokio::time::timeout(Duration::ZERO, other.changed()).await.is_err());
        drop((one, two));
        assert_eq!(news.followed().keys().collect::<Vec<_>>(), ["run_b"]);
    }

    #[test]
    fn announcements_are_cut_to_size_and_a_hosts_own_are_not_news_to_it() {
        let runs: BTreeSet<_> = (0..1_000).map(|number| format!("run_{number:012}")).collect();
        let payloads = payloads("there", &runs);
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() < 8_000));
        let news = news();
        assert_eq!(payloads.iter().flat_map(|payload| news.heard(payload)).count(), 1_000);
        assert_eq!(news.heard("here run_a").count() + news.heard("").filter(|run| !run.is_empty()).count(), 0);
    }
}
