//! What an author reads of a crash: files, lines and names of their own.

use behalf_tests::projects::{project, repository};
use behalf_tests::{ALICE, App, User, guests};
use serde_json::{Value, json};

/// The lines that a call which fails leaves for the service role.
async fn log_of(app: &App, tool: &str, arguments: Value) -> String {
    let answer = app.call(&User::Is(ALICE), tool, arguments).await;
    assert!(answer.status >= 400, "{tool}: {}", answer.text);
    let call = answer.json["call_id"].as_str().unwrap_or_else(|| panic!("no call: {}", answer.text));
    let texts = app.get(&User::Service, &format!("/api/tool-calls/{call}/texts")).await;
    assert_eq!(texts.status, 200, "{tool}: {}", texts.text);
    let lines = texts.json["log"].as_array().unwrap().iter();
    lines.map(|line| line["message"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_stack_names_the_authors_own_file_and_line() {
    let app = App::start().await;
    let grants = json!({
        "database": { "access": "read", "schemas": ["public"], "tables": ["public.notes"] },
        "storage": { "buckets": ["files"], "access": "write" },
        "http": { "hosts": ["api.example.com"] },
    });
    for (language, source, thrown) in [
        ("js", "src/tool.js", "new RangeError(\"swordfish\")"),
        ("python", "src/language_python.py", "KeyError(\"swordfish\")"),
    ] {
        let folder = format!("tests/languages/{language}");
        let file = project(&folder).await.display().to_string();
        let installed = app.install(&file, &grants).await;
        let text = std::fs::read_to_string(repository().join(&folder).join(source)).unwrap();
        let line = 1 + text.lines().position(|line| line.contains(thrown)).unwrap();
        let place = match language {
            "js" => format!("(src/tool.js:{line})"),
            _ => format!("language_python.py\", line {line}, in fails"),
        };
        let log = log_of(&app, "fails", json!({ "how": "uncaught" })).await;
        assert!(log.contains(&place) && log.contains("swordfish"), "{language}: {place} is not in:\n{log}");
        let recursion = log_of(&app, "fails", json!({ "how": "recursion" })).await;
        assert!(language == "js" || recursion.contains("RecursionError"), "{language}: {recursion}");
        let id = installed.json["id"].as_str().unwrap();
        app.send(&User::Service, reqwest::Method::DELETE, &format!("/api/plugins/{id}"), json!({})).await;
    }
}

#[tokio::test]
async fn a_crash_names_the_functions_it_happened_in() {
    let app = App::start().await;
    app.install(guests::HOSTILE, &json!({})).await;
    let panicked = log_of(&app, "panic", json!({ "message": "swordfish" })).await;
    assert!(panicked.contains("hostile.rs:") && panicked.contains("swordfish"), "{panicked}");
    let (_, names) = panicked.split_once("crashed in\n").unwrap_or_else(|| panic!("{panicked}"));
    assert!(names.contains("hostile::"), "{panicked}");
    // The machinery of panics says nothing, and a function that calls itself is said once.
    assert!(!names.contains("core::panicking") && !names.contains("rust_panic"), "{panicked}");
    let recursed = log_of(&app, "recurse", json!({})).await;
    assert_eq!(recursed.matches("hostile::recurse").count(), 1, "{recursed}");
}
