use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use wasmparser::{Parser, Payload};

use super::describe::{Capability, Powers, powers};
use super::{printable, read_component, sandbox_options};
use crate::sandbox::{Inspection, Sandbox};

/// A page of a WebAssembly memory.
const PAGE: u64 = 65_536;

/// `behalf tool inspect`
#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArgs {
    /// The component.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Everything that can be known of a component without calling it.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    #[serde(flatten)]
    inspection: Inspection,
    #[serde(flatten)]
    powers: Powers,
    /// Memory that an instance begins with.
    memory_bytes: u64,
    /// Compiling it, once per host, and asking it for its tools.
    first_start_ms: u128,
    /// A new instance, asked for its tools.
    start_us: u128,
    tools: Option<Value>,
    error: Option<String>,
}

/// Prints what a component is. Exit code 1 if it would not be accepted as a plugin.
pub(super) async fn run(args: &InspectArgs) -> anyhow::Result<ExitCode> {
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
        powers: powers(&inspection.imports),
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
        print!("{}", text(&report));
    }
    Ok(if report.error.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What the memories of all its modules begin with.
fn initial_memory(component: &[u8]) -> u64 {
    let mut pages: u64 = 0;
    for payload in Parser::new(0).parse_all(component) {
        if let Ok(Payload::MemorySection(section)) = payload {
            pages = section.into_iter().flatten().fold(pages, |sum, memory| sum.saturating_add(memory.initial));
        }
    }
    pages.saturating_mul(PAGE)
}

fn text(report: &Report) -> String {
    let mut out = String::new();
    let inspection = &report.inspection;
    let kib = |bytes: u64| bytes.div_ceil(1024);
    line(&mut out, format_args!("{}", printable(&report.file)));
    line(&mut out, format_args!("  digest   sha256:{}", hex::encode(inspection.digest)));
    line(&mut out, format_args!("  size     {} KiB", kib(inspection.size as u64)));
    line(&mut out, format_args!("  memory   {} KiB to begin with", kib(report.memory_bytes)));
    line(
        &mut out,
        format_args!(
            "  start    {} us (the first time {} ms, compiling included)",
            report.start_us, report.first_start_ms
        ),
    );
    line(&mut out, format_args!("  WASI     {}", inspection.wasi));
    for (title, list) in [
        ("May be granted", &report.powers.may_be_granted),
        ("Always has", &report.powers.always),
        ("Can never be given", &report.powers.never),
    ] {
        line(&mut out, format_args!("\n{title}:"));
        list.iter().for_each(|one| line(&mut out, format_args!("  {}", capability(one))));
        if list.is_empty() {
            line(&mut out, format_args!("  nothing"));
        }
    }
    line(&mut out, format_args!("\nTools:"));
    for tool in report.tools.iter().filter_map(Value::as_array).flatten() {
        out.push_str(&tool_text(tool));
    }
    if let Some(error) = &report.error {
        line(&mut out, format_args!("  none can be registered: {}", printable(error)));
    }
    out
}

fn capability(one: &Capability) -> String {
    let functions =
        if one.functions.is_empty() { String::new() } else { format!(" ({})", printable(&one.functions.join(", "))) };
    format!("{:<12} {}{functions}", one.name, one.means)
}

fn tool_text(tool: &Value) -> String {
    let text = |key: &str| printable(tool.get(key).and_then(Value::as_str).unwrap_or("-"));
    let mut out = String::new();
    line(&mut out, format_args!("  {}: {}", text("name"), text("description").replace('\n', "\n      ")));
    for (key, title) in [("inputSchema", "arguments"), ("outputSchema", "result"), ("annotations", "says of itself")] {
        if let Some(schema) = tool.get(key).filter(|schema| !schema.is_null()) {
            line(&mut out, format_args!("      {title} {}", printable(&schema.to_string())));
        }
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}
