//! Columns and conditions.

use super::builder::{Sql, Tag};
use super::read;
use crate::cache::Name;
use crate::syntax::ast::{Is, Operand, Operation, Operator, Quantifier, Search, Step};
use crate::tree::{Condition, Field, Node, Source};

/// A column of a level with the path into it, as answers show it.
pub(super) fn shown(sql: &mut Sql, tag: Tag, each: &Field<'_, '_>) {
    match each.representation.and_then(|how| how.shown.as_ref()) {
        Some(function) => {
            sql.call(function);
            field(sql, tag, each);
            sql.push(")");
        }
        None => field(sql, tag, each),
    }
}

/// A column of a level with the path into it, as it is stored.
pub(super) fn field(sql: &mut Sql, tag: Tag, field: &Field<'_, '_>) {
    let name = match field.source {
        Source::Column(name) => name,
        Source::All => {
            sql.tag(tag).push(".*");
            return;
        }
        Source::Rows => {
            sql.push("pg_catalog.count(*)");
            return;
        }
    };
    if field.path.is_empty() || field.is_json {
        sql.column(tag, name);
    } else {
        sql.push("pg_catalog.to_jsonb(").column(tag, name).push(")");
    }
    path(sql, field.path);
}

fn path(sql: &mut Sql, steps: &[Step]) {
    for step in steps {
        sql.push(if step.as_text { "->>" } else { "->" });
        match &step.operand {
            Operand::Key(key) => sql.value(key.as_str()),
            Operand::Index(index) => sql.value(index.as_str()).push("::pg_catalog.int4"),
        };
    }
}

/// All conditions of a level, joined by `and`; nothing if there are none.
pub(super) fn all(sql: &mut Sql, node: &Node<'_, '_>, tag: Tag, conditions: &[Condition<'_, '_>]) {
    sql.list(" and ", conditions, |sql, each| condition(sql, Some(node), tag, each));
}

/// Conditions on the rows of a write, which embeds nothing.
pub(super) fn own(sql: &mut Sql, tag: Tag, conditions: &[Condition<'_, '_>]) {
    sql.list(" and ", conditions, |sql, each| condition(sql, None, tag, each));
}

fn condition(sql: &mut Sql, node: Option<&Node<'_, '_>>, tag: Tag, each: &Condition<'_, '_>) {
    if sql.is_full() {
        return;
    }
    match each {
        Condition::Group { negated, any, members } => {
            sql.push(if *negated { "not (" } else { "(" });
            sql.list(if *any { " or " } else { " and " }, members, |sql, member| condition(sql, node, tag, member));
            sql.push(")");
        }
        Condition::Exists { child, negated } => match node.and_then(|node| node.children.get(*child)) {
            Some(child) => {
                sql.push(if *negated { "not " } else { "" });
                read::exists(sql, child, tag);
            }
            None => _ = sql.push("false"),
        },
        Condition::Filter { field, negated, operation } => {
            sql.push(if *negated { "not " } else { "" });
            filter(sql, tag, field, operation);
        }
    }
}

fn filter(sql: &mut Sql, tag: Tag, column: &Field<'_, '_>, operation: &Operation) {
    let reader = column.representation.and_then(|how| how.of_text.as_ref());
    match operation {
        Operation::Compare { operator, quantifier, value } => {
            field(sql, tag, column);
            sql.push(symbol(*operator));
            sql.push(match quantifier {
                None => "",
                Some(Quantifier::Any) => "any (",
                Some(Quantifier::All) => "all (",
            });
            match reader {
                _ if matches!(operator, Operator::Like | Operator::ILike) => _ = sql.value(value.replace('*', "%")),
                Some(function) if quantifier.is_some() => read_each(sql, function, value.clone()),
                Some(function) => _ = sql.call(function).value(value.as_str()).push("::pg_catalog.text)"),
                None => _ = sql.value(value.as_str()),
            }
            sql.push(if quantifier.is_some() { ")" } else { "" });
        }
        Operation::In(values) => {
            field(sql, tag, column);
            sql.push(" = any (");
            match reader {
                Some(function) => read_each(sql, function, array(values)),
                None => _ = sql.value(array(values)),
            }
            sql.push(")");
        }
        Operation::Is(is) => {
            field(sql, tag, column);
            sql.push(match is {
                Is::Null => " is null",
                Is::NotNull => " is not null",
                Is::True => " is true",
                Is::False => " is false",
                Is::Unknown => " is unknown",
            });
        }
        Operation::IsDistinct(value) => {
            field(sql, tag, column);
            sql.push(" is distinct from ").value(value.as_str());
        }
        Operation::Search { how, configuration, value } => {
            search(sql, tag, column, (*how, configuration.as_deref(), value));
        }
    }
}

/// The values of an array, each read by a function.
fn read_each(sql: &mut Sql, function: &Name, array: String) {
    let each = Tag('u', 0);
    sql.push("select ").call(function).tag(each).push(".\"value\") from pg_catalog.unnest(");
    sql.value(array).push("::pg_catalog.text[]) as ").tag(each).push("(\"value\")");
}

fn search(sql: &mut Sql, tag: Tag, column: &Field<'_, '_>, (how, configuration, value): (Search, Option<&str>, &str)) {
    if column.is_tsvector && column.path.is_empty() {
        field(sql, tag, column);
    } else {
        sql.push("pg_catalog.to_tsvector(");
        if let Some(configuration) = configuration {
            sql.value(configuration).push("::pg_catalog.regconfig, ");
        }
        field(sql, tag, column);
        sql.push(")");
    }
    sql.push(match how {
        Search::Query => " @@ pg_catalog.to_tsquery(",
        Search::Plain => " @@ pg_catalog.plainto_tsquery(",
        Search::Phrase => " @@ pg_catalog.phraseto_tsquery(",
        Search::Web => " @@ pg_catalog.websearch_to_tsquery(",
    });
    if let Some(configuration) = configuration {
        sql.value(configuration).push("::pg_catalog.regconfig, ");
    }
    sql.value(value).push(")");
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => " = ",
        Operator::NotEqual => " <> ",
        Operator::Greater => " > ",
        Operator::GreaterEqual => " >= ",
        Operator::Less => " < ",
        Operator::LessEqual => " <= ",
        Operator::Like => " like ",
        Operator::ILike => " ilike ",
        Operator::Match => " ~ ",
        Operator::IMatch => " ~* ",
        Operator::Contains => " @> ",
        Operator::ContainedIn => " <@ ",
        Operator::Overlaps => " && ",
        Operator::StrictlyLeft => " << ",
        Operator::StrictlyRight => " >> ",
        Operator::NotRight => " &< ",
        Operator::NotLeft => " &> ",
        Operator::Adjacent => " -|- ",
    }
}

/// The literal of an array, of which Postgres makes the type of the column.
pub(super) fn array(values: &[String]) -> String {
    // PostgREST reads `in.()` as no values, not as one empty text.
    if let [only] = values
        && only.is_empty()
    {
        return "{}".to_owned();
    }
    let mut text = String::with_capacity(values.iter().map(|value| value.len() + 3).sum::<usize>() + 2);
    text.push('{');
    for (place, value) in values.iter().enumerate() {
        text.push_str(if place > 0 { ",\"" } else { "\"" });
        for next in value.chars() {
            if matches!(next, '"' | '\\') {
                text.push('\\');
            }
            text.push(next);
        }
        text.push('"');
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::array;

    #[test]
    fn array_literals_quote_every_value() {
        assert_eq!(array(&[]), "{}");
        assert_eq!(array(&[String::new()]), "{}");
        assert_eq!(array(&["a\"b".into(), "c\\d,}".into(), "NULL".into()]), r#"{"a\"b","c\\d,}","NULL"}"#);
    }
}
