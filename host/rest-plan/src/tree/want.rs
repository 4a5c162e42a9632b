//! Parameters, sorted to the resources that they name.

use crate::error::RestError;
use crate::request::range::{Range, RangeProblem};
use crate::syntax::Query;
use crate::syntax::ast::{Embed, Filter, Logic, Order, SelectField, SelectItem};

/// One level of `select`, with the parameters that are for it.
#[derive(Debug)]
pub(crate) struct Want<'q> {
    pub(crate) embed: Option<&'q Embed>,
    pub(crate) fields: Vec<&'q SelectField>,
    pub(crate) filters: Vec<&'q Filter>,
    pub(crate) logic: Vec<&'q Logic>,
    pub(crate) order: &'q [Order],
    pub(crate) limit: Option<i64>,
    pub(crate) offset: Option<i64>,
    pub(crate) children: Vec<Want<'q>>,
}

/// Which parameters shape what is read; those of the rest are for the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    All,
    /// Filters of the outermost level and all ranges belong to a write.
    OfWrite,
}

impl<'q> Want<'q> {
    pub(crate) fn new(query: &'q Query, parts: Parts) -> Result<Self, RestError> {
        let mut root = Self::level(None, &query.select);
        let counts = |path: &[String]| parts == Parts::All || !path.is_empty();
        for (path, filter) in query.filters.iter().filter(|(path, _)| counts(path)) {
            root.at(path)?.filters.push(filter);
        }
        for (path, logic) in query.logic.iter().filter(|(path, _)| counts(path)) {
            root.at(path)?.logic.push(logic);
        }
        // The first of two counts, so it is set last.
        for (path, order) in query.order.iter().rev() {
            root.at(path)?.order = order;
        }
        if parts == Parts::All {
            for (path, limit) in &query.limits {
                root.at(path)?.limit = Some(*limit);
            }
            for (path, offset) in &query.offsets {
                root.at(path)?.offset = Some(*offset);
            }
        }
        Ok(root)
    }

    fn level(embed: Option<&'q Embed>, items: &'q [SelectItem]) -> Self {
        let mut want = Self {
            embed,
            fields: Vec::new(),
            filters: Vec::new(),
            logic: Vec::new(),
            order: &[],
            limit: None,
            offset: None,
            children: Vec::new(),
        };
        for item in items {
            match item {
                SelectItem::Field(field) => want.fields.push(field),
                SelectItem::Embed(embed) => want.children.push(Self::level(Some(embed), &embed.items)),
            }
        }
        want
    }

    /// The level of a path of names or aliases.
    fn at(&mut self, path: &[String]) -> Result<&mut Self, RestError> {
        let Some((first, rest)) = path.split_first() else { return Ok(self) };
        match self.children.iter_mut().find(|child| child.is_called(first)) {
            Some(child) => child.at(rest),
            None => Err(RestError::not_embedded(first)),
        }
    }

    fn is_called(&self, name: &str) -> bool {
        self.embed.is_some_and(|embed| embed.name == name || embed.alias.as_deref() == Some(name))
    }

    /// The key that it has in the answer.
    pub(crate) fn key(&self) -> &'q str {
        self.embed.map_or("", |embed| embed.alias.as_deref().unwrap_or(&embed.name))
    }

    pub(crate) fn range(&self) -> Result<Range, RestError> {
        Range::of_parameters(self.limit, self.offset).map_err(range_error)
    }

    /// Leaves out the columns of all levels.
    pub(crate) fn forget_fields(&mut self) {
        self.fields.clear();
        self.order = &[];
        self.children.iter_mut().for_each(Self::forget_fields);
    }

    /// Whether nothing of this level is shown.
    pub(crate) fn is_silent(&self) -> bool {
        self.fields.is_empty() && self.children.iter().all(Self::is_silent)
    }
}

pub(crate) fn range_error(problem: RangeProblem) -> RestError {
    RestError::range(match problem {
        RangeProblem::NegativeLimit => "Limit should be greater than or equal to zero.",
        RangeProblem::LowerOverUpper => {
            "The lower boundary must be lower than or equal to the upper boundary in the Range header."
        }
    })
}
