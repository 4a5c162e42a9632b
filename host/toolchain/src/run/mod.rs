//! `behalf tool run`: one call, the whole way from a token to the audit log.

mod call;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{anyhow, ensure};
use behalf_config::Settings;
use behalf_identity::Principal;
use behalf_sandbox::{Grants, Inspection};
use behalf_telemetry::init_logs;
use behalf_telemetry::terminal::{self, Shown};
use clap::Args;
use serde_json::Value;

use crate::callers::Callers;
use crate::component::read_component;
use crate::demo;
use crate::grants::guessed_grants;
use crate::json_argument::read_json;
use crate::manifest::Manifest;
use crate::stop_signal::stop_signal;
use crate::test_database::TestDatabase;
use crate::trial_documents::TrialDocument;
use call::Call;

/// `behalf tool run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The component.
    file: PathBuf,
    /// The tool's name.
    tool: String,
    /// Its arguments: a JSON object, or @FILE.
    #[arg(default_value = "{}")]
    arguments: String,
    /// For whom: a user's uuid; `alice` and `bob` name the demo users.
    #[arg(long, default_value = "alice")]
    sub: String,
    /// As which role; only `authenticated` has a user.
    #[arg(long, default_value = "authenticated", value_parser = ["anon", "authenticated", "service_role"])]
    role: String,
    /// Owner's address of a migrated database to use instead of a throw-away one.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// What the tool may do, as JSON or @FILE; where absent what plugin.toml beside it says, else everything it imports.
    #[arg(long, value_name = "JSON")]
    grants: Option<String>,
    /// Values for the plugin's settings, as JSON or @FILE; where absent those of plugin.toml.
    #[arg(long, value_name = "JSON")]
    settings: Option<String>,
    /// Values for the secrets that the grants name, as JSON or @FILE. Other users of this machine can see the options of a command, so
    /// name a file for one that counts.
    #[arg(long, value_name = "JSON")]
    secrets: Option<String>,
    /// SQL that adds tables and rows to the throw-away database; where absent the one of plugin.toml.
    #[arg(long, value_name = "FILE", conflicts_with = "database_url")]
    fixture: Option<PathBuf>,
    /// Print one JSON object with the result or error and the call's row of the audit log.
    #[arg(long)]
    json: bool,
}

/// Makes the call and prints its result. Exit code 1 if it failed.
pub(crate) async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::load()?;
    let filter = if settings.log == "info" { "warn" } else { &settings.log };
    terminal::show(Shown::Output);
    init_logs(filter, Some(settings.log_format.as_deref().unwrap_or("text")))?;
    // From here on a signal ends the call, and everything that was made for it is deleted again.
    let mut stop = tokio::spawn(stop_signal());
    let arguments = read_json("the arguments", &args.arguments)?;
    ensure!(arguments.is_object(), "the arguments are no JSON object; write them as '{{\"name\": \"value\"}}'");
    let inspection = read_component(&args.file).await?;
    let setup = PluginSetup::new(&args, &inspection)?;
    Grants::from_json(setup.grants.clone())?.check(&inspection.imports, &settings.exposed_schemas)?;
    let (principal, service) = callers(&args).await?;
    let database = match &args.database_url {
        None => TestDatabase::throw_away(setup.fixture.as_deref()).await?,
        Some(url) => TestDatabase::given(url, &settings).await?,
    };
    let secrets = read_secrets(args.secrets.as_deref())?;
    let PluginSetup { grants, settings: own, documents, .. } = setup;
    let call = Call { tool: &args.tool, arguments, grants, settings: own, secrets, documents, principal, service };
    let report = call.make(&database, &settings, inspection, &mut stop).await;
    let discarded = database.discard().await;
    let report = report?;
    discarded?;
    report.lines().iter().for_each(|line| eprintln!("behalf: {line}"));
    match &report.result {
        _ if args.json => println!("{}", serde_json::to_string_pretty(&report.json())?),
        Ok(outcome) => println!("{}", outcome.result),
        Err(_) => {}
    }
    Ok(if report.result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The plugin's grants, settings and rows: from the flags, else from `plugin.toml`.
struct PluginSetup {
    grants: Value,
    settings: Option<Value>,
    fixture: Option<PathBuf>,
    documents: Vec<TrialDocument>,
}

impl PluginSetup {
    fn new(args: &RunArgs, inspection: &Inspection) -> anyhow::Result<Self> {
        let project = Manifest::of_component(&args.file)?;
        let manifest = project.as_ref().map(|(_, manifest)| manifest);
        let grants = match (&args.grants, manifest.and_then(|manifest| manifest.grants.clone())) {
            (Some(grants), _) => read_json("--grants", grants)?,
            (None, Some(grants)) => grants,
            (None, None) => guessed_grants(&inspection.imports),
        };
        let settings = match &args.settings {
            Some(given) => Some(read_json("--settings", given)?),
            None => manifest.and_then(|manifest| manifest.settings.clone()),
        };
        let fixture = args.fixture.clone().or_else(|| {
            let (dir, manifest) = project.as_ref()?;
            Some(dir.join(manifest.check.fixture.as_ref()?))
        });
        let documents = match &project {
            Some((folder, manifest)) => manifest.check.documents(folder)?,
            None => Vec::new(),
        };
        Ok(Self { grants, settings, fixture, documents })
    }
}

/// The values of secrets, by their names.
fn read_secrets(given: Option<&str>) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(given) = given else { return Ok(BTreeMap::new()) };
    // The error names no part of it.
    serde_json::from_value(read_json("--secrets", given)?).map_err(|_| {
        anyhow!("--secrets is no JSON object of strings; write it as '{{\"rates_key\": \"value\"}}' or as @FILE")
    })
}

/// The caller that the flags name, and the service role, which reads the audit log afterwards.
async fn callers(args: &RunArgs) -> anyhow::Result<(Arc<Principal>, Arc<Principal>)> {
    let subject = demo::user(&args.sub)?;
    let callers = Callers::new()?;
    let principal = match args.role.as_str() {
        "anon" => callers.anon().await?,
        "service_role" => callers.service().await?,
        _ => callers.user(&subject.to_string()).await?,
    };
    Ok((principal, callers.service().await?))
}
