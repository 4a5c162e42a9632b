//! The columns of a source that the levels above it use.

use crate::cache::{How, Ident};
use crate::tree::{Condition, Field, Node, Scope, Source};

/// The columns of a source that the levels above it use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs<'c> {
    pub(crate) all: bool,
    pub(crate) columns: Vec<Need<'c>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Need<'c> {
    pub(crate) name: &'c Ident,
    /// Whether a function makes it of the row.
    pub(crate) computed: bool,
}

impl<'c> Needs<'c> {
    /// What a root level needs of its source.
    pub(crate) fn of(node: &Node<'c, '_>) -> Self {
        let mut needs = Self::default();
        for output in &node.fields {
            match output.field.source {
                Source::Column(name) => needs.add(node.scope, name),
                Source::All => needs.all |= output.aggregate.is_none(),
                Source::Rows => {}
            }
        }
        for term in node.order.iter().filter(|term| term.child.is_none()) {
            needs.add_field(node.scope, &term.field);
        }
        for condition in &node.conditions {
            needs.add_condition(node.scope, condition);
        }
        for child in &node.children {
            match &child.relationship.how {
                How::OneToMany(over) | How::ManyToOne(over) | How::OneToOne(over) => {
                    over.columns.iter().for_each(|(own, _)| needs.add(node.scope, own));
                }
                How::ManyToMany(junction) => {
                    junction.origin.columns.iter().for_each(|(own, _)| needs.add(node.scope, own));
                }
                How::Computed { .. } => needs.all = true,
            }
        }
        needs
    }

    pub(crate) fn add(&mut self, scope: Scope<'c>, name: &'c Ident) {
        let computed = match scope {
            Scope::Relation(relation) => relation.column(name.as_str()).is_none(),
            Scope::Columns { .. } | Scope::Scalar(_) => false,
        };
        if !self.columns.iter().any(|need| need.name == name) {
            self.columns.push(Need { name, computed });
        }
    }

    fn add_field(&mut self, scope: Scope<'c>, field: &Field<'c, '_>) {
        if let Source::Column(name) = field.source {
            self.add(scope, name);
        }
    }

    fn add_condition(&mut self, scope: Scope<'c>, condition: &Condition<'c, '_>) {
        match condition {
            Condition::Group { members, .. } => members.iter().for_each(|member| self.add_condition(scope, member)),
            Condition::Filter { field, .. } => self.add_field(scope, field),
            Condition::Exists { .. } => {}
        }
    }
}
