//! Every command of docs/sources.md works, and prints what the page says.

use std::path::Path;
use std::process::Stdio;

use behalf_config::environment;
use behalf_tests::app::{anon_key, service_key, token};
use behalf_tests::fences::fences;
use behalf_tests::projects::{behalf_bin, repository};
use behalf_tests::{ALICE, App, BOB};
use tokio::process::Command;

use super::bed::Bed;

/// Runs a fence `sh` in a folder, and returns what it prints. The variables that it sets are those of the next one.
async fn run(app: &App, folder: &Path, script: &str) -> String {
    let kept = folder.join(".variables");
    let script = format!("set -a\n[ ! -f '{0}' ] || . '{0}'\n{script}\nexport -p >'{0}'", kept.display());
    let path = environment("PATH").unwrap_or_default();
    let bin = behalf_bin();
    let done = Command::new("/bin/sh")
        .args(["-eu", "-c", &script])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", bin.parent().unwrap().display()))
        .env("BASE_URL", &app.url)
        .env("ANON_KEY", anon_key())
        .env("SERVICE_ROLE_KEY", service_key())
        .env("ALICE", token(ALICE))
        .env("BOB", token(BOB))
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{script}\n{}\n{error}", String::from_utf8_lossy(&done.stdout));
    String::from_utf8(done.stdout).unwrap()
}

/// Follows a page of `docs`: runs its `sql` and `sh`, and compares what a command prints with the `text` behind it. Returns how many
/// commands ran, and how many were compared.
pub(crate) async fn follow(app: &App, page: &str) -> (u32, u32) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join(".behalf");
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join("dev.env"), app.dev_env()).unwrap();
    let page = std::fs::read_to_string(repository().join(page)).unwrap();
    let (mut printed, mut commands, mut compared) = (String::new(), 0, 0);
    for (language, content) in fences(&page) {
        match language.as_str() {
            "sql" => app.database.execute(&content).await,
            "sh" => {
                printed = run(app, folder.path(), &content).await;
                commands += 1;
            }
            "text" => {
                assert!(printed.trim_end().ends_with(content.trim_end()), "{printed}");
                compared += 1;
            }
            _ => {}
        }
    }
    (commands, compared)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_holds() {
    let bed = Bed::start().await;
    let (commands, compared) = follow(&bed, "docs/sources.md").await;
    assert!(commands >= 9 && compared >= 3, "{commands} commands, {compared} compared");
}
