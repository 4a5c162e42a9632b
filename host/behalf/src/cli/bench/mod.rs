//! The project's own measurements. Times mean nothing across machines, ratios do: everything that is compared is measured
//! in the same run, in turns, on the same server.

mod floor;
mod host;
mod hostile;
mod languages;
mod load;
mod steps;
mod streams;
mod summary;
mod test_bed;
mod toolchains;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use summary::{Summary, median};
use test_bed::{Scene, TestBed};

/// `behalf bench …`
#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// A one-row lookup through HTTP, WebAssembly and row-level security, beside pgbench and an empty tool.
    Call(CallArgs),
    /// The first steps of a tool author in each language: new, build, check, run as two users.
    Toolchains(TableArgs),
    /// What plugins cost by language: to compile, load, start, call and hold.
    Languages(LanguagesArgs),
    /// Many clients that wait for events: memory, processor and database while nothing happens, and one more of them.
    Streams(streams::StreamsArgs),
    /// What hostile callers do to the calls of the others, and to the memory of host and Postgres.
    Hostile(hostile::HostileArgs),
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

/// `behalf bench call`
#[derive(Clone, Debug, Args)]
pub(super) struct CallArgs {
    /// Connections of pgbench, of the HTTP load, and of the host's pool.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    connections: u16,
    /// Seconds of each measurement; everything is measured in several turns.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,
    /// Turns; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=25))]
    rounds: u8,
}

/// Prints one JSON object, or a table.
pub(super) async fn run(command: BenchCommand) -> anyhow::Result<()> {
    let bar = ProgressBar::new(1);
    bar.set_style(ProgressStyle::with_template("{bar:30} {msg}")?);
    match command {
        BenchCommand::Call(args) => call(&args, &bar).await,
        BenchCommand::Toolchains(table) => {
            let report = toolchains::measure(&bar).await;
            bar.finish_and_clear();
            show(&table, &report?, toolchains::markdown)
        }
        BenchCommand::Streams(args) => {
            let report = streams::measure(&args, &bar).await;
            bar.finish_and_clear();
            println!("{}", serde_json::to_string_pretty(&report?)?);
            Ok(())
        }
        BenchCommand::Hostile(args) => {
            let report = hostile::measure(&args, &bar).await;
            bar.finish_and_clear();
            println!("{}", serde_json::to_string_pretty(&report?)?);
            Ok(())
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

async fn call(args: &CallArgs, bar: &ProgressBar) -> anyhow::Result<()> {
    bar.set_length(u64::from(args.rounds) * 3 + 2);
    bar.set_message("preparing a database");
    let bed = TestBed::prepare(&Scene::items(), usize::from(args.connections)).await?;
    let report = measure(args, &bed, bar).await;
    bar.finish_and_clear();
    bed.clear().await?;
    println!("{}", serde_json::to_string_pretty(&report?)?);
    Ok(())
}

async fn measure(args: &CallArgs, bed: &TestBed, bar: &ProgressBar) -> anyhow::Result<serde_json::Value> {
    let time = Duration::from_secs(u64::from(args.seconds));
    let (mut floors, mut lookups, mut empties, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    bar.inc(1);
    for round in 1..=args.rounds {
        bar.set_message(format!("turn {round} of {}: pgbench", args.rounds));
        let floor = floor::pgbench(bed, args.connections, args.seconds).await?;
        bar.inc(1);
        bar.set_message(format!("turn {round} of {}: lookup through HTTP", args.rounds));
        let lookup = load::lookups(bed, args.connections, time).await?;
        bar.inc(1);
        bar.set_message(format!("turn {round} of {}: empty tool through HTTP", args.rounds));
        let empty = load::empty(bed, args.connections, time).await?;
        bar.inc(1);
        ratios.push(lookup.per_second / floor.per_second);
        floors.push(floor);
        lookups.push(lookup);
        empties.push(empty);
    }
    bar.set_message("single steps");
    let steps = steps::measure(bed).await?;
    bar.inc(1);
    let ratio = median(&ratios).context("no turns")?;
    Ok(json!({
        "connections": args.connections,
        "seconds": args.seconds,
        "rounds": args.rounds,
        "postgres": bed.version(),
        "pgbench": Summary::of_rounds(&floors),
        "lookup_over_http": Summary::of_rounds(&lookups),
        "empty_tool_over_http": Summary::of_rounds(&empties),
        "ratio_to_pgbench": ratio,
        "ratios_to_pgbench": ratios,
        "empty_tool_p50_us": steps.empty_one_thread.p50_us,
        "empty_tool_two_threads_p50_us": steps.empty_two_threads.p50_us,
        "steps": steps,
    }))
}
