//! What a path names.

use std::borrow::Cow;

use behalf_rest_plan::{RestError, Target};
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::http_request::PREFIX;

/// The path behind the prefix, decoded.
pub(crate) enum Segments<'a> {
    Root,
    Relation(Cow<'a, str>),
    Function(Cow<'a, str>),
    Unknown,
}

impl<'a> Segments<'a> {
    pub(crate) fn of(parts: &'a Parts) -> Self {
        let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let path = path.strip_prefix('/').unwrap_or(path);
        let decoded = |segment: &'a str| percent_decode_str(segment).decode_utf8().ok();
        match path.split_once('/') {
            None if path.is_empty() => Self::Root,
            None => decoded(path).map_or(Self::Unknown, Self::Relation),
            // An empty name is that of a function which nobody has.
            Some(("rpc", name)) if !name.contains('/') => decoded(name).map_or(Self::Unknown, Self::Function),
            _ => Self::Unknown,
        }
    }

    /// What the planner knows it as.
    pub(crate) fn target(&self) -> Result<Target<'_>, Box<RestError>> {
        Ok(match self {
            Self::Root => Target::Root,
            Self::Relation(name) => Target::Relation(name),
            Self::Function(name) => Target::Function(name),
            Self::Unknown => return Err(Box::new(RestError::path())),
        })
    }
}
