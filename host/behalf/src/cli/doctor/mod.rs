//! `behalf doctor`: every check of the settings, the machine and the database, and how to fix what it finds.

mod auth;
mod changes;
mod embeddings;
mod issuers;
mod machine;
mod network;
mod report;
mod sealed;
mod secrets;
mod storage;

use std::process::ExitCode;

use anyhow::bail;
use behalf_toolchain::{DevEnv, login_address};
use behalf_tools::doctor::{examine_requests, examine_secrets, examine_signatures};
use clap::Args;

use behalf_caller_db::doctor::{Scope, examine};
use behalf_config::{PluginSignatures, Secret, Settings};
use behalf_host_db::{LoginNames, most_connections};
use behalf_identity::Role;
use behalf_pgwire::Target;
use behalf_telemetry::{Finding, Level};

/// `behalf doctor`
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Print a JSON array of {check, level, found, fix}.
    #[arg(long)]
    json: bool,
    /// Look at nothing but tools, MCP servers and plugins: which of them still carry a secret that is the same for all callers.
    #[arg(long)]
    tools: bool,
}

/// Looks at everything. Exit code 1 if anything is an error.
pub(super) async fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let findings = match Settings::load() {
        Ok(mut settings) if args.tools => {
            dev_settings(&mut settings);
            let address = settings.database_url.as_ref().or(settings.host_database_url.as_ref());
            examine_secrets(address.map(Secret::expose), settings.service_role_key.as_ref().map(Secret::expose)).await
        }
        Ok(mut settings) => {
            let mut findings = vec![dev_settings(&mut settings)];
            findings.extend(secrets::examine(&settings).await);
            findings.extend(sealed::examine(&settings).await);
            findings.push(plugin_signatures(&settings));
            findings.extend(network::examine(&settings).await);
            findings.push(network::key_set(&settings).await);
            findings.extend(auth::examine(&settings).await);
            findings.extend(storage::examine(&settings, true).await);
            findings.push(embeddings::examine(&settings, true).await);
            findings.extend(changes::examine(&settings).await);
            findings.extend(issuers::examine(&settings).await);
            findings.extend(machine::examine(&settings));
            findings.extend(behalf_sandbox::doctor::examine(settings.concurrent_calls).await);
            let owner = settings.database_url.as_ref();
            findings.extend(database(&settings, owner.or(settings.host_database_url.as_ref()), true).await);
            findings
        }
        Err(error) => vec![Finding::error("settings", error.to_string(), "docs/settings.md lists every setting")],
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        print!("{}", report::table(&findings));
    }
    let failed = findings.iter().any(|finding| finding.level == Level::Error);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What `serve` asks before it starts: everything that needs neither the owner's address nor the network beyond the
/// database. Fails on any error.
pub(super) async fn refuse_unsafe(settings: &Settings) -> anyhow::Result<()> {
    let mut findings = secrets::examine(settings).await;
    findings.extend(sealed::examine(settings).await);
    findings.push(plugin_signatures(settings));
    findings.extend(network::examine(settings).await);
    findings.extend(auth::examine(settings).await);
    findings.extend(storage::examine(settings, false).await);
    findings.push(embeddings::examine(settings, false).await);
    findings.extend(issuers::examine(settings).await);
    findings.extend(machine::examine(settings));
    findings.extend(database(settings, settings.host_database_url.as_ref(), false).await);
    for finding in findings.iter().filter(|finding| finding.level == Level::Warning) {
        let fix = finding.fix.as_deref().unwrap_or_default();
        tracing::warn!(check = finding.check, found = %finding.found, fix, "doctor");
    }
    findings.retain(|finding| finding.level == Level::Error);
    if findings.is_empty() {
        return Ok(());
    }
    for finding in &findings {
        let fix = finding.fix.as_deref().unwrap_or_default();
        tracing::error!(check = finding.check, found = %finding.found, fix, "doctor");
    }
    let named = findings.iter().map(|finding| finding.check).collect::<Vec<_>>().join(", ");
    bail!("it is not safe to start; fix what the lines above say of {named} (`behalf doctor` shows all checks)");
}

fn plugin_signatures(settings: &Settings) -> Finding {
    examine_signatures(&settings.plugin_keys, settings.plugin_signatures == PluginSignatures::Required)
}

/// Without any address, the database and keys of `behalf dev` in this folder are looked at.
fn dev_settings(settings: &mut Settings) -> Finding {
    const NAME: &str = "settings";
    let given = [&settings.database_url, &settings.host_database_url, &settings.tool_database_url];
    if given.iter().any(|url| url.is_some()) {
        return Finding::ok(NAME, "from the environment and behalf.toml");
    }
    let Ok(env) = DevEnv::read(&settings.state_dir) else {
        return Finding::ok(NAME, "from the environment and behalf.toml; none names a database");
    };
    let logins = LoginNames::new(&settings.login_prefix).unwrap_or_default();
    let login = |user: &str| login_address(&env.database_url, user, &env.login_password).ok();
    settings.host_database_url = login(&logins.host());
    settings.tool_database_url = login(&logins.tool(Role::Authenticated));
    let replication = &mut settings.realtime.replication_database_url;
    *replication = replication.take().or_else(|| login(&logins.replication()));
    settings.database_url = Some(Secret::new(env.database_url.clone()));
    settings.auth.auth_mail_folder.get_or_insert(settings.state_dir.join("mail"));
    settings.auth.auth_site_url.get_or_insert(env.base_url.clone());
    for (setting, kept) in [
        (&mut settings.jwt_secret, env.jwt_secret),
        (&mut settings.anon_key, env.anon_key),
        (&mut settings.service_role_key, env.service_role_key),
        (&mut settings.secrets_key, env.secrets_key),
    ] {
        setting.get_or_insert(Secret::new(kept));
    }
    Finding::ok(NAME, format!("of the dev host in {}", settings.state_dir.display()))
}

/// The database's checks, through `address`. With `try_policies`, every table is read as users who do not exist.
async fn database(settings: &Settings, address: Option<&Secret>, try_policies: bool) -> Vec<Finding> {
    const NAME: &str = "database-address";
    let mut findings = Vec::new();
    let mut target = |setting: Option<&Secret>, name: &'static str| match setting.map(|url| Target::parse(url.expose()))
    {
        Some(Ok(target)) => Some(target),
        Some(Err(error)) => {
            findings.push(Finding::error(
                NAME,
                format!("BEHALF_{name}: {error}"),
                "postgres://user:password@host:port/database",
            ));
            None
        }
        None => {
            findings.push(Finding::error(NAME, format!("BEHALF_{name} is not set"), format!("set BEHALF_{name}")));
            None
        }
    };
    let host = target(settings.host_database_url.as_ref(), "HOST_DATABASE_URL");
    let tools = target(settings.tool_database_url.as_ref(), "TOOL_DATABASE_URL");
    let Some(address) = address else { return findings };
    let logins = match LoginNames::new(&settings.login_prefix) {
        Ok(logins) => logins,
        Err(error) => {
            findings.push(Finding::error(NAME, error.to_string(), "BEHALF_LOGIN_PREFIX=behalf is the default"));
            return findings;
        }
    };
    let connections = settings.tool_connections.saturating_add(most_connections(settings.host_connections) as usize);
    let scope = Scope {
        schemas: settings.exposed_schemas.clone(),
        host_login: host.as_ref().map_or(logins.host(), |host| host.user().to_owned()),
        logins,
        connections: i32::try_from(connections).unwrap_or(i32::MAX),
        try_policies,
    };
    findings.extend(examine(address.expose(), tools.as_ref(), &scope).await);
    findings.push(examine_requests(address.expose()).await);
    findings
}
