//! Changes of tables: one host reads them out of the database's log (`leader`), and each host judges them for its own subscribers
//! (`judge`). Owns the tables `behalf.realtime_replication` and `behalf.realtime_tables`.
//!
//! The log is read with a login that sees every row, behind the crate `behalf-replication`. A row leaves this folder only to a
//! subscriber who was found to see it, or whose role reads the table without policies; with columns that the role may read. A deleted
//! row cannot be judged: where policies hold, subscribers hear its key, or nothing if the operator wants that.

mod batch;
mod candidates;
mod compare;
mod conditions;
mod filter;
mod judge;
mod leader;
mod message;
mod notices;
mod seen;
mod snapshot;
mod store;
mod subscribers;
mod tables;
mod turns;
mod value;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use behalf_caller_db::CallerDb;
use behalf_host_db::{HostDb, ReadError};
use behalf_identity::Principal;
use behalf_jobs::Jobs;
use behalf_problem::LogText as _;
use behalf_replication::Source;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::{Notify, mpsc, watch};

use crate::bus::{Bus, BusKind};
use crate::channel::{ChannelHandle, ChannelId, Wanted};
use crate::options::RealtimeOptions;
use judge::Judge;
use leader::Leader;
use notices::{Notices, Trouble};
use seen::Seen;
use store::Store;
use subscribers::{EVERY_TABLE, Selection, Subscribers, Want, WantedKind};
use tables::{PUBLICATION, Tables};

/// Batches that wait to be judged.
const QUEUE: usize = 32;

/// How long a subscription waits until changes are read; clients wait 10 s for the answer to a join.
const PATIENCE: Duration = Duration::from_secs(8);

/// Tables of a subscription to many for which its filter is checked.
const CHECKED: usize = 20;

/// Columns of a selection at most: a table of Postgres has no more.
const MAX_SELECTED: usize = 1_600;

/// What subscribers hear where changes are never read.
const OFF: &str = "Changes of tables are not available in this project: it was not set up to read them";

/// Why there is no subscription. The texts are for the client.
#[derive(Debug, Error)]
pub(crate) enum ChangesError {
    /// What was asked for cannot be had.
    #[error("{0}")]
    Parameters(String),
    /// Changes are not read here, or not now.
    #[error("{0}")]
    Off(Arc<str>),
    /// They are not read yet.
    #[error("Changes of tables cannot be read yet; subscribe again in a moment")]
    NotYet,
    /// The database cannot be asked.
    #[error("Unable to subscribe to changes right now: the database cannot be asked")]
    Database,
}

/// Whether changes are read, as subscriptions wait for it.
#[derive(Clone, Debug, Default)]
struct State {
    is_ready: bool,
    /// The version of the list of subscribers that other hosts know.
    written: u64,
    /// Why changes cannot be read, and how often there was such a reason.
    off: Option<Arc<str>>,
    failures: u64,
}

/// Subscriptions to changes at this host.
pub(crate) struct Changes {
    caller_db: CallerDb,
    tables: Arc<Tables>,
    subscribers: Arc<Subscribers>,
    /// Who reads the log; none where no host of this database can.
    leader: Option<Leader>,
    store: Store,
    state: watch::Sender<State>,
    waiting: AtomicUsize,
    wake: Arc<Notify>,
}

impl Changes {
    /// Starts to take subscriptions. Without an address of a login that reads the log there are no changes.
    pub(crate) fn start(
        db: HostDb,
        caller_db: CallerDb,
        bus: &Arc<Bus>,
        replication_url: Option<String>,
        options: &RealtimeOptions,
        jobs: &Jobs,
    ) -> Arc<Self> {
        let source = replication_url.and_then(|address| {
            let source = Source::parse(&address, PUBLICATION);
            source.inspect_err(|error| tracing::error!(error = error.log_text(), "changes of tables are off")).ok()
        });
        let (queue, batches) = mpsc::channel(QUEUE);
        let (subscribers, seen) = (Arc::new(Subscribers::default()), Arc::new(Seen::default()));
        let (tables, store) = (Arc::new(Tables::new(db.clone())), Store::new(db, bus.hosts().id()));
        let judge = Arc::new(Judge {
            db: caller_db.clone(),
            tables: Arc::clone(&tables),
            subscribers: Arc::clone(&subscribers),
            notices: Notices::default(),
            withholds_deletes: options.withhold_deletes,
        });
        let leader = source.map(|source| Leader {
            source,
            store: store.clone(),
            bus: Arc::clone(bus),
            queue: queue.clone(),
            seen: Arc::clone(&seen),
            subscribers: Arc::clone(&subscribers),
            max_kept: options.max_wal_mib.saturating_mul(1024 * 1024),
        });
        listen(bus, queue, seen, Arc::clone(&judge));
        judge_all(batches, judge, jobs);
        let changes = Arc::new(Self {
            caller_db,
            tables,
            subscribers,
            leader,
            store,
            state: watch::Sender::default(),
            waiting: AtomicUsize::new(0),
            wake: Arc::default(),
        });
        turns::start(&changes, jobs);
        changes
    }

    /// Subscribes a channel. Returns an id for each subscription, in order; every change that is committed from now on is judged for it.
    pub(crate) async fn subscribe(
        &self,
        channel: &ChannelHandle,
        principal: Arc<Principal>,
        wanted: &[Wanted],
    ) -> Result<Vec<i64>, ChangesError> {
        if self.leader.is_none() {
            return Err(ChangesError::Off(OFF.into()));
        }
        let (mut wants, mut relations) = (Vec::with_capacity(wanted.len()), Vec::new());
        for one in wanted {
            let (want, tables) = self.check(&principal, one).await?;
            wants.push(want);
            relations.extend(tables);
        }
        let ids = (1..).take(wants.len()).collect();
        let mut state = self.state.subscribe();
        let failures = state.borrow().failures;
        // Taken back if the client goes away meanwhile, or changes cannot be read.
        let mut registered = Registered { changes: self, channel: channel.id, is_kept: false };
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let version = self.subscribers.add(channel.clone(), principal, wants, relations);
        self.wake.notify_one();
        let is_decided = |state: &State| state.failures > failures || state.is_ready && state.written >= version;
        let decided = tokio::time::timeout(PATIENCE, state.wait_for(is_decided)).await;
        let Ok(Ok(state)) = decided else { return Err(ChangesError::NotYet) };
        match &state.off {
            Some(reason) if !state.is_ready => Err(ChangesError::Off(Arc::clone(reason))),
            _ => {
                registered.is_kept = true;
                Ok(ids)
            }
        }
    }

    /// Judges for the channel as somebody else from now on: its token was renewed.
    pub(crate) fn set_principal(&self, channel: ChannelId, principal: Arc<Principal>) {
        self.subscribers.set_principal(channel, principal);
    }

    /// Ends the channel's subscriptions.
    pub(crate) fn unsubscribe(&self, channel: ChannelId) {
        self.subscribers.remove(channel);
        self.wake.notify_one();
    }

    /// Reads what a subscription wants, and the tables that it is about.
    async fn check(&self, principal: &Principal, wanted: &Wanted) -> Result<(Want, Vec<u32>), ChangesError> {
        let conditions = filter::read(wanted.filter.as_deref().unwrap_or_default())
            .map_err(|error| ChangesError::Parameters(format!("Error parsing `filter` params: {error}")))?;
        let selection = selection(wanted).map_err(|error| ChangesError::Parameters(error.to_owned()))?;
        let is_name = |name: &str| name.len() <= 255 && !name.contains('\0');
        if !is_name(&wanted.schema) || !wanted.table.as_deref().is_none_or(is_name) {
            return Err(ChangesError::Parameters(refused(wanted, &conditions, None)));
        }
        let oids = self.tables.published(&wanted.schema, wanted.table.as_deref()).await.map_err(|e| failed(&e))?;
        if oids.is_empty() {
            return Err(ChangesError::Parameters(refused(wanted, &conditions, None)));
        }
        if !conditions.is_empty() {
            for oid in oids.iter().take(CHECKED) {
                let Some(table) = self.tables.get(*oid).await.map_err(|e| failed(&e))? else { continue };
                match conditions::check(&self.caller_db, principal, &table, &conditions).await {
                    Ok(()) => {}
                    Err(Ok(reason)) => {
                        return Err(ChangesError::Parameters(refused(wanted, &conditions, Some(&reason))));
                    }
                    Err(Err(error)) => {
                        tracing::debug!(error = error.log_text(), "a filter cannot be checked");
                        return Err(ChangesError::Database);
                    }
                }
            }
        }
        if let (Some(selection), Some(oid)) = (&selection, oids.first())
            && let Some(table) = self.tables.get(*oid).await.map_err(|e| failed(&e))?
        {
            let is_told = |name: &&String| table.column(name).is_some_and(|at| table.may_read(principal.role(), at));
            if let Some(unknown) = selection.iter().find(|name| !is_told(name)) {
                let reason = format!("invalid column for select {unknown}");
                return Err(ChangesError::Parameters(refused(wanted, &conditions, Some(&reason))));
            }
        }
        let schema = Some(wanted.schema.clone()).filter(|schema| schema != "*");
        let relations = if schema.is_some() && wanted.table.is_some() { oids } else { vec![EVERY_TABLE] };
        let kind = match wanted.event.to_ascii_uppercase().as_str() {
            "INSERT" => Some(WantedKind::Insert),
            "UPDATE" => Some(WantedKind::Update),
            "DELETE" => Some(WantedKind::Delete),
            _ => None,
        };
        Ok((Want { kind, schema, table: wanted.table.clone(), conditions, selection }, relations))
    }

    /// Tells every subscriber of this host.
    fn tell_all(&self, is_ok: bool, message: &str) {
        for handle in self.subscribers.channels() {
            let message = message.to_owned();
            handle.push(crate::channel::ToChannel::System { extension: "postgres_changes", is_ok, message });
        }
    }
}

/// A subscription that is taken back unless it is kept.
struct Registered<'a> {
    changes: &'a Changes,
    channel: ChannelId,
    is_kept: bool,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.changes.waiting.fetch_sub(1, Ordering::AcqRel);
        if !self.is_kept {
            self.changes.unsubscribe(self.channel);
        }
    }
}

/// Takes what other hosts read.
fn listen(bus: &Arc<Bus>, queue: mpsc::Sender<batch::Batch>, seen: Arc<Seen>, judge: Arc<Judge>) {
    bus.on(BusKind::Changes, move |body| {
        let Some((origin, mut batch)) = batch::read(body) else {
            tracing::warn!("changes that another host read have a form that this one does not know; they are skipped");
            return;
        };
        seen.retain(&mut batch, Some(origin));
        if judge.subscribers.is_empty() || batch.rows.is_empty() && !batch.has_lost {
            return;
        }
        if queue.try_send(batch).is_err() {
            judge.tell_all(Trouble::TooMany);
        }
    });
}

/// Judges one batch after another.
fn judge_all(mut batches: mpsc::Receiver<batch::Batch>, judge: Arc<Judge>, jobs: &Jobs) {
    jobs.spawn("realtime judge", |stop| async move {
        loop {
            tokio::select! {
                () = stop.requested() => return,
                batch = batches.recv() => match batch {
                    Some(batch) => judge.hand_out(&batch).await,
                    None => return,
                },
            }
        }
    });
}

fn failed(error: &ReadError) -> ChangesError {
    tracing::warn!(error = error.log_text(), "cannot read which tables are published");
    ChangesError::Database
}

/// The columns that a subscription chooses; the error is upstream's sentence.
fn selection(wanted: &Wanted) -> Result<Selection, &'static str> {
    let names = match &wanted.select {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(_)) => {
            return Err(
                "Error parsing `select` params: expected a list of column name strings, e.g. select: [\"col1\", \"col2\"]",
            );
        }
        _ => BTreeSet::new(),
    };
    if names.is_empty() {
        return Ok(None);
    }
    if wanted.schema == "*" || wanted.table.is_none() {
        return Err(
            "Column selection is not supported for wildcard subscriptions. Provide an explicit schema and table name.",
        );
    }
    if names.len() > MAX_SELECTED {
        return Err("Too many columns in `select`. Leave it out to be told all of them");
    }
    Ok(Some(Arc::new(names)))
}

/// What upstream says of a subscription that it cannot make.
fn refused(wanted: &Wanted, conditions: &[filter::Condition], reason: Option<&str>) -> String {
    let filters: Vec<String> = conditions.iter().map(ToString::to_string).collect();
    let (event, schema) = (&wanted.event, &wanted.schema);
    let table = wanted.table.as_deref().unwrap_or("*");
    let names: Option<Vec<&str>> =
        wanted.select.as_ref().and_then(Value::as_array).map(|names| names.iter().filter_map(Value::as_str).collect());
    let select = names.filter(|names| !names.is_empty()).map_or_else(|| "nil".to_owned(), |names| format!("{names:?}"));
    let filters = filters.join(", ");
    let parameters =
        format!("[event: {event}, schema: {schema}, table: {table}, filters: [{filters}], select: {select}]");
    match reason {
        None => format!(
            "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: {parameters}"
        ),
        Some(reason) => format!(
            "Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: {parameters}. Exception: {reason}"
        ),
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("is_on", &self.leader.is_some()).finish_non_exhaustive()
    }
}
