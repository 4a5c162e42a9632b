//! Media types that functions and aggregates of the database make: those whose result is a domain with such a name.

use super::names::Name;
use super::types::{TypeId, Types};
use crate::request::media::Media;

/// A media type that the database makes.
#[derive(Debug)]
pub(crate) struct Produced {
    /// What a client has to accept.
    asked: Media,
    /// What the answer is.
    pub(crate) given: Media,
    /// Whether its values are bytes and not text.
    pub(crate) is_bytes: bool,
}

/// An aggregate that makes a body of rows.
#[derive(Debug)]
pub(crate) struct Maker {
    pub(crate) function: Name,
    pub(crate) produced: Produced,
}

impl Produced {
    /// What a domain stands for, if its name is one of a media type.
    pub(super) fn of(types: &Types, id: TypeId) -> Option<Self> {
        let kind = types.get(id).filter(|kind| kind.is_domain)?;
        let name = kind.name.name.as_str();
        let is_any = name == "*/*";
        if !is_any && !is_media_type(name) {
            return None;
        }
        let base = &types.base(id)?.name;
        Some(Self {
            asked: Media::parse(&name.to_ascii_lowercase()),
            given: if is_any { Media::Octets } else { Media::parse(name) },
            is_bytes: base.schema.as_str() == "pg_catalog" && base.name.as_str() == "bytea",
        })
    }

    /// Whether it is made for clients that accept this.
    pub(crate) fn is_for(&self, accepted: &Media) -> bool {
        match (&self.asked, accepted) {
            (Media::Other(own), Media::Other(accepted)) => {
                let essence = accepted.split(';').next().unwrap_or_default();
                own.eq_ignore_ascii_case(essence.trim())
            }
            (own, accepted) => own == accepted,
        }
    }

    /// Whether it is made whatever a client accepts.
    pub(crate) fn is_for_all(&self) -> bool {
        self.asked == Media::Any
    }
}

/// Only names that can stand in a header.
fn is_media_type(name: &str) -> bool {
    let is_part = |part: &str, more: &[u8]| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    name.split_once('/').is_some_and(|(kind, rest)| is_part(kind, b".-") && is_part(rest, b".-+"))
}

#[cfg(test)]
mod tests {
    use super::is_media_type;

    #[test]
    fn names_of_media_types_have_two_parts() {
        for name in ["text/html", "application/vnd.x+json", "a-b/c.d"] {
            assert!(is_media_type(name), "{name}");
        }
        for name in ["text", "text/", "/html", "a/b/c", "text/*", "a b/c", "a/b;c", "a/b\r\nx", "a+b/c", "tëxt/html"] {
            assert!(!is_media_type(name), "{name}");
        }
    }
}
