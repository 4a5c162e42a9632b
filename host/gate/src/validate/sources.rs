//! Where the columns of a statement come from: from a table, or from something that the statement computes.

use pg_query::protobuf::{Alias, JoinExpr, Node, RangeVar, node::Node as NodeEnum};

use super::super::bounds;
use super::super::names::string;
use super::Validator;

/// An item of FROM: the name that its columns can be written with, and whether they are columns of a table.
pub(super) type Source = (String, bool);

impl Validator<'_> {
    /// Runs `body` with these sources in sight, beside those of the queries around.
    pub(super) fn among<T>(&mut self, sources: Vec<Source>, body: impl FnOnce(&mut Self) -> T) -> T {
        self.sources.push(sources);
        let result = body(self);
        self.sources.pop();
        result
    }

    /// The sources of a FROM clause.
    pub(super) fn sources(&self, from: &[Node]) -> Vec<Source> {
        let mut sources = Vec::new();
        from.iter().for_each(|item| self.add_source(item, &mut sources));
        sources
    }

    /// The target of a change as a source.
    pub(super) fn target_source(&self, relation: Option<&RangeVar>) -> Vec<Source> {
        relation.map(|relation| self.relation_source(relation, true)).into_iter().collect()
    }

    fn relation_source(&self, relation: &RangeVar, target: bool) -> Source {
        let bare = relation.catalogname.is_empty() && relation.schemaname.is_empty();
        let computed = !target && bare && self.scope.contains(&relation.relname);
        (alias_or(relation.alias.as_ref(), &relation.relname), !computed)
    }

    /// The sources on both sides of a join.
    pub(super) fn joined(&self, join: &JoinExpr) -> Vec<Source> {
        let mut sources = Vec::new();
        for side in [join.larg.as_deref(), join.rarg.as_deref()].into_iter().flatten() {
            self.add_source(side, &mut sources);
        }
        sources
    }

    fn add_source(&self, item: &Node, sources: &mut Vec<Source>) {
        match &item.node {
            Some(NodeEnum::RangeVar(relation)) => sources.push(self.relation_source(relation, false)),
            Some(NodeEnum::RangeTableSample(sample)) => {
                if let Some(relation) = sample.relation.as_deref() {
                    self.add_source(relation, sources);
                }
            }
            Some(NodeEnum::JoinExpr(join)) => {
                let mut joined = self.joined(join);
                let stored = joined.iter().all(|(_, stored)| *stored);
                // An alias hides the names inside.
                if join.alias.is_some() {
                    joined.clear();
                }
                for alias in [join.alias.as_ref(), join.join_using_alias.as_ref()].into_iter().flatten() {
                    joined.push((alias.aliasname.clone(), stored));
                }
                sources.append(&mut joined);
            }
            Some(NodeEnum::RangeSubselect(range)) => sources.push((alias_or(range.alias.as_ref(), ""), false)),
            Some(NodeEnum::RangeFunction(range)) => {
                let called: Vec<&str> = range.functions.iter().filter_map(called).collect();
                let small =
                    called.len() == range.functions.len() && called.iter().all(|name| bounds::is_small_source(name));
                // The first item names the source, and what is no plain call, such as COALESCE, has a name of its own.
                let name = range.functions.first().and_then(self::called).unwrap_or_default();
                sources.push((alias_or(range.alias.as_ref(), name), small));
            }
            Some(NodeEnum::RangeTableFunc(range)) => sources.push((alias_or(range.alias.as_ref(), ""), false)),
            Some(NodeEnum::JsonTable(table)) => sources.push((alias_or(table.alias.as_ref(), ""), false)),
            _ => sources.push((String::new(), false)),
        }
    }

    /// Whether this is certainly a column of a table.
    pub(super) fn is_stored(&self, fields: &[Node]) -> bool {
        let names: Option<Vec<&str>> = fields.iter().map(string).collect();
        match names.as_deref() {
            // A bare name may be a column of any item in sight.
            Some([_]) => {
                let mut all = self.sources.iter().flatten().peekable();
                all.peek().is_some() && all.all(|(_, stored)| *stored)
            }
            // The gate does not follow which of the sources of a name the server finds, nor how it names one without a
            // name. So all must be tables.
            Some([source, _] | [_, source, _]) => {
                let mut fitting =
                    self.sources.iter().flatten().filter(|(name, _)| name == source || name.is_empty()).peekable();
                fitting.peek().is_some() && fitting.all(|(_, stored)| *stored)
            }
            _ => false,
        }
    }
}

fn alias_or(alias: Option<&Alias>, name: &str) -> String {
    alias.map_or_else(|| name.to_owned(), |alias| alias.aliasname.clone())
}

/// The name of the function that an item of ROWS FROM calls.
pub(super) fn called(item: &Node) -> Option<&str> {
    let Some(NodeEnum::List(pair)) = &item.node else { return None };
    match &pair.items.first()?.node {
        Some(NodeEnum::FuncCall(call)) => call.funcname.last().and_then(string),
        _ => None,
    }
}
