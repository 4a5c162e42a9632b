//! Who did what with which source, in the audit log.

use behalf_host_db::{AuditAction, AuditEvent, HostTx};
use behalf_identity::Principal;
use serde_json::Value;
use uuid::Uuid;

/// A source was added.
pub(crate) const ADDED: AuditAction = AuditAction::new("source.added");
/// Its name or metadata were changed.
pub(crate) const CHANGED: AuditAction = AuditAction::new("source.changed");
/// It was deleted.
pub(crate) const DELETED: AuditAction = AuditAction::new("source.deleted");
/// Reading it was cancelled.
pub(crate) const CANCELLED: AuditAction = AuditAction::new("source.cancelled");
/// It is read anew.
pub(crate) const READ_ANEW: AuditAction = AuditAction::new("source.read_anew");
/// An address of its file was signed.
pub(crate) const SIGNED: AuditAction = AuditAction::new("source.signed");

/// Adds a row in the transaction of the change. `details` hold numbers and words of the program's own.
pub(crate) async fn record(
    tx: &mut HostTx,
    principal: &Principal,
    action: AuditAction,
    (source, request_id): (Uuid, &str),
    details: Value,
) -> Result<(), sqlx::Error> {
    let object = format!("source:{source}");
    let event = AuditEvent { object: Some(&object), details, ..AuditEvent::new(action, principal, Some(request_id)) };
    event.insert(tx, principal).await
}
