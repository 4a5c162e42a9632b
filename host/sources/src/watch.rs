//! Wakes those who follow a source, on whichever host it is read.
//!
//! A trigger notifies a channel of Postgres when a source's status or pages change. Any role of the database can write such a channel,
//! so a notification is a hint to look and nothing else: each follower reads the source as its own caller. One statement looks once in
//! a while whether a hint was missed, however many follow.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_problem::LogText as _;
use sqlx::FromRow;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const CHANNEL: &str = "behalf_sources";
/// How long notifications gather before they wake anybody: a flood on the channel wakes followers no more often.
const GATHER: Duration = Duration::from_millis(50);
/// How often all followed sources are looked at, in case that a notification was lost.
const LOOK: Duration = Duration::from_secs(3);
/// The same while no notification can be received.
const LOOK_WITHOUT_LISTENER: Duration = Duration::from_millis(500);

/// Rows that are not there count as changed once.
const STATES: &str = "
    select f.id, s.extraction_status as status, s.pages, s.pages_done
    from unnest($1::uuid[]) as f (id) left join ai.sources s on s.id = f.id";

/// Tells followers of sources that something changed.
#[derive(Debug, Default)]
pub(crate) struct SourceWatch {
    followed: Mutex<HashMap<Uuid, Followed>>,
    closed: CancellationToken,
}

#[derive(Debug)]
struct Followed {
    wake: watch::Sender<()>,
    followers: usize,
    seen: Option<State>,
}

/// How far a source is.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
struct State {
    id: Uuid,
    status: Option<String>,
    pages: Option<i32>,
    pages_done: Option<i32>,
}

/// Follows one source until it is dropped.
#[derive(Debug)]
pub(crate) struct SourceFollower {
    watch: Arc<SourceWatch>,
    id: Uuid,
    wake: watch::Receiver<()>,
}

impl SourceWatch {
    /// Starts to listen.
    pub(crate) fn start(db: &HostDb, jobs: &Jobs) -> Arc<Self> {
        let sources = Arc::new(Self::default());
        let (listener, db) = (Arc::clone(&sources), db.clone());
        jobs.spawn("source-listener", |stop| async move {
            tokio::select! {
                () = stop.requested() => {}
                () = listener.listen(&db) => {}
            }
            listener.close();
        });
        sources
    }

    /// Nobody follows any more.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    /// Follows a source from now on, whether or not there is one.
    pub(crate) fn follow(self: &Arc<Self>, id: Uuid) -> SourceFollower {
        let mut followed = self.followed();
        let entry =
            followed.entry(id).or_insert_with(|| Followed { wake: watch::channel(()).0, followers: 0, seen: None });
        entry.followers += 1;
        SourceFollower { watch: Arc::clone(self), id, wake: entry.wake.subscribe() }
    }

    /// Listens, and looks for what it may have missed.
    async fn listen(&self, db: &HostDb) {
        let mut listener = None;
        loop {
            if listener.is_none() {
                listener = listen_to_channel(db).await.ok();
            }
            if let Err(error) = self.look(db).await {
                tracing::debug!(error = error.log_text(), "cannot look after followed sources");
            }
            let until = Instant::now() + if listener.is_some() { LOOK } else { LOOK_WITHOUT_LISTENER };
            while let Some(connection) = &mut listener {
                match gather(connection, until).await {
                    Some(ids) if ids.is_empty() => break,
                    Some(ids) => self.wake(&ids),
                    None => listener = None,
                }
            }
            if listener.is_none() {
                tokio::time::sleep_until(until).await;
            }
        }
    }

    /// Looks at every followed source and wakes followers of those that changed since the last look.
    async fn look(&self, db: &HostDb) -> Result<(), sqlx::Error> {
        let ids: Vec<Uuid> = self.followed().keys().copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut tx = db.begin_as_host().await?;
        let states: Vec<State> = sqlx::query_as(STATES).bind(ids).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        let mut followed = self.followed();
        for state in states {
            if let Some(entry) = followed.get_mut(&state.id)
                && entry.seen.as_ref() != Some(&state)
            {
                entry.seen = Some(state);
                entry.wake.send_replace(());
            }
        }
        Ok(())
    }

    fn wake(&self, ids: &[Uuid]) {
        let followed = self.followed();
        ids.iter().filter_map(|id| followed.get(id)).for_each(|entry| entry.wake.send_replace(()));
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<Uuid, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SourceFollower {
    /// Forgets what was told so far: only what comes from now on wakes the follower.
    pub(crate) fn mark_seen(&mut self) {
        self.wake.mark_unchanged();
    }

    /// Waits until something changed; false where the host stops.
    pub(crate) async fn changed(&mut self) -> bool {
        tokio::select! {
            () = self.watch.closed.cancelled() => false,
            changed = self.wake.changed() => changed.is_ok(),
        }
    }
}

impl Drop for SourceFollower {
    fn drop(&mut self) {
        let mut followed = self.watch.followed();
        if let Some(entry) = followed.get_mut(&self.id) {
            entry.followers -= 1;
            if entry.followers == 0 {
                followed.remove(&self.id);
            }
        }
    }
}

async fn listen_to_channel(db: &HostDb) -> Result<PgListener, sqlx::Error> {
    let mut listener = db.listener().await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// The sources that are told within a moment, none of them where nothing comes until `until`; `None` where the connection is lost.
/// What is no id is no source.
async fn gather(listener: &mut PgListener, until: Instant) -> Option<Vec<Uuid>> {
    let (mut ids, mut end, mut heard) = (Vec::new(), until, false);
    while let Ok(received) = timeout_at(end, listener.try_recv()).await {
        let id = Uuid::try_parse(received.ok()??.payload()).unwrap_or_default();
        ids.push(id);
        if !heard {
            (heard, end) = (true, Instant::now() + GATHER);
        }
    }
    Some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn followers_of_a_source_are_woken_and_nothing_is_kept_of_those_that_left() {
        let watch = Arc::new(SourceWatch::default());
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (mut first, mut second, mut other) = (watch.follow(one), watch.follow(one), watch.follow(two));
        watch.wake(&[one, Uuid::from_u128(3)]);
        assert!(first.changed().await && second.changed().await);
        assert!(tokio::time::timeout(Duration::ZERO, other.changed()).await.is_err());
        drop((first, second));
        assert_eq!(watch.followed().keys().copied().collect::<Vec<_>>(), [two]);
        watch.close();
        assert!(!other.changed().await);
    }
}
