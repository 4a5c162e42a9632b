//! Supabase's own clients meet in channels as two users, each at a host of its own. `./dev test` fetches them; `tests/clients` says which.

use std::path::Path;

use behalf_tests::app::{anon_key, token};
use behalf_tests::{ALICE, App, BOB, Options, TestDatabase};
use serde_json::Value;
use tokio::process::Command;

use crate::protocols::clients::{clients, node, run, words};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/supabase");

/// Two hosts of one project, and the rooms that the scripts name.
async fn hosts() -> [App; 2] {
    let database = TestDatabase::create().await;
    database.execute(include_str!("../../clients/supabase/realtime.sql")).await;
    for (room, user, speaks) in [
        ("room:both", ALICE, true),
        ("room:both", BOB, true),
        ("room:hers", ALICE, true),
        ("room:quiet", ALICE, true),
        ("room:quiet", BOB, false),
    ] {
        database.execute(&format!("insert into members values ('{room}', '{user}', {speaks})")).await;
    }
    let options = || Options { settings: vec![("replication_database_url", database.replication_url())] };
    let one = App::on(database.clone(), options()).await;
    [one, App::on(database.clone(), options()).await]
}

/// Runs a script with a program; it asserts what it sees, and says at its end that it came so far.
async fn walk(program: &mut Command, script: &str, packages: &Path) -> Value {
    let [one, other] = hosts().await;
    program.arg(Path::new(SOURCES).join(script)).env("BASE_URL", &one.url).env("OTHER_URL", &other.url);
    program.env("KEY", anon_key()).env("ALICE", token(ALICE)).env("BOB", token(BOB));
    let output = run(program.env("PACKAGES", packages)).await;
    assert!(output.status.success(), "{script} of {}: {}", packages.display(), words(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["done"], true);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_js_on_node_20_meets_others_in_channels() {
    let packages = clients().join("node-20");
    let said = walk(&mut Command::new(packages.join("node_modules/.bin/node")), "realtime.mjs", &packages).await;
    assert!(said["node"].as_str().unwrap().starts_with("v20."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_supabase_js_meets_others_in_channels() {
    let said = walk(&mut node(), "realtime.mjs", &clients()).await;
    assert!(said["node"].as_str().unwrap().starts_with("v22."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_py_meets_others_in_channels() {
    walk(&mut Command::new(clients().join("python/bin/python")), "channels.py", &clients()).await;
}
