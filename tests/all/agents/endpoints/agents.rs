//! Agents, the tools that they are assigned, and the list of tools.

use behalf_tests::{ALICE, User};
use reqwest::Method;
use serde_json::{Value, json};

use super::{AGENT, NOBODYS, agent, app, assert_fields, refused};

#[tokio::test(flavor = "multi_thread")]
async fn agents_have_the_platforms_shapes() {
    let (app, _model) = app([]).await;
    let service = &User::Service;
    let health = app.get(&User::Nobody, "/api/health").await;
    assert_eq!(health.json, json!({"status": "healthy", "service": "project-service"}));
    let body =
        json!({"name": "100% Helper", "system_prompt": "Help.", "settings": {"temperature": 0.5}, "colour": "red"});
    let made = app.post(service, "/api/agents", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_fields(&made.json, "id name model system_prompt settings");
    assert_eq!(
        (&made.json["model"], &made.json["settings"]),
        (&json!("openai/scripted"), &json!({"temperature": 0.5}))
    );
    let path = format!("/api/agents/{}", made.json["id"].as_str().unwrap());
    let shown = app.get(service, &path).await;
    assert_fields(&shown.json, AGENT);
    let changed = app.send(service, Method::PATCH, &path, json!({"settings": {"max_steps": 3}})).await;
    assert_fields(&changed.json, AGENT);
    assert_eq!((&changed.json["settings"], &changed.json["name"]), (&json!({"max_steps": 3}), &json!("100% Helper")));
    app.post(service, "/api/agents", json!({"name": "another"})).await;

    let list = app.get(service, "/api/agents?sort=name&order=asc&limit=1&offset=0").await;
    assert_fields(&list.json, "agents total limit offset");
    assert_eq!((&list.json["total"], &list.json["limit"], &list.json["offset"]), (&json!(2), &json!(1), &json!(0)));
    assert_fields(&list.json["agents"][0], &format!("{AGENT} session_count total_runs last_run_at"));
    assert_eq!(list.json["agents"][0]["name"], "100% Helper");
    let defaults = app.get(service, "/api/agents").await;
    assert_eq!((&defaults.json["limit"], &defaults.json["agents"][0]["name"]), (&json!(50), &json!("another")));
    for (query, limit, total) in [("limit=1000", 100, 2), ("limit=0", 1, 2), ("q=100%25", 50, 1), ("q=a_o", 50, 0)] {
        let list = app.get(service, &format!("/api/agents?{query}")).await;
        assert_eq!(
            (&list.json["limit"], &list.json["total"]),
            (&json!(limit), &json!(total)),
            "{query}: {}",
            list.text
        );
    }
    let long = "x".repeat(201);
    for query in ["sort=model", "order=up", "limit=many", &format!("q={long}")] {
        assert_eq!(app.get(service, &format!("/api/agents?{query}")).await.status, 400, "{query}");
    }
    refused(&app, service, Method::POST, "/api/agents", json!({"model": "x"}), 400, "Name is required").await;
    let missing = format!("/api/agents/{NOBODYS}");
    refused(&app, service, Method::PATCH, &path, json!({"colour": 1}), 400, "No valid fields to update").await;
    refused(&app, service, Method::PATCH, &missing, json!({"name": "x"}), 404, "Agent not found").await;
    refused(&app, service, Method::GET, "/api/agents/not-a-uuid", Value::Null, 404, "Agent not found").await;
    for _ in 0..2 {
        let deleted = app.send(service, Method::DELETE, &path, Value::Null).await;
        assert_eq!((deleted.status, deleted.json), (200, json!({"message": "Agent deleted"})));
    }
    let only = "This endpoint requires the project's service role key";
    refused(&app, &User::Is(ALICE), Method::GET, "/api/agents", Value::Null, 403, only).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_of_tools_have_the_platforms_shapes() {
    let (app, _model) = app([]).await;
    let service = &User::Service;
    let path = format!("/api/agents/{}/tools", agent(&app).await);
    let body = json!({"tool_type": "builtin", "tool_name": "database_query", "config_override": {"query": "select 1"}});
    let made = app.post(service, &path, body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_fields(&made.json, "id tool_name");
    let list = app.get(service, &path).await;
    assert_fields(&list.json, "tools");
    let one = &list.json["tools"][0];
    let (fields, more) = ("id tool_type tool_name tool_id config_override", "approval callee_id full_name");
    assert_fields(one, &format!("{fields} {more}"));
    assert_eq!((&one["tool_id"], &one["tool_name"]), (&Value::Null, &json!("database_query")));
    let own = format!("{path}/{}", made.json["id"].as_str().unwrap());
    let changed = app.send(service, Method::PATCH, &own, json!({"tool_name": "ignored"})).await;
    assert_eq!((changed.status, &changed.json["config_override"]), (200, &json!({"query": "select 1"})));
    let changed = app.send(service, Method::PATCH, &own, json!({"config_override": {}})).await;
    assert_fields(&changed.json, &format!("{fields} {more}"));
    assert_eq!(changed.json["config_override"], json!({}));
    assert_eq!(app.post(service, &path, body).await.status, 409);
    for bad in [json!({"tool_type": "builtin"}), json!({"tool_name": ""}), json!({})] {
        assert_eq!(app.post(service, &path, bad).await.status, 400);
    }
    // A restriction that would have no effect is refused.
    for schemas in [json!({"pg_catalog": ["pg_class"]}), json!({"1a": ["x"]}), json!({"public": ["notes"]}), json!([])]
    {
        let body = json!({"config_override": {"schemas": schemas}});
        assert_eq!(app.send(service, Method::PATCH, &own, body).await.status, 400, "{schemas}");
    }
    let missing = format!("{path}/{NOBODYS}");
    refused(&app, service, Method::PATCH, &missing, json!({}), 404, "Tool assignment not found").await;
    refused(&app, service, Method::DELETE, &missing, Value::Null, 404, "Assignment not found").await;
    let deleted = app.send(service, Method::DELETE, &own, Value::Null).await;
    assert_eq!((deleted.status, deleted.json), (200, json!({"deleted": true})));
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_listed_in_the_platforms_shape() {
    let (app, _model) = app([]).await;
    let list = app.get(&User::Is(ALICE), "/api/tools").await;
    assert_fields(&list.json, "tools");
    let tools = list.json["tools"].as_array().unwrap();
    let query = tools.iter().find(|tool| tool["name"] == "database_query").unwrap();
    assert_fields(query, "id type name description input_schema config title output_schema annotations plugin");
    assert_eq!((&query["id"], &query["config"]), (&Value::Null, &json!({})));
    refused(&app, &User::Is(ALICE), Method::GET, "/api/tools/no_such_tool", Value::Null, 404, "Tool not found").await;
}
