//! A registered plugin as this host holds it: its row, its grants, its tools and its linked component.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use behalf_caller_db::{DatabaseGrant, KvScope, StatementLimits};
use behalf_contracts::ToolInfo;
use behalf_problem::LogText as _;
use behalf_sandbox::{
    DatabaseAccess, DatabaseGrants, Effects, Grants, ImportedInterface, LinkedComponent, OwnWord, Sandbox,
};
use behalf_schema::Schema;
use serde_json::Value;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::definition::{own_name, tool_info};
use crate::linked_components::LinkedComponents;
use crate::signature::{Claim, Envelope, SignatureError, Signatures};
use crate::store::{PluginRow, PluginStore};
use crate::tool_schema::{input_schema, output_schema};

/// Statements of one call.
const MAX_STATEMENTS: u32 = 1_000;
/// Bytes of one answer of the database.
const MAX_ROW_BYTES: usize = 4 * 1024 * 1024;
/// How long a transaction may wait for its tool's next statement.
const MAX_IDLE: Duration = Duration::from_secs(5);

/// A registered plugin as this host holds it.
#[derive(Debug)]
pub(crate) struct Plugin {
    /// Its row, without the definitions of its tools, which are in `tools`.
    pub(crate) row: PluginRow,
    pub(crate) grants: Arc<Grants>,
    tools: Vec<DefinedTool>,
    database: Option<PluginDatabase>,
    pub(crate) settings: Arc<str>,
    /// Why its tools are not served here, although it is registered.
    pub(crate) refused: Option<String>,
    /// Plugins with the same component and the same grants share it.
    linked: Arc<OnceCell<LinkedComponent>>,
}

/// A tool with the schemas of its arguments and, if it has one, of its result.
#[derive(Debug)]
struct DefinedTool {
    /// The name that the component knows it by.
    own_name: Arc<str>,
    info: Arc<ToolInfo>,
    input: Schema,
    output: Option<Schema>,
}

/// A plugin's database grant, for its tools that write and for those that only read.
#[derive(Debug)]
struct PluginDatabase {
    granted: Arc<DatabaseGrant>,
    reading: Arc<DatabaseGrant>,
}

impl PluginDatabase {
    fn new(grant: &DatabaseGrants) -> Option<Self> {
        let tables = grant.tables().ok()?;
        let writes = grant.access == DatabaseAccess::Write;
        let granted = || DatabaseGrant::new(writes, grant.schemas.clone(), tables.clone());
        Some(Self { granted: Arc::new(granted()), reading: Arc::new(granted().for_reading()) })
    }

    /// The database of a plugin that may use its store there, and no table of the app's.
    fn of_store() -> Self {
        let nothing = Arc::new(DatabaseGrant::new(false, Vec::new(), Vec::new()));
        Self { granted: Arc::clone(&nothing), reading: nothing }
    }
}

/// One tool of a plugin.
#[derive(Debug)]
pub(crate) struct PluginTool {
    /// The name that the component knows it by; `info` has the one that callers use.
    pub(crate) own_name: Arc<str>,
    pub(crate) info: Arc<ToolInfo>,
    pub(crate) input: Schema,
    /// None where the tool does not say what it returns.
    pub(crate) output: Option<Schema>,
    pub(crate) plugin: Arc<Plugin>,
}

/// A plugin as operators see it.
#[derive(Clone, Debug)]
pub struct PluginInfo {
    /// Its id.
    pub id: Uuid,
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
    /// The trusted key that signed it when it was uploaded.
    pub signer: Option<String>,
    /// Why its tools are not served although it is enabled: its signature is not sufficient on this host.
    pub refused: Option<String>,
    /// The interfaces it imports: the most that it could do.
    pub imports: Value,
    /// Its tools.
    pub tools: Vec<ToolInfo>,
    /// What it may do.
    pub grants: Value,
    /// What its version asks for beyond that, until an operator sets the grants.
    pub requested: Option<Value>,
    /// Values for it.
    pub settings: Value,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

impl Plugin {
    /// Takes a stored plugin. Grants that this version cannot read grant nothing. Where signatures are required, the stored one
    /// is checked again, because a key may have been removed from the settings, or signatures may not have been required before.
    pub(crate) fn new(mut row: PluginRow, signatures: &Signatures, components: &LinkedComponents) -> Self {
        let grants = Grants::from_json(row.grants.clone()).unwrap_or_else(|error| {
            tracing::error!(plugin.name = %row.name, error = error.log_text(), "cannot read stored grants; the plugin gets none");
            Grants::default()
        });
        let tool = |definition: Value| {
            let own_name = own_name(&definition).into();
            let info = Arc::new(tool_info(definition, &row.name, &grants));
            let (input, output) = (input_schema(&info), output_schema(&info));
            DefinedTool { own_name, info, input, output }
        };
        let tools = mem::take(&mut row.tools).into_iter().map(tool).collect();
        let database = grants.database().and_then(PluginDatabase::new);
        let database = database.or_else(|| grants.kv().map(|_| PluginDatabase::of_store()));
        let linked = components.cell(row.digest, &row.grants);
        let settings = row.settings.to_string().into();
        let checked = if signatures.required() { verify_stored(&row, &grants, signatures) } else { Ok(()) };
        let refused = checked.err().map(|error| error.to_string());
        if let Some(reason) = &refused {
            tracing::warn!(plugin.name = %row.name, reason, "a registered plugin is not served");
        }
        Self { row, grants: Arc::new(grants), tools, database, settings, refused, linked }
    }

    /// Whether its tools can be called.
    pub(crate) fn is_served(&self) -> bool {
        self.row.enabled && self.refused.is_none()
    }

    /// The component, linked with what was granted. The first call that needs it compiles and loads it, for all who wait.
    pub(crate) async fn linked(
        &self,
        store: &PluginStore,
        sandbox: &Sandbox,
    ) -> Result<&LinkedComponent, Box<dyn std::error::Error + Send + Sync>> {
        self.linked
            .get_or_try_init(|| async {
                let bytes = store.component(self.row.digest).await?.ok_or("the component's bytes are gone")?;
                let linked = sandbox.load(self.row.digest, &bytes, Arc::clone(&self.grants)).await?;
                tracing::debug!(plugin.name = self.row.name, "a component is loaded");
                Ok(linked)
            })
            .await
    }

    /// What calls of the tool that the component knows by this name can change; a name that it does not have is called without a word of
    /// its own.
    pub(crate) fn effects(&self, tool: &str) -> Effects {
        let known = self.tools.iter().find(|one| *one.own_name == *tool).map(|one| one.info.effects);
        known.unwrap_or_else(|| Effects::enforced(&self.grants, OwnWord::default()))
    }

    /// The database grant for a call with these effects.
    pub(crate) fn database(&self, effects: Effects) -> Option<&Arc<DatabaseGrant>> {
        let database = self.database.as_ref()?;
        Some(if effects.writes_database() { &database.granted } else { &database.reading })
    }

    /// The store that a call with these effects reaches, where one was granted.
    pub(crate) fn kv(&self, effects: Effects) -> Option<KvScope> {
        self.grants.kv().map(|grant| grant.store(self.row.id, effects))
    }

    /// What the grants let one call ask of the database.
    pub(crate) fn statement_limits(&self) -> StatementLimits {
        StatementLimits {
            max_rows: self.grants.database().map_or(0, |grant| grant.max_rows),
            max_bytes: MAX_ROW_BYTES,
            max_statements: MAX_STATEMENTS,
            max_idle: MAX_IDLE,
        }
    }

    /// The interfaces that the component imports.
    pub(crate) fn imports(&self) -> Vec<ImportedInterface> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let read = |import: &Value| {
            Some(ImportedInterface {
                name: text(import.get("name")?)?,
                functions: import.get("functions")?.as_array()?.iter().filter_map(text).collect(),
            })
        };
        self.row.imports.as_array().into_iter().flatten().filter_map(read).collect()
    }

    /// Its tools.
    pub(crate) fn tools(self: &Arc<Self>) -> impl Iterator<Item = PluginTool> {
        let tool = |one: &DefinedTool| PluginTool {
            own_name: Arc::clone(&one.own_name),
            info: Arc::clone(&one.info),
            input: one.input.clone(),
            output: one.output.clone(),
            plugin: Arc::clone(self),
        };
        self.tools.iter().map(tool)
    }

    /// The plugin as operators see it.
    pub(crate) fn info(&self) -> PluginInfo {
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
            tools: self.tools.iter().map(|one| ToolInfo::clone(&one.info)).collect(),
            grants: self.row.grants.clone(),
            requested: self.row.requested.clone(),
            settings: self.row.settings.clone(),
            created_at: self.row.created_at.clone(),
            updated_at: self.row.updated_at.clone(),
        }
    }
}

/// Whether the signature of a stored plugin is sufficient for these grants.
pub(crate) fn verify_stored(row: &PluginRow, grants: &Grants, signatures: &Signatures) -> Result<(), SignatureError> {
    if row.bundled {
        return Ok(());
    }
    let envelope = row.signature.as_ref().map(|json| Envelope::read(json.to_string().as_bytes())).transpose()?;
    let claim = Claim { digest: row.digest, name: &row.name, version: &row.version, grants };
    signatures.verify(envelope.as_ref(), claim).map(|_| ())
}
