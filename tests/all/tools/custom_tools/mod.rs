//! Custom HTTP tools: who may see and change them, where they may lead, and what they are told of the caller.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use behalf_tests::settle::eventually;
use behalf_tests::{ALICE, App, BOB, Options, ScriptedModel, Turn, User};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::Method;
use serde_json::{Value, json};

/// One request as the tool's server saw it.
#[derive(Clone, Debug)]
struct Seen {
    method: String,
    path: String,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Seen {
    fn bearer(&self) -> &str {
        self.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap()
    }
}

/// A server of the operator's.
#[derive(Clone, Debug)]
struct Backend {
    url: String,
    host: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Backend {
    async fn start() -> Self {
        let seen = Arc::default();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: format!("http://{host}"), host, seen }
    }

    fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn answer(State(seen): State<Arc<Mutex<Vec<Seen>>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let one = Seen {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    seen.lock().unwrap().push(one.clone());
    match parts.uri.path() {
        "/echo" => format!("{:?}", one.headers).into_response(),
        "/text" => "x".repeat(30_000).into_response(),
        "/fail" => (axum::http::StatusCode::BAD_GATEWAY, "out of order").into_response(),
        "/inside" => {
            (axum::http::StatusCode::FOUND, [("location", "http://169.254.169.254/latest/meta-data/")]).into_response()
        }
        _ => axum::Json(json!({ "balance": 12 })).into_response(),
    }
}

async fn app_for(backend: &Backend) -> App {
    App::with(Options { settings: vec![("http_allow_private", backend.host.clone())] }).await
}

fn tool(name: &str, endpoint: &str) -> Value {
    json!({
        "name": name, "description": "Says a balance.", "type": "http",
        "input_schema": {"type": "object", "properties": {"account": {"type": "string"}}, "required": ["account"]},
        "config": {"endpoint": endpoint},
    })
}

async fn made(app: &App, body: Value) -> String {
    let made = app.post(&User::Service, "/api/tools", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json["id"].as_str().unwrap().to_owned()
}

/// What a server does with an assertion: fetches the keys, checks everything.
async fn verify(app: &App, token: &str, audience: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let answer = reqwest::get(format!("{}/.well-known/jwks.json", app.url)).await.unwrap();
    assert!(answer.headers()["cache-control"].to_str().unwrap().contains("max-age"));
    let keys: JwkSet = answer.json().await.unwrap();
    check(&keys, token, audience, &app.url)
}

fn check(keys: &JwkSet, token: &str, audience: &str, issuer: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let kid = decode_header(token)?.kid.unwrap();
    let key = DecodingKey::from_jwk(keys.find(&kid).unwrap_or_else(|| panic!("{kid} is not among the keys")))?;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.leeway = 0;
    validation.set_audience(&[audience]);
    validation.set_issuer(&[issuer]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    Ok(decode::<Value>(token, &key, &validation)?.claims)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_told_by_a_signature_who_calls() {
    let backend = Backend::start().await;
    let app = app_for(&backend).await;
    let mut body = tool("balance", &format!("{}/balance?x=1", backend.url));
    body["config"]["headers"] = json!({"Authorization": "Bearer a-static-secret", "X-Api-Key": "another-secret"});
    made(&app, body).await;
    for user in [ALICE, BOB] {
        let answer = app.call(&User::Is(user), "balance", json!({"account": "a"})).await;
        assert_eq!(answer.result(), &json!({"balance": 12}));
        let seen = backend.last();
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/balance?x=1"));
        assert_eq!(
            (seen.body.as_str(), &seen.headers["x-api-key"]),
            (r#"{"account":"a"}"#, &"another-secret".parse().unwrap())
        );
        assert_eq!(seen.headers.get_all("authorization").iter().count(), 1);
        let said = verify(&app, seen.bearer(), &backend.url).await.unwrap();
        assert_eq!((&said["sub"], &said["jti"]), (&json!(user), &answer.json["call_id"]));
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 60);
        let elsewhere = verify(&app, seen.bearer(), "https://other.example").await;
        assert!(matches!(elsewhere.unwrap_err().kind(), jsonwebtoken::errors::ErrorKind::InvalidAudience));
        // Nobody can be that user at this host with it.
        assert_eq!(
            app.call(&User::Token(seen.bearer().to_owned()), "balance", json!({"account": "a"})).await.status,
            401
        );
    }
    for (user, subject) in
        [(User::Anon, json!("anon")), (User::Service, json!("service_role")), (User::ServiceFor(BOB), json!(BOB))]
    {
        app.call(&user, "balance", json!({"account": "a"})).await.result();
        let said = verify(&app, backend.last().bearer(), &backend.url).await.unwrap();
        assert_eq!(said["sub"], subject);
        assert_eq!(said["act"]["sub"] == "service_role", matches!(user, User::ServiceFor(_)), "{said}");
    }
    let audit = json!(app.audit().await).to_string();
    assert!(audit.contains("egress") && audit.contains("127.0.0.1"), "{audit}");
    for hidden in ["secret", "eyJ", "/balance", "x=1"] {
        assert!(!audit.contains(hidden), "{hidden} is in the audit log: {audit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_all_hosts_are_published_by_each_and_end_with_them() {
    let backend = Backend::start().await;
    let one = app_for(&backend).await;
    let two =
        App::on(one.database.clone(), Options { settings: vec![("http_allow_private", backend.host.clone())] }).await;
    made(&one, tool("balance", &backend.url)).await;
    one.call(&User::Is(ALICE), "balance", json!({"account": "a"})).await.result();
    let by_one = backend.last();
    let keys: JwkSet = reqwest::get(format!("{}/.well-known/jwks.json", two.url)).await.unwrap().json().await.unwrap();
    assert_eq!(keys.keys.len(), 2);
    let said = check(&keys, by_one.bearer(), &backend.url, &one.url).unwrap();
    assert_eq!(said["sub"], json!(ALICE));
    // The second host hears of the tool and signs with its own key.
    eventually("the other host hears of it", async || {
        two.call(&User::Is(BOB), "balance", json!({"account": "a"})).await.status == 200
    })
    .await;
    let by_two = backend.last();
    assert_ne!(decode_header(by_one.bearer()).unwrap().kid, decode_header(by_two.bearer()).unwrap().kid);
    assert_eq!(check(&keys, by_two.bearer(), &backend.url, &two.url).unwrap()["sub"], json!(BOB));
    // Nothing of a private half is anywhere.
    let stored: String = one.database.value("select string_agg(jwk::text, '') from ai.assertion_keys").await;
    assert!(!stored.contains("\"d\""), "{stored}");
    one.database.execute("update ai.assertion_keys set expires_at = now() - interval '1 second'").await;
    let keys: JwkSet = reqwest::get(format!("{}/.well-known/jwks.json", two.url)).await.unwrap().json().await.unwrap();
    assert!(keys.keys.is_empty(), "the key of a host that is gone is taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_ends() {
    let backend = Backend::start().await;
    let app = app_for(&backend).await;
    made(&app, tool("balance", &backend.url)).await;
    app.call(&User::Is(ALICE), "balance", json!({"account": "a"})).await.result();
    let keys: JwkSet = reqwest::get(format!("{}/.well-known/jwks.json", app.url)).await.unwrap().json().await.unwrap();
    let token = backend.last().bearer().to_owned();
    let key = DecodingKey::from_jwk(&keys.keys[0]).unwrap();
    let mut later = Validation::new(Algorithm::ES256);
    later.set_audience(&[&backend.url]);
    // As it will be judged 61 seconds from now.
    later.leeway = 0;
    later.reject_tokens_expiring_in_less_than = 61;
    let expired = decode::<Value>(&token, &key, &later).unwrap_err();
    assert!(matches!(expired.kind(), jsonwebtoken::errors::ErrorKind::ExpiredSignature), "{expired}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_answers_is_bounded_and_what_was_secret_stays_so() {
    let backend = Backend::start().await;
    let app = app_for(&backend).await;
    for (name, path) in [("mirror", "/echo"), ("text", "/text"), ("fail", "/fail"), ("inside", "/inside")] {
        let mut body = tool(name, &format!("{}{path}", backend.url));
        body["config"]["headers"] = json!({"x-api-key": "a-static-secret"});
        made(&app, body).await;
    }
    let call = async |name: &str| app.call(&User::Is(ALICE), name, json!({"account": "a"})).await;
    let echoed = call("mirror").await;
    let text = echoed.result().to_string();
    assert!(text.contains("[removed]") && !text.contains("eyJ") && !text.contains("a-static-secret"), "{text}");
    assert_eq!(call("text").await.result().as_str().unwrap().len(), 10_000);
    let failed = call("fail").await;
    assert_eq!((failed.status, failed.json["tool_code"].as_str()), (422, Some("http_status")), "{}", failed.text);
    assert!(failed.text.contains("502: out of order"), "{}", failed.text);
    let inside = call("inside").await;
    assert_eq!(
        (inside.status, inside.json["tool_code"].as_str()),
        (422, Some("address_prohibited")),
        "{}",
        inside.text
    );
    let before = backend.count();
    let wrong = app.call(&User::Is(ALICE), "mirror", json!({"account": 7})).await;
    assert_eq!((wrong.status, wrong.json["faults"][0]["pointer"].as_str()), (400, Some("/account")), "{}", wrong.text);
    assert_eq!(backend.count(), before, "nothing was sent");
    let audit = app.audit().await;
    let inside = audit.iter().find(|row| row["tool"] == "inside").unwrap();
    assert_eq!(inside["egress"][0]["status"], 302);
    assert_eq!(
        (inside["egress"][1]["host"].as_str(), inside["egress"][1]["error"].as_str()),
        (Some("169.254.169.254"), Some("address_prohibited"))
    );
    let private = App::on(app.database.clone(), Options::default()).await;
    let refused = private.call(&User::Is(ALICE), "mirror", json!({"account": "a"})).await;
    assert_eq!(
        (refused.status, refused.json["tool_code"].as_str()),
        (422, Some("address_prohibited")),
        "{}",
        refused.text
    );
    assert_eq!(backend.count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_tools_are_managed_by_the_service_role_and_settings_seen_by_nobody_else() {
    let app = App::start().await;
    let mut body = tool("crm_lookup", "https://crm.example/secret-path");
    body["config"]["headers"] = json!({"x-api-key": "a-static-secret"});
    for user in [User::Is(ALICE), User::ServiceFor(ALICE), User::Anon] {
        assert_eq!(app.post(&user, "/api/tools", body.clone()).await.status, 403);
    }
    let row = app.post(&User::Service, "/api/tools", body.clone()).await;
    assert_eq!(row.status, 201, "{}", row.text);
    for field in ["id", "name", "description", "type", "input_schema", "config", "created_at", "updated_at"] {
        assert!(!row.json[field].is_null(), "{field}: {}", row.text);
    }
    let id = row.json["id"].as_str().unwrap();
    let path = format!("/api/tools/{id}");
    for user in [User::Is(ALICE), User::ServiceFor(ALICE), User::Anon] {
        let list = app.get(&user, "/api/tools").await;
        let listed = list.json["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "crm_lookup").unwrap();
        assert_eq!((&listed["id"], &listed["type"], &listed["config"]), (&json!(id), &json!("http"), &json!({})));
        let named = app.get(&user, "/api/tools/crm_lookup").await;
        for hidden in ["secret", "crm.example"] {
            assert!(!list.text.contains(hidden) && !named.text.contains(hidden), "{user:?}: {hidden}");
        }
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            assert_eq!(app.send(&user, method, &path, json!({"description": "x"})).await.status, 403);
        }
    }
    let full = app.get(&User::Service, &path).await;
    assert_eq!(full.json["config"]["headers"]["x-api-key"], "a-static-secret", "{}", full.text);
    let changed = app.send(&User::Service, Method::PUT, &path, json!({"description": "New words."})).await;
    assert_eq!(
        (changed.status, changed.json.clone()),
        (200, json!({"id": id, "name": "crm_lookup"})),
        "{}",
        changed.text
    );
    let full = app.get(&User::Service, &path).await;
    assert_eq!(
        (full.json["description"].as_str(), full.json["config"]["endpoint"].as_str()),
        (Some("New words."), Some("https://crm.example/secret-path"))
    );
    assert_eq!(app.send(&User::Service, Method::PUT, &path, json!({})).await.status, 400);
    assert_eq!(app.post(&User::Service, "/api/tools", body).await.status, 409);
    assert_eq!(app.send(&User::Service, Method::DELETE, &path, Value::Null).await.json, json!({"deleted": true}));
    for method in [Method::GET, Method::DELETE] {
        let gone = app.send(&User::Service, method, &path, Value::Null).await;
        assert_eq!((gone.status, gone.json["error"].as_str()), (404, Some("Tool not found")));
    }
    assert_eq!(app.call(&User::Is(ALICE), "crm_lookup", json!({"account": "a"})).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_one_tool_and_what_is_no_tool_is_refused() {
    let app = App::start().await;
    let missing = app.post(&User::Service, "/api/tools", json!({"name": "x", "endpoint_url": "https://a.test"})).await;
    assert_eq!(
        (missing.status, missing.json["error"].as_str()),
        (400, Some("name, description, type, and input_schema are required"))
    );
    let bad = [
        ("name", json!("database_query"), 409),
        ("name", json!("mcp__crm__lookup"), 400),
        ("name", json!("a b"), 400),
        ("name", json!("a1b2c3d4-0000-4000-8000-000000000001"), 400),
        ("name", json!("a\0b"), 400),
        ("input_schema", json!({"type": "array"}), 400),
        ("input_schema", json!({"$ref": "https://evil.example/schema"}), 400),
        ("input_schema", json!("object"), 400),
        ("config", json!({"endpoint": "http://user:pass@a.test/"}), 400),
        ("config", json!({"endpoint": "http://2130706433/"}), 400),
        ("config", json!({"endpoint": "https://a.test", "headers": {"host": "b.test"}}), 400),
        ("config", json!({"endpoint": "https://a.test", "timeout_seconds": 1}), 400),
    ];
    for (field, value, status) in bad {
        let mut body = tool("fine", "https://a.test");
        body[field] = value.clone();
        let refused = app.post(&User::Service, "/api/tools", body).await;
        assert_eq!(refused.status, status, "{field} {value}: {}", refused.text);
    }
    // The other way round a plugin cannot take a custom tool's name.
    let id = made(&app, tool("sql", "https://a.test")).await;
    let upload = app.upload(behalf_tests::guests::PROBE, &json!({})).await;
    assert_eq!(upload.status, 409, "{}", upload.text);
    assert!(upload.text.contains("custom tool"), "{}", upload.text);
    assert_eq!(app.send(&User::Service, Method::DELETE, &format!("/api/tools/{id}"), Value::Null).await.status, 200);
    app.install(behalf_tests::guests::PROBE, &json!({})).await;
    let without = app.post(
        &User::Service,
        "/api/tools",
        json!({
            "name": "later", "description": "d", "type": "custom", "input_schema": {"properties": {}},
        }),
    );
    assert_eq!(without.await.status, 201);
    let called = app.call(&User::Is(ALICE), "later", json!({})).await;
    assert_eq!((called.status, called.json["tool_code"].as_str()), (422, Some("no_endpoint")), "{}", called.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_calls_a_custom_tool_as_whoever_runs_it() {
    let backend = Backend::start().await;
    let turns = || [Turn::Call(vec![("balance", json!({"account": "a"}))]), Turn::Say("Twelve.")];
    let model = ScriptedModel::start(turns().into_iter().chain(turns())).await;
    let app = App::with(Options {
        settings: vec![
            ("http_allow_private", backend.host.clone()),
            ("model_base_url", model.url.clone()),
            ("model_api_key", "a-key".to_owned()),
            ("model_default", "openai/scripted".to_owned()),
        ],
    })
    .await;
    let mut body = tool("balance", &format!("{}/echo", backend.url));
    body["config"]["headers"] = json!({"x-api-key": "a-static-secret"});
    let id = made(&app, body).await;
    let agent = app.post(&User::Service, "/api/agents", json!({"name": "helper"})).await.json["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let tools = format!("/api/agents/{agent}/tools");
    let other = json!({"tool_type": "custom", "tool_name": "balance", "tool_id": ALICE});
    assert_eq!(app.post(&User::Service, &tools, other).await.status, 400);
    assert_eq!(app.post(&User::Service, &tools, json!({"tool_type": "custom", "tool_name": "echo"})).await.status, 400);
    let assigned = app.post(&User::Service, &tools, json!({"tool_name": "balance"})).await;
    assert_eq!(assigned.status, 201, "{}", assigned.text);
    let listed = app.get(&User::Service, &tools).await;
    assert_eq!(
        (&listed.json["tools"][0]["tool_type"], &listed.json["tools"][0]["tool_id"]),
        (&json!("custom"), &json!(id))
    );
    for user in [ALICE, BOB] {
        let run = app.post(&User::Is(user), &format!("/api/agents/{agent}/run"), json!({"message": "How much?"})).await;
        assert_eq!((run.status, run.json["content"].as_str()), (200, Some("Twelve.")), "{}", run.text);
        let said = verify(&app, backend.last().bearer(), &backend.url).await.unwrap();
        assert_eq!((&said["sub"], &said["act"]["sub"]), (&json!(user), &json!(agent)));
        let run_id = run.json["run_id"].as_str().unwrap();
        let row = app.get(&User::Is(user), &format!("/api/agents/runs/{run_id}")).await;
        let events = app.get(&User::Is(user), &format!("/api/agents/runs/{run_id}/events")).await;
        let all = json!(model.journal()).to_string() + &row.text + &events.text;
        assert!(all.contains("[removed]"), "{all}");
        for hidden in [backend.last().bearer(), "a-static-secret"] {
            assert!(!all.contains(hidden), "{hidden}");
        }
    }
}
