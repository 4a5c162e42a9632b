//! Secrets of plugins: an operator sets them, the host adds them to requests to their host, and nobody reads them.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use behalf_tests::projects::behalf_with;
use behalf_tests::{ALICE, Answer, App, LogLines, Options, User, guests};
use reqwest::Method;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

const VALUE: &str = "sk-of-the-operator-0123456789";
const SECRETS_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A server that writes down the `authorization` of each request, and answers with all headers that it got.
#[derive(Clone, Default)]
struct Server {
    host: String,
    /// Where its `/away` redirects to.
    away: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(away: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let server = Self { host, away: away.to_owned(), seen: Arc::default() };
        let router = axum::Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = sent.unwrap_or("none").to_owned();
    server.seen.lock().unwrap().push(sent.clone());
    if request.uri().path() == "/away" {
        let to = format!("http://{}/landed?key={sent}", server.away);
        return (StatusCode::FOUND, [(header::LOCATION, to)], "").into_response();
    }
    let headers: Vec<_> = request.headers().iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    ([("x-echo", sent)], headers.join("\n")).into_response()
}

fn grants(host: &str, other: &str) -> Value {
    json!({"http": {"hosts": [host, other], "secrets": [{"name": "rates_key", "host": host}]}})
}

fn settings(hosts: [&Server; 2]) -> Vec<(&'static str, String)> {
    let allowed = hosts.map(|server| server.host.clone()).join(",");
    vec![("http_allow_private", allowed), ("secrets_key", SECRETS_KEY.to_owned())]
}

async fn set(app: &App, plugin: &str, name: &str, value: &str) -> Answer {
    app.send(&User::Service, Method::PUT, &format!("/api/plugins/{plugin}/secrets/{name}"), json!({"value": value}))
        .await
}

async fn listed(app: &App, plugin: &str) -> Value {
    let answer = app.get(&User::Service, &format!("/api/plugins/{plugin}/secrets")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

async fn fetch(app: &App, url: &str, headers: Value) -> Answer {
    app.call(&User::Is(ALICE), "fetch", json!({"url": url, "headers": headers})).await
}

fn id(answer: &Answer) -> String {
    answer.json["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_reaches_its_host_alone_and_stands_nowhere_else() {
    let log = LogLines::take_by(EnvFilter::new("info,behalf=trace"));
    let other = Server::start("").await;
    let own = Server::start(&other.host).await;
    let app = App::with(Options { settings: settings([&own, &other]) }).await;
    let plugin = id(&app.install(guests::HTTP, &grants(&own.host, &other.host)).await);

    // Without a value, nothing is sent to the host, not even what the guest sets itself.
    let refused = fetch(&app, &format!("http://{}/", own.host), json!({"authorization": "Bearer guess"})).await;
    assert!(refused.text.contains("the secret rates_key of this host has no value yet"), "{}", refused.text);
    assert_eq!(own.seen(), [""; 0]);
    assert!(listed(&app, &plugin).await["secrets"][0]["set_at"].is_null());

    let stored = set(&app, &plugin, "rates_key", &format!("{VALUE}\n")).await;
    assert_eq!((stored.status, &stored.json["last_four"]), (200, &json!("6789")), "{}", stored.text);
    let echoed = fetch(&app, &format!("http://{}/", own.host), json!({"authorization": "Bearer guess"})).await;
    assert_eq!(own.seen(), [format!("Bearer {VALUE}")]);
    let hidden = "*".repeat(VALUE.len());
    assert_eq!(echoed.result()["headers"]["x-echo"], format!("Bearer {hidden}"));
    let body = echoed.result()["body"].as_str().unwrap();
    assert!(body.contains(&hidden) && !body.contains("guess"), "{body}");

    // A redirect shows no secret, and who follows it takes none along.
    let away = fetch(&app, &format!("http://{}/away", own.host), json!({})).await;
    assert_eq!(own.seen(), [format!("Bearer {VALUE}")]);
    let location = away.result()["headers"]["location"].as_str().unwrap().to_owned();
    assert!(location.contains("/landed") && !location.contains("sk-of"), "{location}");
    fetch(&app, &location.replace(' ', "%20"), json!({})).await;
    fetch(&app, &format!("http://{}/", other.host), json!({"authorization": "Bearer guess"})).await;
    assert_eq!(other.seen(), ["none", "Bearer guess"]);

    app.settled().await;
    let used = app.audit_of(&echoed).await["egress"][0].clone();
    assert_eq!((&used["secrets"], &used["status"]), (&json!(["rates_key"]), &json!(200)), "{used}");
    let not_used = app.audit_of(&refused).await["egress"][0].clone();
    assert_eq!((&not_used["secrets"], &not_used["error"]), (&Value::Null, &json!("secret_not_set")), "{not_used}");

    let mut shown = [echoed.text, away.text, stored.text].concat();
    for path in
        ["/api/plugins", &format!("/api/plugins/{plugin}/secrets"), "/api/audit-events", "/api/tool-calls", "/metrics"]
    {
        shown += &app.get(&User::Service, path).await.text;
    }
    let tables: String = app.database.value("select string_agg(t::text, ' ') from ai.plugin_secrets t").await;
    let events: String = app.database.value("select string_agg(t::text, ' ') from ai.audit_events t").await;
    assert!(shown.contains("plugin_secret.created") && tables.contains("rates_key"));
    for (place, text) in [("an answer", &shown), ("a table", &tables), ("an event", &events), ("the log", &log.text())]
    {
        assert!(!text.contains(VALUE) && !text.contains("of-the-operator"), "the value is in {place}");
    }
    let gone = app
        .send(&User::Service, Method::DELETE, &format!("/api/plugins/{plugin}/secrets/rates_key"), Value::Null)
        .await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    let refused = fetch(&app, &format!("http://{}/", own.host), json!({})).await;
    assert!(refused.text.contains("has no value yet"), "{}", refused.text);
    assert_eq!(own.seen(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_stays_with_the_host_plugin_and_name_that_it_was_set_for() {
    let (own, other) = (Server::start("").await, Server::start("").await);
    let app = App::with(Options { settings: settings([&own, &other]) }).await;
    let plugin = id(&app.install(guests::HTTP, &grants(&own.host, &other.host)).await);
    assert_eq!(set(&app, &plugin, "rates_key", VALUE).await.status, 200);

    // A new version that names another host for the secret does not get the value.
    let moved =
        app.upload_bytes(std::fs::read(guests::HTTP).unwrap(), &grants(&other.host, &own.host), "?replace=true").await;
    assert_eq!((moved.status, id(&moved)), (201, plugin.clone()), "{}", moved.text);
    let refused = fetch(&app, &format!("http://{}/", other.host), json!({})).await;
    assert!(refused.text.contains("has no value yet"), "{}", refused.text);
    let list = listed(&app, &plugin).await;
    assert!(list["secrets"][0]["set_at"].is_null() && list["unused"] == json!(["rates_key"]), "{list}");
    fetch(&app, &format!("http://{}/", own.host), json!({})).await;
    assert_eq!((own.seen(), other.seen()), (vec!["none".to_owned()], Vec::new()));

    // Who writes to the table, and has no secrets key, cannot move it either.
    app.database.execute(&format!("update ai.plugin_secrets set host = '{}'", other.host)).await;
    let refused = fetch(&app, &format!("http://{}/", other.host), json!({})).await;
    assert!(refused.text.contains("has no value yet"), "{}", refused.text);
    assert_eq!(other.seen(), [""; 0]);
    // No role that runs tools' SQL reaches the table.
    for login in ["behalf_tool_anon", "behalf_tool_authenticated", "behalf_tool_service"] {
        let mut db = app.database.login(login).await;
        let role = login.trim_start_matches("behalf_tool_").replace("service", "service_role");
        behalf_tests::database::run(&mut db, &format!("set role {role}")).await;
        for sql in ["select * from ai.plugin_secrets", "delete from ai.plugin_secrets"] {
            let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut db).await.expect_err(sql);
            assert!(error.to_string().contains("permission denied"), "{login} {sql}: {error}");
        }
    }
    let deleted = app.send(&User::Service, Method::DELETE, &format!("/api/plugins/{plugin}"), Value::Null).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text);
    assert_eq!(app.database.value::<i64>("select count(*) from ai.plugin_secrets").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_survives_a_new_secrets_key() {
    let own = Server::start("").await;
    let app = App::with(Options { settings: settings([&own, &own]) }).await;
    let plugin = id(&app.install(guests::HTTP, &grants(&own.host, &own.host)).await);
    assert_eq!(set(&app, &plugin, "rates_key", VALUE).await.status, 200);
    let (new_key, url) = ("ab".repeat(32), format!("http://{}/", own.host));
    let with = async |previous: Option<&str>| {
        let mut all = vec![("http_allow_private", own.host.clone()), ("secrets_key", new_key.clone())];
        all.extend(previous.map(|key| ("secrets_key_previous", key.to_owned())));
        App::on(app.database.clone(), Options { settings: all }).await
    };
    let lost = with(None).await;
    assert!(fetch(&lost, &url, json!({})).await.text.contains("has no value yet"));
    fetch(&with(Some(SECRETS_KEY)).await, &url, json!({})).await;
    assert_eq!(own.seen(), [format!("Bearer {VALUE}")]);
    let environment = [
        ("secrets_key", new_key.clone()),
        ("secrets_key_previous", SECRETS_KEY.to_owned()),
        ("host_database_url", app.database.host_url()),
    ];
    let resealed = behalf_with(&environment, &["secrets", "reseal"]).await;
    assert!(resealed.ok && resealed.out.contains("sealed again with the current key: 1"), "{resealed:?}");
    fetch(&with(None).await, &url, json!({})).await;
    assert_eq!(own.seen(), [format!("Bearer {VALUE}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_secret_is_refused_with_its_reason() {
    let server = Server::start("").await;
    let app = App::with(Options { settings: settings([&server, &server]) }).await;
    let with = |secret: Value| json!({"http": {"hosts": [server.host, "*.example.com"], "secrets": [secret]}});
    for (secret, words) in [
        (json!({"name": "key", "host": "evil.test"}), "not among the granted hosts"),
        (json!({"name": "key", "host": "*.example.com"}), "one host"),
        (json!({"name": "key", "host": "api.example.com", "header": "Host"}), "sets itself"),
        (json!({"name": "key", "host": "api.example.com", "form": "Bearer"}), "no {secret}"),
        (json!({"name": "Key", "host": "api.example.com"}), "name"),
    ] {
        let refused = app.upload(guests::HTTP, &with(secret.clone())).await;
        assert!(refused.status == 422 && refused.text.contains(words), "{secret}: {}", refused.text);
    }
    let plugin = id(&app.install(guests::HTTP, &with(json!({"name": "key", "host": server.host}))).await);
    for (name, value, status) in
        [("key", "short", 400), ("key", "two words here", 400), ("other", VALUE, 422), ("a%20b", VALUE, 422)]
    {
        let refused = set(&app, &plugin, name, value).await;
        assert!(refused.status == status && !refused.text.contains(VALUE), "{name} {value}: {}", refused.text);
    }
    for user in [User::Is(ALICE), User::ServiceFor(ALICE), User::Anon] {
        let path = format!("/api/plugins/{plugin}/secrets");
        assert_eq!(app.get(&user, &path).await.status, 403, "{user:?}");
        let answer = app.send(&user, Method::PUT, &format!("{path}/key"), json!({"value": VALUE})).await;
        assert_eq!(answer.status, 403, "{user:?}");
    }
    let without_key = vec![("http_allow_private", server.host.clone())];
    let app = App::on(app.database.clone(), Options { settings: without_key }).await;
    let refused = set(&app, &plugin, "key", VALUE).await;
    assert!(refused.status == 422 && refused.text.contains("no key that encrypts secrets"), "{}", refused.text);
}
