//! Who did what with which base, in the audit log.

use behalf_host_db::{AuditAction, AuditEvent, HostTx};
use behalf_identity::Principal;
use serde_json::Value;
use uuid::Uuid;

/// A base was made.
pub(crate) const MADE: AuditAction = AuditAction::new("knowledge_base.made");
/// Its name, description or configuration was changed.
pub(crate) const CHANGED: AuditAction = AuditAction::new("knowledge_base.changed");
/// It was deleted.
pub(crate) const DELETED: AuditAction = AuditAction::new("knowledge_base.deleted");
/// A source was added, or added again.
pub(crate) const SOURCE_ADDED: AuditAction = AuditAction::new("knowledge_base.source_added");
/// A source was taken out.
pub(crate) const SOURCE_REMOVED: AuditAction = AuditAction::new("knowledge_base.source_removed");
/// Indexing a source was cancelled.
pub(crate) const CANCELLED: AuditAction = AuditAction::new("knowledge_base.indexing_cancelled");
/// Sources are indexed anew.
pub(crate) const REINDEXED: AuditAction = AuditAction::new("knowledge_base.reindexed");

/// Adds a row in the transaction of the change. `details` hold ids, numbers and words of the program's own.
pub(crate) async fn record(
    tx: &mut HostTx,
    principal: &Principal,
    action: AuditAction,
    (base, request_id): (Uuid, &str),
    details: Value,
) -> Result<(), sqlx::Error> {
    let object = format!("knowledge_base:{base}");
    let event = AuditEvent { object: Some(&object), details, ..AuditEvent::new(action, principal, Some(request_id)) };
    event.insert(tx, principal).await
}
