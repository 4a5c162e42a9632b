//! Conditions of policies, as the catalogue has them, as trees of Postgres's parser.

use pg_query::protobuf::{AExpr, AExprKind, BoolExpr, BoolExprType, Node, SelectStmt, node::Node as NodeEnum};

/// The tree of a condition.
pub(crate) fn parsed(condition: &str) -> Option<Node> {
    let parsed = pg_query::parse(&format!("SELECT WHERE {condition}"), 0).ok()?;
    let mut statements = parsed.protobuf.stmts.into_iter();
    let (only, more) = (statements.next()?, statements.next());
    match only.stmt?.node? {
        NodeEnum::SelectStmt(select) if more.is_none() && is_plain(&select) => {
            select.where_clause.map(|condition| *condition)
        }
        _ => None,
    }
}

/// The text of a node that is a name.
pub(crate) fn name(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::String(string) => Some(&string.sval),
        _ => None,
    }
}

/// The parts of an `and`, or the condition itself.
pub(crate) fn conjuncts(condition: &Node) -> Vec<&Node> {
    match &condition.node {
        Some(NodeEnum::BoolExpr(expr)) if expr.boolop == BoolExprType::AndExpr as i32 => {
            expr.args.iter().flat_map(conjuncts).collect()
        }
        _ => vec![condition],
    }
}

/// The parts of an `or`, or the condition itself.
pub(crate) fn disjuncts(condition: &Node) -> Vec<&Node> {
    match &condition.node {
        Some(NodeEnum::BoolExpr(expr)) if expr.boolop == BoolExprType::OrExpr as i32 => {
            expr.args.iter().flat_map(disjuncts).collect()
        }
        _ => vec![condition],
    }
}

/// The conditions as one.
pub(crate) fn all_of(mut conditions: Vec<Node>) -> Option<Box<Node>> {
    if conditions.len() < 2 {
        return conditions.pop().map(Box::new);
    }
    let all = BoolExpr { boolop: BoolExprType::AndExpr as i32, args: conditions, ..BoolExpr::default() };
    Some(Box::new(Node { node: Some(NodeEnum::BoolExpr(Box::new(all))) }))
}

/// The two sides of `a = b`, where `=` is the operator of Postgres.
pub(crate) fn equality(node: &Node) -> Option<(&Node, &Node)> {
    match &node.node {
        Some(NodeEnum::AExpr(expr)) if expr.kind == AExprKind::AexprOp as i32 && is_equals(&expr.name) => sides(expr),
        _ => None,
    }
}

/// The sides of an expression.
pub(crate) fn sides(expr: &AExpr) -> Option<(&Node, &Node)> {
    Some((expr.lexpr.as_deref()?, expr.rexpr.as_deref()?))
}

/// Whether an operator is `=` of Postgres itself.
pub(crate) fn is_equals(operator: &[Node]) -> bool {
    match operator {
        [only] => name(only) == Some("="),
        [schema, last] => name(schema) == Some("pg_catalog") && name(last) == Some("="),
        _ => false,
    }
}

/// A sub-select that returns rows of its relations one by one: no grouping, bounds, sets or common tables.
pub(crate) fn is_plain(select: &SelectStmt) -> bool {
    select.larg.is_none()
        && select.rarg.is_none()
        && select.group_clause.is_empty()
        && select.having_clause.is_none()
        && select.window_clause.is_empty()
        && select.values_lists.is_empty()
        && select.limit_count.is_none()
        && select.limit_offset.is_none()
        && select.locking_clause.is_empty()
        && select.with_clause.is_none()
        && select.into_clause.is_none()
}
