//! The parts of the settings: serde cannot refuse unknown names and flatten one struct into another at the same time.

/// A part of the settings that is read by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `/auth/v1` and letters.
    Auth,
    /// `/storage/v1`.
    Storage,
    /// `/api/sources`.
    Sources,
    /// Embedding models.
    Embeddings,
    /// `/realtime/v1`.
    Realtime,
    /// How long things are kept.
    Retention,
    /// How a host is operated.
    Operations,
    /// All others.
    Rest,
}

impl Part {
    /// The part of the setting with this name.
    pub(super) fn of(name: &str) -> Self {
        let is_in = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if is_in(&super::auth::NAMES) {
            Self::Auth
        } else if is_in(&super::storage::NAMES) {
            Self::Storage
        } else if is_in(&super::sources::NAMES) {
            Self::Sources
        } else if is_in(&super::embeddings::NAMES) {
            Self::Embeddings
        } else if is_in(&super::realtime::NAMES) {
            Self::Realtime
        } else if is_in(&super::retention::NAMES) {
            Self::Retention
        } else if is_in(&super::operations::NAMES) {
            Self::Operations
        } else {
            Self::Rest
        }
    }
}

/// The names of the settings of all parts but the rest.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let parts: [&'static [&'static str]; 7] = [
        &super::auth::NAMES,
        &super::storage::NAMES,
        &super::sources::NAMES,
        &super::embeddings::NAMES,
        &super::realtime::NAMES,
        &super::retention::NAMES,
        &super::operations::NAMES,
    ];
    parts.into_iter().flatten().copied()
}
