//! The form of answers: problems with all their fields, faults with their JSON pointers, and headers.

use behalf_tests::{ALICE, Answer, App, User, components};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

/// Checks that the answer is a problem with this status and all fields of a problem, and returns it.
async fn problem(what: &str, response: Response, status: u16) -> Value {
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(response.status().as_u16(), status, "{what}");
    assert_eq!(header("content-type").as_deref(), Some("application/problem+json"), "{what}");
    let request_id = header("x-request-id").unwrap_or_else(|| panic!("{what}: no x-request-id"));
    assert!(uuid::Uuid::try_parse(&request_id).is_ok(), "{what}: {request_id}");
    let challenge = header("www-authenticate");
    assert_eq!(challenge.is_some_and(|value| value.starts_with("Bearer")), status == 401, "{what}");
    let length = header("content-length").map(|length| length.parse::<usize>().unwrap());
    let text = response.text().await.unwrap();
    assert!(length.is_none_or(|length| length == text.len()), "{what}: {length:?}");
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{what}: {error}: {text}"));
    assert_eq!(body["status"], status, "{what}: {body}");
    assert_eq!(body["request_id"], request_id, "{what}: {body}");
    assert!(body["type"].as_str().is_some_and(|kind| kind.starts_with("urn:behalf:problem:")), "{what}: {body}");
    assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()), "{what}: {body}");
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{what}: {body}");
    assert_eq!(body["error"], body["detail"], "{what}");
    body
}

/// A host with a tool that has a schema.
async fn with_tool() -> App {
    let app = App::start().await;
    let schema = json!({
        "type": "object",
        "required": ["name", "address"],
        "additionalProperties": false,
        "properties": {
            "name": {"type": "string", "minLength": 2},
            "age": {"type": "integer", "minimum": 0},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            "address": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}, "a/b~c": {"type": "null"}}},
            "since": {"type": "string", "format": "date"},
        },
    });
    let answer = app.upload_bytes(components::tool("person", &schema), &json!({}), "").await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    app
}

const PERSON: &str = "/api/tools/person/call";

#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_do_not_fit_are_pointed_at() {
    let app = with_tool().await;
    let user = User::Is(ALICE);
    let good = json!({"name": "Al", "age": 3, "tags": [], "address": {"city": "Lund"}, "since": "2026-11-23"});
    assert_eq!(app.call(&user, "person", good).await.result(), &json!({}));
    let cases = [
        (json!({}), vec!["", ""]),
        (json!({"name": "A", "address": {"city": "x"}}), vec!["/name"]),
        (json!({"name": 7, "address": {"city": 7}}), vec!["/address/city", "/name"]),
        (json!({"name": "Al", "address": {}}), vec!["/address"]),
        (json!({"name": "Al", "address": {"city": "x", "a/b~c": 1}}), vec!["/address/a~1b~0c"]),
        (
            json!({"name": "Al", "address": {"city": "x"}, "tags": ["a", 1, "b", 2]}),
            vec!["/tags", "/tags/1", "/tags/3"],
        ),
        (json!({"name": "Al", "address": {"city": "x"}, "age": -1}), vec!["/age"]),
        (json!({"name": "Al", "address": {"city": "x"}, "age": 1.5}), vec!["/age"]),
        (json!({"name": "Al", "address": {"city": "x"}, "since": "yesterday"}), vec!["/since"]),
        (json!({"name": "Al", "address": {"city": "x"}, "other": 1}), vec![""]),
        (json!([1, 2]), vec![""]),
        (json!("text"), vec![""]),
        (json!(7), vec![""]),
    ];
    for (arguments, pointers) in cases {
        let request = app.request(&user, Method::POST, PERSON).json(&json!({"arguments": arguments}));
        let body = problem(&arguments.to_string(), request.send().await.unwrap(), 400).await;
        let faults = body["faults"].as_array().unwrap_or_else(|| panic!("{body}"));
        let mut found: Vec<_> = faults.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, pointers, "{arguments}: {body}");
        assert!(faults.iter().all(|fault| fault["message"].as_str().is_some_and(|text| !text.is_empty())), "{body}");
        assert_eq!(
            (&body["type"], &body["code"]),
            (&json!("urn:behalf:problem:invalid-arguments"), &json!("invalid_arguments"))
        );
    }
    // Missing arguments count as an empty object.
    for body in [json!({}), json!({"arguments": null})] {
        let request = app.request(&user, Method::POST, PERSON).json(&body);
        assert_eq!(
            problem("missing", request.send().await.unwrap(), 400).await["faults"].as_array().map(Vec::len),
            Some(2)
        );
    }
    assert_eq!(app.post(&user, "/api/tools/no_arguments/call", json!({})).await.status, 404);
    // The answer is short however many arguments do not fit, and the audit log blames the caller.
    let answer = app
        .call(&user, "person", json!({"tags": vec![1; 100_000], "name": "x".repeat(1_000_000), "address": []}))
        .await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text.len() < 30_000 && answer.json["faults"].as_array().unwrap().len() <= 20,
        "{}",
        answer.text.len()
    );
    let row = app.audit().await.into_iter().next().unwrap();
    assert_eq!(
        (&row["outcome"], &row["blame"], &row["tool"]),
        (&json!("invalid_arguments"), &json!("caller"), &json!("person"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_under_another_name_are_not_taken_for_missing_ones() {
    let app = with_tool().await;
    let user = User::Is(ALICE);
    for (name, value) in [("args", json!({"name": "Al"})), ("Arguments", json!({})), ("name", json!("Al"))] {
        let answer = app.post(&user, PERSON, json!({"arguments": {}, name: value})).await;
        assert_eq!((answer.status, &answer.json["type"]), (400, &json!("urn:behalf:problem:bad-request")), "{name}");
        let said = answer.json["error"].as_str().unwrap();
        assert!(said.contains(name) && said.contains("`arguments`"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_another_form_is_a_problem_with_everything_in_it() {
    let app = with_tool().await;
    let user = User::Is(ALICE);
    let post =
        |body: String| app.request(&user, Method::POST, PERSON).header("content-type", "application/json").body(body);
    let deep = format!("{{\"arguments\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for (what, request, status) in [
        ("no JSON", post("{".to_owned()), 400),
        ("nothing", post(String::new()), 400),
        ("not UTF-8", post(String::new()).body(vec![b'"', 0xff, b'"']), 400),
        ("two values", post("{} {}".to_owned()), 400),
        ("a number that is none", post("{\"arguments\": {\"age\": 1e999}}".to_owned()), 400),
        ("no object", post("7".to_owned()), 400),
        ("deep", post(deep), 400),
        ("another content type", post("{}".to_owned()).header("content-type", "text/plain"), 400),
        ("no content type", app.request(&user, Method::POST, PERSON).body("{}"), 400),
        ("an unknown tool", app.request(&user, Method::POST, "/api/tools/nothing/call").json(&json!({})), 404),
        (
            "a name that is none",
            app.request(&user, Method::POST, "/api/tools/..%2f..%2fetc/call").json(&json!({})),
            404,
        ),
        ("a name with a NUL", app.request(&user, Method::POST, "/api/tools/a%00b/call").json(&json!({})), 404),
        ("a name that is no text", app.request(&user, Method::POST, "/api/tools/%ff/call").json(&json!({})), 400),
        ("a plugin that is no text", app.request(&User::Service, Method::GET, "/api/plugins/%ff"), 400),
        ("a query that does not fit", app.request(&user, Method::GET, "/api/tool-calls?limit=many"), 400),
        ("an unknown endpoint", app.request(&user, Method::GET, "/api/nothing"), 404),
        ("the root", app.request(&User::Nobody, Method::GET, "/"), 404),
        ("another method", app.request(&user, Method::GET, PERSON), 405),
        ("a method on a list", app.request(&user, Method::DELETE, "/api/plugins"), 405),
        ("no identity", app.request(&User::Nobody, Method::POST, PERSON).json(&json!({})), 401),
        ("a token that is none", app.request(&User::Token("x.y.z".to_owned()), Method::GET, "/api/tools"), 401),
        ("basic authentication", app.request(&User::Anon, Method::GET, "/api/tools").basic_auth("a", Some("b")), 401),
        ("another's key", app.request(&User::Nobody, Method::GET, "/api/tools").header("apikey", "x"), 401),
        ("a user who manages", app.request(&user, Method::GET, "/api/plugins"), 403),
        (
            "a user for another",
            app.request(&user, Method::GET, "/api/tools").header("x-behalf-act-as", ALICE.to_string()),
            403,
        ),
        ("for nobody", app.request(&User::Service, Method::GET, "/api/tools").header("x-behalf-act-as", "x"), 400),
    ] {
        problem(what, request.send().await.unwrap(), status).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_is_sent_twice_is_refused() {
    let app = with_tool().await;
    let token = behalf_tests::app::token(ALICE);
    let service = behalf_tests::app::service_key();
    for (what, request) in [
        (
            "two tokens",
            app.request(&User::Is(ALICE), Method::GET, "/api/tools")
                .header("authorization", format!("Bearer {service}")),
        ),
        (
            "the same token",
            app.request(&User::Is(ALICE), Method::GET, "/api/tools").header("authorization", format!("Bearer {token}")),
        ),
        ("two keys", app.request(&User::Is(ALICE), Method::GET, "/api/tools").header("apikey", service.clone())),
        (
            "two users",
            app.request(&User::ServiceFor(ALICE), Method::GET, "/api/tools")
                .header("x-behalf-act-as", ALICE.to_string()),
        ),
    ] {
        let body = problem(what, request.send().await.unwrap(), 400).await;
        assert!(body["detail"].as_str().unwrap().contains("was sent twice"), "{what}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_an_id_of_its_own_that_the_audit_log_knows() {
    let app = with_tool().await;
    let user = User::Is(ALICE);
    let mut seen = std::collections::HashSet::new();
    let arguments = json!({"arguments": {"name": "Al", "address": {"city": "x"}}});
    for request in [
        app.request(&User::Nobody, Method::GET, "/healthz"),
        app.request(&User::Nobody, Method::GET, "/readyz"),
        app.request(&User::Nobody, Method::GET, "/metrics"),
        app.request(&user, Method::GET, "/api/tools"),
        // The host does not use an id that the client sends.
        app.request(&user, Method::POST, PERSON).json(&arguments).header("x-request-id", "mine"),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(uuid::Uuid::try_parse(&id).is_ok() && seen.insert(id.clone()), "{id}");
        if response.url().path() == PERSON {
            let answer = Answer::of(response).await;
            assert!(answer.json["duration_ms"].as_f64().is_some_and(|time| time > 0.0), "{}", answer.text);
            let row = app.audit().await.into_iter().find(|row| row["call_id"] == answer.json["call_id"]).unwrap();
            assert_eq!((&row["request_id"], &row["outcome"], &row["blame"]), (&json!(id), &json!("ok"), &json!(null)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_of_any_origin_may_ask() {
    let app = with_tool().await;
    let origin = "https://app.example.com";
    let preflight = app
        .request(&User::Nobody, Method::OPTIONS, PERSON)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,apikey,content-type,x-client-info,x-behalf-act-as,idempotency-key,last-event-id,x-tenant",
        );
    let response = preflight.send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    let header = |name: &str| {
        response.headers().get(name).map(|value| value.to_str().unwrap().to_lowercase()).unwrap_or_default()
    };
    assert_eq!(header("access-control-allow-origin"), origin);
    assert_eq!(header("access-control-allow-credentials"), "true");
    assert!(header("vary").contains("origin"), "an answer for one origin must not be kept for another");
    for method in ["get", "post", "put", "patch", "delete"] {
        assert!(header("access-control-allow-methods").split(',').any(|one| one.trim() == method), "{method}");
    }
    for name in [
        "authorization",
        "apikey",
        "content-type",
        "x-client-info",
        "x-behalf-act-as",
        "idempotency-key",
        "last-event-id",
        "x-tenant",
    ] {
        assert!(header("access-control-allow-headers").split(',').any(|one| one.trim() == name), "{name}");
    }
    assert!(!header("x-request-id").is_empty());
    // The page that sent the request may read answers and problems.
    for (request, status) in [
        (app.request(&User::Is(ALICE), Method::GET, "/api/tools"), 200),
        (app.request(&User::Nobody, Method::GET, "/api/tools"), 401),
        (app.request(&User::Nobody, Method::GET, "/api/nothing"), 404),
    ] {
        let response = request.header("origin", origin).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["access-control-allow-origin"], origin);
        assert!(response.headers()["access-control-expose-headers"].to_str().unwrap().contains("x-request-id"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_arrives_as_the_tool_wrote_it() {
    let app = App::start().await;
    // The text is the tool's own: large numbers, the order of names, spaces and escapes are unchanged.
    let result = r#"{"z": 1, "a": 123456789012345678901234567890.10, "e": 1.0E+2, "s": "\u00e9\/", "z": 2}"#;
    let bytes = components::plugin(&json!([{"name": "verbatim", "description": "x"}]).to_string(), result);
    assert_eq!(app.upload_bytes(bytes, &json!({}), "").await.status, 201);
    let answer = app.call(&User::Is(ALICE), "verbatim", json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.contains(result), "{}", answer.text);
}
