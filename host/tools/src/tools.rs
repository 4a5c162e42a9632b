//! Puts the handles of this feature together.

use std::sync::Arc;

use behalf_caller_db::CallerDb;
use behalf_contracts::{CreditLedger, ToolInfo};
use behalf_host_db::{HostDb, Sealer};
use behalf_jobs::Jobs;
use behalf_sandbox::Sandbox;

use crate::assertion_signer::AssertionSigner;
use crate::bench_hooks::BenchHooks;
use crate::call::{PluginCaller, PluginRuntime};
use crate::caller::ToolCaller;
use crate::conformance_hooks::ConformanceHooks;
use crate::custom::{CustomToolCaller, CustomTools};
use crate::installer::PluginInstaller;
use crate::mcp::{McpClient, McpServers};
use crate::outgoing::OutgoingCalls;
use crate::plugin_secrets::PluginSecrets;
use crate::registry::{RegistryError, ToolRegistry};
use crate::signature::Signatures;
use crate::store::{AssertionKeyStore, CustomToolStore, McpServerStore, PluginSecretStore, PluginStore};
use futures::future::BoxFuture;

/// What the tools of a host are made of.
#[derive(Debug)]
pub struct ToolsOptions {
    /// The database with the registry.
    pub host_db: HostDb,
    /// The database as callers see it.
    pub caller_db: CallerDb,
    /// Runs plugins.
    pub sandbox: Arc<Sandbox>,
    /// Holds credits for calls; `None` where calls cost nothing.
    pub credits: Option<Arc<dyn CreditLedger>>,
    /// The schemas that plugins may be granted.
    pub exposed_schemas: Vec<String>,
    /// Whether plugins need a signature, and whose.
    pub signatures: Signatures,
    /// Encrypts the secrets of plugins.
    pub sealer: Arc<Sealer>,
}

/// The handles of this feature. Clones share everything.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The tools that are registered.
    pub registry: ToolRegistry,
    /// Registers, changes and deletes plugins.
    pub installer: PluginInstaller,
    /// Sets, lists and deletes the secrets of plugins.
    pub plugin_secrets: PluginSecrets,
    /// Calls tools.
    pub caller: ToolCaller,
    /// Creates, changes and deletes custom tools.
    pub custom_tools: CustomTools,
    /// Creates, changes and deletes agents' MCP servers.
    pub mcp_servers: McpServers,
    /// Signs assertions of who calls.
    pub signer: AssertionSigner,
    runtime: Arc<PluginRuntime>,
}

impl Tools {
    /// Loads the registry, and starts the job that keeps it fresh.
    pub fn start(options: ToolsOptions, jobs: &Jobs) -> BoxFuture<'_, Result<Self, RegistryError>> {
        Box::pin(async move {
            let ToolsOptions { host_db, caller_db, sandbox, credits, exposed_schemas, signatures, sealer } = options;
            let signatures = Arc::new(signatures);
            let registry = ToolRegistry::start(host_db.clone(), Arc::clone(&signatures), jobs).await?;
            let plugins = PluginStore::new(host_db.clone());
            let signer = AssertionSigner::new(AssertionKeyStore::new(host_db.clone()));
            let outgoing = OutgoingCalls {
                sandbox: Arc::clone(&sandbox),
                audit: caller_db.audit().clone(),
                credits: credits.clone(),
                signer: signer.clone(),
            };
            let servers = McpServerStore::new(host_db.clone());
            let mcp = McpClient::new(servers.clone(), outgoing.clone());
            let secrets = PluginSecretStore::new(host_db.clone(), sealer);
            let runtime = Arc::new(PluginRuntime {
                store: plugins.clone(),
                secrets: secrets.clone(),
                sandbox: Arc::clone(&sandbox),
                db: caller_db,
                signer: signer.clone(),
            });
            let plugin_caller = PluginCaller { runtime: Arc::clone(&runtime), credits };
            Ok(Self {
                installer: PluginInstaller::new(
                    registry.clone(),
                    plugins,
                    Arc::clone(&sandbox),
                    exposed_schemas,
                    signatures,
                ),
                plugin_secrets: PluginSecrets::new(registry.clone(), secrets),
                caller: ToolCaller::new(registry.clone(), plugin_caller, CustomToolCaller::new(outgoing), mcp.clone()),
                custom_tools: CustomTools::new(registry.clone(), CustomToolStore::new(host_db), Arc::clone(&sandbox)),
                mcp_servers: McpServers::new(servers, mcp, sandbox),
                signer,
                registry,
                runtime,
            })
        })
    }

    /// Every tool that can be called, in order of names.
    pub fn list(&self) -> Vec<ToolInfo> {
        self.registry.list()
    }

    /// The sandbox that runs plugins.
    pub fn sandbox(&self) -> &Sandbox {
        &self.runtime.sandbox
    }

    /// Calls that the conformance suite looks into.
    pub fn conformance_hooks(&self) -> ConformanceHooks {
        ConformanceHooks::new(self.registry.clone(), Arc::clone(&self.runtime))
    }

    /// Single steps of a call, for the benchmark.
    pub fn bench_hooks(&self) -> BenchHooks {
        BenchHooks::new(self.registry.clone(), Arc::clone(&self.runtime))
    }
}
