//! Looks up everything that a request names.

use std::collections::HashSet;

use super::link::{self, Search};
use super::{Alias, Child, Condition, Field, Label, Node, Output, Scope, Source, Term, Total, Want};
use crate::cache::{How, Ident, Name, SchemaCache, Type, TypeId};
use crate::error::RestError;
use crate::syntax::ast::{self, Aggregate, Embed, Is, Logic, Operand, Operation, Operator, SelectField, Step};

/// What the names of a request mean, and what it may do.
pub(crate) struct Resolver<'c> {
    pub(crate) cache: &'c SchemaCache,
    pub(crate) schema: &'c Ident,
    pub(crate) aggregates: bool,
    /// The most rows of each level.
    pub(crate) max_rows: Option<u64>,
    tags: u16,
}

impl<'c> Resolver<'c> {
    pub(crate) fn new(cache: &'c SchemaCache, schema: &'c Ident, aggregates: bool, max_rows: Option<u64>) -> Self {
        Self { cache, schema, aggregates, max_rows, tags: 0 }
    }

    /// Resolves a level and all below it.
    pub(crate) fn node<'q>(&mut self, want: &Want<'q>, scope: Scope<'c>) -> Result<Node<'c, 'q>, RestError> {
        self.level(want, scope, None)
    }

    fn level<'q>(
        &mut self,
        want: &Want<'q>,
        scope: Scope<'c>,
        depth: Option<usize>,
    ) -> Result<Node<'c, 'q>, RestError> {
        let tag = self.tags;
        self.tags = self.tags.saturating_add(1);
        // Postgres would name the alias of an embedded resource, which PostgREST makes of its name and depth.
        let shown = match depth {
            Some(depth) => format!("{}_{depth}", scope.name()),
            None => scope.name().to_owned(),
        };
        let children = want
            .children
            .iter()
            .filter_map(|child| child.embed.map(|embed| (child, embed)))
            .map(|(child, embed)| self.child(child, embed, scope, depth.unwrap_or(0) + 1))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(key) = twice(&children) {
            return Err(RestError::embedded_twice(scope.name(), key, depth.unwrap_or(0) + 1));
        }
        let mut fields = Vec::with_capacity(want.fields.len());
        for field in &want.fields {
            fields.push(self.output(field, scope, &shown)?);
        }
        if fields.is_empty() && children.is_empty() {
            fields.push(Output::all());
        }
        let keys: Vec<&str> = want.children.iter().map(Want::key).collect();
        let mut conditions = Vec::with_capacity(want.logic.len() + want.filters.len());
        for logic in &want.logic {
            conditions.push(self.logic(logic, scope, &shown, &keys)?);
        }
        for filter in &want.filters {
            conditions.push(self.filter(filter, scope, &shown, &keys)?);
        }
        let order =
            want.order.iter().map(|term| self.term(term, scope, &shown, &keys, &children)).collect::<Result<_, _>>()?;
        let range = want.range()?.at_most(self.max_rows);
        Ok(Node { tag, scope, fields, conditions, order, range, children })
    }

    fn child<'q>(
        &mut self,
        want: &Want<'q>,
        embed: &'q Embed,
        parent: Scope<'c>,
        depth: usize,
    ) -> Result<Child<'c, 'q>, RestError> {
        let origin = match parent {
            Scope::Relation(relation) => Some(relation),
            Scope::Columns { .. } | Scope::Scalar(_) => None,
        };
        let search = Search {
            schema: self.schema,
            origin,
            name: parent.name(),
            target: &embed.name,
            hint: embed.hint.as_deref(),
        };
        let relationship = link::find(self.cache, &search)?;
        let Some(relation) = self.cache.relation_by_id(relationship.to) else {
            return Err(RestError::no_table(self.cache, self.schema, &embed.name));
        };
        let shown = (!matches!(relationship.how, How::ManyToMany(_))).then_some(depth);
        let mut node = self.level(want, Scope::Relation(relation), shown)?;
        let silent = want.is_silent();
        if silent && node.children.is_empty() {
            node.fields.clear();
        }
        if embed.spread && !relationship.is_to_one() && node.has_totals() {
            return Err(RestError::spread_aggregates());
        }
        let junction = match &relationship.how {
            How::ManyToMany(junction) => self.cache.relation_by_id(junction.relation).map(|relation| &relation.name),
            _ => None,
        };
        Ok(Child {
            node,
            relationship,
            origin,
            junction,
            key: Alias::new(want.key())?,
            inner: embed.join == Some(ast::Join::Inner),
            spread: embed.spread,
            silent,
        })
    }

    fn output<'q>(&self, wanted: &'q SelectField, scope: Scope<'c>, shown: &str) -> Result<Output<'c, 'q>, RestError> {
        if wanted.aggregate.is_some() && !self.aggregates {
            return Err(RestError::aggregates());
        }
        let total = match wanted.aggregate {
            Some(aggregate) => Some(Total { aggregate, cast: self.cast(wanted.aggregate_cast.as_deref())? }),
            None => None,
        };
        let field = if wanted.field.name == "*" && wanted.field.path.is_empty() {
            Field { source: Source::All, path: &[], is_json: false, is_tsvector: false, representation: None }
        } else {
            self.field(&wanted.field, scope, shown)?
        };
        let label = match (&wanted.alias, total, field.source) {
            (Some(alias), ..) => Some(Label::Client(Alias::new(alias)?)),
            (None, Some(total), _) => Some(Label::Fixed(total.aggregate.name())),
            (None, None, Source::All) => None,
            (None, None, Source::Rows) => Some(Label::Fixed(Aggregate::Count.name())),
            (None, None, Source::Column(name)) => Some(match path_label(&wanted.field.path) {
                Some(key) => Label::Client(Alias::new(key)?),
                None => Label::Catalogue(name),
            }),
        };
        Ok(Output { field, cast: self.cast(wanted.cast.as_deref())?, aggregate: total, label })
    }

    fn cast(&self, name: Option<&str>) -> Result<Option<&'c Type>, RestError> {
        let Some(name) = name else { return Ok(None) };
        let found = self.cache.types.find(self.schema, name).filter(|kind| !self.cache.types.costs_too_much(kind));
        found.map(Some).ok_or_else(|| RestError::undefined_type(name))
    }

    fn field<'q>(&self, field: &'q ast::Field, scope: Scope<'c>, shown: &str) -> Result<Field<'c, 'q>, RestError> {
        let Some((name, kind, is_stored)) = scope.column(&field.name) else {
            let counts = field.name == Aggregate::Count.name() && field.path.is_empty();
            if counts && !matches!(scope, Scope::Scalar(_)) {
                return Ok(Field {
                    source: Source::Rows,
                    path: &[],
                    is_json: false,
                    is_tsvector: false,
                    representation: None,
                });
            }
            return Err(RestError::undefined_column(shown, &field.name));
        };
        let base = kind.and_then(|kind| self.cache.types.base(kind));
        let is = |names: &[&str]| {
            base.is_some_and(|base| {
                base.name.schema.as_str() == "pg_catalog" && names.contains(&base.name.name.as_str())
            })
        };
        Ok(Field {
            source: Source::Column(name),
            path: &field.path,
            is_json: is(&["json", "jsonb"]),
            is_tsvector: is(&["tsvector"]),
            // As with PostgREST, results of functions are not represented.
            representation: kind.filter(|_| is_stored).and_then(|kind| self.cache.types.representation(kind)),
        })
    }

    fn logic<'q>(
        &self,
        logic: &'q Logic,
        scope: Scope<'c>,
        shown: &str,
        keys: &[&str],
    ) -> Result<Condition<'c, 'q>, RestError> {
        match logic {
            Logic::Filter(filter) => self.filter(filter, scope, shown, keys),
            Logic::Group { negated, any, members } => Ok(Condition::Group {
                negated: *negated,
                any: *any,
                members: members
                    .iter()
                    .map(|member| self.logic(member, scope, shown, keys))
                    .collect::<Result<_, _>>()?,
            }),
        }
    }

    fn filter<'q>(
        &self,
        filter: &'q ast::Filter,
        scope: Scope<'c>,
        shown: &str,
        keys: &[&str],
    ) -> Result<Condition<'c, 'q>, RestError> {
        if filter.field.path.is_empty()
            && let Operation::Is(is @ (Is::Null | Is::NotNull)) = filter.operation
            && let Some(child) = keys.iter().position(|key| *key == filter.field.name)
        {
            // `is.null` wants no rows, and each negation turns that round.
            return Ok(Condition::Exists { child, negated: (is == Is::Null) != filter.negated });
        }
        bounded(&filter.operation)?;
        let field = self.field(&filter.field, scope, shown)?;
        Ok(Condition::Filter { field, negated: filter.negated, operation: &filter.operation })
    }

    fn term<'q>(
        &self,
        term: &'q ast::Order,
        scope: Scope<'c>,
        shown: &str,
        keys: &[&str],
        children: &[Child<'c, 'q>],
    ) -> Result<Term<'c, 'q>, RestError> {
        let (child, field) = match &term.relation {
            None => (None, self.field(&term.field, scope, shown)?),
            Some(relation) => {
                let place = keys.iter().position(|key| key == relation);
                let Some((place, child)) = place.and_then(|place| Some((place, children.get(place)?))) else {
                    return Err(RestError::not_embedded(relation));
                };
                if !child.is_to_one() {
                    return Err(RestError::related_order(scope.name(), relation));
                }
                (Some(place), self.field(&term.field, child.node.scope, relation)?)
            }
        };
        Ok(Term { child, field, descending: term.descending, nulls_first: term.nulls_first })
    }
}

/// The key that two embedded resources would have in the answer, of which readers of JSON keep one.
fn twice<'q>(children: &[Child<'_, 'q>]) -> Option<&'q str> {
    let mut seen = HashSet::with_capacity(children.len());
    let mut keys = children.iter().filter(|child| !child.spread && !child.silent).map(|child| child.key.as_str());
    keys.find(|key| !seen.insert(*key))
}

/// Refuses values for which Postgres may work for minutes without looking whether it was cancelled: the cost of these
/// operators is the product of both sides.
fn bounded(operation: &Operation) -> Result<(), RestError> {
    let Operation::Compare { operator, value, .. } = operation else { return Ok(()) };
    let (most, bound) = match operator {
        Operator::Like | Operator::ILike => {
            (MAX_PATTERN_BYTES, "a pattern of like or ilike may have at most 1024 bytes")
        }
        Operator::Contains | Operator::ContainedIn | Operator::Overlaps => {
            (MAX_CONTAINED_BYTES, "a value of cs, cd or ov may have at most 8192 bytes")
        }
        _ => return Ok(()),
    };
    if value.len() > most { Err(RestError::large_value(bound)) } else { Ok(()) }
}

const MAX_PATTERN_BYTES: usize = 1024;
const MAX_CONTAINED_BYTES: usize = 8 * 1024;

/// Conditions of a write, which are on its own columns.
pub(crate) fn resolve_conditions<'c, 'q>(
    resolver: &Resolver<'c>,
    filters: impl Iterator<Item = &'q ast::Filter>,
    logic: impl Iterator<Item = &'q Logic>,
    scope: Scope<'c>,
) -> Result<Vec<Condition<'c, 'q>>, RestError> {
    let shown = scope.name();
    let mut all = Vec::new();
    for filter in filters {
        all.push(resolver.filter(filter, scope, shown, &[])?);
    }
    for logic in logic {
        all.push(resolver.logic(logic, scope, shown, &[])?);
    }
    Ok(all)
}

impl<'c> Scope<'c> {
    /// The name that errors show.
    pub(crate) fn name(&self) -> &'c str {
        match self {
            Self::Relation(relation) => relation.name.name.as_str(),
            Self::Columns { name, .. } | Self::Scalar(name) => name.as_str(),
        }
    }

    /// A column with its type, and whether it is a column of a relation and not the result of a function.
    pub(crate) fn column(&self, name: &str) -> Option<(&'c Ident, Option<TypeId>, bool)> {
        match self {
            Self::Relation(relation) => relation
                .column(name)
                .map(|column| (&column.name, Some(column.kind), true))
                .or_else(|| relation.computed_field(name).map(|field| (&field.name, Some(field.kind), false))),
            Self::Columns { columns, .. } => {
                columns.iter().find(|(found, _)| found.as_str() == name).map(|(name, kind)| (name, Some(*kind), false))
            }
            Self::Scalar(_) => None,
        }
    }

    /// Whether a function shows the values of one of its columns.
    pub(crate) fn is_represented(&self) -> bool {
        matches!(self, Self::Relation(relation) if !relation.shown.is_empty())
    }

    /// The function that shows the values of a column.
    pub(crate) fn shown(&self, column: &Ident) -> Option<&'c Name> {
        match self {
            Self::Relation(relation) => relation.shown(column),
            Self::Columns { .. } | Self::Scalar(_) => None,
        }
    }

    /// All columns that `*` means.
    pub(crate) fn columns(&self) -> Vec<&'c Ident> {
        match self {
            Self::Relation(relation) => relation.columns.iter().map(|column| &column.name).collect(),
            Self::Columns { columns, .. } => columns.iter().map(|(name, _)| name).collect(),
            Self::Scalar(_) => Vec::new(),
        }
    }
}

impl Output<'_, '_> {
    fn all() -> Self {
        Output {
            field: Field { source: Source::All, path: &[], is_json: false, is_tsvector: false, representation: None },
            cast: None,
            aggregate: None,
            label: None,
        }
    }
}

impl Total<'_> {
    /// Whether rows are counted and not values.
    pub(crate) fn counts_rows(&self, field: &Field<'_, '_>) -> bool {
        self.aggregate == Aggregate::Count && matches!(field.source, Source::All)
    }
}

/// The last key of a path; a path of numbers alone has the name of its column.
fn path_label(path: &[Step]) -> Option<&str> {
    path.iter().rev().find_map(|step| match &step.operand {
        Operand::Key(key) => Some(key.as_str()),
        Operand::Index(_) => None,
    })
}
