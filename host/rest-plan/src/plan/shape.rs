//! What the audit log may know of a request: names and operators, and never a value.

use std::fmt::Write as _;

use crate::cache::Name;
use crate::syntax::Query;
use crate::syntax::ast::{Logic, Operation};
use crate::tree::{Node, Scope};

/// A description that grows by words.
pub(super) struct Words(String);

/// A description is not longer than this by much.
const MAX_LENGTH: usize = 512;

impl Words {
    pub(super) fn new(kind: &str) -> Self {
        Self(kind.to_owned())
    }

    fn word(&mut self, word: &str) {
        if self.0.len() < MAX_LENGTH {
            self.0.push(' ');
            self.0.push_str(word);
        }
    }

    pub(super) fn relation(mut self, name: &Name) -> Self {
        self.word(&format!("{}.{}", name.schema, name.name));
        self
    }

    /// The operators of all conditions.
    pub(super) fn query(mut self, query: &Query) -> Self {
        for (_, filter) in &query.filters {
            self.word(operator(&filter.operation));
        }
        for (_, logic) in &query.logic {
            self.logic(logic);
        }
        self
    }

    fn logic(&mut self, logic: &Logic) {
        match logic {
            Logic::Filter(filter) => self.word(operator(&filter.operation)),
            Logic::Group { any, members, .. } => {
                self.word(if *any { "or" } else { "and" });
                members.iter().for_each(|member| self.logic(member));
            }
        }
    }

    /// The relations that are embedded.
    pub(super) fn node(mut self, node: &Node<'_, '_>) -> Self {
        let mut embedded = String::new();
        for child in &node.children {
            child.node.walk(&mut |node| {
                if let Scope::Relation(relation) = node.scope
                    && embedded.len() < MAX_LENGTH
                {
                    let _ = write!(embedded, " embed:{}.{}", relation.name.schema, relation.name.name);
                }
            });
        }
        self.0.push_str(&embedded);
        self
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

fn operator(operation: &Operation) -> &'static str {
    use crate::syntax::ast::Operator as O;
    match operation {
        Operation::In(_) => "in",
        Operation::Is(_) => "is",
        Operation::IsDistinct(_) => "isdistinct",
        Operation::Search { .. } => "fts",
        Operation::Compare { operator, .. } => match operator {
            O::Equal => "eq",
            O::NotEqual => "neq",
            O::Greater => "gt",
            O::GreaterEqual => "gte",
            O::Less => "lt",
            O::LessEqual => "lte",
            O::Like => "like",
            O::ILike => "ilike",
            O::Match => "match",
            O::IMatch => "imatch",
            O::Contains => "cs",
            O::ContainedIn => "cd",
            O::Overlaps => "ov",
            O::StrictlyLeft => "sl",
            O::StrictlyRight => "sr",
            O::NotRight => "nxr",
            O::NotLeft => "nxl",
            O::Adjacent => "adj",
        },
    }
}
