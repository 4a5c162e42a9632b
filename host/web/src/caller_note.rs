//! What kind of caller sent a request, for its line in the log and its span.

use std::sync::{Arc, OnceLock};

use behalf_identity::{Principal, Role};
use uuid::Uuid;

/// A note that whoever verifies a request's caller leaves for whoever logs the request. It is empty until then.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallerNote(Arc<OnceLock<Noted>>);

/// The caller of a request, as far as the log names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    /// `anon`, `user`, `service`, `service_for_user` or `delegation`.
    pub(crate) kind: &'static str,
    /// The user in whose name the request is.
    pub(crate) user: Option<Uuid>,
}

impl CallerNote {
    /// Notes the caller.
    pub(crate) fn set(&self, caller: &Principal) {
        self.0.set(Noted { kind: kind(caller), user: caller.subject() }).ok();
    }

    /// The caller; none where nobody was verified.
    pub(crate) fn get(&self) -> Option<Noted> {
        self.0.get().copied()
    }
}

fn kind(caller: &Principal) -> &'static str {
    match caller.role() {
        _ if caller.delegation().is_some() => "delegation",
        Role::Anon => "anon",
        Role::Service => "service",
        Role::Authenticated if caller.is_user_in_person() => "user",
        Role::Authenticated => "service_for_user",
    }
}
