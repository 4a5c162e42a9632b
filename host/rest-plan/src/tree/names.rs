//! Names that a client chose for the keys of its answer.

use crate::cache::Ident;
use crate::error::RestError;

/// A name of a client. It is the one free identifier in a statement; the SQL builder quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alias<'q>(&'q str);

impl<'q> Alias<'q> {
    /// Refuses what Postgres cannot have in a name.
    pub(crate) fn new(name: &'q str) -> Result<Self, RestError> {
        if name.is_empty() || name.contains('\0') { Err(RestError::name_with_nul()) } else { Ok(Self(name)) }
    }

    pub(crate) fn as_str(self) -> &'q str {
        self.0
    }
}

/// The name of a column of the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Label<'c, 'q> {
    Catalogue(&'c Ident),
    Client(Alias<'q>),
    Fixed(&'static str),
}
