//! What an author is told of common mistakes, in `tests/golden/author_messages.txt`: each with its cause and what to change.
//!
//! After a change: `UPDATE_GOLDEN=1 ./dev test -E 'test(/^toolchain::author_messages::/)'`, then read `git diff tests/golden`.

use std::fmt::Write as _;

use behalf_config::environment;
use behalf_tests::projects::behalf_on;
use behalf_tests::{TestDatabase, components, guests};
use serde_json::{Value, json};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/author_messages.txt");

/// A mistake, and the call that makes it.
struct Mistake {
    what: &'static str,
    component: String,
    tool: &'static str,
    arguments: Value,
    grants: Option<Value>,
}

fn mistake(
    what: &'static str,
    component: &str,
    tool: &'static str,
    arguments: Value,
    grants: Option<Value>,
) -> Mistake {
    Mistake { what, component: component.to_owned(), tool, arguments, grants }
}

fn statements() -> Vec<Mistake> {
    let notes = json!({"database": {"access": "read", "schemas": ["public"], "tables": ["public.notes"]}});
    let sql = |what, arguments| mistake(what, guests::PROBE, "sql", arguments, Some(notes.clone()));
    vec![
        sql("a misspelt column", json!({"sql": "select id,\n       titel\nfrom notes\nwhere id is not null"})),
        sql("too few parameters", json!({"sql": "select $1::int + $2::int", "params": [1]})),
        sql("a value that is no date", json!({"sql": "select $1::date", "params": ["yesterda"]})),
        sql("a table that was not granted", json!({"sql": "select 1 from budgets"})),
        sql("a misspelt table", json!({"sql": "select 1 from note"})),
        sql("writing that was not granted", json!({"sql": "delete from notes", "mode": "execute"})),
        sql("a function that is not allowed", json!({"sql": "select set_config('role', 'postgres', true)"})),
    ]
}

/// A component whose tool takes a schema as generators write it.
fn choosy(folder: &std::path::Path) -> String {
    let filter = json!({"type": "object", "additionalProperties": false, "required": ["period"], "properties": {
        "period": {"oneOf": [{"const": "day"}, {"const": "week"}, {"const": "month"}]},
        "limit": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}}});
    let schema = json!({"type": "object", "properties": {"filter": {"anyOf": [filter, {"type": "null"}]}}});
    let path = folder.join("choosy.wasm");
    std::fs::write(&path, components::tool("choosy", &schema)).unwrap();
    path.display().to_string()
}

fn others(folder: &std::path::Path) -> Vec<Mistake> {
    let choosy = choosy(folder);
    let filter = |what, filter: Value| mistake(what, &choosy, "choosy", json!({ "filter": filter }), None);
    let grants = |what, grants| mistake(what, guests::PROBE, "sql", json!({"sql": "select 1"}), Some(grants));
    let hosts = json!({"http": {"hosts": ["api.example.com"]}});
    let printed = json!({"stdout": "one line\nand another\n", "stderr": "Traceback:\n  line 7\n"});
    vec![
        filter("a literal that is a slip", json!({"period": "weak"})),
        filter("a name that is a slip", json!({"perod": "week"})),
        filter("a value of another type", json!({"period": "day", "limit": "5"})),
        grants("nothing is granted", json!({})),
        grants("access without schemas", json!({"database": {"access": "read"}})),
        mistake(
            "a host that was not granted",
            guests::HTTP,
            "fetch",
            json!({"url": "https://api.example.org:8443/v1?key=secret"}),
            Some(hosts),
        ),
        mistake("what a tool printed", guests::PROBE, "print", printed, None),
        mistake("a tool that is not there", guests::PROBE, "sqll", json!({}), None),
    ]
}

/// What was printed, without numbers that differ from run to run.
fn stable(text: &str) -> String {
    let measured = |line: &&str| !line.contains(" of memory") && !line.contains("(fingerprint ");
    text.lines().filter(measured).fold(String::new(), |all, line| all + line.trim_end() + "\n")
}

#[tokio::test]
async fn every_mistake_is_told_with_its_cause_and_what_to_change() {
    let (database, folder) = (TestDatabase::create().await, tempfile::tempdir().unwrap());
    let owner = database.owner_url();
    let mut told = String::new();
    for Mistake { what, component, tool, arguments, grants } in statements().into_iter().chain(others(folder.path())) {
        let (arguments, grants) = (arguments.to_string(), grants.map(|grants| grants.to_string()));
        let mut command = vec!["tool", "run", &component, tool, &arguments, "--database-url", &owner];
        command.extend(grants.iter().flat_map(|grants| ["--grants", grants]));
        let printed = behalf_on(&database, &command).await;
        assert!(!printed.err.contains('\u{1b}'), "no colours where nobody sees them: {}", printed.err);
        write!(told, "--- {what}: {tool} {arguments}\n{}\n", stable(&printed.err)).unwrap();
    }
    if environment("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &told).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(golden == told, "tests/golden/author_messages.txt differs; what is told now:\n{told}");
}

/// The golden file holds what it should, whatever it was updated to.
#[test]
fn the_messages_name_cause_place_and_change() {
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    for part in [
        "SQLSTATE 42703",
        "  2 |        titel",
        "    |        ^",
        "hint: Perhaps you meant",
        "takes 2 parameters ($1 to $2), and 1 was given",
        "in plugin.toml, [grants.database]: tables = [\"public.notes\", \"public.budgets\"]",
        "in plugin.toml, [grants.database]: access = \"write\"",
        "did you mean \"week\"?",
        "did you mean \"period\"?",
        "access = \"read\" needs schemas",
        "GET to api.example.org:8443 was not sent: granted are api.example.com",
        "request 1: GET api.example.org:8443: denied",
        "print, stderr:   line 7",
    ] {
        assert!(golden.contains(part), "{part}");
    }
    assert!(!golden.contains("any of the schemas"), "{golden}");
}
