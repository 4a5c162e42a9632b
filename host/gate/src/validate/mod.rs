//! Validates a parse tree: every node must be of a known kind, and every field of every node is checked.
//!
//! Nodes are destructured without `..`, so a field that a new parser version adds is a compile error and cannot be
//! missed. A kind of node that [`Validator::kind`] does not list is refused. Fields bound to `_` hold positions, flags
//! that only choose between harmless variants, or values that Postgres's own analysis fills in later.

mod bound;
mod change;
mod document;
mod expression;
mod query;
mod sources;
mod types;

use std::collections::HashSet;

use pg_query::protobuf::{Node, node::Node as NodeEnum};

use super::names::Effect;
use super::policy::Policy;
use super::refusal::Refusal;
use super::tree;
use super::verdict::{Kind, ParameterBound, Verdict};

/// The greatest depth of a tree. The parser's encoding stops at about half of it; this limit does not depend on the
/// parser.
const MAX_DEPTH: usize = 200;

/// The highest parameter number: the protocol counts parameters in 16 bits.
const MAX_PARAMETER: i32 = 65_535;

type Checked = Result<(), Refusal>;

/// Validates a parsed statement, and puts checks into it where it needs some. `text` is the text that it was parsed from.
pub(super) fn statement(root: &mut NodeEnum, text: &str, policy: &Policy) -> Result<Verdict, Refusal> {
    let mut validator = Validator {
        policy,
        scope: Vec::new(),
        sources: Vec::new(),
        depth: 0,
        writes: false,
        parameters: 0,
        parameter_bounds: Vec::new(),
        seen: HashSet::new(),
        information: query::Information::default(),
        rewritten: false,
    };
    let (kind, returns_rows) = match root {
        NodeEnum::SelectStmt(_) => (Kind::Select, true),
        NodeEnum::InsertStmt(insert) => (Kind::Insert, change::returns(insert.returning_clause.as_ref())),
        NodeEnum::UpdateStmt(update) => (Kind::Update, change::returns(update.returning_clause.as_ref())),
        NodeEnum::DeleteStmt(delete) => (Kind::Delete, change::returns(delete.returning_clause.as_ref())),
        NodeEnum::MergeStmt(merge) => (Kind::Merge, change::returns(merge.returning_clause.as_ref())),
        _ => return Err(Refusal::Construct { what: "This kind of statement" }),
    };
    validator.kind(root)?;
    validator.nothing_beside()?;
    Ok(Verdict {
        kind,
        writes: validator.writes,
        returns_rows,
        fingerprint: tree::fingerprint(text)?,
        statement: if validator.rewritten { tree::text(root)? } else { text.to_owned() },
        parameters: validator.parameters,
        parameter_bounds: validator.parameter_bounds,
    })
}

/// What is harmless in a statement only if something else is not in it, wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Seen {
    /// An expression that gives XML.
    Xml,
    /// A parameter that gets its type from what is around it, which may be XML.
    UntypedParameter,
    /// The type `jsonpath`.
    JsonPath,
    /// A column before `@@` and a value after it that may be a JSON path from elsewhere in the statement.
    Search,
}

/// The state of a validation.
struct Validator<'a> {
    policy: &'a Policy,
    /// The names of the common table expressions in scope.
    scope: Vec<String>,
    /// The items of FROM of this query and of those around it.
    sources: Vec<Vec<sources::Source>>,
    depth: usize,
    writes: bool,
    parameters: usize,
    parameter_bounds: Vec<ParameterBound>,
    seen: HashSet<Seen>,
    information: query::Information,
    /// Whether the tree is no longer the one of the text.
    rewritten: bool,
}

impl Validator<'_> {
    fn node(&mut self, node: &mut Node) -> Checked {
        match &mut node.node {
            Some(kind) => self.kind(kind)?,
            None => return Err(Refusal::Construct { what: "A construct that the gate cannot read" }),
        }
        self.hide_type_names(node);
        self.hide_names(node)
    }

    #[expect(clippy::too_many_lines, reason = "the list of known nodes, one a line")]
    fn kind(&mut self, kind: &mut NodeEnum) -> Checked {
        match kind {
            // Statements and items of FROM.
            NodeEnum::SelectStmt(n) => self.select(n),
            NodeEnum::InsertStmt(n) => self.insert(n),
            NodeEnum::UpdateStmt(n) => self.update(n),
            NodeEnum::DeleteStmt(n) => self.delete(n),
            NodeEnum::MergeStmt(n) => self.merge(n),
            NodeEnum::MergeWhenClause(n) => self.merge_when(n),
            NodeEnum::RangeVar(n) => self.range(n),
            NodeEnum::RangeSubselect(n) => self.range_subselect(n),
            NodeEnum::RangeFunction(n) => self.range_function(n),
            NodeEnum::RangeTableSample(n) => self.sample(n),
            NodeEnum::JsonTable(n) => self.json_table(n),
            NodeEnum::JsonTableColumn(n) => self.json_table_column(n),
            NodeEnum::JoinExpr(n) => self.join(n),
            NodeEnum::ColumnDef(n) => self.column_definition(n),
            NodeEnum::ResTarget(n) => self.target(n),
            NodeEnum::SortBy(n) => self.sort(n),
            NodeEnum::WindowDef(n) => self.window(n),
            NodeEnum::GroupingSet(n) => self.grouping_set(n),
            // Expressions.
            NodeEnum::List(n) => self.list(n),
            NodeEnum::AConst(n) => Self::constant(n),
            NodeEnum::ParamRef(n) => {
                self.seen.insert(Seen::UntypedParameter);
                self.parameter(*n)
            }
            NodeEnum::ColumnRef(n) => self.column(n),
            NodeEnum::AIndirection(n) => self.indirection(n),
            NodeEnum::AIndices(n) => self.subscript(n),
            NodeEnum::AExpr(n) => self.operation(n),
            NodeEnum::BoolExpr(n) => self.boolean(n),
            NodeEnum::NullTest(n) => self.null_test(n),
            NodeEnum::BooleanTest(n) => self.boolean_test(n),
            NodeEnum::FuncCall(n) => self.call(n),
            NodeEnum::NamedArgExpr(n) => self.named_argument(n),
            NodeEnum::TypeCast(n) => self.cast(n),
            NodeEnum::CollateClause(n) => self.collate(n),
            NodeEnum::SubLink(n) => self.sublink(n),
            NodeEnum::CaseExpr(n) => self.case(n),
            NodeEnum::CaseWhen(n) => self.case_when(n),
            NodeEnum::AArrayExpr(n) => self.array(n),
            NodeEnum::RowExpr(n) => self.row(n),
            NodeEnum::CoalesceExpr(n) => self.coalesce(n),
            NodeEnum::MinMaxExpr(n) => self.min_max(n),
            NodeEnum::SqlvalueFunction(n) => Self::value_function(n),
            NodeEnum::GroupingFunc(n) => self.grouping(n),
            NodeEnum::SetToDefault(n) => Self::default_value(n),
            NodeEnum::MultiAssignRef(n) => self.multi_assign(n),
            NodeEnum::MergeSupportFunc(n) => self.merge_action(n),
            NodeEnum::XmlExpr(n) => self.xml(n),
            NodeEnum::JsonIsPredicate(n) => self.json_predicate(n),
            NodeEnum::JsonValueExpr(n) => self.json_value(n),
            NodeEnum::JsonArgument(n) => self.json_argument(n),
            NodeEnum::JsonFuncExpr(n) => self.json_function(n),
            NodeEnum::JsonKeyValue(n) => self.json_key_value(n),
            NodeEnum::JsonParseExpr(n) => self.json_parse(n),
            NodeEnum::JsonScalarExpr(n) => self.json_scalar(n),
            NodeEnum::JsonSerializeExpr(n) => self.json_serialize(n),
            NodeEnum::JsonObjectConstructor(n) => self.json_object(n),
            NodeEnum::JsonArrayConstructor(n) => self.json_array(n),
            NodeEnum::JsonArrayQueryConstructor(n) => self.json_array_query(n),
            NodeEnum::JsonObjectAgg(n) => self.json_object_aggregate(n),
            NodeEnum::JsonArrayAgg(n) => self.json_array_aggregate(n),
            NodeEnum::RangeTableFunc(_) | NodeEnum::XmlSerialize(_) => {
                Err(Refusal::Construct { what: "Reading XML in SQL" })
            }
            NodeEnum::CurrentOfExpr(_) => Err(Refusal::Construct { what: "WHERE CURRENT OF (a cursor)" }),
            _ => Err(Refusal::Construct { what: "A construct that the gate does not know" }),
        }
    }

    /// Refuses what is harmless only alone.
    fn nothing_beside(&self) -> Checked {
        let both = |one, other| self.seen.contains(&one) && self.seen.contains(&other);
        if both(Seen::Xml, Seen::UntypedParameter) {
            // The server would read the parameter as XML, at a cost that nothing bounds.
            return Err(Refusal::Construct { what: "XML beside a parameter that has no cast (write $1::text)" });
        }
        if both(Seen::JsonPath, Seen::Search) {
            return Err(Refusal::Construct { what: "jsonpath beside @@ with a computed right side (@? takes a path)" });
        }
        Ok(())
    }

    /// Validates a value that has a type from where it stands.
    fn typed(&mut self, node: Option<&mut Node>) -> Checked {
        match node {
            Some(Node { node: Some(NodeEnum::ParamRef(parameter)) }) => self.parameter(*parameter),
            Some(Node { node: Some(NodeEnum::List(list)) }) => {
                list.items.iter_mut().try_for_each(|item| self.nested(|validator| validator.typed(Some(item))))
            }
            other => self.optional(other),
        }
    }

    /// Validates a node one level down.
    fn child(&mut self, node: &mut Node) -> Checked {
        self.nested(|validator| validator.node(node))
    }

    fn all(&mut self, nodes: &mut [Node]) -> Checked {
        nodes.iter_mut().try_for_each(|node| self.child(node))
    }

    fn optional(&mut self, node: Option<&mut Node>) -> Checked {
        node.map_or(Ok(()), |node| self.child(node))
    }

    fn nested(&mut self, validate: impl FnOnce(&mut Self) -> Checked) -> Checked {
        if self.depth >= MAX_DEPTH {
            return Err(Refusal::TooDeep);
        }
        self.depth += 1;
        let checked = validate(self);
        self.depth -= 1;
        checked
    }

    fn record_effect(&mut self, effect: Effect) {
        self.writes |= effect == Effect::Writes;
    }
}

/// Refuses a value in a field that only Postgres's analysis fills, after parsing.
fn absent<T>(field: Option<&T>) -> Checked {
    match field {
        None => Ok(()),
        Some(_) => Err(Refusal::Construct { what: "A construct that the gate does not know" }),
    }
}

/// As [`absent`], for a field that holds a list.
fn empty(nodes: &[Node]) -> Checked {
    absent(nodes.first())
}

/// Accepts a list of plain names, such as column aliases.
fn names(nodes: &[Node]) -> Checked {
    let named = nodes.iter().all(|node| matches!(node.node, Some(NodeEnum::String(_))));
    if named { Ok(()) } else { Err(Refusal::Construct { what: "A construct in place of a name" }) }
}
