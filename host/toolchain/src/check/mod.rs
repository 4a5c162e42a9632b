//! `behalf tool check`: the conformance suite on this host and a real Postgres.

mod convert;
mod fixture;
mod test_bed;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use behalf_config::Settings;
use behalf_conformance::{
    ALICE, ALICE_MARK, BOB, BOB_MARK, Facts, Options, Project, ProjectCall, Report, Setup, promise, without_export,
};
use behalf_host_db::run_script;
use behalf_sandbox::{ImportedInterface, inspect};
use behalf_telemetry::init_logs;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use uuid::Uuid;

use crate::demo;
use crate::grants::guessed_grants;
use crate::json_argument::read_json;
use crate::manifest::{CheckCall, Manifest};
use crate::stop_signal::stop_signal;
use crate::test_database::TestDatabase;
use crate::trial_documents::TrialDocument;
use crate::trial_http::TrialHttp;
use fixture::Fixture;
use test_bed::HostTestBed;

/// The rows that a check begins with.
const ROWS: &str = include_str!("rows.sql");

/// `behalf tool check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The component. What it asks for stands in the plugin.toml beside it, or above the `dist` folder it lies in.
    file: PathBuf,
    /// Another plugin.toml.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// What the plugin may do, as JSON or @FILE; where absent what plugin.toml says, else everything it imports.
    #[arg(long, value_name = "JSON")]
    grants: Option<String>,
    /// Values for the plugin's settings, as JSON or @FILE; where absent those of plugin.toml.
    #[arg(long, value_name = "JSON")]
    settings: Option<String>,
    /// SQL that adds tables and rows; where absent the one of plugin.toml.
    #[arg(long, value_name = "FILE")]
    fixture: Option<PathBuf>,
    /// Recorded answers to HTTP requests, as JSON; where absent the file of plugin.toml. A check sends no requests.
    #[arg(long, value_name = "FILE")]
    http: Option<PathBuf>,
    /// Make the calls of plugin.toml once with requests that are sent, and write their answers into the file of recorded ones.
    #[arg(long, conflicts_with = "allow_http")]
    record_http: bool,
    /// Send the HTTP requests of all calls, some hundred, to the granted hosts instead of answering them from the record.
    #[arg(long)]
    allow_http: bool,
    /// What arguments and moments are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Check this promise alone; may be repeated. docs/conformance lists them.
    #[arg(long, value_name = "PROMISE", value_parser = known_promise)]
    only: Vec<String>,
    /// Owner's address of a migrated database to use instead of a throw-away one. It has to be made for this: its rows are
    /// replaced.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write a report in the form of `JUnit` to this file as well.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Checks every promise. Exit code 1 if one is broken.
pub(crate) async fn run(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::load()?;
    // The suite makes hostile calls; their log lines say nothing about the plugin.
    let filter = if settings.log == "info" { "off" } else { &settings.log };
    init_logs(filter, Some(settings.log_format.as_deref().unwrap_or("text")))?;
    let report = tokio::select! {
        biased;
        _ = stop_signal() => bail!("stopped; what was found so far is not shown"),
        report = checked(&args, &settings) => report?,
    };
    if let Some(file) = &args.junit {
        std::fs::write(file, report.junit()?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report.json())?);
    } else {
        print!("{}", report.text());
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the suite on a database, and deletes everything that was made for it.
async fn checked(args: &CheckArgs, settings: &Settings) -> anyhow::Result<Report> {
    let only = Some(args.only.clone()).filter(|only| !only.is_empty());
    let options = Options { seed: args.seed, only, record_http: args.record_http, ..Options::default() };
    let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let mut facts = Facts { file: args.file.display().to_string(), size: bytes.len() as u64, ..Facts::default() };
    let inspection = match tokio::task::spawn_blocking(move || inspect(&bytes)).await? {
        Ok(inspection) => inspection,
        Err(error) => return Ok(without_export(&facts, &error.to_string(), &options)),
    };
    facts.size = inspection.size as u64;
    facts.digest = hex::encode(inspection.digest);
    facts.imports = inspection.imports.iter().map(|import| import.name.clone()).collect();
    let Found { project, fixture, documents, http } = find_project(args, &inspection.imports)?;
    let answers = answers(args, http.as_deref(), &project)?;
    let database = match &args.database_url {
        None => TestDatabase::throw_away(None).await?,
        Some(url) => TestDatabase::given(url, settings).await?,
    };
    let result = async {
        let fixture = prepare_rows(&database.owner(args.database_url.as_deref())?, fixture.as_deref()).await?;
        let bed =
            HostTestBed::prepare(&database, settings, facts, inspection, (fixture, documents), answers.clone()).await?;
        let bar = spinner();
        let report =
            behalf_conformance::run(&bed, &project, &options, &|working| bar.set_message(working.to_owned())).await;
        bar.finish_and_clear();
        bed.clear().await?;
        anyhow::Ok(report?)
    }
    .await;
    let discarded = database.discard().await;
    let report = result?;
    discarded?;
    if let (true, Some(file), Some(answers)) = (args.record_http, &http, &answers) {
        let count = answers.write(file)?;
        eprintln!("behalf: {} has {count} recorded answers", file.display());
    }
    Ok(report)
}

/// What answers the requests of a check; nothing where they are sent.
fn answers(args: &CheckArgs, file: Option<&Path>, project: &Project) -> anyhow::Result<Option<Arc<TrialHttp>>> {
    if args.allow_http {
        return Ok(None);
    }
    let Some(file) = file.filter(|_| args.record_http) else { return Ok(Some(Arc::new(TrialHttp::recorded(file)?))) };
    if project.calls.is_empty() {
        bail!("--record-http makes the calls of plugin.toml, and there are none; list some as [[check.calls]]");
    }
    // The first time there is no file yet.
    Ok(Some(Arc::new(TrialHttp::recorded(Some(file).filter(|file| file.exists()))?)))
}

/// A project, its file of rows, the documents of its users, and its file of recorded answers.
struct Found {
    project: Project,
    fixture: Option<PathBuf>,
    documents: Vec<TrialDocument>,
    http: Option<PathBuf>,
}

/// The plugin's grants, settings, calls, rows and documents: from the flags, else from its manifest.
fn find_project(args: &CheckArgs, imports: &[ImportedInterface]) -> anyhow::Result<Found> {
    let found = match &args.manifest {
        Some(file) => {
            let manifest = Manifest::open(file)?;
            Some((file.parent().unwrap_or(Path::new("")).to_path_buf(), manifest))
        }
        None => Manifest::of_component(&args.file)?,
    };
    let (folder, manifest) = match found {
        Some((folder, manifest)) => (folder, Some(manifest)),
        None => (PathBuf::new(), None),
    };
    let is_written = manifest.is_some();
    let check = manifest.as_ref().map(|manifest| manifest.check.clone()).unwrap_or_default();
    let grants = match (&args.grants, &manifest) {
        (Some(grants), _) => read_json("--grants", grants)?,
        // A manifest without grants asks for none.
        (None, Some(manifest)) => manifest.grants.clone().unwrap_or_default(),
        (None, None) => guessed_grants(imports),
    };
    let settings = match &args.settings {
        Some(settings) => read_json("--settings", settings)?,
        None => manifest.and_then(|manifest| manifest.settings).unwrap_or_default(),
    };
    let mut documents = marked_documents();
    documents.extend(check.documents(&folder)?);
    let call = |call: CheckCall| ProjectCall { tool: call.tool, arguments: Value::Object(call.arguments) };
    let project = Project {
        own_grants: args.grants.is_none() && is_written,
        setup: Setup { grants, settings },
        calls: check.calls.into_iter().map(call).collect(),
        bounds: check.bounds,
    };
    let fixture = args.fixture.clone().or_else(|| check.fixture.map(|file| folder.join(file)));
    let http = args.http.clone().or_else(|| check.http.map(|file| folder.join(file)));
    if args.record_http && http.is_none() {
        bail!("--record-http needs a file for the answers: `http` of [check] in plugin.toml, or --http FILE");
    }
    Ok(Found { project, fixture, documents, http })
}

/// The documents that every check begins with: each text names its owner.
fn marked_documents() -> Vec<TrialDocument> {
    let texts = ["Leave is 30 days a year.", "Tea is in the kitchen, and the garden opens at nine."];
    let of = |(user, mark): (Uuid, &'static str)| {
        texts.into_iter().enumerate().map(move |(place, text)| TrialDocument {
            user,
            knowledge_base: "Handbook".to_owned(),
            name: format!("{mark}{place}.md"),
            text: format!("{mark}document: {text}"),
        })
    };
    [(demo::ALICE, ALICE_MARK), (demo::BOB, BOB_MARK)].into_iter().flat_map(of).collect()
}

/// Replaces the demo's rows by those of a check, and adds the project's own.
async fn prepare_rows(owner: &str, project: Option<&Path>) -> anyhow::Result<Fixture> {
    let script =
        project.map(|path| std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display())));
    let script = script.transpose()?;
    let fixture = Fixture::open(owner).await.context("cannot look at the database as its owner")?;
    if let Some(table) = fixture.table_with_foreign_rows([ALICE, BOB]).await? {
        fixture.close().await.ok();
        bail!(
            "{table} holds rows of others than the demo's users, and a check replaces rows; give --database-url a database made for this"
        );
    }
    demo::seed(owner).await?;
    run_script(owner, ROWS).await.context("the rows of the check")?;
    if let (Some(path), Some(script)) = (project, script) {
        run_script(owner, &script).await.with_context(|| format!("the fixture {}", path.display()))?;
    }
    fixture.save().await?;
    Ok(fixture)
}

fn spinner() -> ProgressBar {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn known_promise(id: &str) -> Result<String, String> {
    promise(id).map(|promise| promise.id.to_owned()).ok_or_else(|| {
        let ids: Vec<_> = behalf_conformance::promises().map(|promise| promise.id).collect();
        format!("there is no such promise; there are {}", ids.join(", "))
    })
}
