//! Supabase's own clients, and that of TUS, keep files as two users. `./dev test` fetches them; `tests/clients` says which.

use std::path::Path;

use behalf_tests::app::{anon_key, service_key, token};
use behalf_tests::{ALICE, App, BOB, Options, TestDatabase};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::protocols::clients::{clients, node, run, words};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/supabase");

/// A host whose users have a folder of their own in each bucket.
async fn app(files: &TempDir) -> App {
    let database = TestDatabase::create().await;
    database.execute(include_str!("../../clients/supabase/storage.sql")).await;
    let folder = format!("file://{}", files.path().display());
    App::on(database, Options { settings: vec![("storage", folder)] }).await
}

/// Runs a script with a program; it asserts what it sees, and says at its end that it came so far.
async fn walk(program: &mut Command, script: &str, packages: &Path) -> Value {
    let files = tempfile::tempdir().unwrap();
    let app = app(&files).await;
    program.arg(Path::new(SOURCES).join(script)).env("BASE_URL", &app.url).env("KEY", anon_key());
    program.env("SERVICE_KEY", service_key()).env("ALICE", token(ALICE)).env("BOB", token(BOB));
    let output = run(program.env("PACKAGES", packages)).await;
    assert!(output.status.success(), "{script} of {}: {}", packages.display(), words(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["done"], true);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_js_on_node_20_keeps_each_user_s_files() {
    let packages = clients().join("node-20");
    let said = walk(&mut Command::new(packages.join("node_modules/.bin/node")), "storage.mjs", &packages).await;
    assert!(said["node"].as_str().unwrap().starts_with("v20."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_supabase_js_keeps_each_user_s_files() {
    let said = walk(&mut node(), "storage.mjs", &clients()).await;
    assert!(said["node"].as_str().unwrap().starts_with("v22."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_py_keeps_each_user_s_files() {
    walk(&mut Command::new(clients().join("python/bin/python")), "storage.py", &clients()).await;
}
