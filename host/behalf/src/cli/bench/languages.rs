//! What a plugin costs by the language it is written in: to compile, to load, to start, to call, to hold.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::{Value, json};

use super::summary::Summary;
use super::test_bed::TestBed;
use behalf_host_db::Act;
use behalf_sandbox::{Grants, Inspection, Sandbox, SandboxOptions, inspect};
use behalf_toolchain::{Project, sandbox_options};
use behalf_tools::Upload;

/// Warm calls that count, and those before them that don't.
const CALLS: usize = 500;
const WARM_UP: usize = 50;
/// Instances that live at the same time while their memory is measured.
const HELD: usize = 16;

/// One row of the table.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    plugin: String,
    language: &'static str,
    tool: String,
    component_bytes: u64,
    /// Turning the component into native code, once for each component and version of the engine.
    compile_ms: f64,
    native_bytes: u64,
    /// Loading native code that an earlier process left on disk, once for each host.
    load_ms: f64,
    /// The first call after that, the database's work included.
    first_call_ms: f64,
    /// A new store and instance, which every call has.
    instance: Summary,
    /// A warm call above the database's time: instance, the tool's own work, and what the host does beside statements.
    own: Summary,
    /// The same calls as the caller waits for them, begin to commit.
    whole: Summary,
    /// Linear memory of an instance during the call.
    memory_bytes: usize,
    /// What a living instance takes of the machine's memory, beside the loaded code.
    held_bytes: u64,
}

/// Measures the first call of each project's `[check]` table, as the demo's alice.
pub(super) async fn measure(bed: &TestBed, projects: &[PathBuf], bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_length(projects.len() as u64);
    let mut rows = Vec::new();
    for dir in projects {
        bar.set_message(dir.display().to_string());
        let row = measure_one(bed, dir).await.with_context(|| dir.display().to_string())?;
        rows.push(row);
        bar.inc(1);
    }
    Ok(json!({ "calls": CALLS, "postgres": bed.version(), "plugins": rows }))
}

async fn measure_one(bed: &TestBed, dir: &Path) -> anyhow::Result<Row> {
    let project = Project::open(dir)?;
    let call = project.manifest.check.calls.first().context("plugin.toml names no call in [[check.calls]]")?;
    let file = project.component();
    let bytes = std::fs::read(&file)
        .with_context(|| format!("{} is not built; run `behalf tool build` there", file.display()))?;
    let inspection = tokio::task::spawn_blocking(move || inspect(&bytes)).await??;
    let grants = project.manifest.grants.clone().unwrap_or_else(|| json!({}));
    let cost = sandbox_cost(&inspection, &grants).await?;

    let tools = &bed.state.tools;
    let upload = Upload {
        component: inspection.component,
        grants,
        name: Some(project.manifest.name.clone()),
        version: Some(project.manifest.version.clone()),
        replace: true,
    };
    tools.installer.register(Act::Host, upload).await?;
    let principal = bed.principal().await?;
    let arguments = Value::Object(call.arguments.clone());
    let hooks = tools.bench_hooks();
    let once = async || hooks.measure_call(&call.tool, &arguments, &principal).await;
    let started = Instant::now();
    once().await?;
    let first_call = started.elapsed();
    let (mut own, mut whole, mut memory_bytes) = (Vec::new(), Vec::new(), 0);
    let begun = Instant::now();
    for turn in 0..WARM_UP + CALLS {
        let started = Instant::now();
        let measured = once().await?;
        if turn >= WARM_UP {
            whole.push(started.elapsed());
            own.push(measured.guest_time);
            memory_bytes = measured.memory_bytes;
        }
    }
    let wall = begun.elapsed();
    Ok(Row {
        plugin: project.manifest.name.clone(),
        language: project.language.name(),
        tool: call.tool.clone(),
        component_bytes: inspection.size as u64,
        compile_ms: cost.compile_ms,
        native_bytes: cost.native_bytes,
        load_ms: cost.load_ms,
        first_call_ms: first_call.as_secs_f64() * 1e3,
        instance: cost.instance,
        own: Summary::of_times(own, wall),
        whole: Summary::of_times(whole, wall),
        memory_bytes,
        held_bytes: cost.held_bytes,
    })
}

struct SandboxCost {
    compile_ms: f64,
    native_bytes: u64,
    load_ms: f64,
    instance: Summary,
    held_bytes: u64,
}

/// With an empty folder for native code, then as a second host finds it.
async fn sandbox_cost(inspection: &Inspection, grants: &Value) -> anyhow::Result<SandboxCost> {
    let dir = tempfile::tempdir()?;
    let grants = Arc::new(Grants::from_json(grants.clone())?);
    let timed_load = async || {
        let sandbox = Arc::new(Sandbox::new(options(dir.path()))?);
        let started = Instant::now();
        let loaded = sandbox.load(inspection.digest, &inspection.component, Arc::clone(&grants)).await?;
        anyhow::Ok((started.elapsed().as_secs_f64() * 1e3, sandbox, loaded))
    };
    let (compile_ms, ..) = timed_load().await?;
    let native_bytes = folder_bytes(&dir.path().join("compiled"))?;
    let (load_ms, sandbox, loaded) = timed_load().await?;

    let mut times = Vec::new();
    let begun = Instant::now();
    for turn in 0..WARM_UP + CALLS {
        let started = Instant::now();
        drop(sandbox.instance(&loaded).await?);
        if turn >= WARM_UP {
            times.push(started.elapsed());
        }
    }
    let instance = Summary::of_times(times, begun.elapsed());
    // Pages that earlier instances left in place belong to the pool; new places show what one more takes.
    let sandbox = Arc::new(Sandbox::new(options(dir.path()))?);
    let loaded = sandbox.load(inspection.digest, &inspection.component, grants).await?;
    drop(sandbox.instance(&loaded).await?);
    let before = resident_bytes()?;
    let mut held = Vec::new();
    for _ in 0..HELD {
        held.push(sandbox.instance(&loaded).await?);
    }
    let held_bytes = resident_bytes()?.saturating_sub(before) / HELD as u64;
    ensure!(held.len() == HELD, "instances were not held");
    Ok(SandboxCost { compile_ms, native_bytes, load_ms, instance, held_bytes })
}

fn options(dir: &Path) -> SandboxOptions {
    SandboxOptions { concurrent_calls: 32, ..sandbox_options(dir, Vec::new()) }
}

fn folder_bytes(dir: &Path) -> anyhow::Result<u64> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    Ok(entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|meta| meta.len())
        .sum())
}

/// Private memory of this process (proc(5), `smaps_rollup`): pages of files that all hosts share do not count.
pub(super) fn resident_bytes() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").context("cannot read /proc/self/smaps_rollup")?;
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
    };
    let dirty = kib("Private_Dirty:").context("smaps_rollup has no Private_Dirty")?;
    Ok((dirty + kib("Private_Clean:").unwrap_or(0)) * 1024)
}

/// The table of the README.
pub(super) fn markdown(report: &Value) -> String {
    let mut out = String::from(
        "| plugin | language | component KiB | compile ms | load ms | first call ms | instance µs p50 / p99 | own µs p50 / p99 | whole µs p50 / p99 | held KiB |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in report["plugins"].as_array().into_iter().flatten() {
        let number = |value: &Value, digits: usize| format!("{:.digits$}", value.as_f64().unwrap_or(f64::NAN));
        let kib = |key: &str| row[key].as_u64().unwrap_or(0).div_ceil(1024);
        let pair = |key: &str| format!("{} / {}", number(&row[key]["p50_us"], 1), number(&row[key]["p99_us"], 1));
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            row["plugin"].as_str().unwrap_or("-"),
            row["language"].as_str().unwrap_or("-"),
            kib("component_bytes"),
            number(&row["compile_ms"], 0),
            number(&row["load_ms"], 2),
            number(&row["first_call_ms"], 1),
            pair("instance"),
            pair("own"),
            pair("whole"),
            kib("held_bytes"),
        ));
    }
    out
}
