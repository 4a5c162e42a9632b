//! Comparisons of all rows before and after a call.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::caller::{ALICE_MARK, BOB_MARK, Caller};
use crate::test_bed::Rows;

/// Whether a row is this user's: it contains their id or their mark.
pub(super) fn belongs_to(row: &Value, caller: Caller) -> bool {
    let text = row.to_string();
    let mark = match caller {
        Caller::Alice => ALICE_MARK,
        Caller::Bob => BOB_MARK,
        Caller::Anon | Caller::Service => return false,
    };
    text.contains(mark) || caller.subject().is_some_and(|subject| text.contains(subject))
}

/// Rows of `before` that are deleted or changed in `after`.
pub(super) fn lost(before: &Rows, after: &Rows) -> Vec<(String, Value)> {
    let mut lost = Vec::new();
    for (table, rows) in before {
        let mut there: Vec<_> = after.get(table).into_iter().flatten().collect();
        for row in rows {
            match there.iter().position(|other| *other == row) {
                Some(place) => {
                    there.swap_remove(place);
                }
                None => lost.push((table.clone(), row.clone())),
            }
        }
    }
    lost
}

/// The differences after a call, sorted, without the volatile columns.
pub(super) fn differences(before: &Rows, after: &Rows, volatile: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut found: Vec<_> = lost(after, before)
        .into_iter()
        .map(|(table, row)| {
            let kept = row
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(column, _)| !volatile.contains(&(table.clone(), (*column).clone())));
            let kept: Map<_, _> = kept.map(|(column, value)| (column.clone(), value.clone())).collect();
            format!("+ {table} {}", Value::Object(kept))
        })
        .collect();
    found.extend(lost(before, after).into_iter().map(|(table, row)| format!("- {table} {row}")));
    found.sort();
    found
}

/// Volatile columns: those in which two runs of the same call differ, such as ids and times.
pub(super) fn volatile(before: &Rows, first: &Rows, second: &Rows) -> BTreeSet<(String, String)> {
    let columns = |after: &Rows| {
        let mut columns: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for (table, row) in lost(after, before) {
            for (column, value) in row.as_object().into_iter().flatten() {
                columns.entry((table.clone(), column.clone())).or_default().push(value.to_string());
            }
        }
        columns.values_mut().for_each(|values| values.sort());
        columns
    };
    let (first, second) = (columns(first), columns(second));
    let differs = |column: &(String, String)| first.get(column) != second.get(column);
    first.keys().chain(second.keys()).filter(|column| differs(column)).cloned().collect()
}

/// The rows with every time replaced, so that the same write at another time is equal.
pub(super) fn without_times(rows: &Rows) -> Rows {
    let without = |row: &Value| match row {
        Value::Object(columns) => {
            let column = |(name, value): (&String, &Value)| {
                let value = if is_time(value) { Value::from("(a time)") } else { value.clone() };
                (name.clone(), value)
            };
            Value::Object(columns.iter().map(column).collect())
        }
        other => other.clone(),
    };
    rows.iter()
        .map(|(table, rows)| {
            let mut rows: Vec<_> = rows.iter().map(without).collect();
            rows.sort_by_key(Value::to_string);
            (table.clone(), rows)
        })
        .collect()
}

/// Whether the value is a time as Postgres writes it in JSON: `2026-04-02T10:00:00+00:00`.
fn is_time(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    let shape = text.bytes().take(13).map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    shape.eq(*b"0000-00-00T00")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(of: &[Value]) -> Rows {
        Rows::from([("public.notes".to_owned(), of.to_vec())])
    }

    #[test]
    fn what_differs_from_run_to_run_does_not_count() {
        let before = rows(&[json!({"id": 1, "title": "a"})]);
        let first = rows(&[json!({"id": 1, "title": "a"}), json!({"id": 2, "title": "b"})]);
        let second = rows(&[json!({"id": 1, "title": "a"}), json!({"id": 3, "title": "b"})]);
        let half = rows(&[json!({"id": 1, "title": "a"}), json!({"id": 4, "title": "half"})]);
        let volatile = volatile(&before, &first, &second);
        assert_eq!(volatile, BTreeSet::from([("public.notes".to_owned(), "id".to_owned())]));
        assert_eq!(differences(&before, &first, &volatile), differences(&before, &second, &volatile));
        assert_ne!(differences(&before, &half, &volatile), differences(&before, &second, &volatile));
        assert_eq!(lost(&first, &before), [("public.notes".to_owned(), json!({"id": 2, "title": "b"}))]);
    }

    #[test]
    fn the_same_at_another_time_is_the_same() {
        let at = |time: &str| rows(&[json!({"id": 1, "changed": time})]);
        let (a, b) = (at("2026-04-02T10:00:00+00:00"), at("2027-04-02T10:00:00.123+00:00"));
        assert_eq!(without_times(&a), without_times(&b));
        assert_ne!(without_times(&a), without_times(&at("2026-04-02")));
    }

    #[test]
    fn a_row_belongs_to_whom_it_names() {
        assert!(belongs_to(&json!({"owner_id": "b0b00000-0000-4000-8000-000000000002"}), Caller::Bob));
        assert!(belongs_to(&json!({"text": "see mark_alice_1"}), Caller::Alice));
        assert!(!belongs_to(&json!({"text": "public"}), Caller::Bob));
    }
}
