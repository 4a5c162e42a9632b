//! Who administers: what triggers write to `ai.audit_events` beside the change itself (`migrations/0011_administration.sql`).

use behalf_identity::Principal;
use uuid::Uuid;

/// Who makes a change that the audit log keeps, and by which request.
#[derive(Clone, Copy, Debug)]
pub enum Act<'a> {
    /// The host itself, such as when it registers the plugins that come with it.
    Host,
    /// A caller, by a request.
    Request {
        /// The caller.
        principal: &'a Principal,
        /// The id of the HTTP request.
        request_id: Uuid,
    },
}
