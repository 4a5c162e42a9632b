//! A session that reads changes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use behalf_pgwire::{Copied, Replication, Target};
use bytes::{BufMut, Bytes};

use super::ReplicationError;
use super::decode::{self, Cell, Message, Parts, Relation};
use super::slot::{self, SlotState};

/// The largest change that is read, in bytes. Of a larger one only its table is known.
const MAX_CHANGE: usize = 16 * 1024 * 1024;

/// Values are written as other sessions of the host read them. The server ends the session of a host that fell silent.
const SESSION: &str = "-c search_path= -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=1 \
    -c bytea_output=hex -c wal_sender_timeout=30s";

/// Microseconds of the server count from 2000, and this is the time from 1970 until then.
const EPOCH: Duration = Duration::from_hours(262_968);

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It is new.
    Insert,
    /// It has other values.
    Update,
    /// It is gone.
    Delete,
}

/// Where a change stands in the log: where its transaction commits, and its number in it. Changes come in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Where its transaction commits.
    pub commit: u64,
    /// Its number in the transaction.
    pub number: u64,
}

/// A change of a row.
#[derive(Clone, Debug)]
pub struct Change {
    /// Where it stands.
    pub position: Position,
    /// When its transaction committed, in microseconds since 2000.
    pub at: i64,
    /// The lower half of its transaction's number.
    pub xid: u32,
    /// The table.
    pub relation: Arc<Relation>,
    /// What happened.
    pub kind: Kind,
    /// The row's values, by the table's columns; empty where it is gone.
    pub new: Vec<Cell>,
    /// Its values before, as far as the replica identity has them: the others are NULL where the identity is not the whole row.
    pub old: Option<Vec<Cell>>,
}

/// Something that no policy was asked about. Nobody may get it who could not read it.
#[derive(Debug)]
pub struct Unjudged<T>(T);

impl<T> Unjudged<T> {
    /// What it holds, for the one who asks the policies.
    pub fn to_be_judged(self) -> T {
        self.0
    }
}

/// What the stream says.
#[derive(Debug)]
pub enum Event {
    /// A row changed.
    Change(Unjudged<Change>),
    /// A row of a table changed, and it is too large to be read.
    TooLarge(Option<u32>),
    /// All changes of a transaction were told; the log may be confirmed up to here.
    Committed(u64),
    /// There is nothing new up to here.
    Idle(u64),
}

/// A session that reads changes. Its slot is made and looked at before it starts.
#[derive(Debug)]
pub struct Reader {
    session: Replication,
    publication: Arc<str>,
    slot: String,
    relations: HashMap<u32, Arc<Relation>>,
    /// The transaction under way: where it commits, when, and its number.
    transaction: Option<(u64, i64, u32)>,
    number: u64,
    /// How far the log was confirmed.
    confirmed: u64,
    /// Whether the server waits for an answer.
    is_asked: bool,
}

impl Reader {
    pub(super) async fn open(target: &Target, publication: Arc<str>) -> Result<Self, ReplicationError> {
        let mut session = Replication::connect(target, SESSION).await.map_err(slot::refused)?;
        let slot = slot::name(&mut session).await?;
        Ok(Self {
            session,
            publication,
            slot,
            relations: HashMap::new(),
            transaction: None,
            number: 0,
            confirmed: 0,
            is_asked: false,
        })
    }

    /// The name of the slot.
    pub fn slot(&self) -> &str {
        &self.slot
    }

    /// How the slot stands; none where it does not exist.
    pub async fn state(&mut self) -> Result<Option<SlotState>, ReplicationError> {
        slot::state(&mut self.session, &self.slot).await
    }

    /// Makes the slot. It waits for the transactions under way.
    pub async fn make_slot(&mut self) -> Result<(), ReplicationError> {
        slot::make(&mut self.session, &self.slot).await
    }

    /// Drops the slot, before the stream was started.
    pub async fn drop_slot(&mut self) -> Result<(), ReplicationError> {
        slot::remove(&mut self.session, &self.slot).await
    }

    /// Starts the stream, where it was last confirmed.
    pub async fn start(&mut self) -> Result<(), ReplicationError> {
        let names = format!("\"{}\"", self.publication.replace('"', "\"\"")).replace('\'', "''");
        let slot = &self.slot;
        let command =
            format!("START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names '{names}')");
        self.session.start(&command).await.map_err(slot::refused)
    }

    /// What the stream says next. This can be dropped and called again. [`Reader::answer`] has to be called behind it.
    pub async fn next(&mut self) -> Result<Event, ReplicationError> {
        loop {
            let event = match self.session.next(MAX_CHANGE).await.map_err(slot::refused)? {
                Copied::Data(bytes) => self.read(bytes)?,
                Copied::Oversize(head) => Some(self.oversize(head)),
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    fn read(&mut self, bytes: Bytes) -> Result<Option<Event>, ReplicationError> {
        let mut from = Parts(bytes);
        match from.u8()? {
            b'k' => {
                let end = from.u64()?;
                from.u64()?;
                self.is_asked |= from.u8()? == 1;
                // In the middle of a transaction nothing is done up to there.
                Ok(self.transaction.is_none().then_some(Event::Idle(end)))
            }
            b'w' => {
                from.take(3 * 8)?;
                self.apply(decode::message(from.0)?)
            }
            _ => Err(ReplicationError::Form("an unknown message of the stream")),
        }
    }

    fn apply(&mut self, message: Message) -> Result<Option<Event>, ReplicationError> {
        let (kind, relation, old, new) = match message {
            Message::Begin { commit, at, xid } => {
                (self.transaction, self.number) = (Some((commit, at, xid)), 0);
                return Ok(None);
            }
            Message::Commit { end } => {
                self.transaction = None;
                return Ok(Some(Event::Committed(end)));
            }
            Message::Relation(relation) => {
                self.relations.insert(relation.oid, Arc::new(relation));
                return Ok(None);
            }
            Message::Other => return Ok(None),
            Message::Insert { relation, new } => (Kind::Insert, relation, None, new),
            Message::Update { relation, old, new } => (Kind::Update, relation, old, new),
            Message::Delete { relation, old } => (Kind::Delete, relation, Some(old), Vec::new()),
        };
        let relation = self.relations.get(&relation).ok_or(ReplicationError::Form("a table that was not told"))?;
        let fits = |cells: &[Cell]| cells.len() == relation.columns.len();
        if !old.as_deref().is_none_or(fits) || !(kind == Kind::Delete || fits(&new)) {
            return Err(ReplicationError::Form("a row has not its table's columns"));
        }
        let (position, at, xid) = self.position()?;
        let relation = Arc::clone(relation);
        self.number += 1;
        Ok(Some(Event::Change(Unjudged(Change { position, at, xid, relation, kind, new, old }))))
    }

    fn position(&self) -> Result<(Position, i64, u32), ReplicationError> {
        let (commit, at, xid) = self.transaction.ok_or(ReplicationError::Form("a change outside of a transaction"))?;
        Ok((Position { commit, number: self.number }, at, xid))
    }

    fn oversize(&mut self, mut head: Bytes) -> Event {
        self.number += 1;
        // The tag of the message and three numbers stand before it.
        let message = if head.len() > 25 { head.split_off(25) } else { Bytes::new() };
        Event::TooLarge(decode::relation_of(&message))
    }

    /// Confirms the log up to a point: the server may forget what is before it. Sent with the next [`Reader::answer`].
    pub fn confirm(&mut self, point: u64) {
        if point > self.confirmed {
            self.confirmed = point;
        }
    }

    /// Whether the server waits for an answer.
    pub fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Tells the server what is confirmed, and that this host lives.
    pub async fn answer(&mut self) -> Result<(), ReplicationError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH + EPOCH).unwrap_or_default();
        let mut status = Vec::with_capacity(34);
        status.put_u8(b'r');
        for _ in 0..3 {
            status.put_u64(self.confirmed);
        }
        status.put_u64(u64::try_from(now.as_micros()).unwrap_or(0));
        status.put_u8(0);
        self.session.tell(&status).await?;
        self.is_asked = false;
        Ok(())
    }

    /// Ends the session.
    pub async fn close(self) {
        self.session.close().await;
    }
}
