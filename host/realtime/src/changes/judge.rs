//! Asks for each row, as each subscriber, whether that subscriber sees it.
//!
//! Subscribers with the same claims see the same rows, so they are asked for together: for a batch and a table, one statement for each
//! such identity. Where no policy decides for a role, rights to columns do, and nothing is asked. Where policies show a row to the user whom
//! it names, nobody else is asked. Whoever cannot be asked gets nothing:
//! an error is never a yes, and it costs nobody else anything but a place in the line for a moment.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use behalf_caller_db::{CallerDb, VisibleError, VisibleTable};
use behalf_identity::Role;
use behalf_problem::LogText as _;
use behalf_replication::{Cell, Kind};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use serde_json::value::RawValue;

use super::batch::{Batch, Row};
use super::candidates::Candidates;
use super::conditions::{self, Question, Verdict};
use super::message::{self, Told};
use super::notices::{Notices, Trouble};
use super::subscribers::{Group, Identity, Selection, Subscribers};
use super::tables::Tables;
use crate::channel::{ChannelHandle, ChannelId, ToChannel};

/// Identities that are asked for at the same time.
const AT_ONCE: usize = 8;

/// Values that the server compares for an identity and a batch at most. Filters of one client may be many and long.
const MAX_PAIRS: usize = 20_000;

/// Stands for filters where something rests: they are of no one table.
const FILTERS: u32 = 0;

/// The judge of this host.
pub(super) struct Judge {
    pub(super) db: CallerDb,
    pub(super) tables: Arc<Tables>,
    pub(super) subscribers: Arc<Subscribers>,
    pub(super) notices: Notices,
    /// Whether nobody hears of deleted rows.
    pub(super) withholds_deletes: bool,
}

/// What is said of a row to a role that is told these columns; none where it cannot be said.
type Messages = HashMap<(usize, Role, Selection), Option<Arc<RawValue>>>;

/// A batch with what is known of its tables.
struct Work<'a> {
    batch: &'a Batch,
    tables: HashMap<u32, Arc<VisibleTable>>,
    /// Messages, by row, role and columns.
    messages: Mutex<Messages>,
}

/// A row that some of an identity's groups want, and whether policies have to be asked.
struct Hit<'a> {
    number: usize,
    row: &'a Row,
    table: &'a VisibleTable,
    groups: Vec<&'a Group>,
    /// Whether the row can be told: a row that is to be judged needs a key.
    has_key: bool,
}

impl Judge {
    /// Judges a batch and hands out what is seen. Returns when everybody has what is theirs.
    pub(super) async fn hand_out(&self, batch: &Batch) {
        self.tables.forget(&batch.changed);
        let index = self.subscribers.index();
        if index.is_empty() {
            return;
        }
        if batch.has_lost {
            self.tell_all(Trouble::TooLarge);
        }
        let work = self.work(batch, &index).await;
        let mut candidates = Candidates::default();
        for (number, row) in batch.rows.iter().enumerate() {
            if let Some(table) = work.tables.get(&row.relation.oid) {
                candidates.add(number, row, table);
            }
        }
        let concerned = index.iter().map(|identity| (identity, candidates.of(identity)));
        let all: Vec<BoxFuture<'_, ()>> = concerned
            .filter(|(_, numbers)| !numbers.is_empty())
            .map(|(identity, numbers)| self.hand_to(identity, numbers, &work).boxed())
            .collect();
        stream::iter(all).buffer_unordered(AT_ONCE).for_each(|()| std::future::ready(())).await;
    }

    /// The batch with its tables, as far as anybody here wants them.
    async fn work<'a>(&self, batch: &'a Batch, index: &[Arc<Identity>]) -> Work<'a> {
        let (mut tables, mut looked_at) = (HashMap::new(), HashSet::new());
        for row in &batch.rows {
            let oid = row.relation.oid;
            if !looked_at.insert((oid, row.kind)) {
                continue;
            }
            let is_wanted = || {
                let mut groups = index.iter().flat_map(|identity| &identity.groups);
                groups.any(|group| group.want.is_about(&row.relation, row.kind))
            };
            if tables.contains_key(&oid) || !is_wanted() {
                continue;
            }
            match self.tables.of(&row.relation).await {
                Ok(Some(table)) => drop(tables.insert(oid, table)),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(
                        error = error.log_text(),
                        "cannot read who may read a table; its changes are not told"
                    );
                    for identity in index {
                        self.tell(identity, Trouble::Database);
                    }
                }
            }
        }
        Work { batch, tables, messages: Mutex::default() }
    }

    /// Judges these rows of a batch as one identity, and hands them out in their order.
    async fn hand_to(&self, identity: &Identity, numbers: Vec<usize>, work: &Work<'_>) {
        let hits = self.hits(identity, numbers, work).await;
        let mut by_table: HashMap<u32, Vec<usize>> = HashMap::new();
        let mut is_seen = vec![true; hits.len()];
        for (at, hit) in hits.iter().enumerate() {
            if hit.row.kind != Kind::Delete && hit.table.is_judged(identity.principal.role()) && hit.has_key {
                by_table.entry(hit.row.relation.oid).or_default().push(at);
                if let Some(seen) = is_seen.get_mut(at) {
                    *seen = false;
                }
            }
        }
        for (oid, places) in by_table {
            for at in self.seen(identity, oid, &hits, &places).await {
                if let Some(seen) = is_seen.get_mut(at) {
                    *seen = true;
                }
            }
        }
        for (hit, _) in hits.iter().zip(is_seen).filter(|(_, seen)| *seen) {
            self.push(identity.principal.role(), hit, work);
        }
    }

    /// Those of these rows that the identity's filters let through.
    async fn hits<'a>(&self, identity: &'a Identity, numbers: Vec<usize>, work: &'a Work<'_>) -> Vec<Hit<'a>> {
        let role = identity.principal.role();
        let (mut hits, mut open) = (Vec::new(), Open::default());
        for number in numbers {
            let Some(row) = work.batch.rows.get(number) else { continue };
            let Some(table) = work.tables.get(&row.relation.oid) else { continue };
            if row.kind == Kind::Delete && self.withholds_deletes {
                continue;
            }
            let wanted: Vec<&Group> =
                identity.groups.iter().filter(|group| group.want.is_about(&row.relation, row.kind)).collect();
            if wanted.is_empty() {
                continue;
            }
            if !table.may_read_rows(role) {
                self.tell(identity, Trouble::NoRight);
                continue;
            }
            let mut groups = Vec::new();
            for group in wanted {
                match decide(group, row, table, role, &mut open) {
                    Some(0) => groups.push(group),
                    Some(count) => open.wanted.push((hits.len(), group, count)),
                    None => {}
                }
            }
            hits.push(Hit { number, row, table, groups, has_key: key_of(row, table).is_some() });
        }
        self.close(identity, open, &mut hits).await;
        hits.retain(|hit| !hit.groups.is_empty());
        hits
    }

    /// Asks the server what this host could not decide.
    async fn close<'a>(&self, identity: &Identity, open: Open<'a>, hits: &mut [Hit<'a>]) {
        if open.is_too_much {
            self.tell(identity, Trouble::Slow);
        }
        if open.questions.is_empty() || self.notices.is_paused(&identity.principal, FILTERS) {
            return;
        }
        let answers = match conditions::ask(&self.db, &identity.principal, &open.questions).await {
            Ok(answers) => answers,
            Err(error) => {
                if error.is_slow() {
                    self.notices.pause(&identity.principal, FILTERS);
                }
                self.tell(identity, Trouble::of(&error));
                return;
            }
        };
        self.notices.went_well(&identity.principal, FILTERS);
        let mut rest = answers.as_slice();
        for (at, group, count) in open.wanted {
            let (of_group, after) = rest.split_at(count.min(rest.len()));
            rest = after;
            let holds = of_group.len() == count && of_group.iter().all(|holds| *holds);
            if let Some(hit) = hits.get_mut(at).filter(|_| holds) {
                hit.groups.push(group);
            }
        }
    }

    /// Which of these rows of one table the identity sees.
    async fn seen(&self, identity: &Identity, oid: u32, hits: &[Hit<'_>], places: &[usize]) -> Vec<usize> {
        let principal = &identity.principal;
        let Some(table) = places.first().and_then(|at| hits.get(*at)).map(|hit| hit.table) else { return Vec::new() };
        if self.notices.is_paused(principal, oid) {
            return Vec::new();
        }
        let keys: Vec<Vec<&str>> = places
            .iter()
            .map(|at| hits.get(*at).and_then(|hit| key_of(hit.row, hit.table)).unwrap_or_default())
            .collect();
        match self.db.visible(principal, table, &keys).await {
            Ok(seen) => {
                self.notices.went_well(principal, oid);
                seen.into_iter().filter_map(|n| places.get(n).copied()).collect()
            }
            Err(error) => {
                tracing::debug!(error = error.log_text(), "a subscriber could not be asked what they see");
                if error.is_slow() {
                    self.notices.pause(principal, oid);
                }
                self.tell(identity, Trouble::of(&error));
                Vec::new()
            }
        }
    }

    /// Sends a row to everybody of the identity who wants it.
    fn push(&self, role: Role, hit: &Hit<'_>, work: &Work<'_>) {
        if let [only] = hit.groups.as_slice() {
            return self.send(role, &only.want.selection, &hit.groups, hit, work);
        }
        let mut selections: HashMap<&Selection, Vec<&Group>> = HashMap::new();
        hit.groups.iter().for_each(|group| selections.entry(&group.want.selection).or_default().push(group));
        for (selection, groups) in selections {
            self.send(role, selection, &groups, hit, work);
        }
    }

    /// Sends the selected columns of a row to these groups, once to each channel.
    fn send(&self, role: Role, selection: &Selection, groups: &[&Group], hit: &Hit<'_>, work: &Work<'_>) {
        let Some(data) = work.message(hit, role, selection) else { return };
        let send = |handle: &ChannelHandle, ids: Vec<i64>| {
            if !handle.push(ToChannel::Change { ids, data: Arc::clone(&data) }) {
                self.subscribers.remove(handle.id);
            }
        };
        if let [only] = groups {
            only.listeners.iter().for_each(|(handle, id)| send(handle, vec![*id]));
            return;
        }
        let mut channels: HashMap<ChannelId, (&ChannelHandle, Vec<i64>)> = HashMap::new();
        for (handle, id) in groups.iter().flat_map(|group| &group.listeners) {
            channels.entry(handle.id).or_insert_with(|| (handle, Vec::new())).1.push(*id);
        }
        for (handle, mut ids) in channels.into_values() {
            ids.sort_unstable();
            send(handle, ids);
        }
    }

    /// Tells every subscriber.
    pub(super) fn tell_all(&self, trouble: Trouble) {
        self.subscribers.channels().iter().for_each(|handle| self.notices.tell(handle, trouble));
    }

    fn tell(&self, identity: &Identity, trouble: Trouble) {
        let listeners = identity.groups.iter().flat_map(|group| &group.listeners);
        listeners.for_each(|(handle, _)| self.notices.tell(handle, trouble));
    }
}

/// Conditions that the server decides.
#[derive(Default)]
struct Open<'a> {
    questions: Vec<Question<'a>>,
    /// The place of a row among the hits, a group that wants it, and how many questions decide that, in the order of the questions.
    wanted: Vec<(usize, &'a Group, usize)>,
    /// Values that are compared.
    pairs: usize,
    /// Whether there were more than are compared.
    is_too_much: bool,
}

/// How many questions decide whether a group wants the row; none where it does not.
fn decide<'a>(
    group: &'a Group,
    row: &'a Row,
    table: &'a VisibleTable,
    role: Role,
    open: &mut Open<'a>,
) -> Option<usize> {
    let before = (open.questions.len(), open.pairs);
    for condition in &group.want.conditions {
        let question = match conditions::decide(condition, row, table, role) {
            Verdict::Yes => continue,
            Verdict::Ask(question) => Some(question),
            Verdict::No => None,
        };
        let pairs = open.pairs + question.as_ref().map_or(0, |question| question.right.len());
        open.is_too_much |= pairs > MAX_PAIRS;
        let Some(question) = question.filter(|_| pairs <= MAX_PAIRS) else {
            open.questions.truncate(before.0);
            open.pairs = before.1;
            return None;
        };
        open.questions.push(question);
        open.pairs = pairs;
    }
    Some(open.questions.len() - before.0)
}

impl Work<'_> {
    /// The message about a row for a role and a selection of columns. It is made once.
    fn message(&self, hit: &Hit<'_>, role: Role, selection: &Selection) -> Option<Arc<RawValue>> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let is_judged = hit.row.kind != Kind::Delete && hit.table.is_judged(role);
            if is_judged && hit.table.key().is_empty() {
                message::no_key(hit.row, hit.table)
            } else if is_judged && !hit.has_key {
                None
            } else {
                message::data(hit.row, hit.table, Told { role, selection })
            }
        };
        messages.entry((hit.number, role, selection.clone())).or_insert_with(make).clone()
    }
}

/// The row's primary key; none where the log has not all of it.
fn key_of<'a>(row: &'a Row, table: &VisibleTable) -> Option<Vec<&'a str>> {
    if table.key().is_empty() {
        return None;
    }
    let cell = |column: &usize| {
        let name = &table.columns.get(*column)?.name;
        row.new.get(row.place(name)?).and_then(Cell::text)
    };
    table.key().iter().map(cell).collect()
}

impl Trouble {
    /// What an error of a question means for who was asked for.
    fn of(error: &VisibleError) -> Self {
        match error {
            _ if error.is_slow() => Self::Slow,
            _ if error.sqlstate() == Some("42501") => Self::NoRight,
            _ if error
                .sqlstate()
                .is_some_and(|code| !["08", "53", "57P", "58", "XX"].iter().any(|class| code.starts_with(class))) =>
            {
                Self::Policy
            }
            _ => Self::Database,
        }
    }
}
