//! The page in a headless Chromium, used as a person uses it. `tests/clients/demo/chat.mjs` says what is looked at.
//!
//! The pictures in `docs/images` are made anew with `UPDATE_SCREENSHOTS=1 ./dev test -E 'test(/^demo::browser::/)'`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use behalf_config::environment;
use behalf_tests::projects::repository;
use serde_json::Value;

use super::dev_host::DevHost;
use crate::protocols::clients::{clients, node, words};

/// Whoever reads a document waits for its pictures.
const MAX_BYTES: u64 = 150 * 1024;

/// A new host compiles what reads documents, which takes a minute where another test does so at the same time.
const MAX_TIME: Duration = Duration::from_secs(200);

/// The pictures, and the document that shows them.
const PICTURES: [&str; 3] = ["demo-chat.png", "demo-chat-sql.png", "demo-chat-narrow.png"];

fn images() -> PathBuf {
    repository().join("docs/images")
}

fn check_sizes(folder: &Path) {
    for name in PICTURES {
        let picture = folder.join(name);
        let bytes = std::fs::metadata(&picture).unwrap_or_else(|error| panic!("{}: {error}", picture.display())).len();
        assert!((1..=MAX_BYTES).contains(&bytes), "{} has {bytes} bytes", picture.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_ask_one_agent_and_each_sees_their_own() {
    let browser = environment("BEHALF_TEST_BROWSER").expect("BEHALF_TEST_BROWSER is not set: use `./dev test`");
    let host = DevHost::start().await;
    let scratch = tempfile::tempdir().unwrap();
    let folder = if environment("UPDATE_SCREENSHOTS").is_some() { images() } else { scratch.path().to_owned() };
    std::fs::create_dir_all(&folder).unwrap();
    let mut script = node();
    script.arg(repository().join("tests/clients/demo/chat.mjs")).env("PAGE", &host.page).env("PACKAGES", clients());
    script.env("BROWSER", browser).env("PICTURES", &folder).env("HOME", scratch.path()).kill_on_drop(true);
    let output = tokio::time::timeout(MAX_TIME, script.output()).await.expect("it ends").unwrap();
    assert!(output.status.success(), "{}", words(&output));
    let said: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", words(&output)));
    assert_eq!(said["done"], true);
    check_sizes(&folder);
}

#[test]
fn the_document_shows_pictures_that_there_are() {
    let document = std::fs::read_to_string(repository().join("docs/demo.md")).unwrap();
    check_sizes(&images());
    for name in PICTURES {
        assert!(document.contains(&format!("](images/{name})")), "docs/demo.md does not show {name}");
    }
    let shown = document.matches("](images/").count();
    assert_eq!(shown, PICTURES.len(), "docs/demo.md shows a picture that no test makes");
}
