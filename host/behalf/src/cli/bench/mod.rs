//! The project's own measurements. Times mean nothing across machines, ratios do: everything that is compared is measured
//! in the same run, in turns, on the same server.

mod auth;
mod burst;
mod call;
mod echo;
mod floor;
mod host;
mod hostile;
mod ingest;
mod jobs;
mod killed_hosts;
mod killed_postgres;
mod kills;
mod languages;
mod load;
mod peer;
mod quality;
mod realtime;
mod rest;
mod scale;
mod scripted_answer;
mod search;
mod soak;
mod steps;
mod storage;
mod streams;
mod summary;
mod test_bed;
mod toolchains;
mod turns;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use test_bed::{Scene, TestBed};

/// `behalf bench …`
#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// A one-row lookup through HTTP, WebAssembly and row-level security, beside pgbench, an empty tool, and HTTP alone.
    Call(call::CallArgs),
    /// The first steps of a tool author in each language: new, build, check, run as two users.
    Toolchains(TableArgs),
    /// What plugins cost by language: to compile, load, start, call and hold.
    Languages(LanguagesArgs),
    /// Many clients that wait for events: memory, processor and database while nothing happens, and one more of them.
    Streams(streams::StreamsArgs),
    /// Memory of a host before, during and after many large answers at once.
    Burst(burst::BurstArgs),
    /// What hostile callers do to the calls of the others, and to the memory of host and Postgres.
    Hostile(hostile::HostileArgs),
    /// Channels: one client's messages to many, idle sockets, and changes of a table under policies.
    Realtime(realtime::RealtimeArgs),
    /// Requests to `/rest/v1`, beside pgbench and a peer that speaks the same language.
    Rest(rest::RestArgs),
    /// Sign-ins and refreshes beside argon2 alone, a crowd that signs in, and the times of wrong passwords.
    Auth(auth::AuthArgs),
    /// Downloads and uploads under `/storage/v1` beside a plain file server, memory with many at once, and lists of a large bucket.
    Storage(storage::StorageArgs),
    /// Documents that are uploaded and read: how many a second, beside calls of a tool, and while hosts and databases are killed.
    Ingest(ingest::IngestArgs),
    /// Background jobs: adding, claiming and finishing them with a million that wait, and who is served when.
    Jobs(jobs::JobsArgs),
    /// Writes of tools, calls of a server and `OpenAI`'s clients while hosts and the database are killed: what was done twice or never.
    Kills(kills::KillsArgs),
    /// How well search finds on the Cranfield collection, and whether it finds the same for many owners of it.
    Quality(quality::QualityArgs),
    /// What a call and a start cost with thousands of tools, and with a million users.
    Scale(scale::ScaleArgs),
    /// Search under policies: recall and times by what callers see of all chunks, beside a role that bypasses policies.
    Search(search::SearchArgs),
    /// Many users do the recipes of docs/recipes on two hosts that are killed in turn: what fails, and what any user is told of another.
    Soak(soak::SoakArgs),
}

/// How to print a table.
#[derive(Clone, Debug, Args)]
pub(super) struct TableArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `behalf bench languages`
#[derive(Clone, Debug, Args)]
pub(super) struct LanguagesArgs {
    /// Projects that were built and name a call in `[[check.calls]]` of plugin.toml.
    #[arg(required = true)]
    projects: Vec<PathBuf>,
    #[command(flatten)]
    table: TableArgs,
}

/// Prints one JSON object, or a table.
pub(super) async fn run(command: BenchCommand) -> anyhow::Result<()> {
    let bar = ProgressBar::new(1);
    bar.set_style(ProgressStyle::with_template("{bar:30} {msg}")?);
    match command {
        BenchCommand::Call(args) => print(&bar, call::measure(&args, &bar).await),
        BenchCommand::Toolchains(table) => {
            let report = toolchains::measure(&bar).await;
            bar.finish_and_clear();
            show(&table, &report?, toolchains::markdown)
        }
        BenchCommand::Streams(args) => print(&bar, streams::measure(&args, &bar).await),
        BenchCommand::Burst(args) => print(&bar, burst::measure(&args, &bar).await),
        BenchCommand::Hostile(args) => print(&bar, hostile::measure(&args, &bar).await),
        BenchCommand::Realtime(args) => print(&bar, realtime::measure(&args, &bar).await),
        BenchCommand::Rest(args) => print(&bar, rest::measure(&args, &bar).await),
        BenchCommand::Auth(args) => print(&bar, auth::measure(&args, &bar).await),
        BenchCommand::Storage(args) => print(&bar, storage::measure(&args, &bar).await),
        BenchCommand::Ingest(args) => print(&bar, ingest::measure(&args, &bar).await),
        BenchCommand::Jobs(args) => print(&bar, jobs::measure(&args, &bar).await),
        BenchCommand::Quality(args) => print(&bar, quality::measure(&args, &bar).await),
        BenchCommand::Scale(args) => print(&bar, scale::measure(&args, &bar).await),
        BenchCommand::Search(args) => print(&bar, search::measure(&args, &bar).await),
        BenchCommand::Soak(args) => {
            let report = soak::measure(&args, &bar).await?;
            print(&bar, Ok(report.clone()))?;
            soak::judge(&report)
        }
        BenchCommand::Kills(args) => {
            let report = kills::measure(&args, &bar).await?;
            print(&bar, Ok(report.clone()))?;
            kills::judge(&report)
        }
        BenchCommand::Languages(args) => {
            bar.set_message("preparing a database");
            let bed = TestBed::prepare(&Scene::demo(), 4).await?;
            let report = languages::measure(&bed, &args.projects, &bar).await;
            bar.finish_and_clear();
            bed.clear().await?;
            show(&args.table, &report?, languages::markdown)
        }
    }
}

/// Prints a report that has no table.
fn print(bar: &ProgressBar, report: anyhow::Result<serde_json::Value>) -> anyhow::Result<()> {
    bar.finish_and_clear();
    println!("{}", serde_json::to_string_pretty(&report?)?);
    Ok(())
}

fn show(
    table: &TableArgs,
    report: &serde_json::Value,
    markdown: fn(&serde_json::Value) -> String,
) -> anyhow::Result<()> {
    if table.json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{}", markdown(report));
    }
    Ok(())
}
