//! Tools remember as their caller and its agent, within a grant. tests/all/knowledge/memory.rs has what becomes of memories.

use behalf_tests::{ALICE, App, BOB, Options, ScriptedModel, Turn, User, guests};
use serde_json::{Value, json};

async fn app(grant: &str) -> App {
    let app = App::start().await;
    app.install(guests::REMEMBER, &json!({ "memory": grant })).await;
    app
}

async fn act(app: &App, user: &User, arguments: Value) -> Value {
    app.call(user, "memories", arguments).await.result().clone()
}

async fn remember(app: &App, user: &User, text: &str) -> Value {
    act(app, user, json!({"do": "remember", "text": text})).await
}

async fn recalled(app: &App, user: &User, tool: &str) -> Vec<String> {
    let found = app.call(user, tool, json!({"do": "recall", "text": "", "top_k": 50})).await.result().clone();
    let all = found.as_array().unwrap_or_else(|| panic!("{found}")).iter();
    all.map(|one| one["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_reaches_the_memories_of_its_caller_and_of_no_other() {
    let app = app("write").await;
    let (alice, bob) = (User::Is(ALICE), User::Is(BOB));
    let hers = remember(&app, &alice, "Drinks tea.").await;
    assert!(hers.as_str().is_some_and(|id| uuid::Uuid::try_parse(id).is_ok()), "{hers}");
    remember(&app, &bob, "Drinks coffee.").await;
    assert_eq!(recalled(&app, &alice, "memories").await, ["Drinks tea."]);
    assert_eq!(recalled(&app, &bob, "memories").await, ["Drinks coffee."]);
    assert_eq!(act(&app, &bob, json!({"do": "forget", "id": hers})).await, false, "not even by its id");
    assert_eq!(recalled(&app, &alice, "memories").await, ["Drinks tea."]);
    for nobody in [User::Anon, User::Service] {
        for deed in
            [json!({"do": "remember", "text": "a"}), json!({"do": "recall"}), json!({"do": "forget", "id": hers})]
        {
            let refused = act(&app, &nobody, deed).await;
            assert_eq!(refused["code"], "denied", "{nobody:?}: {refused}");
        }
    }
    assert_eq!(act(&app, &alice, json!({"do": "forget", "id": hers})).await, true);
    assert_eq!(recalled(&app, &alice, "memories").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_recall_changes_nothing() {
    let app = app("read").await;
    let alice = User::Is(ALICE);
    assert_eq!(remember(&app, &alice, "a").await["code"], "not_granted");
    let nowhere = uuid::Uuid::new_v4();
    assert_eq!(act(&app, &alice, json!({"do": "forget", "id": nowhere})).await["code"], "not_granted");
    assert_eq!(recalled(&app, &alice, "memories").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tools_own_word_takes_away_remembering() {
    let app = app("write").await;
    let alice = User::Is(ALICE);
    let refused = app.call(&alice, "reading_memories", json!({"do": "remember", "text": "a"})).await;
    assert_eq!(refused.result()["code"], "not_granted", "{}", refused.text);
    remember(&app, &alice, "kept").await;
    assert_eq!(recalled(&app, &alice, "reading_memories").await, ["kept"]);
    let reads = async |name: &str| {
        let shown = app.get(&alice, &format!("/api/tools/{name}")).await;
        shown.json["annotations"]["readOnlyHint"].as_bool().unwrap_or_else(|| panic!("{name}: {}", shown.text))
    };
    for (name, expected) in [
        ("memories", false),
        ("reading_memories", true),
        ("memory_remember", false),
        ("memory_recall", true),
        ("memory_forget", false),
        ("knowledge_search", true),
    ] {
        assert_eq!(reads(name).await, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_grant_a_component_cannot_be_called() {
    let app = app("none").await;
    let answer = app.call(&User::Is(ALICE), "memories", json!({"do": "recall"})).await;
    assert!(answer.status >= 400 && answer.text.contains("behalf:tool/memory"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_bounded_and_stay_where_a_call_fails() {
    let app = app("write").await;
    let alice = User::Is(ALICE);
    for wrong in [
        json!({"do": "remember", "text": ""}),
        json!({"do": "remember", "text": "x".repeat(8_001)}),
        json!({"do": "remember", "text": "a", "meta": "[]"}),
        json!({"do": "remember", "text": "a", "meta": format!("{{\"a\": \"{}\"}}", "x".repeat(4_096))}),
        json!({"do": "recall", "top_k": 0}),
        json!({"do": "recall", "top_k": 51}),
        json!({"do": "recall", "top_k": 10_000_000_000_u64}),
        json!({"do": "forget", "id": "' or true --"}),
    ] {
        let refused = act(&app, &alice, wrong.clone()).await;
        assert_eq!(refused["code"], "invalid", "{wrong}: {refused}");
    }
    let failing = json!({"do": "remember", "text": "kept", "then": "fail"});
    assert_eq!(app.call(&alice, "memories", failing).await.status, 422);
    assert_eq!(recalled(&app, &alice, "memories").await, ["kept"]);
    assert_eq!(act(&app, &alice, json!({"do": "flood"})).await, json!({"count": 100, "code": "limit"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_row_tells_of_operations_and_never_of_texts() {
    let app = app("write").await;
    let row = async |body: Value| {
        let answer = app.call(&User::Is(ALICE), "memories", body).await;
        app.settled().await;
        app.audit_of(&answer).await
    };
    let kept = row(json!({"do": "remember", "text": "a secret taste"})).await;
    assert_eq!(kept["egress"], json!([{"operation": "memory.remember", "results": 1, "error": null}]), "{kept}");
    let refused = row(json!({"do": "recall", "top_k": 0})).await;
    assert_eq!(refused["egress"], json!([{"operation": "memory.recall", "results": 0, "error": "invalid"}]));
    assert!(!kept.to_string().contains("secret taste"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_asks_before_it_remembers_and_has_memories_of_its_own() {
    let model = ScriptedModel::start([
        Turn::Call(vec![("memory_remember", json!({"text": "Drinks tea."}))]),
        Turn::Call(vec![("memory_recall", json!({}))]),
        Turn::Say("Done."),
    ])
    .await;
    let app = App::with(Options { settings: model.settings() }).await;
    let agent = app.agent(&[]).await;
    for tool in ["memory_remember", "memory_recall"] {
        let assign = json!({"tool_type": "builtin", "tool_name": tool, "approval": "writes"});
        let assigned = app.post(&User::Service, &format!("/api/agents/{agent}/tools"), assign).await;
        assert_eq!(assigned.status, 201, "{}", assigned.text);
    }
    let alice = User::Is(ALICE);
    let approve = async {
        let run = app.run_that_asks(&alice, "memory_remember").await;
        app.decide(&alice, &run, json!({"approved": true})).await;
    };
    let (run, ()) = tokio::join!(app.ask(&alice, &agent, "go"), approve);
    assert!(run.status == 200 && run.text.contains("Drinks tea."), "{}", run.text);
    let direct = app.call(&alice, "memory_recall", json!({})).await;
    assert_eq!(direct.result()["memories"], json!([]), "a call without the agent has not the agent's memories");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_for_authors_work() {
    let app = App::start().await;
    assert_eq!(super::page::run_page(&app, "docs/authors/memory.md").await, 2);
}
