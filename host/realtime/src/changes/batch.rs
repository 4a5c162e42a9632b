//! Changes on their way from the host that reads the log to those that judge them, and their form between hosts.
//!
//! No policy was asked about them. They stay in the hosts' memory and in a table that only hosts read.

use std::collections::HashMap;
use std::sync::Arc;

use behalf_replication::{Cell, Change, Column, Kind, Position, Relation};
use bytes::{BufMut, Bytes};
use uuid::Uuid;

use crate::bus::{Fields, put};

/// The version of the form.
const VERSION: u8 = 1;

/// Changes with more bytes are told without their large values, as upstream.
const MAX_CHANGE: usize = 1024 * 1024;

/// Of those, values of so many bytes are kept to judge them: no key is larger.
const MAX_KEY: usize = 2_704;

/// A change of a row, which nobody has judged yet.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) position: Position,
    /// When it was committed, in microseconds since 2000.
    pub(super) at: i64,
    pub(super) relation: Arc<Relation>,
    pub(super) kind: Kind,
    pub(super) new: Vec<Cell>,
    pub(super) old: Option<Vec<Cell>>,
    /// Whether it is too large to be told as a whole.
    pub(super) is_large: bool,
}

/// Several, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub(super) rows: Vec<Row>,
    /// Tables that may have other columns or rights than before.
    pub(super) changed: Vec<u32>,
    /// Whether a row among them was too large to be read.
    pub(super) has_lost: bool,
}

impl Row {
    /// A row out of the log.
    pub(super) fn of(change: Change) -> Self {
        let Change { position, at, xid: _, relation, kind, mut new, mut old } = change;
        let is_large = size(&new) + old.as_deref().map_or(0, size) > MAX_CHANGE;
        if is_large {
            let all = new.iter_mut().chain(old.iter_mut().flatten());
            all.filter(|cell| cell.size() > MAX_KEY).for_each(|cell| *cell = Cell::Cut);
        }
        Self { position, at, relation, kind, new, old, is_large }
    }

    /// Bytes of its values.
    pub(super) fn size(&self) -> usize {
        size(&self.new) + self.old.as_deref().map_or(0, size)
    }

    /// A column's place in the row.
    pub(super) fn place(&self, column: &str) -> Option<usize> {
        self.relation.columns.iter().position(|one| &*one.name == column)
    }

    /// The value that a condition on the column is about: of the row, or of the one that is gone.
    pub(super) fn value(&self, place: usize) -> Option<&Cell> {
        match self.kind {
            Kind::Insert | Kind::Update => self.new.get(place),
            Kind::Delete => self.old_value(place),
        }
    }

    /// A value before the change, as far as the replica identity has it. The key of a row that kept it is in the new one.
    pub(super) fn old_value(&self, place: usize) -> Option<&Cell> {
        let is_told = self.relation.columns.get(place)?.is_identity;
        let cells = self.old.as_ref().or((self.kind == Kind::Update).then_some(&self.new))?;
        cells.get(place).filter(|_| is_told)
    }
}

fn size(cells: &[Cell]) -> usize {
    cells.iter().map(Cell::size).sum()
}

/// Where a batch came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The host that read the log.
    pub(super) leader: Uuid,
    /// Whether it began a new log, whose positions may be lower than those of before.
    pub(super) is_new_log: bool,
}

/// Writes those rows whose table `is_wanted`; nothing where there is nothing to say.
pub(super) fn write(batch: &Batch, origin: Origin, is_wanted: impl Fn(u32) -> bool) -> Option<Bytes> {
    let rows: Vec<&Row> = batch.rows.iter().filter(|row| is_wanted(row.relation.oid)).collect();
    if rows.is_empty() && !batch.has_lost {
        return None;
    }
    let mut out = Vec::with_capacity(rows.iter().map(|row| row.size() + 64).sum::<usize>() + 256);
    out.put_u8(VERSION);
    out.put_slice(origin.leader.as_bytes());
    out.put_u8(u8::from(origin.is_new_log) | (u8::from(batch.has_lost) << 1));
    let mut places: HashMap<*const Relation, u64> = HashMap::new();
    let mut relations = Vec::new();
    for row in &rows {
        places.entry(Arc::as_ptr(&row.relation)).or_insert_with(|| {
            relations.push(&row.relation);
            relations.len() as u64 - 1
        });
    }
    out.put_u64(batch.changed.len() as u64);
    batch.changed.iter().for_each(|oid| out.put_u64(u64::from(*oid)));
    out.put_u64(relations.len() as u64);
    relations.iter().for_each(|relation| write_relation(&mut out, relation));
    for row in rows {
        out.put_u64(places.get(&Arc::as_ptr(&row.relation)).copied().unwrap_or(u64::MAX));
        out.put_u64(row.position.commit);
        out.put_u64(row.position.number);
        out.put_u64(row.at.cast_unsigned());
        out.put_u8(match row.kind {
            Kind::Insert => 0,
            Kind::Update => 1,
            Kind::Delete => 2,
        });
        out.put_u8(u8::from(row.is_large) | (u8::from(row.old.is_some()) << 1));
        row.new.iter().for_each(|cell| write_cell(&mut out, cell));
        row.old.iter().flatten().for_each(|cell| write_cell(&mut out, cell));
    }
    Some(out.into())
}

fn write_relation(out: &mut Vec<u8>, relation: &Relation) {
    out.put_u64(u64::from(relation.oid));
    put(out, relation.schema.as_bytes());
    put(out, relation.name.as_bytes());
    out.put_u64(relation.columns.len() as u64);
    for column in &relation.columns {
        put(out, column.name.as_bytes());
        out.put_u8(u8::from(column.is_identity));
    }
}

fn write_cell(out: &mut Vec<u8>, cell: &Cell) {
    match cell {
        Cell::Null => out.put_u8(0),
        Cell::Unchanged => out.put_u8(1),
        Cell::Cut => out.put_u8(2),
        Cell::Text(text) => {
            out.put_u8(3);
            put(out, text.as_bytes());
        }
    }
}

/// Reads what [`write`] wrote; nothing where it has another form.
pub(super) fn read(body: Bytes) -> Option<(Origin, Batch)> {
    let mut from = Fields::new(body);
    if from.byte()? != VERSION {
        return None;
    }
    let leader = Uuid::from_slice(&from.take(16)?).ok()?;
    let flags = from.byte()?;
    let origin = Origin { leader, is_new_log: flags & 1 == 1 };
    let mut changed = Vec::new();
    for _ in 0..from.number()? {
        changed.push(u32::try_from(from.number()?).ok()?);
    }
    let mut relations = Vec::new();
    for _ in 0..from.number()? {
        relations.push(Arc::new(read_relation(&mut from)?));
    }
    let mut rows = Vec::new();
    while !from.is_empty() {
        rows.push(read_row(&mut from, &relations)?);
    }
    Some((origin, Batch { rows, changed, has_lost: flags & 2 == 2 }))
}

fn read_relation(from: &mut Fields) -> Option<Relation> {
    let oid = u32::try_from(from.number()?).ok()?;
    let (schema, name) = (from.text()?, from.text()?);
    let mut columns = Vec::new();
    for _ in 0..from.number()? {
        columns.push(Column { name: from.text()?, is_identity: from.byte()? == 1 });
    }
    Some(Relation { oid, schema, name, columns })
}

fn read_row(from: &mut Fields, relations: &[Arc<Relation>]) -> Option<Row> {
    let relation = relations.get(usize::try_from(from.number()?).ok()?)?;
    let position = Position { commit: from.number()?, number: from.number()? };
    let at = from.number()?.cast_signed();
    let kind = match from.byte()? {
        0 => Kind::Insert,
        1 => Kind::Update,
        2 => Kind::Delete,
        _ => return None,
    };
    let flags = from.byte()?;
    let cells = |from: &mut Fields| relation.columns.iter().map(|_| read_cell(from)).collect::<Option<Vec<_>>>();
    let new = if kind == Kind::Delete { Vec::new() } else { cells(from)? };
    let old = if flags & 2 == 0 { None } else { Some(cells(from)?) };
    Some(Row { position, at, relation: Arc::clone(relation), kind, new, old, is_large: flags & 1 == 1 })
}

fn read_cell(from: &mut Fields) -> Option<Cell> {
    Some(match from.byte()? {
        0 => Cell::Null,
        1 => Cell::Unchanged,
        2 => Cell::Cut,
        3 => Cell::Text(Box::from(&*from.text()?)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(oid: u32) -> Arc<Relation> {
        let column = |name: &str, is_identity| Column { name: name.into(), is_identity };
        let columns = vec![column("id", true), column("text", false)];
        Arc::new(Relation { oid, schema: "public".into(), name: format!("t{oid}").into(), columns })
    }

    fn change(relation: &Arc<Relation>, kind: Kind, text: &str) -> Change {
        let cells = vec![Cell::Text("7".into()), Cell::Text(text.into())];
        let (new, old) = match kind {
            Kind::Delete => (Vec::new(), Some(vec![Cell::Text("7".into()), Cell::Null])),
            _ => (cells, None),
        };
        let position = Position { commit: 9, number: 1 };
        Change { position, at: -5, xid: 1, relation: Arc::clone(relation), kind, new, old }
    }

    #[test]
    fn a_batch_is_read_as_it_was_written() {
        let (one, two) = (relation(1), relation(2));
        let rows = [change(&one, Kind::Insert, "a"), change(&two, Kind::Update, "b"), change(&one, Kind::Delete, "")];
        let batch = Batch { rows: rows.map(Row::of).into(), changed: vec![2], has_lost: false };
        let origin = Origin { leader: Uuid::from_u128(3), is_new_log: true };
        let body = write(&batch, origin, |_| true).expect("rows");
        let (from, read_back) = read(body.clone()).expect("it has the form");
        assert_eq!((from, read_back.changed.as_slice()), (origin, &[2][..]));
        for (read, sent) in read_back.rows.iter().zip(&batch.rows) {
            assert_eq!((&read.new, &read.old, read.position, read.at), (&sent.new, &sent.old, sent.position, sent.at));
            assert_eq!((&*read.relation, read.kind), (&*sent.relation, sent.kind));
        }
        assert_eq!(read_back.rows.len(), 3);
        for end in 0..body.len() {
            let part = read(body.slice(..end));
            assert!(part.is_none_or(|(_, batch)| batch.rows.len() < 3), "{end}");
        }
        let one_table = write(&batch, origin, |oid| oid == 2).expect("a row");
        assert_eq!(read(one_table).expect("it has the form").1.rows.len(), 1);
        assert!(write(&batch, origin, |_| false).is_none());
    }

    #[test]
    fn of_a_large_change_only_small_values_are_kept() {
        let row = Row::of(change(&relation(1), Kind::Insert, &"x".repeat(MAX_CHANGE + 1)));
        assert!(row.is_large);
        assert_eq!(row.new, [Cell::Text("7".into()), Cell::Cut]);
    }

    #[test]
    fn old_values_are_those_of_the_replica_identity() {
        let table = relation(1);
        let gone = Row::of(change(&table, Kind::Delete, ""));
        assert_eq!((gone.value(0), gone.value(1)), (Some(&Cell::Text("7".into())), None));
        let kept = Row::of(change(&table, Kind::Update, "b"));
        assert_eq!((kept.old_value(0), kept.old_value(1)), (Some(&Cell::Text("7".into())), None));
        assert_eq!(Row::of(change(&table, Kind::Insert, "b")).old_value(0), None);
    }
}
