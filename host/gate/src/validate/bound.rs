//! Bounds what costly functions and operators get: literals by their length, parameters by a length that the caller of the
//! gate checks, other values by a check on the server, which is put around them. A column of a table is left as it is
//! where an index may be over it, so that ordinary searches stay as fast as they were.

use pg_query::protobuf::{
    AConst, AExpr, AExprKind, CoercionForm, FuncCall, Integer, JsonValueExpr, NamedArgExpr, Node, String as Name,
    TypeCast, TypeName, a_const::Val, node::Node as NodeEnum,
};

use super::super::bounds::{self, AT_MOST, Bound};
use super::super::names::{dotted, string, written};
use super::super::refusal::Refusal;
use super::super::verdict::ParameterBound;
use super::{Checked, Seen, Validator};

/// What is known of a value's size before the statement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    /// At most so many bytes: a literal.
    Known(usize),
    /// The parameter of this number.
    Parameter(usize),
    /// Made of columns of tables: what the app stored.
    Stored,
    /// Anything else.
    Unknown,
}

impl Validator<'_> {
    /// Bounds the arguments of a call, if its function is a costly one.
    pub(super) fn bound_call(&mut self, name: &[Node], args: &mut [Node]) -> Checked {
        let Some(bound) = name.last().and_then(string).and_then(bounds::of_function) else { return Ok(()) };
        let what = written(name.last().map(std::slice::from_ref).unwrap_or_default());
        if let Bound::Path { document, .. } = bound
            && args.iter().any(|arg| matches!(arg.node, Some(NodeEnum::NamedArgExpr(_))))
        {
            // Whichever of them is the document.
            return args.iter_mut().try_for_each(|arg| {
                let value = match &mut arg.node {
                    Some(NodeEnum::NamedArgExpr(named)) => {
                        let NamedArgExpr { arg, .. } = named.as_mut();
                        arg.as_deref_mut()
                    }
                    _ => Some(arg),
                };
                value.map_or(Ok(()), |value| self.document(value, document, &what))
            });
        }
        if let Bound::Rank(bytes) = bound {
            // The weights may stand before the vector, and a number after the query. Of three, either may be the query.
            let queries = match args.len() {
                2 => 1..2,
                3 if args.last().is_some_and(is_number) => 1..2,
                3 if !args.first().is_some_and(is_array) => 1..3,
                _ => 2..3,
            };
            let queries = args.get_mut(queries).unwrap_or_default();
            return queries.iter_mut().try_for_each(|query| self.at_most(query, bytes, &what));
        }
        match args {
            [subject] if matches!(bound, Bound::Square(_)) => self.pair(bound, subject, &mut Node::default(), &what),
            [subject, pattern, variables, ..] if matches!(bound, Bound::Path { .. }) => {
                self.pair(bound, subject, pattern, &what)?;
                let Bound::Path { variables: limit, .. } = bound else { return Ok(()) };
                self.at_most(variables, limit, &what)
            }
            [subject, pattern, ..] => self.pair(bound, subject, pattern, &what),
            _ => Ok(()),
        }
    }

    /// Bounds the sides of an operator, if it is a costly one.
    pub(super) fn bound_operation(
        &mut self,
        name: &[Node],
        left: Option<&mut Node>,
        right: Option<&mut Node>,
    ) -> Checked {
        let Some(symbol) = name.last().and_then(string) else { return Ok(()) };
        let (Some(bound), Some(left), Some(right)) = (bounds::of_operator(symbol), left, right) else { return Ok(()) };
        self.pair(bound, left, right, bounds::operator_word(symbol))
    }

    /// Refuses a costly operator over the rows of a query, which cannot be bounded one by one.
    pub(super) fn bound_sublink(name: &[Node]) -> Checked {
        match name.last().and_then(string).and_then(bounds::of_operator) {
            None | Some(Bound::Second(_)) => Ok(()),
            Some(_) => {
                Err(Refusal::Construct { what: "LIKE, @> or the like with ANY or ALL over a query (EXISTS does it)" })
            }
        }
    }

    /// Bounds the document of SQL's own JSON functions.
    pub(super) fn bound_json(
        &mut self,
        document: Option<&mut JsonValueExpr>,
        paths: &[String],
        passing: &mut [Node],
        what: &str,
    ) -> Checked {
        let bound = bounds::of_function("jsonb_path_query");
        let Some(Bound::Path { document: limit, variables }) = bound else { return Ok(()) };
        for argument in passing {
            if let Some(NodeEnum::JsonArgument(argument)) = &mut argument.node
                && let Some(value) = argument.val.as_deref_mut().and_then(|value| value.raw_expr.as_deref_mut())
            {
                self.at_most(value, variables, what)?;
            }
        }
        match document.and_then(|value| value.raw_expr.as_deref_mut()) {
            Some(value) if !paths.iter().all(|path| bounds::is_linear_path(path, true)) => {
                self.document(value, limit, what)
            }
            _ => Ok(()),
        }
    }

    fn pair(&mut self, bound: Bound, left: &mut Node, right: &mut Node, what: &str) -> Checked {
        match bound {
            Bound::Product { subject, pattern } => self.product(left, subject, right, pattern, what),
            Bound::Square(bytes) | Bound::Rank(bytes) => self.at_most(left, bytes, what),
            Bound::Second(bytes) => match self.size(right) {
                Size::Stored => Ok(()),
                _ if is_scalar(right) => Ok(()),
                _ => self.at_most(right, bytes, what),
            },
            Bound::Sets { side, narrow, reversed } => {
                let stored = (self.size(left) == Size::Stored, self.size(right) == Size::Stored);
                match stored {
                    (true, false) => self.product(left, side, right, narrow, what),
                    (false, true) => self.product(right, side, left, narrow, what),
                    (true, true) if reversed => self.at_most(left, narrow, what),
                    (true, true) => self.at_most(right, narrow, what),
                    (false, false) => {
                        self.at_most(left, side, what)?;
                        self.at_most(right, side, what)
                    }
                }
            }
            Bound::Path { document, .. } => match literal(right) {
                Some(path) if bounds::is_linear_path(&path, true) => Ok(()),
                _ => self.document(left, document, what),
            },
            Bound::PathOrSearch(document) => match literal(right) {
                _ if is_search(left) || is_search(right) => Ok(()),
                Some(path) if bounds::is_linear_path(&path, true) => Ok(()),
                // A column of a table is a text vector with an index, as far as the gate can know. Only a parameter, a
                // cast, or a value from elsewhere in the statement can make it a document with a path beside it.
                None if self.size(left) == Size::Stored && !is_cast_or_parameter(right) => {
                    if self.size(right) != Size::Stored {
                        self.seen.insert(Seen::Search);
                    }
                    Ok(())
                }
                _ => self.document(left, document, what),
            },
        }
    }

    /// Bounds two values whose sizes multiply. A subject that is stored stays as it is, for its index.
    fn product(&mut self, subject: &mut Node, most: usize, pattern: &mut Node, narrow: usize, what: &str) -> Checked {
        let mut most = most;
        let mut has_index = self.size(subject) == Size::Stored;
        match self.size(pattern) {
            Size::Known(bytes) if bytes <= narrow => {}
            // What the pattern has too much, the subject must have less.
            Size::Known(bytes) => {
                most = most / bytes.max(1) * narrow;
                has_index = false;
            }
            _ => self.at_most(pattern, narrow, what)?,
        }
        if has_index { Ok(()) } else { self.at_most(subject, most, what) }
    }

    /// Bounds a JSON document. Its text is denser than the document itself: `[1,1,1]` takes two bytes an element, and twelve
    /// in memory.
    fn document(&mut self, value: &mut Node, bytes: usize, what: &str) -> Checked {
        let is_text = matches!(self.size(value), Size::Known(_) | Size::Parameter(_));
        self.at_most(value, if is_text { bytes / 6 } else { bytes }, what)
    }

    /// Makes sure that a value has at most so many bytes, by whatever means fits.
    fn at_most(&mut self, value: &mut Node, bytes: usize, what: &str) -> Checked {
        match self.size(value) {
            Size::Known(length) if length <= bytes => Ok(()),
            Size::Known(length) => Err(Refusal::TooLarge { what: what.to_owned(), bytes: length, limit: bytes }),
            Size::Parameter(index) => {
                let bound = ParameterBound { index, bytes, what: what.to_owned() };
                // Of several bounds, the narrowest holds.
                match self.parameter_bounds.iter_mut().find(|known| known.index == index) {
                    Some(known) if known.bytes <= bytes => {}
                    Some(known) => *known = bound,
                    None => self.parameter_bounds.push(bound),
                }
                Ok(())
            }
            Size::Stored | Size::Unknown => self.check_on_server(value, bytes, what),
        }
    }

    /// Puts the server's check around a value. It gives the value back as it is, with its type.
    fn check_on_server(&mut self, value: &mut Node, bytes: usize, what: &str) -> Checked {
        let (schema, function) = AT_MOST;
        if self.policy.catalog.functions(schema, function).is_none() {
            return Err(Refusal::Unbounded { what: what.to_owned() });
        }
        let limit = Val::Ival(Integer { ival: i32::try_from(bytes).unwrap_or(i32::MAX) });
        let word = Val::Sval(Name { sval: what.to_owned() });
        let checked = std::mem::take(value);
        value.node = Some(NodeEnum::FuncCall(Box::new(FuncCall {
            funcname: vec![name(schema), name(function)],
            args: vec![checked, constant(limit), constant(word)],
            funcformat: CoercionForm::CoerceExplicitCall.into(),
            ..FuncCall::default()
        })));
        self.rewritten = true;
        Ok(())
    }

    /// `pg_typeof(x)` becomes `pg_typeof(x)::text`: its own type would look up the name of any object by its number.
    pub(super) fn hide_type_names(&mut self, node: &mut Node) {
        let Some(NodeEnum::FuncCall(call)) = &node.node else { return };
        if call.funcname.last().and_then(string) != Some("pg_typeof") {
            return;
        }
        let call = std::mem::take(node);
        let text = TypeName { names: vec![name("pg_catalog"), name("text")], typemod: -1, ..TypeName::default() };
        node.node = Some(NodeEnum::TypeCast(Box::new(TypeCast {
            arg: Some(Box::new(call)),
            type_name: Some(text),
            ..TypeCast::default()
        })));
        self.rewritten = true;
    }

    /// Whether a value is made of columns of tables.
    pub(super) fn is_of_table(&self, node: &Node) -> bool {
        self.size(node) == Size::Stored
    }

    fn size(&self, node: &Node) -> Size {
        match &node.node {
            None => Size::Known(0),
            Some(NodeEnum::AConst(constant)) => match &constant.val {
                Some(Val::Sval(text)) => Size::Known(text.sval.len()),
                Some(Val::Bsval(bits)) => Size::Known(bits.bsval.len()),
                Some(Val::Fval(number)) if bounds::may_grow(&number.fval) => Size::Unknown,
                Some(Val::Fval(number)) => Size::Known(number.fval.len()),
                Some(Val::Ival(_) | Val::Boolval(_)) | None => Size::Known(16),
            },
            Some(NodeEnum::ParamRef(parameter)) => {
                usize::try_from(parameter.number).map_or(Size::Unknown, Size::Parameter)
            }
            Some(NodeEnum::ColumnRef(column)) if self.is_stored(&column.fields) => Size::Stored,
            Some(NodeEnum::TypeCast(cast)) => self.size_of_cast(cast),
            Some(NodeEnum::CollateClause(collate)) => {
                collate.arg.as_deref().map_or(Size::Unknown, |arg| self.size(arg))
            }
            Some(NodeEnum::AIndirection(part)) => match part.arg.as_deref().map(|arg| self.size(arg)) {
                Some(Size::Stored) => Size::Stored,
                _ => Size::Unknown,
            },
            Some(NodeEnum::AArrayExpr(array)) => self.sizes(&array.elements),
            Some(NodeEnum::CoalesceExpr(coalesce)) => self.sizes(&coalesce.args),
            Some(NodeEnum::FuncCall(call)) => match call.funcname.last().and_then(string) {
                Some("like_escape") => match self.sizes(&call.args) {
                    Size::Known(bytes) => Size::Known(2 * bytes),
                    other => other,
                },
                Some(name) if bounds::takes_part(name) => only_stored(self.sizes(&call.args)),
                Some(name) if bounds::keeps_size(name) => self.sizes(&call.args),
                Some("replace") if replaces_by_no_more(&call.args) => self.sizes(&call.args),
                _ => Size::Unknown,
            },
            Some(NodeEnum::AExpr(operation)) => self.size_of_operation(operation),
            Some(_) => Size::Unknown,
        }
    }

    fn size_of_operation(&self, operation: &AExpr) -> Size {
        let plain = AExprKind::try_from(operation.kind) == Ok(AExprKind::AexprOp);
        match (operation.name.last().and_then(string), &operation.lexpr, &operation.rexpr) {
            (Some("-" | "+"), None, Some(value)) if plain => self.part(value),
            (Some(name), Some(left), Some(right)) if plain && bounds::operator_keeps_size(name) => {
                let size = self.both(self.part(left), self.part(right));
                if bounds::takes_part(name) { only_stored(size) } else { size }
            }
            _ => Size::Unknown,
        }
    }

    fn size_of_cast(&self, cast: &TypeCast) -> Size {
        let (Some(value), Some(to)) = (cast.arg.as_deref(), cast.type_name.as_ref()) else { return Size::Unknown };
        match self.part(value) {
            _ if pads(to) => Size::Unknown,
            // A cast to a text may be one from `jsonb`, if the parameter has that type elsewhere in the statement.
            Size::Parameter(_) if plain_type(to) != Some("jsonb") => Size::Unknown,
            size => size,
        }
    }

    fn sizes(&self, nodes: &[Node]) -> Size {
        nodes.iter().fold(Size::Known(0), |size, node| self.both(size, self.part(node)))
    }

    /// The size of a value of which another is made. A literal may become a number or a document there, and a text again.
    fn part(&self, node: &Node) -> Size {
        match &node.node {
            Some(NodeEnum::AConst(AConst { val: Some(Val::Sval(text)), .. })) if bounds::may_grow(&text.sval) => {
                Size::Unknown
            }
            _ => self.size(node),
        }
    }

    /// The size of a value that is made of two.
    #[expect(clippy::unused_self, reason = "reads as the other two")]
    fn both(&self, one: Size, other: Size) -> Size {
        match (one, other) {
            // Each element of an array takes some bytes more.
            (Size::Known(one), Size::Known(other)) => Size::Known(one + other + 4),
            (Size::Stored, Size::Stored | Size::Known(_)) | (Size::Known(_), Size::Stored) => Size::Stored,
            _ => Size::Unknown,
        }
    }
}

/// The text of a literal, also behind a cast that leaves it as it is.
fn literal(node: &Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::AConst(AConst { val: Some(Val::Sval(text)), .. })) => Some(text.sval.clone()),
        Some(NodeEnum::TypeCast(cast)) => {
            let to = cast.type_name.as_ref()?;
            let same = to.typmods.is_empty() && matches!(plain_type(to), Some("text" | "varchar" | "jsonpath"));
            if same { literal(cast.arg.as_deref()?) } else { None }
        }
        _ => None,
    }
}

/// The name of a type of `pg_catalog`, unless it is an array.
fn plain_type(name: &TypeName) -> Option<&str> {
    match dotted(&name.names)? {
        (None | Some("pg_catalog"), plain) if name.array_bounds.is_empty() => Some(plain),
        _ => None,
    }
}

/// Whether a cast to this type may make a value longer, as `'a'::char(1000000)` and `1::numeric(1000, 999)` do.
fn pads(name: &TypeName) -> bool {
    !name.typmods.is_empty() && name.names.last().and_then(string) != Some("varchar")
}

/// The size of what takes a part of a document. A part may be longer as a text than the text of the document.
fn only_stored(size: Size) -> Size {
    if size == Size::Stored { size } else { Size::Unknown }
}

/// Whether the value is a parameter or is cast to some type.
fn is_cast_or_parameter(node: &Node) -> bool {
    matches!(&node.node, Some(NodeEnum::ParamRef(_) | NodeEnum::TypeCast(_)))
}

/// Whether the value is certainly an array.
fn is_array(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::AArrayExpr(_)) => true,
        Some(NodeEnum::TypeCast(cast)) => cast.type_name.as_ref().is_some_and(|to| !to.array_bounds.is_empty()),
        // As a text vector it would be one word.
        Some(NodeEnum::AConst(_)) => literal(node).is_some_and(|text| text.starts_with('{') && !text.contains(' ')),
        _ => false,
    }
}

/// Whether the value is no array: a number, arithmetic, a cast, or a call of a function that gives a number or a time.
fn is_scalar(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::FuncCall(call)) => call.funcname.last().and_then(string).is_some_and(bounds::is_scalar),
        Some(NodeEnum::AConst(constant)) => matches!(constant.val, Some(Val::Ival(_) | Val::Fval(_))),
        Some(NodeEnum::TypeCast(cast)) => {
            cast.type_name.as_ref().and_then(plain_type).is_some_and(bounds::is_scalar_type)
        }
        Some(NodeEnum::AExpr(operation)) => {
            operation.name.last().and_then(string).is_some_and(|name| ["+", "-", "*", "/", "%"].contains(&name))
        }
        _ => false,
    }
}

/// Whether a call of `replace` puts a literal in the place of one that is as long.
fn replaces_by_no_more(args: &[Node]) -> bool {
    let [_, from, to] = args else { return false };
    literal(from).zip(literal(to)).is_some_and(|(from, to)| to.len() <= from.len())
}

/// Whether the value is a number that the statement has as it is.
fn is_number(node: &Node) -> bool {
    matches!(&node.node, Some(NodeEnum::AConst(AConst { val: Some(Val::Ival(_)), .. })))
}

/// Whether the value is a text vector or a text query.
fn is_search(node: &Node) -> bool {
    match &node.node {
        Some(NodeEnum::FuncCall(call)) => call.funcname.last().and_then(string).is_some_and(bounds::is_search),
        Some(NodeEnum::TypeCast(cast)) => cast
            .type_name
            .as_ref()
            .and_then(|name| name.names.last())
            .and_then(string)
            .is_some_and(|name| ["tsvector", "tsquery"].contains(&name)),
        _ => false,
    }
}

/// The text of a literal path.
pub(super) fn path_text(node: Option<&Node>) -> String {
    // What is no literal counts as a path that compares anything.
    node.and_then(literal).unwrap_or_else(|| "$ == $".to_owned())
}

fn name(text: &str) -> Node {
    Node { node: Some(NodeEnum::String(Name { sval: text.to_owned() })) }
}

fn constant(value: Val) -> Node {
    Node { node: Some(NodeEnum::AConst(AConst { isnull: false, location: 0, val: Some(value) })) }
}
