use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

use super::bundled::{Manifest, bundled};
use super::definition::{DefinitionError, read_definitions};
use super::plugin::PluginInfo;
use super::registry::{RegistryError, Tools};
use super::signature::{Claim, Envelope, SignatureError};
use crate::db::{NewPlugin, PluginStoreError};
use crate::sandbox::{DefinitionsError, GrantError, Grants, InspectError, Inspection, inspect};

/// A component to register.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The component, or a core module that carries the description of our world.
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

/// Why an upload was not registered.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// It is no plugin.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// Its tools cannot be asked.
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
    /// Its tools are not described rightly.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The grants do not fit.
    #[error(transparent)]
    Grants(#[from] GrantError),
    /// Nobody whom this host trusts vouches for it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The name is no plugin name.
    #[error("{0:?} is no plugin name; use [a-z][a-z0-9-]{{0,63}}")]
    Name(String),
    /// It clashes, or the database failed.
    #[error(transparent)]
    Store(#[from] PluginStoreError),
    /// The registry could not be reloaded.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A manifest that came with the host is wrong.
    #[error("a bundled plugin's manifest: {0}")]
    Manifest(String),
}

/// Where a plugin comes from.
#[derive(Clone, Copy, Debug)]
enum Origin<'a> {
    /// With the host.
    Bundled,
    /// From outside, perhaps signed.
    Uploaded(Option<&'a Envelope>),
}

impl Tools {
    /// Inspects, compiles, asks for definitions, and stores. Nothing is stored unless all of it went well.
    pub async fn register(&self, upload: Upload) -> Result<PluginInfo, RegisterError> {
        self.register_signed(upload, None).await
    }

    /// The same with a publisher's signature. Name and version that are not given are the signed ones.
    pub async fn register_signed(
        &self,
        mut upload: Upload,
        signature: Option<&Envelope>,
    ) -> Result<PluginInfo, RegisterError> {
        if let Some(envelope) = signature {
            let statement = envelope.unverified().map_err(SignatureError::from)?;
            upload.name.get_or_insert(statement.name);
            upload.version.get_or_insert(statement.version.to_string());
        }
        let id = self.store(upload, Origin::Uploaded(signature)).await?;
        self.reload().await?;
        Ok(self.plugin(id).ok_or(RegistryError::NotFound)?)
    }

    /// Registers the plugins that come with the host, where they are not there in this very form.
    pub async fn register_bundled(&self) -> Result<(), RegisterError> {
        let held = self.plugins();
        for one in bundled() {
            let manifest: Manifest = toml::from_str(one.manifest)
                .map_err(|error| RegisterError::Manifest(format!("{}: {error}", one.name)))?;
            let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(one.component));
            if held.iter().any(|plugin| plugin.name == manifest.name && plugin.digest == digest) {
                continue;
            }
            let upload = Upload {
                component: one.component.to_vec(),
                grants: manifest.grants,
                name: Some(manifest.name),
                version: Some(manifest.version),
                replace: true,
            };
            self.store(upload, Origin::Bundled).await?;
        }
        self.reload().await?;
        Ok(())
    }

    async fn store(&self, upload: Upload, origin: Origin<'_>) -> Result<Uuid, RegisterError> {
        let grants = if upload.grants.is_null() { json!({}) } else { upload.grants };
        let granted = Grants::from_json(grants.clone())?;
        let component = upload.component;
        let inspection: Inspection = tokio::task::spawn_blocking(move || inspect(&component))
            .await
            .map_err(|_| InspectError::Invalid("it could not be read".to_owned()))??;
        granted.check(&inspection.imports, &self.exposed)?;
        let version = upload.version.as_deref().unwrap_or("0.0.0");
        // Before anything of it is compiled or run.
        let (signature, signer) = match origin {
            // They are part of the host: whoever trusts it trusts them.
            Origin::Bundled => (None, None),
            Origin::Uploaded(envelope) => {
                let name = upload.name.as_deref().unwrap_or_default();
                let claim = Claim { digest: inspection.digest, name, version, grants: &granted };
                (envelope, self.signatures.judge(envelope, claim)?.map(|signer| signer.id()))
            }
        };
        let signature = signature.map(serde_json::to_value).transpose().unwrap_or_default();
        let definitions = self.sandbox.definitions(&inspection).await?;
        // A stranger's schemas may cost something to prepare.
        let tools = tokio::task::spawn_blocking(move || read_definitions(&definitions))
            .await
            .map_err(|_| DefinitionError::Form("it could not be read".to_owned()))??;
        let name = match upload.name {
            Some(name) => name,
            None => tools.first().map(|(name, _)| name.replace('_', "-")).unwrap_or_default(),
        };
        if !is_plugin_name(&name) {
            return Err(RegisterError::Name(name.chars().take(100).collect()));
        }
        let imports = serde_json::to_value(&inspection.imports).unwrap_or_default();
        let plugin = NewPlugin {
            name: &name,
            version,
            digest: inspection.digest,
            component: &inspection.component,
            grants: &grants,
            imports: &imports,
            tools: &tools,
            bundled: matches!(origin, Origin::Bundled),
            signature: signature.as_ref(),
            signer: signer.as_deref(),
            replace: upload.replace,
            only_newer: self.signatures.required() && !matches!(origin, Origin::Bundled),
        };
        Ok(self.db.store_plugin(&plugin).await?)
    }
}

/// `[a-z][a-z0-9-]{0,63}`
pub fn is_plugin_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
