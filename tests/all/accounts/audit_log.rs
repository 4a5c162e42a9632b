//! The audit log of administration: who changed what, from what to what, without secrets, and by whatever way.

use behalf_tests::{ALICE, Answer, App, BOB, Options, User, components, guests, read_grants, write_grants};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection as _;

async fn events(app: &App, query: &str) -> Vec<Value> {
    let answer = app.get(&User::Service, &format!("/api/audit-events?limit=200&{query}")).await;
    answer.json["audit_events"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone()
}

/// A request of the service role, with the id that its answer names.
async fn change(app: &App, method: Method, path: &str, body: Value) -> (Answer, String) {
    let response = app.request(&User::Service, method, path).json(&body).send().await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let answer = Answer::of(response).await;
    assert!(answer.status < 300, "{path}: {}", answer.text);
    (answer, id)
}

fn id(answer: &Answer) -> &str {
    answer.json["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_plugin_says_who_what_before_and_after() {
    let app = App::start().await;
    let plugin = app.install(guests::PROBE, &write_grants()).await;
    let path = format!("/api/plugins/{}", id(&plugin));
    let object = format!("object=plugin:{}", id(&plugin));
    let settings = json!({"api_key": "first-secret", "nested": {"pin": 4711, "list": ["third-secret"]}});
    let (_, request) = change(&app, Method::PATCH, &path, json!({"grants": read_grants(), "settings": settings})).await;
    let event = events(&app, &object).await[0].clone();
    assert_eq!(
        (&event["action"], &event["actor"], &event["user_id"], &event["request_id"]),
        (&json!("plugin.changed"), &json!("service_role"), &Value::Null, &json!(request))
    );
    let details = &event["details"];
    assert_eq!((&details["before"]["grants"], &details["after"]["grants"]), (&write_grants(), &read_grants()));
    assert_eq!(
        details["after"]["settings"],
        json!({"api_key": "[redacted]", "nested": {"pin": "[redacted]", "list": "[1 values]"}})
    );
    assert_eq!(details["changed"], json!(["grants", "settings.api_key", "settings.nested"]));
    // The log says that a secret was replaced, and neither value.
    change(&app, Method::PATCH, &path, json!({"settings": {"api_key": "second-secret"}})).await;
    let event = events(&app, &object).await[0].clone();
    assert_eq!(event["details"]["changed"], json!(["settings.api_key", "settings.nested"]));
    let before = events(&app, &object).await.len();
    change(&app, Method::PATCH, &path, json!({"enabled": true})).await;
    assert_eq!(events(&app, &object).await.len(), before, "nothing changed");
    change(&app, Method::DELETE, &path, Value::Null).await;
    let all = events(&app, &object).await;
    let actions: Vec<_> = all.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["plugin.deleted", "plugin.changed", "plugin.changed", "plugin.created"]);
    let text = json!(all).to_string();
    assert!(!text.contains("-secret") && !text.contains("4711"), "{text}");
    // A refused change leaves nothing, and nobody but the service role reads of the others.
    app.send(&User::Is(ALICE), Method::PATCH, "/api/plugins/x", json!({"enabled": false})).await;
    for user in [User::Is(ALICE), User::Is(BOB), User::Anon] {
        assert_eq!(app.get(&user, "/api/audit-events").await.json["audit_events"], json!([]), "{user:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_no_secret_of_tools_servers_and_keys() {
    let app = App::with(Options { settings: vec![("secrets_key", "ab".repeat(32))] }).await;
    let config = json!({
        "endpoint": "https://tools.example:8443/hook/a-path-secret?token=a-query-secret", "method": "PUT",
        "headers": {"x-api-key": "a-header-secret"}, "timeout_seconds": 9, "other": "an-other-secret",
    });
    let tool = json!({"name": "crm", "description": "d", "type": "http", "input_schema": {"type": "object"}, "config": config});
    let (tool, _) = change(&app, Method::POST, "/api/tools", tool).await;
    let agent = app.post(&User::Service, "/api/agents", json!({"name": "helper"})).await;
    let server = json!({
        "name": "mcp", "url": "https://mcp.example/a-path-secret?k=a-query-secret", "headers": {"x-key": "a-header-secret"},
        "config": {"approval": "always", "config_override": {"pin": "a-forced-secret"}},
    });
    change(&app, Method::POST, &format!("/api/agents/{}/mcp-servers", id(&agent)), server).await;
    let key = json!({"provider": "openai", "api_key": "sk-a-provider-secret-1234"});
    change(&app, Method::POST, &format!("/api/agents/{}/provider-keys", id(&agent)), key).await;
    let key = json!({"provider": "openai", "api_key": "sk-a-provider-secret-5678"});
    change(&app, Method::POST, &format!("/api/agents/{}/provider-keys", id(&agent)), key).await;

    let created = events(&app, &format!("object=tool:{}", id(&tool))).await;
    let expected = json!({
        "endpoint": "https://tools.example:8443", "method": "PUT", "headers": {"x-api-key": "[redacted]"},
        "timeout_seconds": 9, "other": "[redacted]",
    });
    assert_eq!(created[0]["details"]["after"]["config"], expected, "{}", created[0]);
    let moved = json!({"config": {"endpoint": "https://evil.example/", "headers": {"x-api-key": "a-header-secret"}}});
    change(&app, Method::PUT, &format!("/api/tools/{}", id(&tool)), moved).await;
    let event = events(&app, "action=tool.changed").await[0].clone();
    assert_eq!(event["details"]["after"]["config"]["endpoint"], "https://evil.example");
    assert_eq!(
        event["details"]["changed"],
        json!(["config.endpoint", "config.method", "config.other", "config.timeout_seconds"])
    );
    let server = events(&app, "action=mcp_server.created").await[0]["details"]["after"].clone();
    assert_eq!((&server["url"], &server["config"]["approval"]), (&json!("https://mcp.example"), &json!("always")));
    let keys = events(&app, "action=provider_key.changed").await;
    assert_eq!(
        (&keys[0]["details"]["before"]["last_four"], &keys[0]["details"]["after"]["last_four"]),
        (&json!("1234"), &json!("5678"))
    );
    let all: String = app.database.value("select string_agg(e::text, ' ') from ai.audit_events e").await;
    assert!(all.contains("provider_key.created") && !all.contains("-secret"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_and_what_they_may_call_are_recorded() {
    let app = App::start().await;
    let agent = json!({"name": "helper", "system_prompt": "a prompt", "settings": {"max_steps": 3, "note": "words"}});
    let (agent, _) = change(&app, Method::POST, "/api/agents", agent).await;
    let path = format!("/api/agents/{}", id(&agent));
    let tool = json!({"tool_name": "echo", "approval": "always", "config_override": {"text": "a-forced-secret"}});
    let (assignment, _) = change(&app, Method::POST, &format!("{path}/tools"), tool).await;
    let assigned = format!("{path}/tools/{}", id(&assignment));
    change(&app, Method::PATCH, &assigned, json!({"approval": "never"})).await;
    let event = events(&app, "action=agent_tool.changed").await[0]["details"].clone();
    assert_eq!(
        (&event["before"]["approval"], &event["after"]["approval"], &event["changed"]),
        (&json!("always"), &json!("never"), &json!(["approval"]))
    );
    change(&app, Method::PATCH, &path, json!({"system_prompt": "other words", "settings": {"max_steps": 7}})).await;
    let event = events(&app, &format!("object=agent:{}", id(&agent))).await[0]["details"].clone();
    assert_eq!(
        (&event["before"]["settings"], &event["after"]["settings"]),
        (&json!({"max_steps": 3, "note": "[redacted]"}), &json!({"max_steps": 7}))
    );
    assert_eq!(event["changed"], json!(["settings.max_steps", "settings.note", "system_prompt"]));
    // Deleting an agent says what went with it.
    let (_, request) = change(&app, Method::DELETE, &path, Value::Null).await;
    let with_it = events(&app, &format!("request_id={request}")).await;
    let mut actions: Vec<_> = with_it.iter().map(|event| event["action"].as_str().unwrap()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["agent.deleted", "agent_tool.deleted"]);
    let grant = json!({"user_id": ALICE, "amount": 500});
    change(&app, Method::POST, "/api/credits", grant.clone()).await;
    change(&app, Method::POST, "/api/credits", grant).await;
    let granted = events(&app, "action=credits.granted").await[0]["details"].clone();
    assert_eq!((&granted["before"]["balance"], &granted["after"]["balance"]), (&json!(500), &json!(1000)));
    let all = json!(events(&app, "offset=0").await).to_string();
    assert!(!all.contains("a prompt") && !all.contains("other words") && !all.contains("a-forced-secret"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_logs_are_filtered_and_an_unknown_filter_is_refused() {
    let app = App::start().await;
    app.upload_bytes(components::tool("one", &json!({"type": "object", "required": ["a"]})), &json!({}), "?name=first")
        .await;
    app.upload_bytes(components::tool("two", &json!({"type": "object"})), &json!({}), "?name=second").await;
    app.call(&User::Is(ALICE), "one", json!({"a": 1})).await;
    app.call(&User::Is(BOB), "one", json!({"a": 1})).await;
    app.call(&User::Is(ALICE), "one", json!({})).await;
    app.call(&User::Is(ALICE), "two", json!({})).await;
    let calls = async |user: &User, query: &str| {
        let answer = app.get(user, &format!("/api/tool-calls?{query}")).await;
        answer.json["tool_calls"].as_array().unwrap_or_else(|| panic!("{query}: {}", answer.text)).len()
    };
    let service = User::Service;
    for (query, found) in [
        ("limit=200".to_owned(), 4),
        ("outcome=denied".to_owned(), 0),
        ("outcome=invalid_arguments".to_owned(), 1),
        ("outcome=ok".to_owned(), 3),
        ("outcome=ok&tool=one".to_owned(), 2),
        ("plugin=second".to_owned(), 1),
        (format!("user_id={ALICE}"), 3),
        (format!("actor={BOB}&tool=one"), 1),
        (format!("agent_id={BOB}"), 0),
        ("run_id=none".to_owned(), 0),
        ("from=2020-01-01".to_owned(), 4),
        ("to=2020-01-01T00:00:00Z".to_owned(), 0),
    ] {
        assert_eq!(calls(&service, &query).await, found, "{query}");
    }
    // A filter shows nobody more.
    assert_eq!(calls(&User::Is(BOB), &format!("user_id={ALICE}")).await, 0);
    assert_eq!(calls(&User::Is(BOB), "outcome=ok").await, 1);
    let one = events(&app, "action=plugin.created&actor=service_role").await;
    assert_eq!(one.len(), 2, "{one:?}");
    assert_eq!(events(&app, &format!("object={}", one[0]["object"].as_str().unwrap())).await.len(), 1);
    assert!(events(&app, "action=plugin.created&actor=host").await.len() > 1, "those that came with the host");
    assert!(events(&app, "to=2020-01-01").await.is_empty() && events(&app, "action=no.such").await.is_empty());
    for (path, words) in [
        ("/api/tool-calls?outcomes=ok", "this endpoint takes actor, agent_id, from, limit"),
        ("/api/audit-events?outcome=ok", "takes action, actor, from, limit, object"),
        ("/api/audit-events?from=soon", "from must be a day or a moment"),
        ("/api/tool-calls?user_id=alice", "user_id must be a uuid"),
        ("/api/tools?limit=1", "takes none"),
        ("/api/tool-calls?tool=one&tool=two", "duplicate field"),
    ] {
        let answer = app.get(&service, path).await;
        assert!(answer.status == 400 && answer.text.contains(words), "{path}: {}", answer.text);
    }
}

/// The service role's own SQL, as an app's back end sends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_sql_is_recorded_and_the_log_cannot_be_changed() {
    let app = App::start().await;
    let (agent, _) = change(&app, Method::POST, "/api/agents", json!({"name": "helper"})).await;
    let newest = "select max(id) from ai.audit_events";
    let before: i64 = app.database.value(newest).await;
    let mut db = app.database.login("behalf_tool_service").await;
    behalf_tests::database::run(&mut db, "set role service_role").await;
    let rename = format!("update ai.agents set name = 'renamed' where id = '{}'", id(&agent));
    behalf_tests::database::run(&mut db, &format!("begin; {rename}; rollback")).await;
    assert_eq!(app.database.value::<i64>(newest).await, before, "what is rolled back never happened");
    behalf_tests::database::run(&mut db, &rename).await;
    let event = events(&app, "action=agent.changed").await[0].clone();
    assert_eq!(
        (&event["actor"], &event["details"]["after"]["name"]),
        (&json!("behalf_tool_service"), &json!("renamed"))
    );
    for sql in [
        "delete from ai.audit_events",
        "update ai.audit_events set actor = 'nobody'",
        "truncate ai.audit_events",
        "insert into ai.audit_events (action, actor) values ('agent.changed', 'alice')",
        "alter table ai.agents disable trigger audited",
        "select behalf.audit_change()",
    ] {
        let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut db).await.expect_err(sql);
        let text = error.to_string();
        assert!(text.contains("permission denied") || text.contains("must be owner"), "{sql}: {text}");
    }
    db.close().await.unwrap();
}
