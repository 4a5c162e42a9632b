//! Management: the service role creates, changes and deletes custom tools, and reads their settings alone.

use behalf_tests::{ALICE, App, User};
use reqwest::Method;
use serde_json::{Value, json};

use super::{made, tool};

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
        ("input_schema", json!("object"), 400),
        ("config", json!({"endpoint": "http://user:pass@a.test/"}), 400),
        ("config", json!({"endpoint": "http://2130706433/"}), 400),
        // In a private network that nobody allowed: no call would ever be sent.
        ("config", json!({"endpoint": "http://10.0.0.7/balance"}), 400),
        ("config", json!({"endpoint": "http://169.254.169.254/latest/meta-data/"}), 400),
        ("config", json!({"endpoint": "https://[fd00::7]/balance"}), 400),
        ("config", json!({"endpoint": "https://a.test", "headers": {"host": "b.test"}}), 400),
        ("config", json!({"endpoint": "https://a.test", "timeout_seconds": 1}), 400),
    ];
    for (field, value, status) in bad {
        let mut body = tool("fine", "https://a.test");
        body[field] = value.clone();
        let refused = app.post(&User::Service, "/api/tools", body).await;
        assert_eq!(refused.status, status, "{field} {value}: {}", refused.text);
    }
    let taken = app.post(&User::Service, "/api/tools", tool("database_query", "https://a.test")).await;
    assert!(taken.text.contains("belongs to plugin database-query"), "{}", taken.text);
    // A plugin cannot take the name of a custom tool either, and no custom tool takes the full name of a plugin's tool.
    let id = made(&app, tool("sql", "https://a.test")).await;
    let probe = app.install(behalf_tests::guests::PROBE, &json!({})).await;
    let plugin = probe.json["name"].as_str().unwrap();
    let names: Vec<_> = probe.json["tools"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&format!("{plugin}__sql").as_str()) && !names.contains(&"sql"), "{names:?}");
    let full = app.post(&User::Service, "/api/tools", tool("echo__echo", "https://a.test")).await;
    assert!(full.status == 409 && full.text.contains("belongs to plugin echo"), "{}", full.text);
    assert_eq!(app.send(&User::Service, Method::DELETE, &format!("/api/tools/{id}"), Value::Null).await.status, 200);
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
