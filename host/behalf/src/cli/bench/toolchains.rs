//! A tool author's road in each language: new, build, check, run as two users, each as a person types it.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, ensure};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use behalf_toolchain::Language;

const NAME: &str = "my-tool";
const TOOL: &str = "my_tool";
const LANGUAGES: [Language; 4] = [Language::Rust, Language::Python, Language::Js, Language::C];

/// One row for each language.
pub(super) async fn measure(bar: &ProgressBar) -> anyhow::Result<Value> {
    bar.set_length(LANGUAGES.len() as u64 * 6);
    let mut rows = Vec::new();
    for language in LANGUAGES {
        let dir = tempfile::tempdir().context("there is no folder for temporary files")?;
        rows.push(road(language, dir.path(), bar).await.with_context(|| language.name())?);
    }
    Ok(json!({ "languages": rows }))
}

async fn road(language: Language, dir: &Path, bar: &ProgressBar) -> anyhow::Result<Value> {
    let component = format!("{NAME}/dist/{NAME}.wasm");
    let mut row = json!({ "language": language.name() });
    let steps: [(&str, Vec<&str>); 6] = [
        ("new_s", vec!["new", NAME, "--lang", language.name()]),
        ("build_s", vec!["build", NAME, "--install"]),
        ("rebuild_s", vec!["build", NAME]),
        ("check_s", vec!["check", &component]),
        ("run_alice_s", vec!["run", &component, TOOL, "{}", "--sub", "alice"]),
        ("run_bob_s", vec!["run", &component, TOOL, "{}", "--sub", "bob"]),
    ];
    let mut answers = Vec::new();
    for (key, arguments) in steps {
        bar.set_message(format!("{}: behalf tool {}", language.name(), arguments.join(" ")));
        let started = Instant::now();
        let answer = behalf(dir, &arguments).await?;
        row[key] = json!(started.elapsed().as_secs_f64());
        if key.starts_with("run_") {
            answers.push(answer);
        }
        bar.inc(1);
    }
    // Two users with the same answer would mean that the road leads nowhere.
    ensure!(answers.first() != answers.last(), "alice and bob got the same answer");
    let size = std::fs::metadata(dir.join(&component)).context("the component is gone")?.len();
    row["component_bytes"] = json!(size);
    Ok(row)
}

async fn behalf(dir: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let done = tokio::process::Command::new(program)
        .arg("tool")
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    ensure!(
        done.status.success(),
        "behalf tool {} ended with {}: {}",
        arguments.join(" "),
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The table of the README.
pub(super) fn markdown(report: &Value) -> String {
    let mut out = String::from(
        "| language | new s | first build s | build again s | check s | run as alice s | run as bob s | component KiB |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in report["languages"].as_array().into_iter().flatten() {
        let seconds = |key: &str| format!("{:.1}", row[key].as_f64().unwrap_or(f64::NAN));
        let keys = ["new_s", "build_s", "rebuild_s", "check_s", "run_alice_s", "run_bob_s"];
        let times: Vec<_> = keys.into_iter().map(seconds).collect();
        let kib = row["component_bytes"].as_u64().unwrap_or(0).div_ceil(1024);
        out.push_str(&format!("| {} | {} | {kib} |\n", row["language"].as_str().unwrap_or("-"), times.join(" | ")));
    }
    out
}
