use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::outcome::Shown;
use super::place::Place;
use super::project::Manifest;
use super::{printable, read_component, sandbox_options};
use crate::cli::{demo, stop_signal};
use crate::config::Settings;
use crate::db::{Db, PluginChange};
use crate::identity::{Principal, TokenRequest, Verifier, VerifierOptions, mint_key, mint_token, new_secret};
use crate::sandbox::{Grants, ImportedInterface, Inspection, Progress, Sandbox};
use crate::telemetry;
use crate::tools::{CallContext, ToolCallError, Tools, Upload};

/// Names of plugins that this command registers for one call.
const NAME: &str = "tool-run-";
/// One that is older was left by a command that was killed; no call takes so long.
const LEFT_BEHIND: chrono::Duration = chrono::Duration::minutes(15);
/// Rows of the audit log among which the call's is looked for.
const AUDIT_ROWS: i64 = 100;

/// `behalf tool run`
#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
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
    /// SQL that adds tables and rows to the throw-away database; where absent the one of plugin.toml.
    #[arg(long, value_name = "FILE", conflicts_with = "database_url")]
    fixture: Option<PathBuf>,
    /// Print one JSON object with the result or error and the call's row of the audit log.
    #[arg(long)]
    json: bool,
}

/// One call, the whole way from a token to the audit log. Exit code 1 if it failed.
pub(super) async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::load()?;
    let filter = if settings.log == "info" { "warn,behalf::tools=debug" } else { &settings.log };
    telemetry::init_logs(filter, Some(settings.log_format.as_deref().unwrap_or("text")))?;
    // From here on a signal ends the call, and what was made for it is taken away again.
    let mut stop = tokio::spawn(stop_signal());
    let arguments = read_json("the arguments", &args.arguments)?;
    ensure!(arguments.is_object(), "the arguments are no JSON object; write them as '{{\"name\": \"value\"}}'");
    let inspection = read_component(&args.file).await?;
    let project = Manifest::beside(&args.file)?;
    let manifest = project.as_ref().map(|(_, manifest)| manifest);
    let grants = match (&args.grants, manifest.and_then(|manifest| manifest.grants.clone())) {
        (Some(grants), _) => read_json("--grants", grants)?,
        (None, Some(grants)) => grants,
        (None, None) => everything(&inspection.imports),
    };
    let plugin_settings = match &args.settings {
        Some(given) => Some(read_json("--settings", given)?),
        None => manifest.and_then(|manifest| manifest.settings.clone()),
    };
    Grants::from_json(grants.clone())?.check(&inspection.imports, &settings.exposed_schemas)?;
    let caller = caller(&args).await?;
    let fixture = args.fixture.clone().or_else(|| {
        let (dir, manifest) = project.as_ref()?;
        Some(dir.join(manifest.check.fixture.as_ref()?))
    });
    let place = match &args.database_url {
        None => Place::throw_away(fixture.as_deref()).await?,
        Some(url) => Place::given(url, &settings).await?,
    };
    let call = Call { tool: &args.tool, arguments, grants, settings: plugin_settings, caller };
    let shown = call.make(&place, &settings, inspection, &mut stop).await;
    let ended = place.end().await;
    let shown = shown?;
    ended?;
    shown.lines().iter().for_each(|line| eprintln!("behalf: {line}"));
    match &shown.result {
        _ if args.json => println!("{}", serde_json::to_string_pretty(&shown.json())?),
        Ok(outcome) => println!("{}", outcome.result),
        Err(_) => {}
    }
    Ok(if shown.result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Who calls, and who looks into the audit log afterwards.
struct Caller {
    principal: Arc<Principal>,
    service: Arc<Principal>,
}

/// One call and what it needs.
struct Call<'a> {
    tool: &'a str,
    arguments: Value,
    grants: Value,
    settings: Option<Value>,
    caller: Caller,
}

impl Call<'_> {
    /// Registers the component under a name of its own, calls it, and takes it away again, however the call ends.
    async fn make(
        self,
        place: &Place,
        settings: &Settings,
        inspection: Inspection,
        stop: &mut JoinHandle<()>,
    ) -> anyhow::Result<Shown> {
        let dir = tempfile::tempdir().context("there is no folder for temporary files")?;
        let sandbox = Arc::new(Sandbox::new(sandbox_options(dir.path(), settings.http_allow_private.clone()))?);
        let db = Db::connect(&place.options()).await?;
        let tools = Tools::start(db.clone(), sandbox, settings.exposed_schemas.clone()).await?;
        forget(&db, |name, age| name.starts_with(NAME) && age > LEFT_BEHIND).await?;
        let name = format!("{NAME}{}", Uuid::new_v4().simple());
        let upload = Upload {
            component: inspection.component,
            grants: self.grants.clone(),
            name: Some(name.clone()),
            version: None,
            replace: false,
        };
        let result = match tools.register(upload).await {
            Ok(plugin) => match self.configure(&tools, plugin.id).await {
                Ok(()) => self.call(&tools, stop).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(anyhow::Error::from(error).context("the component cannot be registered")),
        };
        let forgotten = forget(&db, |other, _| other == name).await;
        db.audit().flush().await;
        let shown = match result {
            Ok(result) => {
                let row = self.audit_row(&db, result.as_ref().map(|outcome| outcome.call_id)).await;
                Ok(Shown { result, row })
            }
            Err(error) => Err(error),
        };
        db.close().await;
        forgotten
            .with_context(|| format!("the plugin {name} could not be deleted; delete it with DELETE /api/plugins/…"))?;
        shown
    }

    async fn configure(&self, tools: &Tools, plugin: Uuid) -> anyhow::Result<()> {
        if let Some(settings) = &self.settings {
            let change = PluginChange { grants: None, enabled: None, settings: Some(settings.clone()) };
            tools.change_plugin(plugin, change).await.context("the plugin's settings")?;
        }
        Ok(())
    }

    async fn call(
        &self,
        tools: &Arc<Tools>,
        stop: &mut JoinHandle<()>,
    ) -> anyhow::Result<Result<crate::tools::CallOutcome, ToolCallError>> {
        let (to, reports) = mpsc::channel(64);
        let progress = tokio::spawn(show_progress(reports));
        let work =
            tools.call(&self.caller.principal, self.tool, self.arguments.clone(), CallContext::default(), Some(to));
        let result = tokio::select! {
            biased;
            _ = stop => bail!("stopped; the call was rolled back"),
            result = work => result,
        };
        tokio::time::timeout(Duration::from_secs(1), progress).await.ok();
        Ok(result)
    }

    async fn audit_row(&self, db: &Db, call: Result<Uuid, &ToolCallError>) -> Option<Value> {
        let call_id = match call {
            Ok(call_id) | Err(&ToolCallError::Call { call_id, .. }) => call_id.to_string(),
            Err(_) => return None,
        };
        let rows = db.tool_calls(&self.caller.service, AUDIT_ROWS, 0).await.ok()?;
        rows.into_iter().find(|row| row["call_id"] == call_id.as_str())
    }
}

/// Deletes the plugins that are meant, by name and age.
async fn forget(db: &Db, meant: impl Fn(&str, chrono::Duration) -> bool) -> anyhow::Result<()> {
    for plugin in db.registry().await?.plugins {
        let made = chrono::DateTime::parse_from_rfc3339(&plugin.created_at).ok();
        let age = made.map_or(chrono::Duration::zero(), |made| chrono::Utc::now().signed_duration_since(made));
        if meant(&plugin.name, age) {
            db.delete_plugin(plugin.id).await?;
        }
    }
    Ok(())
}

/// A caller as every caller is made: from a token that is verified. The secret lives as long as this command.
async fn caller(args: &RunArgs) -> anyhow::Result<Caller> {
    let secret = new_secret()?;
    let (anon, service) = (mint_key(&secret, "anon")?, mint_key(&secret, "service_role")?);
    let subject = match args.sub.as_str() {
        "alice" => demo::ALICE,
        "bob" => demo::BOB,
        other => Uuid::try_parse(other)
            .ok()
            .with_context(|| format!("{other:?} is no uuid; users are known by their uuid, or alice and bob"))?,
    };
    let token = match args.role.as_str() {
        "anon" => anon.clone(),
        "service_role" => service.clone(),
        _ => mint_token(&secret, &TokenRequest::for_user(&subject.to_string()))?,
    };
    let verifier = Verifier::new(VerifierOptions {
        secret: Some(secret.into_bytes()),
        jwks: None,
        audience: "authenticated".to_owned(),
        issuer: None,
        anon_key: Some(anon),
        service_key: Some(service.clone()),
    })?;
    Ok(Caller { principal: verifier.verify(&token).await?, service: verifier.verify(&service).await? })
}

/// Grants for all that a component imports, as far as that can be guessed: no host can.
pub(super) fn everything(imports: &[ImportedInterface]) -> Value {
    let has = |prefix: &str| imports.iter().any(|import| import.name.starts_with(prefix));
    let mut grants = json!({});
    if has("behalf:tool/database@") {
        grants["database"] = json!({ "access": "write", "schemas": ["public"] });
    }
    if has("wasi:filesystem/") {
        grants["files"] = json!({ "workspace": "call", "max_bytes": 16 * 1024 * 1024 });
    }
    grants
}

/// JSON as it is given, or from the file behind an @.
pub(super) fn read_json(what: &str, given: &str) -> anyhow::Result<Value> {
    let text = match given.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("cannot read {path} ({what})"))?,
        None => given.to_owned(),
    };
    serde_json::from_str(&text)
        .with_context(|| format!("{what}: not JSON; quote it for the shell, as in '{{\"name\": \"value\"}}'"))
}

async fn show_progress(mut reports: mpsc::Receiver<Progress>) {
    while let Some(report) = reports.recv().await {
        let total = report.total.map(|total| format!(" of {total}")).unwrap_or_default();
        eprintln!(
            "behalf: progress {}{total} {}",
            report.done,
            printable(report.message.as_deref().unwrap_or_default())
        );
    }
}
