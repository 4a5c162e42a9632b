//! Every command of docs/rest.md works, and prints what the page says.

use std::process::Stdio;

use behalf_tests::app::{anon_key, service_key, token};
use behalf_tests::fences::fences;
use behalf_tests::projects::repository;
use behalf_tests::{ALICE, App};
use serde_json::Value;
use tokio::process::Command;

/// Runs a fence `sh`, and returns what it prints.
async fn run(app: &App, script: &str) -> String {
    let done = Command::new("/bin/sh")
        .args(["-eu", "-c", script])
        .env("BASE_URL", &app.url)
        .env("ANON_KEY", anon_key())
        .env("SERVICE_ROLE_KEY", service_key())
        .env("ALICE", token(ALICE))
        .stderr(Stdio::piped())
        .output()
        .await
        .unwrap();
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{script}\n{error}");
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_holds() {
    let app = App::start().await;
    let page = std::fs::read_to_string(repository().join("docs/rest.md")).unwrap();
    let (mut printed, mut commands, mut compared) = (String::new(), 0, 0);
    for (language, content) in fences(&page) {
        match language.as_str() {
            "sql" => app.database.execute(&content).await,
            "sh" => {
                printed = run(&app, &content).await;
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
    assert!(commands > 8 && compared > 5, "{commands} commands, {compared} compared");
}
