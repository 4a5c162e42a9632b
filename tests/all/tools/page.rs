//! Runs the commands of a page of the documentation, and compares what they print with what the page shows.

use std::path::Path;

use behalf_tests::app::{anon_key, service_key, token};
use behalf_tests::fences::fences;
use behalf_tests::projects::repository;
use behalf_tests::{ALICE, App, BOB};
use serde_json::Value;
use tokio::process::Command;

/// Runs the fences `sql` and `sh` of a page in their order. A fence `json` shows the last line that the fence before it prints. Returns
/// how many of these there were.
pub(super) async fn run_page(app: &App, path: &str) -> usize {
    let page = std::fs::read_to_string(repository().join(path)).unwrap();
    let (folder, mut printed, mut compared) = (tempfile::tempdir().unwrap(), String::new(), 0);
    for (language, content) in fences(&page) {
        match language.as_str() {
            "sql" => app.database.execute(&content).await,
            "sh" => printed = run(app, folder.path(), &content).await,
            "json" => {
                let wanted: Value = serde_json::from_str(&content).unwrap();
                let last = printed.lines().last().unwrap_or_default();
                let got: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {printed}"));
                assert_eq!(got, wanted);
                compared += 1;
            }
            _ => {}
        }
    }
    compared
}

/// Runs a fence `sh`, and returns what it prints. Its functions and variables are those of the next one.
async fn run(app: &App, folder: &Path, script: &str) -> String {
    let kept = folder.join("script");
    let before = std::fs::read_to_string(&kept).unwrap_or_default();
    let done = Command::new("/bin/sh")
        .args(["-eu", "-c", &format!("{{ :\n{before}\n}} >/dev/null\n{script}")])
        .env("BASE_URL", &app.url)
        .env("ANON_KEY", anon_key())
        .env("SERVICE_ROLE_KEY", service_key())
        .env("ALICE", token(ALICE))
        .env("BOB", token(BOB))
        .output()
        .await
        .unwrap();
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{script}\n{}\n{error}", String::from_utf8_lossy(&done.stdout));
    if script.contains("() {") {
        std::fs::write(&kept, script).unwrap();
    }
    String::from_utf8(done.stdout).unwrap()
}
