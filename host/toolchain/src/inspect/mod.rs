//! `behalf tool inspect`: everything that can be known of a component without calling it.

mod capabilities;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use behalf_sandbox::Sandbox;
use clap::Args;
use serde_json::Value;
use wasmparser::{Parser, Payload};

use crate::component::{read_component, sandbox_options};
use capabilities::capabilities;
use report::Report;
pub(crate) use report::capability_lines;

/// A page of a WebAssembly memory.
const PAGE: u64 = 65_536;

/// `behalf tool inspect`
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The component.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the report. Exit code 1 if the component would not be accepted as a plugin.
pub(crate) async fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let inspection = read_component(&args.file).await?;
    let dir = tempfile::tempdir().context("there is no folder for temporary files")?;
    let sandbox = Sandbox::new(sandbox_options(dir.path(), Vec::new()))?;
    let first = Instant::now();
    let definitions = sandbox.definitions(&inspection).await;
    let first_start_ms = first.elapsed().as_millis();
    let again = Instant::now();
    if definitions.is_ok() {
        sandbox.definitions(&inspection).await.ok();
    }
    let start_us = again.elapsed().as_micros();
    let (tools, error) = match definitions.map(|text| serde_json::from_str::<Value>(&text)) {
        Ok(Ok(tools @ Value::Array(_))) => (Some(tools), None),
        Ok(Ok(_)) => (None, Some("`definitions` must return a JSON array".to_owned())),
        Ok(Err(error)) => (None, Some(format!("`definitions` returned no JSON: {error}"))),
        Err(error) => (None, Some(error.to_string())),
    };
    let report = Report {
        file: args.file.display().to_string(),
        capabilities: capabilities(&inspection.imports),
        memory_bytes: initial_memory(&inspection.component),
        inspection,
        first_start_ms,
        start_us,
        tools,
        error,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.text());
    }
    Ok(if report.error.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The initial size of the memories of all its modules.
fn initial_memory(component: &[u8]) -> u64 {
    let mut pages: u64 = 0;
    for payload in Parser::new(0).parse_all(component) {
        if let Ok(Payload::MemorySection(section)) = payload {
            pages = section.into_iter().flatten().fold(pages, |sum, memory| sum.saturating_add(memory.initial));
        }
    }
    pages.saturating_mul(PAGE)
}
