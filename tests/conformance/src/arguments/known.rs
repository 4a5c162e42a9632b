//! Values of the caller's own rows, for properties that are named like a column: a tool that looks for a row by its id, or changes
//! one by its name, finds one.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::caller::{ALICE, ALICE_MARK};
use crate::test_bed::Rows;

/// Values of one column.
const PER_COLUMN: usize = 2;
/// Bytes of a value.
const LONGEST: usize = 200;

/// Values of alice's rows, by the names of their columns without case and underlines.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownValues(BTreeMap<String, Vec<Value>>);

impl KnownValues {
    /// The values of alice's rows. An `id` is also known by the name of its table: `note_id`.
    pub(crate) fn of(rows: &Rows) -> Self {
        let mut known = Self::default();
        for (table, rows) in rows {
            let table = table.rsplit('.').next().unwrap_or(table);
            let single = table.strip_suffix('s').unwrap_or(table);
            let is_hers = |row: &&Value| {
                let text = row.to_string();
                text.contains(ALICE) || text.contains(ALICE_MARK)
            };
            for (column, value) in rows.iter().filter(is_hers).filter_map(Value::as_object).flatten() {
                known.add(column, value);
                if column == "id" {
                    known.add(&format!("{single}_id"), value);
                }
            }
        }
        known
    }

    fn add(&mut self, name: &str, value: &Value) {
        let fits = match value {
            Value::String(text) => (1..=LONGEST).contains(&text.len()),
            Value::Number(_) => true,
            _ => false,
        };
        let values = self.0.entry(plain(name)).or_default();
        if fits && values.len() < PER_COLUMN && !values.contains(value) {
            values.push(value.clone());
        }
    }

    /// The values for a property of this name.
    pub(crate) fn for_property(&self, name: &str) -> &[Value] {
        self.0.get(&plain(name)).map_or(&[], Vec::as_slice)
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_get_values_of_columns_with_their_name() {
        let rows = Rows::from([(
            "public.notes".to_owned(),
            vec![
                json!({"id": "0b6c", "owner_id": ALICE, "spent_on": "2026-01-02", "done": true}),
                json!({"id": "ffff", "owner_id": crate::caller::BOB, "spent_on": "2026-01-03"}),
            ],
        )]);
        let known = KnownValues::of(&rows);
        assert_eq!(known.for_property("noteId"), [json!("0b6c")]);
        assert_eq!(known.for_property("spentOn"), [json!("2026-01-02")]);
        assert!(known.for_property("done").is_empty() && known.for_property("other").is_empty());
    }
}
