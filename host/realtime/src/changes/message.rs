//! `data` of a change's message, as one role may read it.

use std::sync::Arc;

use behalf_caller_db::VisibleTable;
use behalf_identity::Role;
use behalf_replication::{Cell, Kind};
use chrono::{DateTime, SecondsFormat};
use serde_json::value::RawValue;

use super::batch::Row;
use super::subscribers::Selection;
use super::value;

/// Of a change that is too large, values of so many bytes are told, as upstream.
const SMALL: usize = 64;

/// Seconds from 1970 to 2000, from which the server counts.
const EPOCH: i64 = 946_684_800;

const TOO_LARGE: &str = "Error 413: Payload Too Large";
const NO_KEY: &str = "Error 400: Bad Request, no primary key";

/// The columns that are told.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) role: Role,
    pub(super) selection: &'a Selection,
}

impl Told<'_> {
    fn has(self, table: &VisibleTable, at: usize) -> bool {
        let column = table.columns.get(at).filter(|_| table.may_read(self.role, at));
        column.is_some_and(|column| {
            let selected = self.selection.as_ref().is_none_or(|selection| selection.contains(&column.name));
            selected || column.key.is_some()
        })
    }
}

/// The message, for a role that may read the table's rows.
pub(super) fn data(row: &Row, table: &VisibleTable, told: Told<'_>) -> Option<Arc<RawValue>> {
    let mut out = begin(row, table);
    out.push_str(",\"commit_timestamp\":");
    value::string(&mut out, &commit_time(row.at));
    out.push_str(",\"columns\":[");
    let readable = (0..table.columns.len()).filter(|column| told.has(table, *column));
    for (n, column) in readable.filter_map(|column| table.columns.get(column)).enumerate() {
        out.push_str(if n == 0 { "{\"name\":" } else { ",{\"name\":" });
        value::string(&mut out, &column.name);
        out.push_str(",\"type\":");
        value::string(&mut out, &column.type_name);
        out.push('}');
    }
    out.push(']');
    if row.kind != Kind::Delete {
        out.push_str(",\"record\":");
        record(&mut out, row, table, told, |place, _| match row.new.get(place)? {
            // What the update did not change is as it was before, where the log has that.
            Cell::Unchanged => row.old.as_ref().and_then(|_| row.old_value(place)),
            cell => Some(cell),
        });
    }
    if row.kind != Kind::Insert {
        out.push_str(",\"old_record\":");
        // No policy can judge the row as it was: who sees it now may not have seen it then.
        let only_key = table.is_judged(told.role);
        record(&mut out, row, table, told, |place, is_key| row.old_value(place).filter(|_| is_key || !only_key));
    }
    out.push_str(if row.is_large { ",\"errors\":[\"" } else { ",\"errors\":null}" });
    if row.is_large {
        out.push_str(TOO_LARGE);
        out.push_str("\"]}");
    }
    RawValue::from_string(out).ok().map(Arc::from)
}

/// What is said of a change whose row cannot be looked for.
pub(super) fn no_key(row: &Row, table: &VisibleTable) -> Option<Arc<RawValue>> {
    let mut out = begin(row, table);
    out.push_str(",\"commit_timestamp\":");
    value::string(&mut out, &commit_time(row.at));
    out.push_str(",\"columns\":[],\"errors\":[\"");
    out.push_str(NO_KEY);
    out.push_str("\"]}");
    RawValue::from_string(out).ok().map(Arc::from)
}

fn begin(row: &Row, table: &VisibleTable) -> String {
    let mut out = String::with_capacity(row.size() + 512);
    out.push_str("{\"schema\":");
    value::string(&mut out, &table.schema);
    out.push_str(",\"table\":");
    value::string(&mut out, &table.name);
    out.push_str(match row.kind {
        Kind::Insert => ",\"type\":\"INSERT\"",
        Kind::Update => ",\"type\":\"UPDATE\"",
        Kind::Delete => ",\"type\":\"DELETE\"",
    });
    out
}

/// Writes those values that `cell` gives, of columns that are told. A column that the catalogue does not have any more is
/// left out.
fn record<'a>(
    out: &mut String,
    row: &'a Row,
    table: &VisibleTable,
    told: Told<'_>,
    cell: impl Fn(usize, bool) -> Option<&'a Cell>,
) {
    out.push('{');
    let mut is_first = true;
    for (place, column) in row.relation.columns.iter().enumerate() {
        let Some(at) = table.column(&column.name).filter(|at| told.has(table, *at)) else { continue };
        let Some(known) = table.columns.get(at) else { continue };
        let text = match cell(place, known.key.is_some()) {
            Some(Cell::Null) => None,
            Some(Cell::Text(text)) if !row.is_large || text.len() <= SMALL => Some(text),
            _ => continue,
        };
        if !is_first {
            out.push(',');
        }
        is_first = false;
        value::string(out, &column.name);
        out.push(':');
        match text {
            Some(text) => value::write(out, &known.base, text),
            None => out.push_str("null"),
        }
    }
    out.push('}');
}

/// The time of a commit, with milliseconds, in UTC.
fn commit_time(micros: i64) -> String {
    let time = EPOCH.checked_mul(1_000_000).and_then(|epoch| epoch.checked_add(micros));
    let time = time.and_then(DateTime::from_timestamp_micros).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(commit_time(0), "2000-01-01T00:00:00.000Z");
        assert_eq!(commit_time(849_222_000_123_456), "2026-11-28T23:00:00.123Z");
        assert_eq!(commit_time(i64::MAX), "1970-01-01T00:00:00.000Z");
    }
}
