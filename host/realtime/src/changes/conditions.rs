//! Conditions of filters on rows. What this host cannot decide is collected, and asked of the server as one of the subscribers.

use std::collections::{HashMap, HashSet};

use behalf_caller_db::{BaseType, CallerDb, Comparison, VisibleColumn, VisibleError, VisibleTable};
use behalf_identity::{Principal, Role};
use behalf_replication::{Cell, Kind};

use super::batch::Row;
use super::compare;
use super::filter::{Condition, Is, Test};

/// What is known of a condition.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    Yes,
    /// It does not hold, or nothing is known of the value.
    No,
    /// The server has to be asked.
    Ask(Question<'a>),
}

/// Comparisons of one value, for the server.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) column: &'a VisibleColumn,
    pub(super) comparison: Comparison,
    pub(super) left: &'a str,
    /// It holds if one of these does.
    pub(super) right: Vec<&'a str>,
    pub(super) is_negated: bool,
}

/// Decides a condition on a row for a role, as far as this host can.
pub(super) fn decide<'a>(condition: &'a Condition, row: &'a Row, table: &'a VisibleTable, role: Role) -> Verdict<'a> {
    let Some(at) = table.column(&condition.column).filter(|at| table.may_read(role, *at)) else { return Verdict::No };
    let Some(column) = table.columns.get(at) else { return Verdict::No };
    // Whoever could filter deleted rows by values that nobody judged would learn these values.
    if row.kind == Kind::Delete && table.is_judged(role) && column.key.is_none() {
        return Verdict::No;
    }
    let cell = row.place(&condition.column).and_then(|place| row.value(place));
    let is_negated = condition.is_negated;
    let yes = |is_so: bool| if is_so == is_negated { Verdict::No } else { Verdict::Yes };
    let value = match cell {
        Some(Cell::Text(text)) => Some(&**text),
        Some(Cell::Null) => None,
        _ => return Verdict::No,
    };
    match (&condition.test, value) {
        (Test::Is(Is::Null | Is::Unknown), value) => yes(value.is_none()),
        (Test::Is(Is::True), value) => yes(value.and_then(compare::truth) == Some(true)),
        (Test::Is(Is::False), value) => yes(value.and_then(compare::truth) == Some(false)),
        (Test::IsDistinct(_), None) => yes(true),
        // A comparison with NULL is neither true nor false.
        (_, None) => Verdict::No,
        (Test::Compare(comparison, with), Some(left)) => compared(column, *comparison, left, vec![with], is_negated),
        (Test::NotEqual(with) | Test::IsDistinct(with), Some(left)) => {
            compared(column, Comparison::Equal, left, vec![with], !is_negated)
        }
        (Test::In(items), Some(left)) => {
            compared(column, Comparison::Equal, left, items.iter().map(String::as_str).collect(), is_negated)
        }
    }
}

fn compared<'a>(
    column: &'a VisibleColumn,
    comparison: Comparison,
    left: &'a str,
    mut right: Vec<&'a str>,
    is_negated: bool,
) -> Verdict<'a> {
    let mut holds = false;
    right.retain(|with| match compare::holds(column, comparison, left, with) {
        Some(is_so) => {
            holds |= is_so;
            false
        }
        None => true,
    });
    if holds || right.is_empty() {
        return if holds == is_negated { Verdict::No } else { Verdict::Yes };
    }
    Verdict::Ask(Question { column, comparison, left, right, is_negated })
}

/// Asks the server, as this caller. Returns for each question whether its condition holds. Questions of one type and comparison are
/// one statement.
pub(super) async fn ask(
    db: &CallerDb,
    principal: &Principal,
    questions: &[Question<'_>],
) -> Result<Vec<bool>, VisibleError> {
    let mut by_kind: HashMap<(&str, &str, Comparison), (&BaseType, Vec<usize>)> = HashMap::new();
    for (n, question) in questions.iter().enumerate() {
        let base = &question.column.base;
        let key = (base.schema.as_str(), base.name.as_str(), question.comparison);
        by_kind.entry(key).or_insert_with(|| (base, Vec::new())).1.push(n);
    }
    let mut holds: HashSet<usize> = HashSet::new();
    for ((.., comparison), (base, of_kind)) in by_kind {
        let asked: Vec<(usize, (&str, &str))> = of_kind
            .iter()
            .filter_map(|n| questions.get(*n).map(|question| (*n, question)))
            .flat_map(|(n, question)| question.right.iter().map(move |right| (n, (question.left, *right))))
            .collect();
        let pairs: Vec<(&str, &str)> = asked.iter().map(|(_, pair)| *pair).collect();
        let found = db.compare(principal, base, comparison, &pairs).await?;
        holds.extend(found.iter().filter_map(|at| asked.get(*at).map(|(n, _)| *n)));
    }
    Ok(questions.iter().enumerate().map(|(n, question)| holds.contains(&n) != question.is_negated).collect())
}

/// Checks that conditions can be decided on this table for this caller. The error is a sentence for the client; `Err(Err(_))` is why it
/// cannot be checked.
pub(super) async fn check(
    db: &CallerDb,
    principal: &Principal,
    table: &VisibleTable,
    conditions: &[Condition],
) -> Result<(), Result<String, VisibleError>> {
    for condition in conditions {
        let name = &condition.column;
        let at = table.column(name).filter(|at| table.may_read(principal.role(), *at));
        let column = at.and_then(|at| table.columns.get(at));
        let column = column.ok_or_else(|| Ok(format!("invalid column for filter {name}")))?;
        let (comparison, values) = match &condition.test {
            Test::Is(Is::Null) => continue,
            Test::Is(_) if column.base.name == "bool" && column.base.schema == "pg_catalog" => continue,
            Test::Is(_) => return Err(Ok(format!("is filter requires a boolean column, got {}", column.type_name))),
            Test::Compare(comparison, value) => (*comparison, vec![value.as_str()]),
            Test::NotEqual(value) | Test::IsDistinct(value) => (Comparison::Equal, vec![value.as_str()]),
            Test::In(items) => (Comparison::Equal, items.iter().map(String::as_str).collect()),
        };
        if comparison.is_pattern() && !compare::is_text(&column.base) {
            return Err(Ok(format!("the operator requires a text-compatible column type, got {}", column.type_name)));
        }
        // Of a type whose order is not known here, the server also has to say whether it has one.
        let is_known = |value: &&str| {
            comparison == Comparison::Equal && compare::is_value(column, value)
                || compare::holds(column, comparison, value, value).is_some()
        };
        let pairs: Vec<(&str, &str)> =
            values.iter().filter(|value| !is_known(value)).map(|value| (*value, *value)).collect();
        if pairs.is_empty() {
            continue;
        }
        match db.compare(principal, &column.base, comparison, &pairs).await {
            Ok(_) => {}
            // What is wrong with the value, and what the type does not have. The server's text may hold more than the client sent.
            Err(error) if error.sqlstate().is_some_and(|code| code.starts_with("22") || code.starts_with("42")) => {
                return Err(Ok(format!(
                    "a value of the filter on {name} cannot be compared with {}",
                    column.type_name
                )));
            }
            Err(error) => return Err(Err(error)),
        }
    }
    Ok(())
}
