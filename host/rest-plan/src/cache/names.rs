//! Names that come from the catalogue, and nothing else.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

/// A name that was read from the catalogue; the SQL builder quotes it.
///
/// It can be made here alone, so text of a request cannot become one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ident(Arc<str>);

impl Ident {
    pub(super) fn of_catalogue(text: &str) -> Self {
        Self(Arc::from(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Ident {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<str>::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A name with its schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) schema: Ident,
    pub(crate) name: Ident,
}

/// An expression of the catalogue, such as a column's default, with its names qualified by Postgres.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Expression(Box<str>);

impl Expression {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A function that an operator named in the settings.
#[derive(Clone, Debug)]
pub struct Hook(pub(crate) Option<Ident>, pub(crate) Ident);

impl Hook {
    /// Reads `schema.function` or `function` of a setting.
    ///
    /// This is for settings only: a name of a request must not come here.
    pub fn from_setting(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.contains('\0') {
            return None;
        }
        Some(match text.split_once('.') {
            Some((schema, name)) => {
                Self(Some(Ident::of_catalogue(schema.trim_matches('"'))), Ident::of_catalogue(name.trim_matches('"')))
            }
            None => Self(None, Ident::of_catalogue(text.trim_matches('"'))),
        })
    }
}
