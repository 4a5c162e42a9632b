//! Derives, out of conditions on a chunk and on a source, a superset of the sources whose chunks they accept.

use pg_query::protobuf::{
    AExpr, AExprKind, Alias, BoolExprType, ColumnRef, FuncCall, Node, RangeVar, ResTarget, SelectStmt, SubLink,
    SubLinkType, a_const, node::Node as NodeEnum,
};

use super::super::condition::{all_of, conjuncts, disjuncts, equality, is_equals, is_plain, parsed, sides};
use super::policies::{Policies, TablePolicies};
use super::tree::{CHUNK, Row, SOURCE, is_column, is_of_all_sources, names_row, select_names_row};

/// Conditions are looked at to this depth.
const MAX_DEPTH: usize = 64;

/// Sources that conditions accept: those that a select returns, and all of them if a condition on the caller is true. Nothing where
/// both are empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sources {
    /// Expressions that name no column of the row.
    pub(super) all_if: Vec<Node>,
    /// Statements with one column each.
    pub(super) selects: Vec<SelectStmt>,
}

impl Sources {
    fn all() -> Self {
        Self { all_if: vec![boolean(true)], selects: Vec::new() }
    }

    fn of(select: SelectStmt) -> Self {
        Self { all_if: Vec::new(), selects: vec![select] }
    }

    fn are_bounded(&self) -> bool {
        self.all_if.is_empty()
    }

    fn or(mut self, other: Self) -> Self {
        self.all_if.extend(other.all_if);
        self.selects.extend(other.selects);
        self
    }
}

/// The sources of these policies; none where they decide by something else.
pub(super) fn sources(policies: &Policies) -> Option<Sources> {
    let mut found = accepted(&policies.chunks, CHUNK)?;
    // Postgres reads every source for `select s.id from ai.sources s` where a policy on sources is `id in (select …)`. That policy's
    // own select names all that it can return.
    if found.selects.iter().any(is_of_all_sources)
        && let Some(shown) = shown(&policies.sources)
    {
        found.selects.retain(|select| !is_of_all_sources(select));
        found.selects.extend(shown);
    }
    Some(found)
}

fn accepted(policies: &TablePolicies, row: Row) -> Option<Sources> {
    if !policies.enabled {
        return Some(Sources::all());
    }
    let permissive = policies
        .permissive
        .iter()
        .map(|condition| of_text(condition.as_deref(), row))
        .try_fold(Sources::default(), |all, one| one.map(|one| all.or(one)));
    let restrictive = policies.restrictive.iter().map(|condition| of_text(condition.as_deref(), row));
    // A row is among those of each of them, so one is enough.
    narrowest([permissive].into_iter().chain(restrictive).flatten())
}

fn of_text(condition: Option<&str>, row: Row) -> Option<Sources> {
    match condition {
        Some(condition) => of(&parsed(condition)?, row, 0),
        None => Some(Sources::all()),
    }
}

/// Selects of all sources that these policies on sources show; none where reading the table under them is as good.
fn shown(policies: &TablePolicies) -> Option<Vec<SelectStmt>> {
    if !policies.enabled {
        return None;
    }
    if let Some(by_id) = accepted(policies, SOURCE).filter(Sources::are_bounded) {
        return Some(by_id.selects);
    }
    // Each part of an `or` that is about something else than the id is asked of the table by itself, so that an index may serve it.
    let (mut selects, mut is_split) = (Vec::new(), false);
    for condition in &policies.permissive {
        let condition = parsed(condition.as_deref()?)?;
        for part in disjuncts(&condition) {
            match of(part, SOURCE, 0).filter(Sources::are_bounded) {
                Some(sources) => {
                    selects.extend(sources.selects);
                    is_split = true;
                }
                None => selects.push(of_table(part.clone())),
            }
        }
    }
    is_split.then_some(selects)
}

/// `select sources.id from ai.sources sources where …`, in which a condition of a policy on sources means what it means there.
fn of_table(condition: Node) -> SelectStmt {
    let text = |text: &str| Node { node: Some(NodeEnum::String(pg_query::protobuf::String { sval: text.to_owned() })) };
    let id = ColumnRef { fields: vec![text(SOURCE.table), text(SOURCE.column)], ..ColumnRef::default() };
    let alias = Alias { aliasname: SOURCE.table.to_owned(), colnames: Vec::new() };
    let table = RangeVar {
        schemaname: "ai".to_owned(),
        relname: SOURCE.table.to_owned(),
        inh: true,
        relpersistence: "p".to_owned(),
        alias: Some(alias),
        ..RangeVar::default()
    };
    SelectStmt {
        from_clause: vec![Node { node: Some(NodeEnum::RangeVar(table)) }],
        where_clause: Some(Box::new(condition)),
        ..select_of(Node { node: Some(NodeEnum::ColumnRef(id)) })
    }
}

/// Those with the fewest sources, as far as that can be told before they are read.
fn narrowest(of: impl Iterator<Item = Sources>) -> Option<Sources> {
    of.min_by_key(|sources| (!sources.are_bounded(), sources.selects.len()))
}

fn of(condition: &Node, row: Row, depth: usize) -> Option<Sources> {
    if depth > MAX_DEPTH {
        return None;
    }
    if let Some(value) = constant(condition) {
        return Some(if value { Sources::all() } else { Sources::default() });
    }
    if !names_row(condition, row) {
        return Some(Sources { all_if: vec![condition.clone()], selects: Vec::new() });
    }
    match condition.node.as_ref()? {
        NodeEnum::BoolExpr(expr) if expr.boolop == BoolExprType::OrExpr as i32 => expr
            .args
            .iter()
            .map(|arg| of(arg, row, depth + 1))
            .try_fold(Sources::default(), |all, one| one.map(|one| all.or(one))),
        NodeEnum::BoolExpr(expr) if expr.boolop == BoolExprType::AndExpr as i32 => {
            narrowest(expr.args.iter().filter_map(|arg| of(arg, row, depth + 1)))
        }
        NodeEnum::SubLink(link) => of_link(link, row),
        NodeEnum::AExpr(expr) => of_operator(expr, row),
        _ => None,
    }
}

/// `true` or `false`, as a constant; NULL accepts nothing.
fn constant(node: &Node) -> Option<bool> {
    match node.node.as_ref()? {
        NodeEnum::AConst(value) if value.isnull => Some(false),
        NodeEnum::AConst(value) => match value.val.as_ref()? {
            a_const::Val::Boolval(value) => Some(value.boolval),
            _ => None,
        },
        NodeEnum::TypeCast(cast) => cast.arg.as_deref().and_then(constant),
        _ => None,
    }
}

/// `source_id in (select …)`, `exists (select … where … = chunks.source_id)`, and `(select … where … = chunks.source_id)`.
fn of_link(link: &SubLink, row: Row) -> Option<Sources> {
    let Some(NodeEnum::SelectStmt(select)) = &link.subselect.as_deref()?.node else { return None };
    match SubLinkType::try_from(link.sub_link_type).ok()? {
        SubLinkType::AnySublink => {
            let tested = link.testexpr.as_deref()?;
            let is_in = link.oper_name.is_empty() || is_equals(&link.oper_name);
            (is_in && is_column(tested, row, false)).then_some(())?;
            without_row(select, row).map(Sources::of)
        }
        // A scalar sub-select is not true unless there is a row.
        SubLinkType::ExistsSublink | SubLinkType::ExprSublink => joined(select, row).map(Sources::of),
        _ => None,
    }
}

/// `source_id = …` and `source_id = any (…)`.
fn of_operator(expr: &AExpr, row: Row) -> Option<Sources> {
    let (left, right) = sides(expr)?;
    let kind = AExprKind::try_from(expr.kind).ok()?;
    is_equals(&expr.name).then_some(())?;
    match kind {
        AExprKind::AexprOp => {
            let other = match (is_column(left, row, false), is_column(right, row, false)) {
                (true, false) => right,
                (false, true) => left,
                _ => return None,
            };
            (!names_row(other, row)).then(|| Sources::of(select_of(other.clone())))
        }
        AExprKind::AexprOpAny if is_column(left, row, false) && !names_row(right, row) => {
            Some(Sources::of(select_of(unnest(right.clone()))))
        }
        AExprKind::AexprIn if is_column(left, row, false) && !names_row(right, row) => {
            let Some(NodeEnum::List(list)) = &right.node else { return None };
            let array = ArrayExprOf(list.items.clone()).node();
            Some(Sources::of(select_of(unnest(array))))
        }
        _ => None,
    }
}

/// A list of values as an array.
struct ArrayExprOf(Vec<Node>);

impl ArrayExprOf {
    fn node(self) -> Node {
        let array = pg_query::protobuf::AArrayExpr { elements: self.0, ..Default::default() };
        Node { node: Some(NodeEnum::AArrayExpr(array)) }
    }
}

/// A select without its conditions on the policy's row, which returns the same rows and perhaps more.
fn without_row(select: &SelectStmt, row: Row) -> Option<SelectStmt> {
    if !select_names_row(select, row) {
        return Some(select.clone());
    }
    if !is_plain(select) {
        return None;
    }
    let mut wider = select.clone();
    wider.where_clause = others(select, row);
    (!select_names_row(&wider, row)).then_some(wider)
}

/// The conditions of a select that name nothing of the policy's row.
fn others(select: &SelectStmt, row: Row) -> Option<Box<Node>> {
    let parts = select.where_clause.as_deref().map(conjuncts).unwrap_or_default();
    all_of(parts.into_iter().filter(|part| !select_names_row(*part, row)).cloned().collect())
}

/// Turns `select … from a where a.x = chunks.source_id and …` into `select a.x from a where …`.
fn joined(select: &SelectStmt, row: Row) -> Option<SelectStmt> {
    if !is_plain(select) || select_names_row(&select.from_clause, row) {
        return None;
    }
    let parts = select.where_clause.as_deref().map(conjuncts)?;
    let key = parts.iter().find_map(|part| {
        let (left, right) = equality(part)?;
        match (is_column(left, row, true), is_column(right, row, true)) {
            (true, false) if !select_names_row(right, row) => Some(right),
            (false, true) if !select_names_row(left, row) => Some(left),
            _ => None,
        }
    })?;
    Some(SelectStmt {
        target_list: vec![target(key.clone())],
        from_clause: select.from_clause.clone(),
        where_clause: others(select, row),
        ..blank()
    })
}

pub(super) fn select_of(expr: Node) -> SelectStmt {
    SelectStmt { target_list: vec![target(expr)], ..blank() }
}

/// A select of nothing, with what its parser sets.
fn blank() -> SelectStmt {
    SelectStmt {
        limit_option: pg_query::protobuf::LimitOption::Default as i32,
        op: pg_query::protobuf::SetOperation::SetopNone as i32,
        ..SelectStmt::default()
    }
}

fn target(expr: Node) -> Node {
    Node { node: Some(NodeEnum::ResTarget(Box::new(ResTarget { val: Some(Box::new(expr)), ..ResTarget::default() }))) }
}

fn unnest(array: Node) -> Node {
    let names = ["pg_catalog", "unnest"]
        .map(|name| Node { node: Some(NodeEnum::String(pg_query::protobuf::String { sval: name.to_owned() })) });
    let call = FuncCall {
        funcname: names.to_vec(),
        args: vec![array],
        funcformat: pg_query::protobuf::CoercionForm::CoerceExplicitCall as i32,
        ..FuncCall::default()
    };
    Node { node: Some(NodeEnum::FuncCall(Box::new(call))) }
}

fn boolean(value: bool) -> Node {
    let constant = pg_query::protobuf::AConst {
        val: Some(a_const::Val::Boolval(pg_query::protobuf::Boolean { boolval: value })),
        ..Default::default()
    };
    Node { node: Some(NodeEnum::AConst(constant)) }
}
