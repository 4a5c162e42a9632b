//! Registers, changes and deletes plugins.

use std::sync::{Arc, PoisonError, RwLock};

use behalf_host_db::Act;
use behalf_problem::{Kind, LogText as _, Problem};
use behalf_sandbox::{
    CallError, CompileError, DefinitionsError, GrantError, Grants, InspectError, Inspection, Sandbox, inspect,
};
use behalf_schema::{Busy, prepare};
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

use crate::cut::cut;
use crate::definition::{DefinitionError, read_definitions};
use crate::plugin::{PluginInfo, verify_stored};
use crate::registry::{RegistryError, ToolRegistry};
use crate::signature::{Claim, Envelope, SignatureError, Signatures};
use crate::store::{HeldPlugin, NewPlugin, PluginChange, PluginStore, PluginStoreError, VersionGrants};
use crate::upgrade::NewVersion;

/// A component to register.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The component, or a core module that carries the description of the plugin interface.
    pub component: Vec<u8>,
    /// What it may do; nothing where absent.
    pub grants: Value,
    /// Its name; the first tool's where absent.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Replace a plugin of the same name.
    pub replace: bool,
}

/// A plugin that comes with the host.
#[derive(Clone, Copy, Debug)]
pub struct BundledPlugin {
    /// The name of its folder, for errors.
    pub name: &'static str,
    /// The component.
    pub component: &'static [u8],
    /// The text of its `plugin.toml`.
    pub manifest: &'static str,
}

impl BundledPlugin {
    fn read_manifest(&self) -> Result<Manifest, RegisterError> {
        toml::from_str(self.manifest).map_err(|error| RegisterError::Manifest(format!("{}: {error}", self.name)))
    }
}

/// The parts of `plugin.toml` that registering needs.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) grants: Value,
}

/// Why an upload was not registered.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// The component is not a plugin.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// Its tools cannot be asked for.
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
    /// Its tools are not described as they have to be.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// Its schemas could not be prepared, because too many others are.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The grants do not fit.
    #[error(transparent)]
    Grants(#[from] GrantError),
    /// Its signature is not sufficient.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The name is not a plugin name.
    #[error("{0:?} is no plugin name; use [a-z][a-z0-9-]{{0,63}}, and not mcp")]
    Name(String),
    /// It clashes, or the database failed.
    #[error(transparent)]
    Store(#[from] PluginStoreError),
    /// The registry could not be reloaded.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Somebody deleted it in the moment in which it was registered.
    #[error("Plugin not found")]
    Gone,
    /// The manifest of a bundled plugin is wrong.
    #[error("a bundled plugin's manifest: {0}")]
    Manifest(String),
}

impl Problem for RegisterError {
    fn kind(&self) -> Kind {
        match self {
            Self::Inspect(InspectError::TooLarge(_)) => Kind::TooLarge,
            Self::Definitions(DefinitionsError::Compile(CompileError::Store(_))) | Self::Manifest(_) => Kind::Internal,
            Self::Definitions(DefinitionsError::Run(CallError::Busy)) => Kind::Unavailable,
            Self::Busy(_) => Kind::Busy,
            Self::Grants(error) => error.kind(),
            Self::Signature(error) => error.kind(),
            Self::Store(PluginStoreError::Database(error)) => error.kind(),
            Self::Store(_) => Kind::Conflict,
            Self::Registry(error) => error.kind(),
            Self::Gone => Kind::NotFound,
            Self::Inspect(_) | Self::Definitions(_) | Self::Definition(_) | Self::Name(_) => Kind::BadRequest,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Definitions(DefinitionsError::Run(CallError::Busy)) => {
                "all places for running tools are taken".to_owned()
            }
            Self::Store(PluginStoreError::Database(error)) => error.detail(),
            Self::Registry(error) => error.detail(),
            _ => self.to_string(),
        }
    }
}

/// Why a plugin was not changed.
#[derive(Debug, Error)]
pub enum PluginChangeError {
    /// There is none of this id.
    #[error("Plugin not found")]
    NotFound,
    /// The grants do not fit the component or the host.
    #[error(transparent)]
    Grants(#[from] GrantError),
    /// The publisher did not sign this.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The settings are not a JSON object.
    #[error("settings must be a JSON object")]
    Settings,
    /// The registry could not be reloaded.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Problem for PluginChangeError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Grants(error) => error.kind(),
            Self::Signature(error) => error.kind(),
            Self::Settings => Kind::BadRequest,
            Self::Registry(error) => error.kind(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Registry(error) => error.detail(),
            _ => self.to_string(),
        }
    }
}

/// Where a plugin comes from.
#[derive(Clone, Copy, Debug)]
enum Origin<'a> {
    /// The host brings it.
    Bundled,
    /// Somebody uploaded it, perhaps with a signature.
    Uploaded(Option<&'a Envelope>),
}

/// Registers, changes and deletes plugins.
#[derive(Clone, Debug)]
pub struct PluginInstaller {
    registry: ToolRegistry,
    store: PluginStore,
    sandbox: Arc<Sandbox>,
    exposed_schemas: Arc<[String]>,
    signatures: Arc<Signatures>,
    /// The plugins that come with the host.
    bundled: Arc<RwLock<Arc<[BundledPlugin]>>>,
}

impl PluginInstaller {
    /// Puts the parts together. Grants may name `exposed_schemas` and no other schema.
    pub(crate) fn new(
        registry: ToolRegistry,
        store: PluginStore,
        sandbox: Arc<Sandbox>,
        exposed_schemas: Vec<String>,
        signatures: Arc<Signatures>,
    ) -> Self {
        Self { registry, store, sandbox, exposed_schemas: exposed_schemas.into(), signatures, bundled: Arc::default() }
    }

    /// Inspects a component, compiles it, asks for its definitions, and stores it. Nothing is stored unless every step succeeds.
    pub fn register<'a>(&'a self, act: Act<'a>, upload: Upload) -> BoxFuture<'a, Result<PluginInfo, RegisterError>> {
        Box::pin(async move { self.register_signed(act, upload, None).await })
    }

    /// Registers a component with its publisher's signature. A name or version that is not given is the signed one.
    pub fn register_signed<'a>(
        &'a self,
        act: Act<'a>,
        mut upload: Upload,
        signature: Option<&'a Envelope>,
    ) -> BoxFuture<'a, Result<PluginInfo, RegisterError>> {
        Box::pin(async move {
            if let Some(envelope) = signature {
                let statement = envelope.unverified().map_err(SignatureError::from)?;
                upload.name.get_or_insert(statement.name);
                upload.version.get_or_insert(statement.version.to_string());
            }
            let id = self.store(act, upload, Origin::Uploaded(signature)).await?;
            self.registry.reload().await?;
            id.and_then(|id| self.registry.plugin(id)).ok_or(RegisterError::Gone)
        })
    }

    /// Registers the plugins that come with the host, where they are not registered in this very form. What an operator decided
    /// stands: grants that were set, a plugin that was switched off or deleted, and another one of the same name.
    pub fn register_bundled(&self, plugins: Vec<BundledPlugin>) -> BoxFuture<'_, Result<(), RegisterError>> {
        Box::pin(async move {
            let plugins: Arc<[BundledPlugin]> = plugins.into();
            *self.bundled.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&plugins);
            let removed = self.store.removed().await.map_err(RegistryError::from)?;
            for one in plugins.iter() {
                let manifest = one.read_manifest()?;
                if removed.contains(&manifest.name) {
                    tracing::info!(plugin.name = %manifest.name, "a plugin of the host's own stays deleted");
                    continue;
                }
                let name = manifest.name.clone();
                match self.register_one(Act::Host, one, manifest).await {
                    // Somebody else's tool may have a name of its own. The host works without this plugin.
                    Err(error) if error.kind() == Kind::Conflict => {
                        tracing::warn!(
                            plugin.name = name,
                            error = error.log_text(),
                            "a plugin of the host's own is left out"
                        );
                    }
                    done => done?,
                }
            }
            self.registry.reload().await?;
            Ok(())
        })
    }

    /// Names of the host's own plugins that an operator deleted.
    pub async fn removed(&self) -> Result<Vec<String>, RegistryError> {
        let bundled = self.bundled.read().unwrap_or_else(PoisonError::into_inner).clone();
        let own: Vec<_> = bundled.iter().filter_map(|one| Some(one.read_manifest().ok()?.name)).collect();
        let mut removed = self.store.removed().await?;
        removed.retain(|name| own.contains(name) && self.registry.plugin_named(name).is_none());
        Ok(removed)
    }

    /// Registers a plugin of the host's own again that was deleted.
    pub fn restore<'a>(&'a self, act: Act<'a>, name: &'a str) -> BoxFuture<'a, Result<PluginInfo, RegisterError>> {
        Box::pin(async move {
            let bundled = self.bundled.read().unwrap_or_else(PoisonError::into_inner).clone();
            for one in bundled.iter() {
                let manifest = one.read_manifest()?;
                if manifest.name == name && self.store.forget_removal(act, name).await.map_err(RegistryError::from)? {
                    // It may clash with what was made since. Then it stays deleted.
                    if let Err(error) = self.register_one(act, one, manifest).await {
                        self.store.remember_removal(act, name).await.map_err(RegistryError::from)?;
                        return Err(error);
                    }
                    self.registry.reload().await?;
                    let restored = self.registry.plugin_named(name).ok_or(RegisterError::Gone)?;
                    return Ok(restored.info());
                }
            }
            Err(RegisterError::Gone)
        })
    }

    async fn register_one(&self, act: Act<'_>, one: &BundledPlugin, manifest: Manifest) -> Result<(), RegisterError> {
        let Manifest { name, version, grants } = manifest;
        let digest: [u8; 32] = Sha256::digest(one.component).into();
        let held = self.registry.plugin_named(&name);
        match held.as_deref() {
            Some(held) if held.row.digest == digest => return Ok(()),
            Some(held) if !held.row.bundled => {
                tracing::info!(plugin.name = name, "an operator's plugin stays in place of the host's own");
                return Ok(());
            }
            _ => {}
        }
        let upload = Upload {
            component: one.component.to_vec(),
            grants,
            name: Some(name.clone()),
            version: Some(version.clone()),
            replace: true,
        };
        let stored = self.store(act, upload, Origin::Bundled).await?;
        if let (Some(held), Some(_)) = (held, stored) {
            tracing::info!(
                plugin.name = name,
                from = held.row.version,
                to = version,
                "a plugin of the host's own has a new version"
            );
        }
        Ok(())
    }

    /// Changes grants or settings of a plugin, or switches it on or off.
    pub async fn change(&self, act: Act<'_>, id: Uuid, change: PluginChange) -> Result<PluginInfo, PluginChangeError> {
        let plugin = self.registry.held_plugin(id).ok_or(PluginChangeError::NotFound)?;
        if let Some(grants) = &change.grants {
            let grants = Grants::from_json(grants.clone())?;
            grants.check(&plugin.imports(), &self.exposed_schemas)?;
            // Another version may be registered at the same moment; the registry checks the stored signature when it reloads.
            if self.signatures.required() {
                verify_stored(&plugin.row, &grants, &self.signatures)?;
            }
        }
        if change.settings.as_ref().is_some_and(|settings| !settings.is_object()) {
            return Err(PluginChangeError::Settings);
        }
        if !self.store.change(act, id, &change).await.map_err(RegistryError::from)? {
            return Err(PluginChangeError::NotFound);
        }
        self.registry.reload().await?;
        self.registry.plugin(id).ok_or(PluginChangeError::NotFound)
    }

    /// Deletes a plugin and its tools.
    pub async fn delete(&self, act: Act<'_>, id: Uuid) -> Result<(), PluginChangeError> {
        if !self.store.delete(act, id).await.map_err(RegistryError::from)? {
            return Err(PluginChangeError::NotFound);
        }
        Ok(self.registry.reload().await?)
    }

    async fn store(&self, act: Act<'_>, upload: Upload, origin: Origin<'_>) -> Result<Option<Uuid>, RegisterError> {
        let grants = if upload.grants.is_null() { json!({}) } else { upload.grants };
        let granted = Grants::from_json(grants.clone())?;
        let inspection = inspected(upload.component).await?;
        granted.check(&inspection.imports, &self.exposed_schemas)?;
        let version = upload.version.as_deref().unwrap_or("0.0.0");
        let name = upload.name.as_deref().unwrap_or_default();
        // The signature is checked before anything of the component is compiled or run.
        let (signature, signer) =
            self.signer(origin, Claim { digest: inspection.digest, name, version, grants: &granted })?;
        let tools = defined(self.sandbox.definitions(&inspection).await?).await?;
        let name = match &upload.name {
            Some(name) => name.clone(),
            None => tools.first().map(|(name, _)| name.replace('_', "-")).unwrap_or_default(),
        };
        if !is_plugin_name(&name) {
            return Err(RegisterError::Name(cut(&name, 100)));
        }
        let imports = serde_json::to_value(&inspection.imports).unwrap_or_default();
        let is_bundled = matches!(origin, Origin::Bundled);
        let plugin = NewPlugin {
            name: &name,
            version,
            digest: inspection.digest,
            component: &inspection.component,
            imports: &imports,
            tools: &tools,
            bundled: is_bundled,
            signature: signature.as_ref(),
            signer: signer.as_deref(),
            replace: upload.replace,
            only_newer: self.signatures.required() && !is_bundled,
        };
        let new = NewVersion {
            asked: &granted,
            asked_json: &grants,
            imports: &inspection.imports,
            exposed: &self.exposed_schemas,
        };
        let settle = |held: Option<&HeldPlugin>| {
            if !is_bundled {
                // Whoever uploads a plugin decides its grants.
                return VersionGrants { grants: grants.clone(), decided: true, asked: grants.clone(), requested: None };
            }
            let settled = new.settle(held);
            if settled.requested.is_some() {
                tracing::warn!(
                    plugin.name = name,
                    "a new version asks for more than it is granted; see `requested` in GET /api/plugins, and PATCH `grants`"
                );
            }
            settled
        };
        Ok(self.store.store(act, &plugin, settle).await?)
    }

    /// The signature to store, and the id of the trusted key that made it.
    fn signer(&self, origin: Origin<'_>, claim: Claim<'_>) -> Result<(Option<Value>, Option<String>), SignatureError> {
        match origin {
            // Bundled plugins are part of the host and need no signature.
            Origin::Bundled => Ok((None, None)),
            Origin::Uploaded(envelope) => {
                let signer = self.signatures.verify(envelope, claim)?.map(|signer| signer.id());
                Ok((envelope.map(serde_json::to_value).transpose().unwrap_or_default(), signer))
            }
        }
    }
}

/// Inspects a component on a thread for blocking work.
async fn inspected(component: Vec<u8>) -> Result<Inspection, InspectError> {
    tokio::task::spawn_blocking(move || inspect(&component))
        .await
        .map_err(|_| InspectError::Invalid("it could not be read".to_owned()))?
}

/// Reads definitions off the threads that serve requests, because a schema may be expensive to prepare.
async fn defined(definitions: String) -> Result<Vec<(String, Value)>, RegisterError> {
    Ok(prepare(move || read_definitions(&definitions)).await??)
}

/// Whether a name is of the form `[a-z][a-z0-9-]{0,63}` and not `mcp`, with which names of MCP servers' tools begin.
pub fn is_plugin_name(name: &str) -> bool {
    name.len() <= 64
        && name != "mcp"
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
