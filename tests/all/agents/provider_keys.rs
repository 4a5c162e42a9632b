//! Agents' own keys for model providers: each goes to its own endpoint and nowhere else.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use behalf_tests::{ALICE, App, BOB, LogLines, Options, ScriptedModel, Turn, User};
use reqwest::Method;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

const KEY: &str = "sk-agents-own-key-0123456789";
const SECRETS_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A provider that writes down the `authorization` it was sent, and answers with an error that repeats it.
async fn echoing() -> (String, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let answer = async move |headers: HeaderMap| {
        let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned();
        kept.lock().unwrap().push(key.clone());
        let error =
            json!({"error": {"message": format!("your key {key} is bad"), "code": key, "type": key, "param": key}});
        (StatusCode::BAD_REQUEST, error.to_string())
    };
    let router = axum::Router::new().route("/v1/chat/completions", post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

fn settings(model: &ScriptedModel) -> Vec<(&'static str, String)> {
    let mut settings = model.settings();
    settings.extend([("secrets_key", SECRETS_KEY.to_owned()), ("http_allow_private", "127.0.0.1".to_owned())]);
    settings
}

async fn store(app: &App, agent: &str, body: Value) -> (u16, String) {
    let answer = app.post(&User::Service, &format!("/api/agents/{agent}/provider-keys"), body).await;
    assert!(!answer.text.contains(KEY), "{}", answer.text);
    (answer.status, answer.text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_reaches_its_own_provider_and_is_seen_nowhere_else() {
    let log = LogLines::take_by(EnvFilter::new("info,behalf=trace"));
    let model = ScriptedModel::start([Turn::Say("The host's own provider.")]).await;
    let app = App::with(Options { settings: settings(&model) }).await;
    let (url, seen) = echoing().await;
    let (mine, other) = (app.agent(&[]).await, app.agent(&[]).await);
    let stored = store(&app, &mine, json!({"provider": "openai", "api_key": KEY, "base_url": url})).await;
    assert!(stored.0 == 201 && stored.1.contains(r#""last_four":"6789""#), "{stored:?}");

    let failed = app.ask(&User::Is(ALICE), &mine, "hello").await;
    assert_eq!(*seen.lock().unwrap(), [format!("Bearer {KEY}")]);
    assert!(failed.status == 500 && failed.text.contains("refused the request"), "{}", failed.text);
    // Another agent of the same model, and the same agent's other providers, use the host's key at the host's provider.
    let answered = app.ask(&User::Is(ALICE), &other, "hello").await;
    assert_eq!(answered.json["content"], "The host's own provider.", "{}", answered.text);
    assert_eq!((seen.lock().unwrap().len(), model.requests().len()), (1, 1));

    let run = failed.json["run_id"].as_str().unwrap();
    let mut shown = failed.text.clone();
    for path in [
        format!("/api/agents/runs/{run}"),
        format!("/api/agents/runs/{run}/events"),
        format!("/api/agents/{mine}/provider-keys"),
        format!("/api/agents/{mine}"),
        "/api/audit-events".to_owned(),
        "/api/tool-calls".to_owned(),
        "/metrics".to_owned(),
    ] {
        shown += &app.get(&User::Service, &path).await.text;
    }
    let names: Vec<String> = app
        .database
        .value("select array_agg(tablename::text) from pg_tables where schemaname = 'ai' and tablename <> 'component'")
        .await;
    let mut tables = String::new();
    for name in names {
        tables += &app
            .database
            .value::<String>(&format!("select coalesce(string_agg(t::text, ' '), '') from ai.{name} t"))
            .await;
    }
    assert!(shown.contains("provider_key.created") && tables.contains("provider_key.created"));
    let logged = log.text();
    assert!(logged.contains("a run ended"), "the log is not empty");
    for (where_, text) in [("an answer", &shown), ("a table", &tables), ("the log", &logged)] {
        assert!(!text.contains(KEY) && !text.contains("agents-own-key"), "the key is in {where_}");
    }
    let gone = app
        .send(&User::Service, Method::DELETE, &format!("/api/agents/{mine}/provider-keys/openai"), Value::Null)
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(app.ask(&User::Is(ALICE), &mine, "hello").await.status, 200);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_or_reached_safely_is_refused() {
    let model = ScriptedModel::start([]).await;
    let app = App::with(Options { settings: settings(&model) }).await;
    let agent = app.agent(&[]).await;
    let key = |base_url: &str| json!({"provider": "openai", "api_key": KEY, "base_url": base_url});
    for private in [
        "http://10.0.0.1/v1",
        "https://169.254.169.254/v1",
        "https://[::1]/v1",
        "https://[::ffff:10.0.0.1]/v1",
        "https://192.168.1.1:8443",
        "http://1.1.1.1/v1",
    ] {
        let (status, text) = store(&app, &agent, key(private)).await;
        assert_eq!(status, 422, "{private}: {text}");
    }
    for bad in [
        key("ftp://127.0.0.1/"),
        key("http://user:pass@127.0.0.1/v1"),
        json!({"provider": "ollama", "api_key": KEY}),
        json!({"provider": "openai"}),
        json!({"provider": "mystery", "api_key": KEY}),
        json!({"provider": "openai", "api_key": "two words"}),
        json!({"provider": "openai", "api_key": "x\r\nAuthorization: y"}),
    ] {
        assert_eq!(store(&app, &agent, bad.clone()).await.0, 400, "{bad}");
    }
    let path = format!("/api/agents/{agent}/provider-keys");
    for user in [User::Is(ALICE), User::Is(BOB), User::ServiceFor(ALICE), User::Anon] {
        for method in [Method::GET, Method::POST] {
            let answer = app.send(&user, method, &path, json!({"provider": "openai", "api_key": KEY})).await;
            assert_eq!(answer.status, 403, "{user:?}");
        }
    }
    assert_eq!(store(&app, &BOB.to_string(), json!({"provider": "openai", "api_key": KEY})).await.0, 404);
    assert_eq!(store(&app, &agent, json!({"provider": "openai", "api_key": "short"})).await.0, 201);
    let listed = app.get(&User::Service, &path).await;
    assert!(
        listed.json["provider_keys"][0]["last_four"].is_null() && !listed.text.contains("short"),
        "{}",
        listed.text
    );

    // No role that runs tools' SQL reaches the table, the service role's login included.
    for login in ["behalf_tool_anon", "behalf_tool_authenticated", "behalf_tool_service"] {
        let mut db = app.database.login(login).await;
        let role = login.trim_start_matches("behalf_tool_").replace("service", "service_role");
        behalf_tests::database::run(&mut db, &format!("set role {role}")).await;
        for sql in
            ["select * from ai.provider_keys", "delete from ai.provider_keys", "select sealed from ai.provider_keys"]
        {
            let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut db).await.expect_err(sql);
            assert!(error.to_string().contains("permission denied"), "{login} {sql}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_moved_or_whose_key_is_gone_opens_for_nobody() {
    let model = ScriptedModel::start([]).await;
    let app = App::with(Options { settings: settings(&model) }).await;
    let (mine, other) = (app.agent(&[]).await, app.agent(&[]).await);
    let (url, seen) = echoing().await;
    let (evil, stolen) = echoing().await;
    assert_eq!(store(&app, &mine, json!({"provider": "openai", "api_key": KEY, "base_url": url})).await.0, 201);
    // An attacker who can write to the database, but has no secrets key, cannot send the key elsewhere.
    app.database.execute(&format!("update ai.provider_keys set base_url = '{evil}'")).await;
    let refused = app.ask(&User::Is(ALICE), &mine, "hello").await;
    assert!(refused.status == 422 && refused.text.contains("cannot be opened"), "{}", refused.text);
    app.database.execute(&format!("update ai.provider_keys set base_url = '{url}', agent_id = '{other}'")).await;
    assert_eq!(app.ask(&User::Is(ALICE), &other, "hello").await.status, 422);
    app.database.execute(&format!("update ai.provider_keys set agent_id = '{mine}'")).await;
    assert!(seen.lock().unwrap().is_empty() && stolen.lock().unwrap().is_empty());

    let with = async |current: Option<&str>, previous: Option<&str>| {
        let mut all = settings(&model);
        all.retain(|(name, _)| *name != "secrets_key");
        all.extend(current.map(|key| ("secrets_key", key.to_owned())));
        all.extend(previous.map(|key| ("secrets_key_previous", key.to_owned())));
        App::on(app.database.clone(), Options { settings: all }).await
    };
    let new_key = "ff".repeat(32);
    let none = with(None, None).await;
    let (status, text) = store(&none, &other, json!({"provider": "openai", "api_key": KEY})).await;
    assert!(status == 422 && text.contains("no key that encrypts secrets") && !text.contains("BEHALF_"), "{text}");
    assert_eq!(with(Some(&new_key), None).await.ask(&User::Is(ALICE), &mine, "hello").await.status, 422);
    let rotated = with(Some(&new_key), Some(SECRETS_KEY)).await;
    assert_eq!(rotated.ask(&User::Is(ALICE), &mine, "hello").await.status, 500);
    assert_eq!(*seen.lock().unwrap(), [format!("Bearer {KEY}")]);
}
