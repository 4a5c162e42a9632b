//! Which hosts there are, so that messages go through the database only where somebody else would read them.
//!
//! A host that starts must miss no message for a channel that it let in, and the others write nothing while they know of nobody. So
//! it lets nobody in before all of them know it: first its reader of the bus takes its place, then it registers, and then it waits
//! until every other host that lives has beaten after that. A host beats and reads the list in one transaction, and believes what it
//! read before it commits. So whoever beat later than the registration knows it, and the new host can see that in the table. They are
//! woken to beat at once: this takes milliseconds, and nothing where there is no other host.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::{Jobs, Stop};
use behalf_problem::LogText as _;
use chrono::{DateTime, Utc};
use sqlx::FromRow;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

/// The channel by which hosts hear that one came or went.
pub(crate) const CHANNEL: &str = "behalf_realtime_hosts";

/// How often a host says that it lives. One that has not for 6 s is dead (the statements below).
pub(crate) const BEAT: Duration = Duration::from_secs(2);

/// The same until it is known, and after a turn that failed.
const SHORT_BEAT: Duration = Duration::from_millis(200);

/// The shortest time between two turns: any role may send the notification that causes one.
const LEAST: Duration = Duration::from_millis(20);

/// How long a turn may take. One that hangs would look like a death.
const LIMIT: Duration = Duration::from_secs(4);

/// How long a host must have heard of the database without a gap before it removes others: where the database was away, the others
/// could say nothing either.
const SURE: Duration = Duration::from_secs(5);

/// How long a channel waits at most until this host is known. Others are known or dead by then, if the database answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Beside its row a host has one among the presences, as a channel of no room. That table is emptied where the server crashes: a host
/// sees by its own row that what it stored there is gone.
const REGISTER: &str = "
    with me as (insert into behalf.realtime_hosts (host, seen_at) values ($1, clock_timestamp())
            on conflict (host) do update set seen_at = excluded.seen_at returning host),
        mark as (insert into behalf.realtime_presence (topic, is_private, key, ref, meta, channel, host)
            values ('', false, '', '', '{}', $1, $1) on conflict do nothing)
    select pg_notify('behalf_realtime_hosts', '')::text from me";

const SEEN: &str = "
    with me as (update behalf.realtime_hosts set seen_at = clock_timestamp() where host = $1 returning host, seen_at)
    select me.seen_at from me join behalf.realtime_presence mark on mark.channel = me.host and mark.key = ''";

const OTHERS: &str = "
    select host, seen_at, seen_at < clock_timestamp() - interval '6 seconds' as is_dead
    from behalf.realtime_hosts where host <> $1";

/// Removes dead hosts with what their clients tracked. Of several hosts that notice, one gets the rows.
const BURY: &str = "
    with dead as (delete from behalf.realtime_hosts
            where host = any($1) and seen_at < clock_timestamp() - interval '6 seconds' returning host),
        left_behind as (delete from behalf.realtime_presence p using dead where p.host = dead.host)
    select pg_notify('behalf_realtime_hosts', '')::text from dead";

const DEPART: &str = "
    with me as (delete from behalf.realtime_hosts where host = $1 returning host),
        left_behind as (delete from behalf.realtime_presence p using me where p.host = me.host)
    select pg_notify('behalf_realtime_hosts', '')::text from me";

type OnOthers = Box<dyn Fn(&HashSet<Uuid>) + Send + Sync>;

/// This host among the others.
pub(crate) struct Hosts {
    id: Uuid,
    has_others: AtomicBool,
    is_known: watch::Sender<bool>,
    registrations: watch::Sender<u64>,
    on_others: OnceLock<OnOthers>,
    wake: Notify,
}

#[derive(FromRow)]
struct Other {
    host: Uuid,
    seen_at: DateTime<Utc>,
    is_dead: bool,
}

/// What the loop remembers from turn to turn.
#[derive(Default)]
struct Loop {
    is_registered: bool,
    /// When the first turn after the registration was, by the clock of the database.
    registered_at: Option<DateTime<Utc>>,
    /// Since when every turn has succeeded.
    well_since: Option<Instant>,
}

impl Hosts {
    /// A host of this id, which nobody knows before [`Hosts::run`].
    pub(crate) fn new() -> Self {
        let (is_known, registrations) = (watch::Sender::new(false), watch::Sender::new(0));
        let (has_others, on_others) = (AtomicBool::new(true), OnceLock::new());
        Self { id: Uuid::new_v4(), has_others, is_known, registrations, on_others, wake: Notify::new() }
    }

    /// The id of this host, which is another one after each start.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Whether another host may be there. Believed before anything was read.
    pub(crate) fn has_others(&self) -> bool {
        self.has_others.load(Ordering::Acquire)
    }

    /// Waits until every other host knows this one, for 10 s at most. Who joined a channel before would miss messages of others.
    pub(crate) async fn known(&self) {
        // Where the database is away that long, a channel still has the messages of its own host.
        let _ = timeout(PATIENCE, self.is_known.subscribe().wait_for(|known| *known)).await;
    }

    /// How often this host has registered. More than once means that the others took it for dead, or that the database crashed:
    /// what only the tables of hosts, presences and messages between hosts knew of it is gone.
    pub(crate) fn registrations(&self) -> watch::Receiver<u64> {
        self.registrations.subscribe()
    }

    /// Calls this with all other hosts after each look at them, before this host says again that it lives. Once only.
    pub(crate) fn on_others(&self, handler: impl Fn(&HashSet<Uuid>) + Send + Sync + 'static) {
        let _ = self.on_others.set(Box::new(handler));
    }

    /// Looks again soon.
    pub(crate) fn look(&self) {
        self.wake.notify_one();
    }

    /// Registers as soon as `begun` says that this host reads messages, and beats until the host stops.
    pub(crate) fn run(self: &Arc<Self>, db: HostDb, begun: oneshot::Receiver<()>, jobs: &Jobs) {
        let hosts = Arc::clone(self);
        jobs.spawn("realtime hosts", |stop| async move {
            tokio::select! {
                () = stop.requested() => return,
                _ = begun => {}
            }
            hosts.beat(&db, &stop).await;
            match timeout(LIMIT, depart(&db, hosts.id)).await {
                Ok(Ok(())) => {}
                // The others notice by themselves.
                Ok(Err(error)) => tracing::debug!(error = error.log_text(), "cannot say that this host stops"),
                Err(_) => tracing::debug!("cannot say in time that this host stops"),
            }
        });
    }

    async fn beat(&self, db: &HostDb, stop: &Stop) {
        let (mut state, mut has_failed) = (Loop::default(), false);
        while !stop.is_requested() {
            let begun = Instant::now();
            let turn = tokio::select! {
                () = stop.requested() => return,
                turn = timeout(LIMIT, self.turn(db, &mut state)) => turn.unwrap_or(Err(sqlx::Error::PoolTimedOut)),
            };
            match turn {
                Ok(()) => {
                    has_failed = false;
                    state.well_since.get_or_insert(begun);
                }
                Err(error) => {
                    state.well_since = None;
                    if !has_failed {
                        tracing::warn!(error = error.log_text(), "cannot say that this host lives; trying again");
                    }
                    has_failed = true;
                }
            }
            let is_settled = !has_failed && *self.is_known.borrow();
            let pause = if is_settled { BEAT } else { SHORT_BEAT };
            tokio::select! {
                () = stop.requested() => return,
                () = sleep_until(begun + pause) => {}
                () = async { self.wake.notified().await; sleep_until(begun + LEAST).await } => {}
            }
        }
    }

    /// Says that this host lives, and looks who else does.
    async fn turn(&self, db: &HostDb, state: &mut Loop) -> Result<(), sqlx::Error> {
        if !state.is_registered {
            register(db, self.id).await?;
            (state.is_registered, state.registered_at) = (true, None);
            self.registrations.send_modify(|count| *count += 1);
        }
        let Some((seen_at, others)) = self.look_around(db).await? else {
            state.is_registered = false;
            self.is_known.send_replace(false);
            tracing::warn!(
                "the other hosts took this one for dead, or the database crashed: messages between hosts may be lost; registering again"
            );
            self.look();
            return Ok(());
        };
        if let Some(handler) = self.on_others.get() {
            handler(&others.iter().map(|other| other.host).collect());
        }
        let registered_at = *state.registered_at.get_or_insert(seen_at);
        // The clock of the database alone counts.
        if others.iter().all(|other| other.is_dead || other.seen_at > registered_at) {
            self.is_known.send_if_modified(|known| !std::mem::replace(known, true));
        }
        let dead: Vec<Uuid> = others.iter().filter(|other| other.is_dead).map(|other| other.host).collect();
        if !dead.is_empty() && state.well_since.is_some_and(|since| since.elapsed() >= SURE) {
            bury(db, &dead).await?;
            self.look();
        }
        Ok(())
    }

    /// When this host was seen, and the others; nothing where this host is not on the list any more.
    async fn look_around(&self, db: &HostDb) -> Result<Option<(DateTime<Utc>, Vec<Other>)>, sqlx::Error> {
        let mut tx = db.begin_as_host().await?;
        let seen: Option<DateTime<Utc>> = sqlx::query_scalar(SEEN).bind(self.id).fetch_optional(&mut *tx).await?;
        let Some(seen) = seen else { return Ok(None) };
        let others: Vec<Other> = sqlx::query_as(OTHERS).bind(self.id).fetch_all(&mut *tx).await?;
        // Before the others can see that this host has looked.
        self.has_others.store(!others.is_empty(), Ordering::Release);
        tx.commit().await?;
        Ok(Some((seen, others)))
    }
}

async fn register(db: &HostDb, host: Uuid) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    sqlx::query(REGISTER).bind(host).execute(&mut *tx).await?;
    tx.commit().await
}

async fn bury(db: &HostDb, dead: &[Uuid]) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let buried = sqlx::query(BURY).bind(dead).execute(&mut *tx).await?.rows_affected();
    tx.commit().await?;
    if buried > 0 {
        tracing::info!(hosts = buried, "hosts died; their presences are removed");
    }
    Ok(())
}

async fn depart(db: &HostDb, host: Uuid) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    sqlx::query(DEPART).bind(host).execute(&mut *tx).await?;
    tx.commit().await
}

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hosts").field("id", &self.id).field("has_others", &self.has_others).finish_non_exhaustive()
    }
}
