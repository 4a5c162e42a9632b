//! How a domain is shown and read: by the functions of its casts.

use super::names::Name;

/// The functions of the implicit casts between a domain and `json` or `text`.
#[derive(Debug, Default)]
pub(crate) struct Representation {
    /// From the domain to `json`, for answers.
    pub(crate) shown: Option<Name>,
    /// From `json` to the domain, for bodies.
    pub(crate) of_json: Option<Name>,
    /// From `text` to the domain, for conditions.
    pub(crate) of_text: Option<Name>,
}

impl Representation {
    /// Takes the function of a cast, whose direction the catalogue's statement names.
    pub(super) fn add(&mut self, direction: char, function: Name) {
        match direction {
            's' => self.shown = Some(function),
            'j' => self.of_json = Some(function),
            _ => self.of_text = Some(function),
        }
    }
}
