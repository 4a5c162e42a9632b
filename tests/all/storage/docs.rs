//! Every command of docs/storage.md works, and prints what the page says.

use std::path::Path;
use std::process::Stdio;

use behalf_tests::app::{anon_key, service_key, token};
use behalf_tests::fences::fences;
use behalf_tests::projects::repository;
use behalf_tests::{ALICE, App, BOB, Options};
use serde_json::Value;
use tokio::process::Command;

/// Runs a fence `sh`, and returns what it prints. The variables that it sets are those of the next one.
async fn run(app: &App, folder: &Path, script: &str) -> String {
    let kept = folder.join("variables");
    let script = format!("set -a\n[ ! -f '{0}' ] || . '{0}'\n{script}\nexport -p >'{0}'", kept.display());
    let done = Command::new("/bin/sh")
        .args(["-eu", "-c", &script])
        .env("BASE_URL", &app.url)
        .env("ANON_KEY", anon_key())
        .env("SERVICE_ROLE_KEY", service_key())
        .env("ALICE", token(ALICE))
        .env("BOB", token(BOB))
        .stderr(Stdio::piped())
        .output()
        .await
        .unwrap();
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{script}\n{}\n{error}", String::from_utf8_lossy(&done.stdout));
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_holds() {
    let folder = tempfile::tempdir().unwrap();
    let files = format!("file://{}", folder.path().join("files").display());
    let app = App::with(Options { settings: vec![("storage", files)] }).await;
    let page = std::fs::read_to_string(repository().join("docs/storage.md")).unwrap();
    let (mut printed, mut commands, mut compared) = (String::new(), 0, 0);
    for (language, content) in fences(&page) {
        match language.as_str() {
            "sql" => app.database.execute(&content).await,
            "sh" => {
                printed = run(&app, folder.path(), &content).await;
                commands += 1;
            }
            "json" => {
                let (wanted, got): (Value, Value) = (
                    serde_json::from_str(&content).unwrap(),
                    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}")),
                );
                assert_eq!(got, wanted);
                compared += 1;
            }
            _ => {}
        }
    }
    assert!(commands >= 8 && compared >= 4, "{commands} commands, {compared} compared");
    let names = "select string_agg(split_part(name, '/', 2), ' ' order by name) from storage.objects";
    assert_eq!(app.database.value::<String>(names).await, "film.bin letter.txt");
}
