//! Supabase's own clients as two users. `./dev test` fetches them; `tests/clients` says which.

use std::path::Path;

use behalf_tests::app::{anon_key, token};
use behalf_tests::{ALICE, App, BOB, Options, TestDatabase};
use serde_json::Value;
use tokio::process::Command;

use crate::protocols::clients::{clients, node, run, words};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/supabase");

async fn app() -> App {
    let database = TestDatabase::create().await;
    database.execute(include_str!("../../clients/supabase/schema.sql")).await;
    App::on(database, Options::default()).await
}

/// Runs a script with a program; it asserts what it sees, and says at its end that it came so far.
async fn walk(program: &mut Command, script: &str, packages: &Path) -> Value {
    let app = app().await;
    program.arg(Path::new(SOURCES).join(script)).env("BASE_URL", &app.url).env("KEY", anon_key());
    program.env("ALICE", token(ALICE)).env("BOB", token(BOB)).env("PACKAGES", packages);
    let output = run(program).await;
    assert!(output.status.success(), "{script} of {}: {}", packages.display(), words(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["done"], true);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_js_on_node_20_works_as_each_user() {
    let packages = clients().join("node-20");
    let said = walk(&mut Command::new(packages.join("node_modules/.bin/node")), "client.mjs", &packages).await;
    assert!(said["node"].as_str().unwrap().starts_with("v20."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_supabase_js_works_as_each_user() {
    let said = walk(&mut node(), "client.mjs", &clients()).await;
    assert!(said["node"].as_str().unwrap().starts_with("v22."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_py_works_as_each_user() {
    walk(&mut Command::new(clients().join("python/bin/python")), "client.py", &clients()).await;
}
