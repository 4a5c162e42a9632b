//! Supabase's own clients sign users up, in and out. `./dev test` fetches them; `tests/clients` says which.

use std::path::Path;

use behalf_tests::app::{anon_key, service_key};
use behalf_tests::{App, Options};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::protocols::clients::{clients, node, run, words};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/supabase");

/// A host that writes its letters to this folder, and lets a test ask for many of them.
async fn app(mailbox: &TempDir) -> App {
    let settings = [
        ("auth_mail_folder", mailbox.path().display().to_string()),
        ("auth_site_url", "http://localhost:3000".to_owned()),
        ("auth_redirect_urls", "http://localhost:3000/**".to_owned()),
        ("auth_anonymous", "true".to_owned()),
        ("auth_letter_pause_seconds", "0".to_owned()),
        ("auth_letters_per_hour", "1000".to_owned()),
        ("auth_tries_per_5_minutes", "0".to_owned()),
    ];
    App::with(Options { settings: settings.to_vec() }).await
}

/// Runs a script with a program; it asserts what it sees, and says at its end that it came so far.
async fn walk(program: &mut Command, script: &str, packages: &Path) -> Value {
    let mailbox = tempfile::tempdir().unwrap();
    let app = app(&mailbox).await;
    program.arg(Path::new(SOURCES).join(script)).env("BASE_URL", &app.url).env("KEY", anon_key());
    program.env("SERVICE_KEY", service_key()).env("MAILBOX", mailbox.path()).env("PACKAGES", packages);
    let output = run(program).await;
    assert!(output.status.success(), "{script} of {}: {}", packages.display(), words(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["done"], true);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_js_on_node_20_signs_users_up_in_and_out() {
    let packages = clients().join("node-20");
    let said = walk(&mut Command::new(packages.join("node_modules/.bin/node")), "auth.mjs", &packages).await;
    assert!(said["node"].as_str().unwrap().starts_with("v20."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_supabase_js_signs_users_up_in_and_out() {
    let said = walk(&mut node(), "auth.mjs", &clients()).await;
    assert!(said["node"].as_str().unwrap().starts_with("v22."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_py_signs_users_up_in_and_out() {
    walk(&mut Command::new(clients().join("python/bin/python")), "auth.py", &clients()).await;
}
