use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::definition::ToolInfo;
use super::schema::Schema;
use super::signature::{Claim, Envelope, SignatureError, Signatures};
use crate::db::{DatabaseGrant, Db, PluginRow};
use crate::sandbox::{DatabaseAccess, Grants, Loaded, Sandbox};

/// A registered plugin as this host holds it.
#[derive(Debug)]
pub(super) struct Plugin {
    pub(super) row: PluginRow,
    pub(super) grants: Arc<Grants>,
    pub(super) database: Option<Arc<DatabaseGrant>>,
    pub(super) settings: Arc<str>,
    /// Why its tools are not served here, although it is registered.
    pub(super) refused: Option<String>,
    loaded: OnceCell<Loaded>,
}

/// One tool of a plugin.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) info: ToolInfo,
    pub(super) input: Schema,
    pub(super) plugin: Arc<Plugin>,
}

/// A plugin as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub struct PluginInfo {
    /// Its id.
    pub id: uuid::Uuid,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// Whether its tools can be called.
    pub enabled: bool,
    /// Whether it came with the host.
    pub bundled: bool,
    /// The key that vouched for it when it was uploaded.
    pub signer: Option<String>,
    /// Why its tools are not served although it is enabled: its signature does not do on this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Interfaces it imports: what it could ever do.
    pub imports: Value,
    /// Its tools.
    pub tools: Vec<ToolInfo>,
    /// What it may do.
    pub grants: Value,
    /// Values for it.
    pub settings: Value,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

impl Plugin {
    /// Takes a stored plugin. Grants that this version cannot read grant nothing. Where signatures are required, one is
    /// checked again: a key may have been taken from the settings, and signatures may not have been required before.
    pub(super) fn new(row: PluginRow, signatures: &Signatures) -> Self {
        let grants = Grants::from_json(row.grants.clone()).unwrap_or_else(|error| {
            tracing::error!(plugin.name = %row.name, error = %error, "cannot read stored grants; the plugin gets none");
            Grants::default()
        });
        let database = grants.database().and_then(|grant| {
            let tables = grant.tables().ok()?;
            Some(Arc::new(DatabaseGrant::new(grant.access == DatabaseAccess::Write, grant.schemas.clone(), tables)))
        });
        let settings = row.settings.to_string().into();
        let judged = if signatures.required() { judge(&row, &grants, signatures) } else { Ok(()) };
        let refused = judged.err().map(|error| error.to_string());
        if let Some(reason) = &refused {
            tracing::warn!(plugin.name = %row.name, reason, "a registered plugin is not served");
        }
        Self { row, grants: Arc::new(grants), database, settings, refused, loaded: OnceCell::new() }
    }

    /// The component, linked with what was granted; compiled by whoever needs it first.
    pub(super) async fn loaded(
        &self,
        db: &Db,
        sandbox: &Sandbox,
    ) -> Result<&Loaded, Box<dyn std::error::Error + Send + Sync>> {
        self.loaded
            .get_or_try_init(|| async {
                let bytes = db.component(self.row.digest).await?.ok_or("the component's bytes are gone")?;
                Ok(sandbox.load(self.row.digest, &bytes, Arc::clone(&self.grants)).await?)
            })
            .await
    }

    /// One of its tools, as it was defined.
    pub(super) fn tool_info(&self, definition: &Value) -> ToolInfo {
        ToolInfo::from_definition(definition, &self.row.name, self.grants.reach_out())
    }

    pub(super) fn info(&self) -> PluginInfo {
        PluginInfo {
            id: self.row.id,
            name: self.row.name.clone(),
            version: self.row.version.clone(),
            digest: hex::encode(self.row.digest),
            enabled: self.row.enabled,
            bundled: self.row.bundled,
            signer: self.row.signer.clone(),
            refused: self.refused.clone(),
            imports: self.row.imports.clone(),
            tools: self.row.tools.iter().map(|one| self.tool_info(one)).collect(),
            grants: self.row.grants.clone(),
            settings: self.row.settings.clone(),
            created_at: self.row.created_at.clone(),
            updated_at: self.row.updated_at.clone(),
        }
    }
}

/// Whether a stored plugin may be served with these grants.
pub(super) fn judge(row: &PluginRow, grants: &Grants, signatures: &Signatures) -> Result<(), SignatureError> {
    if row.bundled {
        return Ok(());
    }
    let envelope = row.signature.as_ref().map(|json| Envelope::read(json.to_string().as_bytes())).transpose()?;
    let claim = Claim { digest: row.digest, name: &row.name, version: &row.version, grants };
    signatures.judge(envelope.as_ref(), claim).map(|_| ())
}
