//! One call to make.

use std::sync::Arc;

use behalf_caller_db::GuestDb;
use behalf_identity::{CallerKey, Principal};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::capabilities::progress::report::Report;
use crate::capabilities::{CallSigner, KnowledgeScope};
use crate::effects::Effects;
use crate::grants::HttpSecrets;

/// One call to make.
#[derive(Debug)]
pub struct Request {
    /// The caller.
    pub principal: Arc<Principal>,
    /// Whose share of the places the call takes.
    pub key: CallerKey,
    /// The plugin whose tool it is; its files are kept apart from those of others.
    pub plugin: Uuid,
    /// The session the call belongs to.
    pub session_id: Option<String>,
    /// The agent that makes the call; its memories are those that the call reaches.
    pub agent: Option<Uuid>,
    /// What of the knowledge that was granted the call may search.
    pub knowledge: KnowledgeScope,
    /// The tool's name.
    pub tool: String,
    /// What the call may change; the database was made for the same.
    pub effects: Effects,
    /// Its arguments: a JSON object that fits the tool's schema.
    pub arguments: String,
    /// The facts that the guest learns of the call, a JSON object: `{"call_id": …}`.
    pub call: String,
    /// The plugin's settings, a JSON object.
    pub settings: Arc<str>,
    /// The values of the plugin's secrets, which the host adds to its requests.
    pub http_secrets: HttpSecrets,
    /// The caller's database, where it was granted.
    pub database: Option<GuestDb>,
    /// Tells the servers that the guest asks whom the call is for, where the grant says so.
    pub signer: Option<Arc<dyn CallSigner>>,
    /// The receiver of reports of progress, and of parts of the result.
    pub progress: Option<mpsc::Sender<Report>>,
}
