//! `/openapi.json` describes every route, is the same as the file in `tests/golden`, and serves to generate a client.
//!
//! After a change of the routes: `UPDATE_GOLDEN=1 ./dev test -E 'test(/^web::openapi::/)'`, then read `git diff tests/golden`:
//! whatever stands there is published.

use std::path::Path;

use behalf_config::environment;
use behalf_tests::app::{anon_key, service_key, token};
use behalf_tests::{ALICE, App, User};
use serde_json::{Value, json};

use crate::protocols::clients::{clients, node, run, words};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/openapi.json");
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/openapi");

async fn document(app: &App) -> Value {
    let answer = app.get(&User::Nobody, "/openapi.json").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_the_one_that_was_reviewed() {
    let mut document = document(&App::start().await).await;
    // A new version of the host is not a change of its routes.
    document["info"]["version"] = json!("0");
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    if environment("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    let first = golden.lines().zip(text.lines()).find(|(file, host)| file != host);
    assert!(
        golden == text,
        "tests/golden/openapi.json differs from the host, first at {first:?}; the head of tests/all/web/openapi.rs says how to update it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_described_with_its_request_and_its_answers() {
    let app = App::start().await;
    let document = document(&app).await;
    let routes = app.state.routes();
    assert!(routes.len() > 60, "the host has lost routes: {}", routes.len());
    for route in routes {
        let name = format!("{} {}", route.method, route.path);
        let path = route.path.replace("{*", "{");
        let described = &document["paths"][&path][route.method.as_str().to_lowercase()];
        let text = |field: &str| described[field].as_str().unwrap_or_default().to_owned();
        assert!(!text("summary").is_empty() && !text("operationId").is_empty(), "{name} has no summary or no id");
        let responses = described["responses"].as_object().unwrap_or_else(|| panic!("{name} is not described"));
        // A websocket is another protocol, pages of a sign-in elsewhere lead on, images in another form are not made, and SAML is not
        // offered.
        let is_offered = name != "POST /auth/v1/sso";
        let is_success = |status: &String| {
            status.starts_with('2') || ["30", "101", "501"].iter().any(|other| status.starts_with(other))
        };
        assert!(!is_offered || responses.keys().any(is_success), "{name} describes no success");
        // A 202 of MCP and of channels, a 204, what begins an upload and what only answers have no body.
        let bodiless = ["/storage/v1/upload/resumable", "/storage/v1/upload/resumable/sign", "/storage/v1/status"];
        let empty = |status: &str| {
            let is_bodiless = bodiless.contains(&route.path.as_str());
            let is_taken = status == "202" && ["/mcp", "/realtime"].iter().any(|face| route.path.starts_with(face));
            status == "204" || is_taken || is_bodiless
        };
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with('2') && !empty(status)) {
            assert!(response["content"].is_object(), "{name} says nothing of the body of a {status}");
        }
        for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let parameters = described["parameters"].as_array().into_iter().flatten();
            assert!(
                parameters.clone().any(|one| one["in"] == "path" && one["name"] == part),
                "{name} does not describe {part}"
            );
        }
    }
}

/// What a client's compiler accepts is what the host takes, and what the host answers is what the compiler promised.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_generated_from_the_document_compiles_and_makes_a_run() {
    let app = App::start().await;
    let folder = tempfile::tempdir().unwrap();
    for file in ["client.ts", "tsconfig.json"] {
        std::fs::copy(Path::new(SOURCES).join(file), folder.path().join(file)).unwrap();
    }
    std::fs::write(folder.path().join("package.json"), r#"{"type": "module"}"#).unwrap();
    std::os::unix::fs::symlink(clients().join("node_modules"), folder.path().join("node_modules")).unwrap();
    std::fs::write(folder.path().join("openapi.json"), document(&app).await.to_string()).unwrap();

    for (program, arguments) in
        [("openapi-typescript", &["openapi.json", "-o", "schema.ts"][..]), ("tsc", &["--project", "tsconfig.json"])]
    {
        let mut command = node();
        command.arg(clients().join("node_modules/.bin").join(program)).args(arguments).current_dir(&folder);
        let output = run(&mut command).await;
        assert!(output.status.success(), "{program}: {}", words(&output));
    }

    let query = json!({"query": "select title, body from notes order by title"});
    let mut client = node();
    client.arg("out/client.js").current_dir(&folder).env("BASE_URL", &app.url).env("ANON_KEY", anon_key());
    client.env("TOKEN", token(ALICE)).env("SERVICE_KEY", service_key());
    client.env("MESSAGE", format!("/database_query {query}"));
    let output = run(&mut client).await;
    assert!(output.status.success(), "{}", words(&output));
    let got: Value = serde_json::from_slice(&output.stdout).unwrap();
    let content = got["content"].as_str().unwrap();
    assert!(content.contains("tomatoes") && !content.contains("brakes"), "{content}");
    assert_eq!((&got["status"], &got["session"], &got["refused"]), (&json!("completed"), &json!(true), &json!(403)));
    assert!(got["tools"].as_array().unwrap().contains(&json!("database_query")), "{got}");
}
