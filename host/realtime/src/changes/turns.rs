//! The loop by which a host says which tables are wanted here, sees whether they are read, and reads them if nobody does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use behalf_jobs::{AbortOnDrop, Jobs, Stop};
use behalf_problem::LogText as _;
use behalf_replication::ReplicationError;
use tokio::time::{Instant, sleep, timeout};

use super::Changes;
use super::leader::{End, LeadError, Leader};
use super::store::Reading;

/// From one turn to the next: while subscriptions wait, and otherwise.
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(1);

/// Subscriptions that are made at the same time are written together.
const TOGETHER: Duration = Duration::from_millis(5);

/// How often the list of tables is written although it is the same: it is in a table that a crash of the server empties.
const WRITE_AGAIN: Duration = Duration::from_secs(5);

/// How long nobody wants changes before a slot that was left behind is dropped.
const IDLE: Duration = Duration::from_mins(5);

/// Until this host tries to read again after it failed.
const RETRY: Duration = Duration::from_secs(2);

/// How long a host that stops takes to drop the slot, or to let another one read.
const GRACE: Duration = Duration::from_secs(5);

/// Said when changes are read again after subscribers heard that they are not.
const AGAIN: &str = "Subscribed to PostgreSQL";

/// What subscribers hear, where the cause is no fault of theirs that they could know more of.
const NOT_SET_UP: &str = "Changes of tables are not available: the database does not keep what is needed for them, or may not be asked for it";
const NOT_PUBLISHED: &str = "Changes of tables are not available: the database publishes no tables";

/// This host's reading of the log. It ends with the host.
type Leading = AbortOnDrop<Result<End, LeadError>>;

/// What the loop remembers.
#[derive(Default)]
struct Memory {
    written: BTreeSet<u32>,
    written_at: Option<Instant>,
    /// When changes were last lost, as it was at the last look since somebody is here; 0 is never.
    lost_ms: Option<i64>,
    not_before: Option<Instant>,
    /// Since when nobody here wants changes.
    idle_since: Option<Instant>,
    leading: Option<Leading>,
    /// Whether this host has the slot, while it reads.
    has_slot: Arc<AtomicBool>,
    was_ready: bool,
    /// Whether subscribers heard that changes are not read.
    has_told: bool,
    /// Whether this host has the lease although it reads no more, because it stops.
    has_lease: bool,
}

/// Runs the loop until the host stops.
pub(super) fn start(changes: &Arc<Changes>, jobs: &Jobs) {
    let Some(leader) = changes.leader.clone() else { return };
    let changes = Arc::clone(changes);
    jobs.spawn("realtime changes", |stop| async move {
        let (mut memory, mut has_failed) = (Memory::default(), false);
        while !stop.is_requested() {
            let turn = changes.turn(&leader, &mut memory, &stop).await;
            if let Err(error) = &turn
                && !has_failed
            {
                tracing::warn!(error = error.log_text(), "cannot ask who reads changes of tables; trying again");
            }
            has_failed = turn.is_err();
            let pause = if changes.waiting.load(Ordering::Acquire) > 0 { SHORT } else { LONG };
            tokio::select! {
                () = stop.requested() => {}
                () = sleep(pause) => {}
                () = async { changes.wake.notified().await; sleep(TOGETHER).await } => {}
                ended = ended(&mut memory.leading) => changes.ended(&leader, &mut memory, ended).await,
            }
        }
        if timeout(GRACE, changes.leave(&leader, memory)).await.is_err() {
            tracing::warn!("cannot say in time that this host reads no more changes");
        }
    });
}

/// Waits until this host reads no more.
async fn ended(leading: &mut Option<Leading>) -> Result<End, LeadError> {
    match leading {
        // A task that was aborted or panicked has lost what it held.
        Some(task) => task.await.unwrap_or(Err(LeadError::Lease)),
        None => std::future::pending().await,
    }
}

impl Changes {
    async fn turn(&self, leader: &Leader, memory: &mut Memory, stop: &Stop) -> Result<(), sqlx::Error> {
        let (version, wanted) = self.subscribers.relations();
        if wanted.is_empty() {
            memory.lost_ms = None;
            if memory.written.is_empty() {
                return self.tidy(leader, memory).await;
            }
        }
        memory.idle_since = None;
        if wanted != memory.written || memory.written_at.is_none_or(|at| at.elapsed() > WRITE_AGAIN) {
            self.store.set_wanted(&wanted).await?;
            (memory.written, memory.written_at) = (wanted, Some(Instant::now()));
        }
        let reading = self.store.look().await?;
        self.tell_lost(&reading, memory);
        let is_mine = reading.leader == Some(self.store.host());
        let may_lead = memory.leading.is_none()
            && !memory.written.is_empty()
            && (is_mine || !reading.is_led)
            && memory.not_before.is_none_or(|at| at <= Instant::now());
        if may_lead && !reading.is_published {
            self.fail(memory, NOT_PUBLISHED);
        } else if may_lead && self.store.take().await? {
            memory.has_slot = Arc::default();
            memory.leading = Some(self.lead(leader, reading.slot.is_some(), Arc::clone(&memory.has_slot), stop));
        }
        let has_slot = memory.leading.is_some() && memory.has_slot.load(Ordering::Acquire);
        let is_led = reading.is_led && (!is_mine || has_slot);
        self.be_ready(memory, version, is_led && reading.slot.is_some() && reading.is_published);
        Ok(())
    }

    /// Drops the slot that hosts left behind when they were killed, where nobody has wanted changes for a while.
    async fn tidy(&self, leader: &Leader, memory: &mut Memory) -> Result<(), sqlx::Error> {
        if memory.leading.is_some() || memory.idle_since.get_or_insert_with(Instant::now).elapsed() < IDLE {
            return Ok(());
        }
        memory.idle_since = None;
        let reading = self.store.look().await?;
        let is_left = reading.slot.is_some() && !reading.is_led;
        if is_left && self.store.wanted_by_others().await?.is_empty() && self.store.take().await? {
            let dropped = leader.drop_slot().await.is_ok();
            self.store.release(dropped).await?;
        }
        Ok(())
    }

    fn lead(&self, leader: &Leader, had_slot: bool, is_there: Arc<AtomicBool>, stop: &Stop) -> Leading {
        let (leader, stop, wake) = (leader.clone(), stop.clone(), Arc::clone(&self.wake));
        let started = move || {
            is_there.store(true, Ordering::Release);
            wake.notify_one();
        };
        AbortOnDrop::new(tokio::spawn(async move { leader.lead(had_slot, &stop, started).await }))
    }

    /// Tells subscriptions that wait how it stands.
    fn be_ready(&self, memory: &mut Memory, version: u64, is_ready: bool) {
        if is_ready && memory.has_told {
            self.tell_all(true, AGAIN);
        }
        memory.has_told &= !is_ready;
        memory.was_ready |= is_ready;
        self.state.send_if_modified(|state| {
            let is_same = state.is_ready == is_ready && state.written == version;
            (state.is_ready, state.written) = (is_ready, version);
            !is_same
        });
    }

    /// Says that changes cannot be read.
    fn fail(&self, memory: &mut Memory, reason: &str) {
        if memory.was_ready {
            self.tell_all(false, reason);
            (memory.was_ready, memory.has_told) = (false, true);
        }
        memory.not_before = Some(Instant::now() + RETRY);
        self.state.send_modify(|state| {
            state.is_ready = false;
            state.off = Some(reason.into());
            state.failures += 1;
        });
    }

    fn tell_lost(&self, reading: &Reading, memory: &mut Memory) {
        let now = reading.lost_ms.unwrap_or(0);
        if memory.lost_ms.replace(now).is_some_and(|before| before != now) {
            self.tell_all(false, reading.reason.as_deref().unwrap_or("Changes were lost. Read your tables again"));
        }
    }

    /// This host reads no more.
    async fn ended(&self, leader: &Leader, memory: &mut Memory, ended: Result<End, LeadError>) {
        let error = match ended {
            // The lease is given up at the end.
            Ok(End::Stopping) => {
                memory.leading = None;
                memory.has_lease = true;
                return;
            }
            Ok(End::Idle) => {
                memory.leading = None;
                tracing::info!("nobody wants changes of tables any more; the replication slot is dropped");
                let dropped = leader.drop_slot().await.is_ok();
                let _ = self.store.release(dropped).await;
                return;
            }
            Err(error) => error,
        };
        memory.leading = None;
        memory.not_before = Some(Instant::now() + RETRY);
        let reason = reason(&error);
        // Once is enough of what does not change by itself.
        if reason.is_none() || !memory.has_told && self.state.borrow().off.is_none() {
            tracing::warn!(error = error.log_text(), "this host cannot read changes of tables");
        }
        match &error {
            LeadError::TooMuch | LeadError::Bus => {
                leader.give_up(&error).await;
                memory.not_before = None;
            }
            LeadError::Lease => {}
            LeadError::Log(ReplicationError::NoPublication(_)) => {
                let dropped = leader.drop_slot().await.is_ok();
                let _ = self.store.release(dropped).await;
            }
            LeadError::Log(_) | LeadError::Database(_) | LeadError::Snapshot(_) => {
                // Where the database is away the lease ends by itself.
                let _ = self.store.release(false).await;
            }
        }
        if let Some(reason) = reason {
            self.fail(memory, reason);
        }
    }

    /// Leaves nothing behind that others would wait for, and no slot where nobody else reads.
    async fn leave(&self, leader: &Leader, mut memory: Memory) {
        let is_leading = memory.leading.is_some();
        if is_leading {
            let _ = ended(&mut memory.leading).await;
        }
        let was_leading = is_leading || memory.has_lease;
        if was_leading || !memory.written.is_empty() {
            let done = async {
                self.store.set_wanted(&BTreeSet::new()).await?;
                if was_leading {
                    let is_last = self.store.wanted_by_others().await?.is_empty();
                    let dropped = is_last && leader.drop_slot().await.is_ok();
                    self.store.release(dropped).await?;
                }
                Ok::<_, sqlx::Error>(())
            };
            if let Err(error) = done.await {
                tracing::debug!(error = error.log_text(), "cannot say that this host reads no more changes");
            }
        }
    }
}

/// What subscribers hear of a failure that does not pass by itself.
fn reason(error: &LeadError) -> Option<&'static str> {
    let LeadError::Log(error) = error else { return None };
    match error {
        ReplicationError::WalLevel(_) | ReplicationError::NotAllowed(_) | ReplicationError::NoSlotLeft(_) => {
            Some(NOT_SET_UP)
        }
        ReplicationError::NoPublication(_) => Some(NOT_PUBLISHED),
        // The login or the database does not exist, or the password is another one.
        ReplicationError::Wire(error) => {
            let code = error.sqlstate().unwrap_or_default();
            (code.starts_with("28") || code == "3D000").then_some(NOT_SET_UP)
        }
        _ => None,
    }
}
