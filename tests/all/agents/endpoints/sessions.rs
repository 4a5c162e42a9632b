//! Sessions with their runs and messages, for users and for the service role.

use behalf_tests::{ALICE, BOB, User};
use reqwest::Method;
use serde_json::{Value, json};

use super::{ANSWER, NOBODYS, RUN, RUN_MORE, SESSION, agent, app, assert_fields, refused};

#[tokio::test(flavor = "multi_thread")]
async fn conversations_have_the_platforms_shapes_for_users_and_for_the_service_role() {
    let (app, _model) = app([]).await;
    let agent = format!("/api/agents/{}", agent(&app).await);
    for user in [User::Is(ALICE), User::ServiceFor(ALICE), User::Service] {
        let made = app.post(&user, &format!("{agent}/run"), json!({"message": "Hello there"})).await;
        assert_eq!(made.status, 200, "{}", made.text);
        assert_fields(&made.json, &format!("{ANSWER} steps tool_calls"));
        assert_eq!((&made.json["status"], &made.json["is_new_session"]), (&json!("completed"), &json!(true)));
        assert_eq!((&made.json["error"], &made.json["retrieved_items"]), (&Value::Null, &json!([])));
        let (run, session) = (made.json["run_id"].as_str().unwrap(), made.json["session_id"].as_str().unwrap());
        assert!(run.starts_with("run_") && run.len() == 16 && session.starts_with("sess_") && session.len() == 17);
        let again = json!({"message": "And again", "session_id": session});
        assert_eq!(app.post(&user, &format!("{agent}/run"), again).await.json["is_new_session"], false);

        let row = app.get(&user, &format!("/api/agents/runs/{run}")).await;
        assert_fields(&row.json, &format!("{RUN} {RUN_MORE}"));
        assert_eq!(row.json["input_messages"], json!([{"role": "user", "content": "Hello there"}]));
        let session = format!("/api/sessions/{session}");
        let shown = app.get(&user, &session).await;
        assert_fields(&shown.json, SESSION);
        let messages = app.get(&user, &format!("{session}/messages")).await;
        assert_fields(&messages.json, "session_id messages");
        let roles: Vec<_> =
            messages.json["messages"].as_array().unwrap().iter().map(|one| one["role"].as_str()).collect();
        assert_eq!(roles, [Some("user"), Some("assistant"), Some("user"), Some("assistant")]);
        assert_fields(&messages.json["messages"][0], "role content run_id timestamp");
        assert_fields(&messages.json["messages"][1], "role content run_id timestamp reasoning_requested");
        let newest = app.get(&user, &format!("{session}/messages?limit=1")).await;
        assert_eq!(newest.json["messages"], json!([messages.json["messages"][3]]));
        let runs = app.get(&user, &format!("{session}/runs?limit=1&offset=0")).await;
        assert_fields(&runs.json, "session_id runs limit offset");
        assert_fields(&runs.json["runs"][0], &format!("{RUN} {RUN_MORE}"));
        assert_eq!(runs.json["runs"][0]["run_id"], run, "the oldest comes first");
        let context = app.get(&user, &format!("{session}/runs/{run}/retrieved-context")).await;
        let id = session.trim_start_matches("/api/sessions/");
        assert_eq!(context.json, json!({"session_id": id, "run_id": run, "retrieved_context": []}));
        let missing = format!("{session}/runs/run_000000000000/retrieved-context");
        refused(&app, &user, Method::GET, &missing, Value::Null, 404, "Run not found").await;

        let list = app.get(&user, &format!("{agent}/sessions")).await;
        assert_fields(&list.json, "sessions total limit offset");
        assert_fields(&list.json["sessions"][0], "session_id run_count last_activity_at created_at first_message");
        assert_eq!(list.json["sessions"][0]["first_message"], "Hello there");
        let deleted = app.send(&user, Method::DELETE, &session, Value::Null).await;
        assert_eq!((deleted.status, &deleted.json["success"]), (200, &json!(true)));
        assert_fields(&deleted.json, "success message");
        refused(&app, &user, Method::GET, &session, Value::Null, 404, "Session not found").await;
        let made = app.post(&user, &format!("{agent}/sessions"), json!({})).await;
        assert_fields(&made.json, "session_id");
        let own = format!("{agent}/sessions/{}", made.json["session_id"].as_str().unwrap());
        let deleted = app.send(&user, Method::DELETE, &own, Value::Null).await;
        assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
        refused(&app, &user, Method::DELETE, &own, Value::Null, 404, "Session not found").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_sessions_are_searched_and_bounded() {
    let (app, _model) = app([]).await;
    let agent = format!("/api/agents/{}", agent(&app).await);
    let seeds = |question: &str| {
        json!({"user_id": ALICE, "initial_messages": [
            {"role": "user", "content": question}, {"role": "assistant", "content": "An answer"}]})
    };
    let path = format!("{agent}/sessions");
    for question in ["About 50% of taxes", "About gardens"] {
        assert_eq!(app.post(&User::Service, &path, seeds(question)).await.status, 201);
    }
    assert_eq!(app.post(&User::Is(ALICE), &path, json!({})).await.status, 201);
    for (query, total) in [
        ("", 3),
        ("search=gardens", 1),
        ("search=50%25%20of", 1),
        ("search=%25", 1),
        ("search=ANSWER", 2),
        ("min_runs=1", 2),
        ("max_runs=0", 1),
        ("created_after=2020-01-01", 3),
        ("created_after=2020-01-01T00:00:00", 3),
        ("created_before=2020-01-01T00:00:00%2B02:00", 0),
        ("created_after=2999-01-01T00:00:00Z", 0),
        ("limit=1&offset=2", 3),
    ] {
        let list = app.get(&User::Is(ALICE), &format!("{path}?{query}")).await;
        assert_eq!(list.json["total"], total, "{query}: {}", list.text);
    }
    assert_eq!(app.get(&User::Is(ALICE), &format!("{path}?limit=1000")).await.json["limit"], 200);
    assert_eq!(app.get(&User::Is(BOB), &path).await.json["total"], 0);
    assert_eq!(app.get(&User::Is(ALICE), &format!("{path}?created_after=soon")).await.status, 400);
    let seeded = app.get(&User::Is(ALICE), &format!("{path}?search=gardens")).await;
    let session = seeded.json["sessions"][0]["session_id"].as_str().unwrap().to_owned();
    let messages = app.get(&User::Is(ALICE), &format!("/api/sessions/{session}/messages")).await;
    assert!(messages.json["messages"][0]["run_id"].as_str().unwrap().starts_with("seed_"), "{}", messages.text);
    assert_fields(&messages.json["messages"][1], "role content run_id timestamp");

    let owner = "user_id may only be set with the project's service role key";
    for user in [json!(ALICE), json!(BOB), json!("x"), json!(1)] {
        refused(&app, &User::Is(ALICE), Method::POST, &path, json!({ "user_id": user }), 403, owner).await;
    }
    let unowned = json!({"initial_messages": seeds("x")["initial_messages"]});
    assert_eq!(app.post(&User::Service, &path, unowned.clone()).await.status, 400);
    assert_eq!(app.post(&User::Is(ALICE), &path, unowned).await.status, 201);
    for bad in [
        json!([{"role": "user", "content": "odd"}]),
        json!([{"role": "user", "content": ""}, {"role": "assistant", "content": "b"}]),
        json!([{"role": "user", "content": "x".repeat(20_001)}, {"role": "assistant", "content": "b"}]),
        json!(vec![json!({"role": "user", "content": "a"}); 202]),
    ] {
        assert_eq!(app.post(&User::Is(ALICE), &path, json!({"initial_messages": bad})).await.status, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_or_plants_a_session() {
    let (app, model) = app([]).await;
    let agent = agent(&app).await;
    let (run, none) = (format!("/api/agents/{agent}/run"), "Session not found");
    let longest = "s".repeat(255);
    for named in ["ticket-4711", longest.as_str()] {
        let body = json!({"message": "hi", "session_id": named});
        let made = app.post(&User::Service, &run, body.clone()).await;
        assert_eq!((made.status, &made.json["session_id"]), (200, &json!(named)), "{}", made.text);
        for user in [User::Is(ALICE), User::ServiceFor(ALICE)] {
            refused(&app, &user, Method::POST, &run, body.clone(), 404, none).await;
            refused(&app, &user, Method::GET, &format!("/api/sessions/{named}"), Value::Null, 404, none).await;
        }
    }
    let planted = json!({"message": "hi", "session_id": "of-my-own"});
    refused(&app, &User::Is(ALICE), Method::POST, &run, planted.clone(), 404, none).await;
    refused(&app, &User::Is(ALICE), Method::POST, &format!("{run}/stream"), planted, 404, none).await;
    let taken: i64 = app.database.value("select count(*) from ai.agent_sessions where session_id = 'of-my-own'").await;
    assert_eq!(taken, 0);
    let own = app.post(&User::Is(ALICE), &run, json!({"message": "hi"})).await.json["session_id"].clone();
    let other = format!("/api/agents/{}/run", self::agent(&app).await);
    for (user, path) in [(User::Is(BOB), &run), (User::Is(ALICE), &other), (User::Service, &other)] {
        let body = json!({"message": "hi", "session_id": own});
        refused(&app, &user, Method::POST, path, body, 404, none).await;
    }
    let asked = model.requests().len();
    let form = "session_id must be a string of at most 255 characters";
    for id in [json!("s".repeat(256)), json!(7), json!(["a"]), json!({"a": 1})] {
        for user in [User::Is(ALICE), User::Service] {
            refused(&app, &user, Method::POST, &run, json!({"message": "hi", "session_id": id}), 400, form).await;
        }
    }
    refused(&app, &User::Is(ALICE), Method::POST, &run, json!({"message": ""}), 400, "message is required").await;
    for field in ["knowledge_bases", "runtime_knowledge_bases", "context_handler_id"] {
        let text = format!(
            "{field} may only be set with the project's service role key; an end user's run uses the knowledge bases \
             configured on the agent"
        );
        let mut body = json!({"message": "hi"});
        body[field] = json!("docs");
        refused(&app, &User::Is(ALICE), Method::POST, &run, body.clone(), 403, &text).await;
        assert_eq!(app.post(&User::Service, &run, body).await.status, 400, "{field}");
    }
    let two = json!({"message": "hi", "context_override": "a", "context_items": []});
    assert_eq!(app.post(&User::Is(ALICE), &run, two).await.status, 400);
    let nowhere = format!("/api/agents/{NOBODYS}/run");
    refused(&app, &User::Is(ALICE), Method::POST, &nowhere, json!({"message": "hi"}), 404, "Agent not found").await;
    assert_eq!(model.requests().len(), asked, "nothing that was refused reached the model");
}
