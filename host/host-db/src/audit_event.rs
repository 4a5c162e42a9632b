//! Rows of `ai.audit_events`, which records actions other than tool calls: actor, user, action, object. Rows are never
//! changed.

use behalf_identity::Principal;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{HostDb, HostTx};

/// The name of an action, such as `run.started`. Each feature names its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditAction(&'static str);

impl AuditAction {
    /// An action of this name: a noun and a past participle, joined by a dot.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name in the table.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// One row to add. `details` holds names, numbers and ids; never a secret, a prompt or row contents.
#[derive(Clone, Debug)]
pub struct AuditEvent<'a> {
    /// The action.
    pub action: AuditAction,
    /// The user in whose name it was done, if any.
    pub user_id: Option<Uuid>,
    /// The id of the object that it changed.
    pub object: Option<&'a str>,
    /// The id of the HTTP request.
    pub request_id: Option<&'a str>,
    /// Further details, as a JSON object.
    pub details: Json,
}

impl<'a> AuditEvent<'a> {
    /// An event in the name of this principal, without object and details.
    pub fn new(action: AuditAction, principal: &Principal, request_id: Option<&'a str>) -> Self {
        Self {
            action,
            user_id: principal.subject(),
            object: None,
            request_id,
            details: Json::Object(serde_json::Map::new()),
        }
    }

    /// Adds the row in the transaction of the change it records, so that either both are stored or neither.
    pub fn insert<'f>(
        &'f self,
        tx: &'f mut HostTx,
        principal: &'f Principal,
    ) -> BoxFuture<'f, Result<(), sqlx::Error>> {
        Box::pin(async move { self.insert_by(tx, principal.actor()).await })
    }

    /// The same, for an actor of this name.
    pub(crate) fn insert_by<'f>(&'f self, tx: &'f mut HostTx, actor: String) -> BoxFuture<'f, Result<(), sqlx::Error>> {
        Box::pin(async move {
            sqlx::query(
                "insert into ai.audit_events (action, actor, user_id, object, request_id, details) values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(self.action.as_str())
            .bind(actor)
            .bind(self.user_id)
            .bind(self.object)
            .bind(self.request_id)
            .bind(&self.details)
            .execute(&mut **tx)
            .await
            .map(|_| ())
        })
    }

    /// Adds the row in a transaction of its own.
    pub fn record<'f>(&'f self, db: &'f HostDb, principal: &'f Principal) -> BoxFuture<'f, Result<(), sqlx::Error>> {
        Box::pin(async move {
            let mut tx = db.begin(principal).await?;
            self.insert(&mut tx, principal).await?;
            tx.commit().await
        })
    }
}
