//! Every command of docs/realtime.md works, and prints what the page says.

use std::path::Path;

use behalf_tests::app::{anon_key, service_key, token};
use behalf_tests::fences::fences;
use behalf_tests::projects::repository;
use behalf_tests::{ALICE, App, BOB};
use serde_json::Value;
use tokio::process::Command;

use crate::protocols::clients::{clients, node};

/// Runs a fence `sh` in the folder, and returns what it prints. The variables that it sets are those of the next one.
async fn run(app: &App, folder: &Path, script: &str) -> String {
    let kept = folder.join("variables");
    let script = format!("set -a\n[ ! -f '{0}' ] || . '{0}'\n{script}\nexport -p >'{0}'", kept.display());
    let mut shell = Command::new("/bin/sh");
    // The page's reader has the package's own Node.js 22.
    let path = node().as_std().get_envs().find_map(|(name, value)| (name == "PATH").then(|| value.unwrap().to_owned()));
    shell.args(["-eu", "-c", &script]).current_dir(folder).env("PATH", path.unwrap());
    shell.env("BASE_URL", &app.url).env("ANON_KEY", anon_key()).env("SERVICE_ROLE_KEY", service_key());
    shell.env("ALICE", token(ALICE)).env("BOB", token(BOB)).kill_on_drop(true);
    let done = tokio::time::timeout(std::time::Duration::from_mins(1), shell.output()).await;
    let done = done.unwrap_or_else(|_| panic!("it waits in vain: {script}\n{}", heard(folder))).unwrap();
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{script}\n{error}\n{}", heard(folder));
    String::from_utf8(done.stdout).unwrap()
}

/// What the listening programs printed.
fn heard(folder: &Path) -> String {
    ["alice.txt", "bob.txt", "phone.txt"]
        .map(|name| format!("{name}: {}", std::fs::read_to_string(folder.join(name)).unwrap_or_default()))
        .join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_holds() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(clients().join("node_modules"), folder.path().join("node_modules")).unwrap();
    let app = App::start().await;
    let page = std::fs::read_to_string(repository().join("docs/realtime.md")).unwrap();
    let (mut printed, mut commands, mut compared) = (String::new(), 0, 0);
    for (language, content) in fences(&page) {
        match language.as_str() {
            "sql" => app.database.execute(&content).await,
            "js file=listen.mjs" => std::fs::write(folder.path().join("listen.mjs"), content).unwrap(),
            "sh" => {
                printed = run(&app, folder.path(), &content).await;
                commands += 1;
            }
            "json" => {
                let wanted: Value = serde_json::from_str(&content).unwrap();
                assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), wanted, "{printed}");
                compared += 1;
            }
            _ => {}
        }
    }
    assert!(commands >= 4 && compared >= 1, "{commands} commands, {compared} compared");
    let bobs = std::fs::read_to_string(folder.path().join("bob.txt")).unwrap();
    assert!(!bobs.contains("said") && !bobs.contains("notice"), "{bobs}");
}
