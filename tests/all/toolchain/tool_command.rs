//! The commands `behalf tool inspect`, `behalf tool run` and `behalf doctor --json`, run as a person runs them.

use std::path::Path;

use behalf_config::environment;
use behalf_tests::projects::{self, Printed, behalf_on};
use behalf_tests::{BOB, TestDatabase, guests};
use serde_json::{Value, json};

async fn behalf(database: Option<&TestDatabase>, arguments: &[&str]) -> Printed {
    match database {
        Some(database) => behalf_on(database, arguments).await,
        None => projects::behalf(Path::new("."), arguments).await,
    }
}

#[tokio::test]
async fn inspecting_says_what_a_component_could_ever_do() {
    let report = behalf(None, &["tool", "inspect", guests::PROBE, "--json"]).await.json();
    let names = |key: &str| report[key].as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names("may_be_granted").first(), Some(&json!("database")));
    for never in ["knowledge", "memory", "http", "network", "environment"] {
        assert!(names("never").contains(&json!(never)), "{report:#}");
    }
    assert!(names("tools").contains(&json!("sql")), "{report:#}");
    assert_eq!(report["digest"].as_str().unwrap().len(), 64);
    assert!(report["memory_bytes"].as_u64().unwrap() >= 65_536, "{report:#}");
    let text = behalf(None, &["tool", "inspect", guests::PROBE]).await;
    assert!(text.ok && text.out.contains("Can never be given:"), "{}", text.out);
}

#[tokio::test]
async fn inspecting_what_is_no_plugin_fails_with_the_reason() {
    for (file, reason) in [
        (guests::WRONG_WORLD, "does not export behalf:tool/tool"),
        (guests::UNKNOWN_IMPORT, "which this host does not have"),
        (guests::DEFINITIONS_SPIN, "`definitions` failed"),
        (guests::DEFINITIONS_QUERY, "without any capability"),
        ("/no/such/file.wasm", "cannot read /no/such/file.wasm"),
    ] {
        let printed = behalf(None, &["tool", "inspect", file]).await;
        assert!(
            !printed.ok && format!("{}{}", printed.out, printed.err).contains(reason),
            "{} {}",
            printed.out,
            printed.err
        );
    }
}

#[tokio::test]
async fn a_call_on_a_given_database_is_the_callers_and_leaves_no_plugin() {
    let database = TestDatabase::create().await;
    let owner = database.owner_url();
    let bob = BOB.to_string();
    let call = ["tool", "run", guests::PROBE, "sql", r#"{"sql": "select title from notes"}"#, "--database-url", &owner];
    for (more, titles) in [
        (vec!["--sub", "bob"], json!([["Car"]])),
        (vec!["--sub", &bob], json!([["Car"]])),
        (vec!["--role", "service_role"], json!([["Garden"], ["Safe"], ["Car"]])),
    ] {
        let printed = behalf(Some(&database), &[&call[..], &more].concat()).await;
        assert!(printed.ok, "{}", printed.err);
        let mut rows = printed.json()["rows"].as_array().unwrap().clone();
        let mut expected = titles.as_array().unwrap().clone();
        rows.sort_by_key(Value::to_string);
        expected.sort_by_key(Value::to_string);
        assert_eq!(rows, expected, "{more:?}");
        assert!(printed.err.contains("statement 1: allowed"), "{}", printed.err);
    }
    let shown = behalf(Some(&database), &[&call[..], &["--json"]].concat()).await.json();
    assert_eq!((&shown["call"]["outcome"], &shown["call"]["statements"][0]["rows"]), (&json!("ok"), &json!(2)));
    assert_eq!(database.value::<i64>("select count(*) from ai.plugins").await, 0);
}

#[tokio::test]
async fn a_call_that_fails_says_what_and_leaves_no_plugin() {
    let database = TestDatabase::create().await;
    let owner = database.owner_url();
    for (file, tool, more, code) in [
        (guests::PROBE, "sql", vec![r#"{"sql": "select 1"}"#, "--grants", "{}"], "not_granted"),
        (guests::PROBE, "nothing", vec![], "not_found"),
        (guests::HOSTILE, "spin", vec!["--grants", r#"{"limits": {"timeout_ms": 300}}"#], "deadline"),
        (guests::HOSTILE, "panic", vec![], "trapped"),
        (guests::DEFINITIONS_PANIC, "any", vec![], "cannot be registered"),
        (guests::PROBE, "sql", vec!["[]"], "no JSON object"),
        (guests::PROBE, "sql", vec!["{}", "--grants", r#"{"http": {"hosts": ["example.com"]}}"#], "does not import"),
    ] {
        let arguments = [&["tool", "run", file, tool], &more[..], &["--database-url", &owner]].concat();
        let printed = behalf(Some(&database), &arguments).await;
        assert!(!printed.ok && printed.out.is_empty(), "{arguments:?}");
        assert!(printed.err.contains(code), "{arguments:?}: {}", printed.err);
    }
    assert_eq!(database.value::<i64>("select count(*) from ai.plugins").await, 0);
}

#[tokio::test]
async fn a_database_without_migrations_is_refused_with_the_command_that_mends_it() {
    let database = TestDatabase::empty().await;
    let printed =
        behalf(Some(&database), &["tool", "run", guests::PROBE, "clock", "--database-url", &database.owner_url()])
            .await;
    assert!(!printed.ok && printed.err.contains("behalf migrate"), "{}", printed.err);
}

#[tokio::test]
async fn the_doctor_answers_in_json_and_by_its_exit_code() {
    let database = TestDatabase::create().await;
    let program = environment("BEHALF_TEST_BIN").expect("BEHALF_TEST_BIN is not set: run the tests with `./dev test`");
    let doctor = |secret: &'static str| {
        let mut command = tokio::process::Command::new(&program);
        command
            .args(["doctor", "--json"])
            .env("BEHALF_DATABASE_URL", database.owner_url())
            .env("BEHALF_JWT_SECRET", secret);
        command
            .env("BEHALF_HOST_DATABASE_URL", database.host_url())
            .env("BEHALF_TOOL_DATABASE_URL", database.tool_url());
        command
            .env("BEHALF_ANON_KEY", "sb_publishable_gVn3xP0aQ9vBn7LmRt5W")
            .env("BEHALF_SERVICE_ROLE_KEY", "sb_secret_Zk3xP0aQ9vBn7LmRt5WcYh");
        async move { command.output().await.unwrap() }
    };
    for (secret, ok) in
        [(behalf_tests::SECRET, true), ("super-secret-jwt-token-with-at-least-32-characters-long", false)]
    {
        let done = doctor(secret).await;
        let findings: Vec<Value> = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(done.status.success(), ok, "{findings:#?}");
        let bad: Vec<_> =
            findings.iter().filter(|one| one["level"] == "error").map(|one| one["check"].clone()).collect();
        assert_eq!(bad, if ok { vec![] } else { vec![json!("jwt-secret")] });
        assert!(
            findings.iter().all(|one| one["found"].is_string() && (one["fix"].is_null() || one["fix"].is_string()))
        );
    }
}
