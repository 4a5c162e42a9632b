//! A connection: batches of statements under one Sync, prepared statements, and the state of the transaction.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{DataRowBody, Message, RowDescriptionBody};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::WireError;
use super::frame::{Frame, Frames};
use super::startup::{self, CancelKey, Purpose};
use super::stream::Stream;
use super::target::Target;

/// Prepared statements kept per connection. A connection has one login, so no plan is used for another role. Requests of apps
/// have more shapes than tools have statements; each plan takes some ten kilobytes of the server's memory.
const MAX_PREPARED: usize = 128;

/// How many are left when there are more: closing them takes a round trip, so several are closed at once.
const KEPT_PREPARED: usize = MAX_PREPARED - 16;

/// A write buffer that grew beyond this for one large parameter is freed.
const KEPT_WRITE_BYTES: usize = 256 * 1024;

/// The state of a connection's transaction, as the server last reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxStatus {
    /// No transaction is open.
    Idle,
    /// A transaction is open.
    Open,
    /// A transaction is open and has failed; the server accepts only its end.
    Failed,
}

/// One statement of a batch.
#[derive(Debug)]
pub struct Step<'a> {
    /// The text of exactly one statement; the server refuses more in this protocol.
    pub text: &'a str,
    /// The parameters in text format; `None` is NULL.
    pub params: &'a [Option<Cow<'a, [u8]>>],
    /// Whether the statement stays prepared on this connection.
    pub keep: bool,
    /// The most rows to return; the server stops there. 0 means all.
    pub max_rows: u32,
    /// Whether the answer names the columns.
    pub names_columns: bool,
}

impl<'a> Step<'a> {
    /// A statement without parameters, whose columns are known to whoever sends it.
    pub fn command(text: &'a str, keep: bool) -> Self {
        Self { text, params: &[], keep, max_rows: 0, names_columns: false }
    }
}

/// A column as the server described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// The oid of its type.
    pub type_oid: u32,
}

/// The result of one statement.
#[derive(Debug, Default)]
pub struct Answer {
    /// The columns, empty where the statement returns no rows or its step did not ask for them.
    pub columns: Arc<[Column]>,
    /// The rows, with values in text format.
    pub rows: Vec<DataRowBody>,
    /// Whether rows are missing: the server had more, or some were too large to keep.
    pub truncated: bool,
    /// The number in the command tag: rows inserted, changed or returned.
    pub affected: u64,
}

#[derive(Debug)]
struct Prepared {
    name: String,
    /// None until a step asked for them.
    columns: Option<Arc<[Column]>>,
    /// The types of its parameters; none until somebody asked for them.
    parameters: Option<Arc<[u32]>>,
    /// The batch that used it last.
    used: u64,
}

/// A logged-in connection. If a batch is dropped before its end, [`Conn::in_flight`] stays true, and the connection has to be
/// [drained](Conn::drain) or closed.
#[derive(Debug)]
pub struct Conn {
    stream: Stream,
    frames: Frames,
    out: BytesMut,
    cancel: CancelKey,
    status: TxStatus,
    in_flight: bool,
    /// Whether the last batch was sent as a whole.
    is_sent: bool,
    /// The steps of the last batch that the server has answered.
    answered: usize,
    prepared: HashMap<Arc<str>, Prepared>,
    next_name: u64,
    /// The number of the last batch.
    batch: u64,
    /// Statements that the server may have parsed and whose columns are not known: they failed, or their batch was dropped.
    orphans: Vec<String>,
}

/// A step whose answer has not arrived yet.
struct Expected<'a> {
    step: &'a Step<'a>,
    known: Option<Arc<[Column]>>,
    new_name: Option<String>,
}

impl Conn {
    /// Connects and logs in; `options` are settings of the session.
    pub async fn connect(target: &Target, options: &str) -> Result<Self, WireError> {
        let ready = startup::connect(target, options, Purpose::Statements).await?;
        Ok(Self {
            stream: ready.stream,
            frames: ready.frames,
            out: BytesMut::new(),
            cancel: ready.cancel,
            status: TxStatus::Idle,
            in_flight: false,
            is_sent: true,
            answered: 0,
            prepared: HashMap::new(),
            next_name: 0,
            batch: 0,
            orphans: Vec::new(),
        })
    }

    /// The key that cancels this connection's current statement from another connection.
    pub fn cancel_key(&self) -> &CancelKey {
        &self.cancel
    }

    /// The transaction's state.
    pub fn status(&self) -> TxStatus {
        self.status
    }

    /// Whether an answer of the server is outstanding, also after the future that awaited it was dropped.
    pub fn in_flight(&self) -> bool {
        self.in_flight
    }

    /// How many steps of the last batch the server has answered. If it ended the session before the first, nothing of the batch
    /// was run.
    pub fn answered(&self) -> usize {
        self.answered
    }

    /// Sends nothing more, and waits until the server has closed the connection: its process has ended then, because it keeps
    /// its socket to its last moment. What the server still sends is thrown away. This can be dropped and called again. Behind a
    /// pooler the pooler's process is meant, so ask the server itself as well.
    pub async fn closed(&mut self) {
        self.in_flight = true;
        self.stream.shutdown().await.ok();
        let mut rest = [0_u8; 4096];
        while self.stream.read(&mut rest).await.is_ok_and(|bytes| bytes > 0) {}
    }

    /// Reads and throws away what is outstanding of a batch that was dropped, until the server is ready for the next one. This can
    /// be dropped and called again. Fails if the batch was not sent as a whole.
    pub async fn drain(&mut self) -> Result<(), WireError> {
        if !self.is_sent {
            return Err(WireError::Protocol("a batch was sent in part"));
        }
        while self.in_flight {
            // An error before the end is the statement's own, or says that it was cancelled.
            if let Frame::Message(Message::ReadyForQuery(body)) = self.next(0).await? {
                self.be_ready(body.status())?;
            }
        }
        let prepared = &self.prepared;
        self.orphans.retain(|orphan| prepared.values().all(|one| one.name != *orphan));
        Ok(())
    }

    /// Forgets a prepared statement after the server reported that its plan is out of date.
    pub fn forget(&mut self, text: &str) {
        self.prepared.remove(text);
    }

    /// Runs the steps under one Sync: after a failed step the server skips the rest. A step's rows beyond `max_bytes`
    /// are read and thrown away.
    pub async fn run(&mut self, steps: &[Step<'_>], max_bytes: usize) -> Result<Vec<Answer>, WireError> {
        let expected = self.encode_all(steps)?;
        frontend::sync(&mut self.out);
        // Should this future be dropped, the server may have parsed any of the new statements.
        let new_names =
            expected.iter().filter_map(|one| one.new_name.as_ref()).filter(|name| !name.is_empty()).cloned();
        let orphans = self.orphans.len();
        self.orphans.extend(new_names);
        let maybe_parsed = orphans..self.orphans.len();
        self.send().await?;
        if self.out.capacity() > KEPT_WRITE_BYTES {
            self.out = BytesMut::new();
        }
        let mut answers = Vec::with_capacity(steps.len());
        let mut failure = None;
        for one in expected {
            let mut left = max_bytes;
            match self.read_answer(one, &mut left).await {
                Ok(answer) => {
                    answers.push(answer);
                    self.answered += 1;
                }
                Err(error @ WireError::Server { .. }) => {
                    failure = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let ready = self.read_ready().await;
        if ready.is_ok() {
            self.orphans.drain(maybe_parsed);
        }
        match (ready, failure) {
            // A server that ends the session sends the reason first; `in_flight` stays true, so the connection is
            // closed.
            (_, Some(failure)) => Err(failure),
            (Err(error), None) => Err(error),
            (Ok(()), None) => Ok(answers),
        }
    }

    /// The types of a statement's parameters, if somebody asked for them before.
    pub fn known_parameters(&self, text: &str) -> Option<Arc<[u32]>> {
        self.prepared.get(text)?.parameters.clone()
    }

    /// Runs the steps, which return no rows, and prepares a statement without running it, under one Sync. Returns the types of its
    /// parameters.
    pub async fn parameters(&mut self, steps: &[Step<'_>], text: &str) -> Result<Arc<[u32]>, WireError> {
        let expected = self.encode_all(steps)?;
        let batch = self.batch;
        let known = self.prepared.get_mut(text).map(|one| {
            one.used = batch;
            one.name.clone()
        });
        let is_new = known.is_none();
        let name = known.unwrap_or_else(|| format!("s{}", self.next_name));
        if is_new {
            self.next_name += 1;
            frontend::parse(&name, text, [], &mut self.out)?;
        }
        frontend::describe(b'S', &name, &mut self.out)?;
        frontend::sync(&mut self.out);
        // Whatever the server has parsed of this is closed before the connection serves another call, unless it ends well.
        let orphans = self.orphans.len();
        let new_names = expected.iter().filter_map(|one| one.new_name.clone()).filter(|name| !name.is_empty());
        self.orphans.extend(new_names.chain(is_new.then(|| name.clone())));
        let maybe_parsed = orphans..self.orphans.len();
        self.send().await?;
        let mut described = Ok(Vec::new());
        for one in expected {
            if let Err(error) = self.read_answer(one, &mut 0).await {
                described = Err(error);
                break;
            }
        }
        if described.is_ok() {
            described = self.read_parameters().await;
        }
        match described {
            Err(error @ WireError::Server { .. }) => {
                if self.read_ready().await.is_ok() {
                    self.orphans.drain(maybe_parsed);
                }
                Err(error)
            }
            Err(error) => Err(error),
            Ok(types) => {
                self.read_ready().await?;
                self.orphans.drain(maybe_parsed);
                let parameters: Arc<[u32]> = types.into();
                let kept = self.prepared.entry(text.into());
                let kept = kept.or_insert(Prepared { name, columns: None, parameters: None, used: batch });
                kept.parameters = Some(Arc::clone(&parameters));
                Ok(parameters)
            }
        }
    }

    async fn read_parameters(&mut self) -> Result<Vec<u32>, WireError> {
        let mut types = Vec::new();
        loop {
            match self.next(0).await? {
                Frame::Message(Message::ParseComplete) => {}
                Frame::Message(Message::ParameterDescription(body)) => types = body.parameters().collect()?,
                Frame::Message(Message::RowDescription(_) | Message::NoData) => return Ok(types),
                Frame::Message(Message::ErrorResponse(body)) => return Err(WireError::of_statement(body.fields())),
                _ => return Err(WireError::Protocol("unexpected message in a description")),
            }
        }
    }

    fn encode_all<'a>(&mut self, steps: &'a [Step<'a>]) -> Result<Vec<Expected<'a>>, WireError> {
        let mut expected = Vec::with_capacity(steps.len());
        self.answered = 0;
        self.batch += 1;
        self.out.clear();
        for step in steps {
            expected.push(self.encode(step)?);
        }
        Ok(expected)
    }

    fn encode<'a>(&mut self, step: &'a Step<'a>) -> Result<Expected<'a>, WireError> {
        let mut kept = self.prepared.get_mut(step.text);
        if let Some(one) = &mut kept {
            one.used = self.batch;
        }
        let known = kept.as_ref().and_then(|one| one.columns.clone());
        let mut new_name = None;
        let name = if let Some(one) = kept {
            Cow::Borrowed(one.name.as_str())
        } else {
            let name = if step.keep { format!("s{}", self.next_name) } else { String::new() };
            self.next_name += u64::from(step.keep);
            frontend::parse(&name, step.text, [], &mut self.out)?;
            new_name = Some(name.clone());
            Cow::Owned(name)
        };
        let write = |value: &Option<Cow<'_, [u8]>>, out: &mut BytesMut| {
            Ok(match value {
                None => IsNull::Yes,
                Some(bytes) => {
                    out.put_slice(bytes);
                    IsNull::No
                }
            })
        };
        frontend::bind("", &name, [], step.params, write, [], &mut self.out)
            .map_err(|_| WireError::Protocol("too many or too large parameters"))?;
        if step.names_columns && known.is_none() {
            frontend::describe(b'P', "", &mut self.out)?;
        }
        let limit = i32::try_from(step.max_rows).unwrap_or(i32::MAX);
        frontend::execute("", limit, &mut self.out)?;
        Ok(Expected { step, known, new_name })
    }

    async fn read_answer(&mut self, expected: Expected<'_>, left: &mut usize) -> Result<Answer, WireError> {
        let was_known = expected.known.is_some();
        let mut answer = Answer { columns: expected.known.unwrap_or_default(), ..Answer::default() };
        let mut parsed = false;
        loop {
            match self.next(*left).await? {
                Frame::OversizeRow => {
                    answer.truncated = true;
                    // Rows after this one would leave a gap in the answer, so none of them is kept.
                    *left = 0;
                }
                Frame::Message(message) => match message {
                    Message::ParseComplete => parsed = true,
                    Message::BindComplete | Message::NoData => {}
                    Message::RowDescription(body) => answer.columns = columns(&body)?,
                    Message::DataRow(body) => {
                        *left = left.saturating_sub(body.buffer().len().max(1));
                        answer.rows.push(body);
                    }
                    Message::CommandComplete(body) => {
                        answer.affected = affected(body.tag()?);
                        break;
                    }
                    Message::PortalSuspended => {
                        answer.truncated = true;
                        break;
                    }
                    Message::EmptyQueryResponse => break,
                    Message::ErrorResponse(body) => {
                        self.orphans.extend(expected.new_name.filter(|name| parsed && !name.is_empty()));
                        return Err(WireError::of_statement(body.fields()));
                    }
                    _ => return Err(WireError::Protocol("unexpected message in an answer")),
                },
            }
        }
        let Step { text, names_columns, .. } = *expected.step;
        let columns = names_columns.then(|| Arc::clone(&answer.columns));
        if let Some(name) = expected.new_name.filter(|name| !name.is_empty()) {
            self.prepared.insert(text.into(), Prepared { name, columns, parameters: None, used: self.batch });
        } else if names_columns
            && !was_known
            && let Some(kept) = self.prepared.get_mut(text)
        {
            kept.columns = columns;
        }
        Ok(answer)
    }

    /// Whether [`Conn::trim`] has something to do.
    pub fn wants_trim(&self) -> bool {
        self.prepared.len() > MAX_PREPARED || !self.orphans.is_empty()
    }

    /// Closes the prepared statements that were not used for longest, where there are too many. Called between transactions.
    pub async fn trim(&mut self) -> Result<(), WireError> {
        if !self.wants_trim() {
            return Ok(());
        }
        self.out.clear();
        for name in self.orphans.drain(..) {
            frontend::close(b'S', &name, &mut self.out)?;
        }
        if self.prepared.len() > MAX_PREPARED {
            let mut uses: Vec<_> = self.prepared.iter().map(|(text, one)| (one.used, Arc::clone(text))).collect();
            uses.sort_unstable();
            for (_, text) in uses.iter().take(uses.len() - KEPT_PREPARED) {
                if let Some(one) = self.prepared.remove(text) {
                    frontend::close(b'S', &one.name, &mut self.out)?;
                }
            }
        }
        frontend::sync(&mut self.out);
        self.send().await?;
        self.read_ready().await
    }

    async fn send(&mut self) -> Result<(), WireError> {
        (self.in_flight, self.is_sent) = (true, false);
        self.stream.write_all(&self.out).await?;
        self.stream.flush().await?;
        self.is_sent = true;
        Ok(())
    }

    async fn read_ready(&mut self) -> Result<(), WireError> {
        loop {
            match self.next(0).await? {
                Frame::Message(Message::ReadyForQuery(body)) => {
                    return self.be_ready(body.status());
                }
                Frame::Message(Message::ErrorResponse(body)) => {
                    return Err(WireError::of_statement(body.fields()));
                }
                Frame::Message(Message::CloseComplete) => {}
                _ => return Err(WireError::Protocol("unexpected message at the end of a batch")),
            }
        }
    }

    fn be_ready(&mut self, status: u8) -> Result<(), WireError> {
        self.status = match status {
            b'I' => TxStatus::Idle,
            b'T' => TxStatus::Open,
            b'E' => TxStatus::Failed,
            _ => return Err(WireError::Protocol("unknown transaction status")),
        };
        self.in_flight = false;
        Ok(())
    }

    async fn next(&mut self, max_row_bytes: usize) -> Result<Frame, WireError> {
        loop {
            match self.frames.next(&mut self.stream, max_row_bytes).await? {
                Frame::Message(Message::NoticeResponse(_) | Message::ParameterStatus(_)) => {}
                // Tool connections do not LISTEN; if a statement made this one listen, it must not be used again.
                Frame::Message(Message::NotificationResponse(_)) => {
                    return Err(WireError::Protocol("a notification on a connection that listens to nothing"));
                }
                frame => return Ok(frame),
            }
        }
    }
}

fn columns(body: &RowDescriptionBody) -> Result<Arc<[Column]>, WireError> {
    let columns: Vec<_> = body
        .fields()
        .map(|field| Ok(Column { name: field.name().to_owned(), type_oid: field.type_oid() }))
        .collect()?;
    Ok(columns.into())
}

/// Reads the row count, the last word of a command tag: `INSERT 0 5`, `UPDATE 3`, `SELECT 7`.
fn affected(tag: &str) -> u64 {
    tag.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}
