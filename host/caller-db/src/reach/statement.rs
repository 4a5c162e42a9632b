//! The statement that reads the sources of a caller.

use pg_query::protobuf::{Node, SelectStmt, node::Node as NodeEnum};
use serde_json::Value;

use super::derive::Sources;

/// Longer statements are not worth their time.
const MAX_TEXT: usize = 64 * 1024;

/// The texts of such statements. Only this file makes them, of what was derived of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReachText(Texts);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Texts {
    counting: String,
    rough: String,
    may_see_all: bool,
}

impl ReachText {
    /// Writes the statement; none where a part cannot be written so that it reads back as the same.
    pub(super) fn new(sources: &Sources) -> Option<Self> {
        let conditions = sources.all_if.iter().map(condition).collect::<Option<Vec<_>>>()?;
        let yes = if conditions.is_empty() {
            "false".to_owned()
        } else {
            conditions
                .iter()
                .map(|one| format!("coalesce(({one})::pg_catalog.bool, false)"))
                .collect::<Vec<_>>()
                .join(" or ")
        };
        let selects = sources.selects.iter().map(written).collect::<Option<Vec<_>>>()?;
        let ids = if selects.is_empty() {
            "select null::pg_catalog.uuid where false".to_owned()
        } else {
            let each = selects.iter().map(|one| format!("select q.id::pg_catalog.uuid from ({one}) q(id)"));
            each.collect::<Vec<_>>().join(" union all ")
        };
        let counting = format!("{BEGIN}{yes}{MIDDLE}{ids}{END}");
        let may_see_all = !conditions.is_empty();
        let rough = if may_see_all {
            format!("{BEGIN}{yes}{MIDDLE}{ids}{ROUGH_END}")
        } else {
            format!("{ROUGH_BEGIN}{ids}{ROUGH_SOURCES}")
        };
        let made = Self(Texts { counting, rough, may_see_all });
        let is_usable = |text: &str| text.len() <= MAX_TEXT && is_one_select(text);
        (is_usable(made.counting()) && is_usable(made.rough())).then_some(made)
    }

    /// The text that counts chunks, for the one place that runs it.
    ///
    /// Its parameters are the bases, how many rows are read of the selects, how many sources are named, how many of
    /// their chunks are counted, how many chunks of whole bases, and in how many sources chunks are counted before the rest is estimated.
    /// Its columns are whether the caller sees all, how many sources were found, their ids if they are few enough, and the number of
    /// chunks.
    pub(super) fn counting(&self) -> &str {
        &self.0.counting
    }

    /// The text that counts no chunk of sources: a policy on what it counts would be asked for all sources of the caller once more.
    ///
    /// Its columns are whether the caller sees all, how many rows were read of the selects, the ids in them, some
    /// perhaps several times, and the number of chunks where the caller sees all.
    pub(super) fn rough(&self) -> &str {
        &self.0.rough
    }

    /// Which of its parameters the rough text has: how many rows are read of the selects, and, where a caller may see all, the bases
    /// before it and the number of their chunks that are counted behind it.
    pub(super) fn rough_params<'a>(&self, [bases, rows, all]: [&'a str; 3]) -> Vec<Option<&'a str>> {
        if self.0.may_see_all { vec![Some(bases), Some(rows), Some(all)] } else { vec![Some(rows)] }
    }
}

const BEGIN: &str = "with may as materialized (select (";
const MIDDLE: &str = ") as see_all), raw as materialized (select a.id from (";
const END: &str =
    ") a(id) where not (select m.see_all from may m) and a.id is not null limit $2::pg_catalog.text::pg_catalog.int8),
    found as materialized (select distinct r.id from raw r),
    known as materialized (select (select count(*) from found) as sources,
        (select count(*) from raw) < $2::pg_catalog.text::pg_catalog.int8
            and (select count(*) from found) <= $3::pg_catalog.text::pg_catalog.int8 as few)
    select m.see_all::pg_catalog.text, k.sources::pg_catalog.text,
        case when k.few then coalesce((select pg_catalog.string_agg(f.id::pg_catalog.text, ',') from found f), '') end,
        (case when m.see_all then
            (select count(*) from (select from ai.chunks c
                where c.knowledge_base_id = any ($1::pg_catalog.uuid[])
                limit $5::pg_catalog.text::pg_catalog.int8) x)
        when k.few then coalesce(
            nullif((select pg_catalog.sum(i.chunk_count) from ai.indexed_sources i
                where i.source_id = any (array(select f.id from found f limit $6::pg_catalog.text::pg_catalog.int8))
                    and i.knowledge_base_id = any ($1::pg_catalog.uuid[])), 0)
                * k.sources / least(k.sources, $6::pg_catalog.text::pg_catalog.int8),
            (select count(*) from (select from ai.chunks c
                where c.source_id = any (array(select f.id from found f))
                    and c.knowledge_base_id = any ($1::pg_catalog.uuid[])
                limit $4::pg_catalog.text::pg_catalog.int8) x))::pg_catalog.int8
        end)::pg_catalog.text
    from may m, known k";

const ROUGH_END: &str =
    ") a(id) where not (select m.see_all from may m) and a.id is not null limit $2::pg_catalog.text::pg_catalog.int8)
    select m.see_all::pg_catalog.text, (select count(*) from raw)::pg_catalog.text,
        (select pg_catalog.string_agg(r.id::pg_catalog.text, ',') from raw r),
        (case when m.see_all then
            (select count(*) from (select from ai.chunks c
                where c.knowledge_base_id = any ($1::pg_catalog.uuid[])
                limit $3::pg_catalog.text::pg_catalog.int8) x) end)::pg_catalog.text
    from may m";

const ROUGH_BEGIN: &str = "with raw as materialized (select a.id from (";
const ROUGH_SOURCES: &str = ") a(id) where a.id is not null limit $1::pg_catalog.text::pg_catalog.int8)
    select 'false', (select count(*) from raw)::pg_catalog.text,
        (select pg_catalog.string_agg(r.id::pg_catalog.text, ',') from raw r), null";

/// A condition as a scalar sub-select.
fn condition(node: &Node) -> Option<String> {
    written(&super::derive::select_of(node.clone())).map(|text| format!("({text})"))
}

/// A select as text, which is parsed again and must give the same tree.
fn written(select: &SelectStmt) -> Option<String> {
    let tree = NodeEnum::SelectStmt(Box::new(select.clone()));
    let text = tree.deparse(pg_query::DeparseOptions::default()).ok()?;
    let parsed = pg_query::parse(&text, 0).ok()?;
    match parsed.protobuf.stmts.as_slice() {
        [only] => {
            let again = only.stmt.as_deref()?.node.as_ref()?;
            (meaning(again)? == meaning(&tree)?).then_some(text)
        }
        _ => None,
    }
}

fn is_one_select(text: &str) -> bool {
    let Ok(parsed) = pg_query::parse(text, 0) else { return false };
    match parsed.protobuf.stmts.as_slice() {
        [only] => only.stmt.as_ref().is_some_and(|node| matches!(node.node, Some(NodeEnum::SelectStmt(_)))),
        _ => false,
    }
}

/// A tree without the positions of its parts.
fn meaning(tree: &NodeEnum) -> Option<Value> {
    fn strip(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Object(fields) => {
                fields.retain(|key, _| {
                    !matches!(
                        key.as_str(),
                        "location" | "rexpr_list_start" | "rexpr_list_end" | "list_start" | "list_end"
                    )
                });
                fields.values_mut().for_each(strip);
            }
            _ => {}
        }
    }
    let mut value = serde_json::to_value(tree).ok()?;
    strip(&mut value);
    Some(value)
}
