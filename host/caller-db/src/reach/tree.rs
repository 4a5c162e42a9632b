//! Questions about trees of Postgres's parser.
//!
//! A condition of a policy names the columns of its row by their bare names, and inside of a sub-select as `table.column`: Postgres writes
//! conditions so, and gives relations of sub-selects another name where theirs would be the same.

use pg_query::protobuf::{ColumnRef, Node, SelectStmt, node::Node as NodeEnum};
use serde_json::Value;

use super::super::condition::{is_plain, name};

/// The rows that policies are about, and the column that names their source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The table, which is in the schema `ai`.
    pub(super) table: &'static str,
    /// The column.
    pub(super) column: &'static str,
}

/// A chunk.
pub(super) const CHUNK: Row = Row { table: "chunks", column: "source_id" };

/// A source itself.
pub(super) const SOURCE: Row = Row { table: "sources", column: "id" };

/// Whether this is the column of the policy's row that names its source. Only outside of sub-selects is its bare name that.
pub(super) fn is_column(node: &Node, row: Row, in_select: bool) -> bool {
    let Some(NodeEnum::ColumnRef(ColumnRef { fields, .. })) = &node.node else { return false };
    match fields.as_slice() {
        [column] => !in_select && name(column) == Some(row.column),
        [table, column] => name(table) == Some(row.table) && name(column) == Some(row.column),
        _ => false,
    }
}

/// Whether an expression outside of sub-selects, or something in its sub-selects, names a column of the policy's row.
pub(super) fn names_row(node: &Node, row: Row) -> bool {
    serde_json::to_value(node).map_or(true, |tree| walk(&tree, row, false))
}

/// The same of something that stands in a sub-select.
pub(super) fn select_names_row<T: serde::Serialize>(part: &T, row: Row) -> bool {
    serde_json::to_value(part).map_or(true, |tree| walk(&tree, row, true))
}

fn walk(tree: &Value, row: Row, in_select: bool) -> bool {
    match tree {
        Value::Array(items) => items.iter().any(|item| walk(item, row, in_select)),
        Value::Object(fields) => fields.iter().any(|(key, value)| match key.as_str() {
            "ColumnRef" => !in_select || names_table(value, row),
            // The tested expression stands outside of the sub-select. Its own columns are looked at as such.
            "subselect" => walk(value, row, true),
            _ => walk(value, row, in_select),
        }),
        _ => false,
    }
}

/// Whether a column is one of the policy's row, or that whole row.
fn names_table(column: &Value, row: Row) -> bool {
    let fields = column.get("fields").and_then(Value::as_array);
    // What has another form than expected is taken for one, which derives nothing.
    let quoted = format!("\"{}\"", row.table);
    fields.is_none_or(|fields| fields.first().is_none_or(|first| first.to_string().contains(&quoted)))
}

/// Whether a select is `select s.id from ai.sources s` and nothing more.
pub(super) fn is_of_all_sources(select: &SelectStmt) -> bool {
    let ([target], [from]) = (select.target_list.as_slice(), select.from_clause.as_slice()) else { return false };
    let (Some(NodeEnum::ResTarget(target)), Some(NodeEnum::RangeVar(table))) = (&target.node, &from.node) else {
        return false;
    };
    let Some(NodeEnum::ColumnRef(column)) = target.val.as_deref().and_then(|value| value.node.as_ref()) else {
        return false;
    };
    let renames = table.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty());
    let known = table.alias.as_ref().map_or(&*table.relname, |alias| &*alias.aliasname);
    let is_id = match column.fields.as_slice() {
        [id] => name(id) == Some(SOURCE.column),
        [table, id] => name(table) == Some(known) && name(id) == Some(SOURCE.column),
        _ => false,
    };
    is_id
        && is_plain(select)
        && select.where_clause.is_none()
        && target.indirection.is_empty()
        && (table.catalogname.is_empty() && table.schemaname == "ai" && table.relname == SOURCE.table)
        && !renames
}
