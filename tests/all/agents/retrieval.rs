//! What agents are told of knowledge: the bases that an operator gives them, and what requests may name.

use behalf_tests::database::run as run_sql;
use behalf_tests::{ALICE, App, BOB, Options, ScriptedModel, Turn, User};
use reqwest::Method;
use serde_json::{Value, json};

const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";
const SERVICE_ONLY: &str = "may only be set with the project's service role key; an end user's run uses the knowledge bases configured on the agent";

/// A host with a base and an agent.
struct AgentsHost {
    app: App,
    model: ScriptedModel,
    agent: String,
    base: String,
}

impl AgentsHost {
    async fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        let model = ScriptedModel::start(turns).await;
        let app = App::with(Options { settings: model.settings() }).await;
        let base: uuid::Uuid =
            app.database.value("insert into ai.knowledge_bases (name) values ('docs') returning id").await;
        Self { agent: app.agent(&[]).await, app, model, base: base.to_string() }
    }

    fn bases(&self) -> String {
        format!("/api/agents/{}/knowledge-bases", self.agent)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_gives_bases_to_agents() {
    let host = AgentsHost::new([]).await;
    let (app, service, path) = (&host.app, &User::Service, host.bases());
    assert_eq!(app.get(service, &path).await.json, json!({"knowledge_bases": []}));
    let config = json!({"top_k": 3, "retrieval_method": "full_text", "max_context_tokens": 500, "colour": "red"});
    let made = app.post(service, &path, json!({"knowledge_base_id": host.base, "config": config})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json["id"].as_str().unwrap();
    let expected = json!({"id": id, "agent_id": host.agent, "knowledge_base_id": host.base, "config": config});
    assert_eq!(made.json, expected);
    assert_eq!(app.get(service, &path).await.json, json!({"knowledge_bases": [expected]}));
    let twice = app.post(service, &path, json!({"knowledge_base_id": host.base})).await;
    assert_eq!((twice.status, &twice.json["error"]), (409, &json!("KB already assigned to this agent")));

    for (body, status) in [
        (json!({}), 400),
        (json!({"knowledge_base_id": "docs"}), 400),
        (json!({"knowledge_base_id": NOBODYS}), 404),
        (json!({"knowledge_base_id": host.base, "config": []}), 400),
        (json!({"knowledge_base_id": host.base, "config": {"top_k": 0}}), 400),
        (json!({"knowledge_base_id": host.base, "config": {"retrieval_method": "magic"}}), 400),
    ] {
        let refused = app.post(service, &path, body.clone()).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.text);
    }
    let nowhere = app
        .post(service, &format!("/api/agents/{NOBODYS}/knowledge-bases"), json!({"knowledge_base_id": host.base}))
        .await;
    assert_eq!((nowhere.status, &nowhere.json["error"]), (404, &json!("Agent not found")));
    for user in [User::Is(ALICE), User::Anon, User::ServiceFor(ALICE)] {
        assert!([401, 403].contains(&app.get(&user, &path).await.status), "{user:?}");
        assert!(
            [401, 403].contains(&app.post(&user, &path, json!({"knowledge_base_id": host.base})).await.status),
            "{user:?}"
        );
    }

    let one = format!("{path}/{id}");
    let deleted = app.send(service, Method::DELETE, &one, Value::Null).await;
    assert_eq!((deleted.status, deleted.json), (200, json!({"deleted": true})));
    let gone = app.send(service, Method::DELETE, &one, Value::Null).await;
    assert_eq!((gone.status, &gone.json["error"]), (404, &json!("Assignment not found")));
    let actions: String = app
        .database
        .value("select string_agg(action, ' ' order by action) from ai.audit_events where object like 'agent_knowledge_base:%'")
        .await;
    assert_eq!(actions, "agent_knowledge_base.created agent_knowledge_base.deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn end_users_do_not_choose_knowledge_and_may_restrict_it() {
    let host = AgentsHost::new([Turn::Say("Hello.")]).await;
    let (app, run) = (&host.app, format!("/api/agents/{}/run", host.agent));
    for (field, value) in [
        ("knowledge_bases", json!([{"id": host.base}])),
        ("runtime_knowledge_bases", json!([{"id": host.base}])),
        ("context_handler_id", json!(NOBODYS)),
    ] {
        let mut body = json!({"message": "hi"});
        body[field] = value;
        for path in [run.clone(), format!("{run}/stream")] {
            for user in [User::Is(ALICE), User::ServiceFor(BOB)] {
                let refused = app.post(&user, &path, body.clone()).await;
                assert_eq!(refused.status, 403, "{user:?} {field}: {}", refused.text);
                assert_eq!(refused.json["error"], format!("{field} {SERVICE_ONLY}"));
            }
        }
    }
    assert_eq!(host.model.requests().len(), 0);
    let restricted = app.post(&User::Is(ALICE), &run, json!({"message": "hi", "retrieval": "own_sources_only"})).await;
    assert_eq!((restricted.status, &restricted.json["content"]), (200, &json!("Hello.")), "{}", restricted.text);
    for retrieval in [json!("mine"), json!(true), json!(["own_sources_only"])] {
        let refused = app.post(&User::Is(ALICE), &run, json!({"message": "hi", "retrieval": retrieval})).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        let chat =
            json!({"model": host.agent, "messages": [{"role": "user", "content": "hi"}], "retrieval": retrieval});
        let refused = app.post(&User::Is(ALICE), "/v1/chat/completions", chat).await;
        assert_eq!((refused.status, &refused.json["error"]["param"]), (400, &json!("retrieval")), "{}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_names_must_be_well_formed() {
    let host = AgentsHost::new([]).await;
    let (app, run) = (&host.app, format!("/api/agents/{}/run", host.agent));
    let stream = format!("{run}/stream");
    let entry = json!({"id": host.base});
    for (path, body) in [
        (&run, json!({"runtime_knowledge_bases": [entry]})),
        (&stream, json!({"runtime_knowledge_bases": vec![entry.clone(); 11]})),
        (&stream, json!({"runtime_knowledge_bases": [host.base]})),
        (&stream, json!({"runtime_knowledge_bases": [{"id": host.base, "weight": 1}]})),
        (&stream, json!({"runtime_knowledge_bases": {"id": host.base}})),
        (&run, json!({"knowledge_bases": [{"name": "docs"}]})),
        (&run, json!({"knowledge_bases": [entry], "context_items": []})),
        (&run, json!({"knowledge_bases": [entry], "context_handler_id": NOBODYS})),
        (&run, json!({"citations_enabled": "yes"})),
    ] {
        let mut body = body;
        body["message"] = json!("hi");
        let refused = app.post(&User::Service, path, body.clone()).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text);
    }
    assert_eq!(host.model.requests().len(), 0, "nothing that was refused reached the model");
}

/// Texts that a request brings can be cited as well.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_in_an_answer_are_resolved() {
    let host = AgentsHost::new([Turn::Say("Four weeks [2], see also [9].")]).await;
    let items = json!([{"text": "The moon is far."}, {"text": "Leave lasts four weeks.", "source_id": NOBODYS, "meta": {"page": 7}}]);
    let body = json!({"message": "How long?", "context_items": items, "citations_enabled": true});
    let run = host.app.post(&User::Is(ALICE), &format!("/api/agents/{}/run", host.agent), body).await;
    let cited = json!({
        "citation_key": "2", "item_id": null, "source_id": NOBODYS, "source_name": null,
        "text_excerpt": "Leave lasts four weeks.", "meta": {"page": 7},
    });
    assert_eq!(run.json["citations"], json!([cited]), "{}", run.text);
    assert_eq!(run.json["citation_candidates"].as_array().map(Vec::len), Some(2));
    let session = run.json["session_id"].as_str().unwrap();
    let messages = host.app.get(&User::Is(ALICE), &format!("/api/sessions/{session}/messages")).await;
    assert_eq!(messages.json["messages"][1]["citations"], json!([cited]), "{}", messages.text);
    assert_eq!(messages.json["messages"][0].get("citations"), None);
    let told = host.model.requests()[0]["messages"][0]["content"].as_str().unwrap().to_owned();
    assert!(told.contains("cite it by its number"), "{told}");

    // Whoever the run is not of sees nothing of its citations.
    let mut owner = host.app.database.owner().await;
    for (user, seen) in [(ALICE, 1_i64), (BOB, 0)] {
        let claims = json!({"sub": user, "role": "authenticated"});
        run_sql(&mut owner, &format!("begin; set local role authenticated; set local request.jwt.claims = '{claims}'"))
            .await;
        let count = sqlx::query_scalar("select count(*) from ai.message_citations").fetch_one(&mut owner).await;
        assert_eq!(count.unwrap_or(-1), seen, "{user}");
        run_sql(&mut owner, "rollback").await;
    }
}
