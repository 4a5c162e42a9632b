//! Uploads of components that are wrong before their first call: each is refused with the reason, and leaves nothing behind.

mod damaged;
mod imports;
mod invalid_files;
mod nesting;
mod requests;
mod schemas;

use behalf_tests::{Answer, App, components, guests};

/// Counts of everything that is registered in the database.
const REGISTERED: &str =
    "select count(*) || '/' || (select count(*) from ai.component) || '/' || (select count(*) from ai.plugin_tools)
    || '/' || (select version from ai.registry_version) from ai.plugins";

async fn registered(app: &App) -> String {
    app.database.value(REGISTERED).await
}

fn component(name: &str) -> Vec<u8> {
    let find = |list: &[(&str, &'static str)]| list.iter().find(|one| one.0 == name).map(|one| one.1);
    match (find(guests::ALL), find(guests::TEXTS)) {
        (Some(path), _) => std::fs::read(path).unwrap(),
        (_, Some(path)) => components::from_text(path),
        _ => panic!("there is no guest {name}"),
    }
}

/// Checks that the answer is a refusal with this status, and that its reason contains these words.
fn refused(what: &str, answer: &Answer, status: u16, words: &[&str]) {
    let text: String = answer.text.chars().take(600).collect();
    assert_eq!(answer.status, status, "{what}: {text}");
    let reason = answer.json["detail"].as_str().unwrap_or_else(|| panic!("{what}: {text}"));
    for word in words {
        assert!(reason.contains(word), "{what}: no {word:?} in: {text}");
    }
    assert!(answer.text.len() < 2_000, "{what}: {text}");
}
