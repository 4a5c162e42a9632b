//! A room imports lower floors only. It reads text, so imports name one room at a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each room with the rooms it may name.
const ROOMS: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("telemetry", &[]),
    ("postgres", &[]),
    ("models", &[]),
    ("identity", &[]),
    ("db", &["config", "identity"]),
    ("sandbox", &["config", "db", "identity", "models"]),
    ("tools", &["db", "identity", "sandbox"]),
    ("agents", &["db", "identity", "models", "sandbox", "tools"]),
    ("http", &["agents", "config", "db", "identity", "models", "sandbox", "tools"]),
    ("app", &["agents", "config", "db", "http", "identity", "models", "sandbox", "telemetry", "tools"]),
    (
        "cli",
        &["agents", "app", "config", "db", "http", "identity", "models", "postgres", "sandbox", "telemetry", "tools"],
    ),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src"), &mut found);
    assert!(found.len() > 50, "the sources are where they should be");
    found
}

/// The room of a file: the first part of its path below `host/src`.
fn room(path: &Path) -> String {
    let inside = path.to_str().unwrap().split("host/src/").nth(1).unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs").to_owned()
}

/// Names of rooms that a text reaches by `crate::`. Tests may look further.
fn named_rooms(text: &str) -> Vec<String> {
    let production = text.split("#[cfg(test)]").next().unwrap();
    production
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '{').collect())
        .collect()
}

#[test]
fn a_room_imports_lower_floors_only() {
    let rooms: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    for (path, text) in sources() {
        let own = room(&path);
        if matches!(own.as_str(), "lib" | "main") {
            continue;
        }
        let allowed = rooms.get(own.as_str()).unwrap_or_else(|| panic!("the room {own} is not in the list"));
        for named in named_rooms(&text) {
            assert!(!named.starts_with('{'), "{}: import rooms one at a time", path.display());
            let fine = named == own || allowed.contains(&named.as_str());
            assert!(fine, "{} reaches from {own} to {named}", path.display());
        }
    }
}

#[test]
fn each_danger_has_one_door() {
    let doors: &[(&str, &[&str])] = &[
        ("Component::deserialize", &["sandbox/compiled.rs"]),
        ("unsafe {", &["sandbox/compiled.rs"]),
        ("std::env::var(", &["config.rs"]),
        (".begin_with(", &["db/host_tx.rs"]),
        ("AssertSqlSafe(", &["db/host_tx.rs", "db/migrate.rs"]),
        ("SET LOCAL ROLE {", &["db/bind.rs"]),
        ("DecodingKey::", &["identity/verify.rs", "identity/jwks.rs"]),
        (".execute_again(", &["tools/trial.rs"]),
        (".try_call(", &["cli/tool/check/ground.rs"]),
        (".try_calls_in_one_instance(", &["cli/tool/check/ground.rs"]),
        ("Fixture::open(", &["cli/tool/check/mod.rs"]),
        ("StatusCode::FORBIDDEN", &["http/error.rs"]),
    ];
    for (danger, files) in doors {
        let mut seen = 0;
        for (path, text) in sources() {
            let production = text.split("#[cfg(test)]").next().unwrap();
            let code = production.lines().filter(|line| !line.trim_start().starts_with("//"));
            if code.clone().any(|line| line.contains(danger)) {
                seen += 1;
                let fine = files.iter().any(|file| path.ends_with(file));
                assert!(fine, "{danger} stands in {}; its door is {files:?}", path.display());
            }
        }
        assert!(seen > 0, "{danger} is nowhere: the check has lost its object");
    }
}
