//! Context of a run: passages named by the ids of chunks. They are read as the caller, so that the app's policies decide.

use behalf_tests::{ALICE, Answer, App, BOB, Options, ScriptedModel, User};
use serde_json::{Value, json};

const ALICES: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const ALICES_SECOND: &str = "aaaaaaaa-0000-4000-8000-000000000002";
const BOBS: &str = "bbbbbbbb-0000-4000-8000-000000000001";
const UNOWNED: &str = "cccccccc-0000-4000-8000-000000000001";

/// A knowledge base with three sources: one of alice's in two chunks, one of bob's, and one without an owner.
fn seed() -> String {
    format!(
        "insert into ai.knowledge_bases (id, name) values ('{ALICES}', 'all');
         insert into ai.sources (id, name, owner_id) values ('{ALICES}', 'a', '{ALICE}'), ('{BOBS}', 'b', '{BOB}'),
            ('{UNOWNED}', 'c', null);
         insert into ai.indexed_sources (id, knowledge_base_id, source_id) select id, '{ALICES}', id from ai.sources;
         insert into ai.chunks (id, indexed_source_id, knowledge_base_id, source_id, text, meta) values
            ('{ALICES}', '{ALICES}', '{ALICES}', '{ALICES}', 'alice grows tomatoes', '{{\"page\": 1}}'),
            ('{ALICES_SECOND}', '{ALICES}', '{ALICES}', '{ALICES}', 'alice waters them', '{{}}'),
            ('{BOBS}', '{BOBS}', '{ALICES}', '{BOBS}', 'bob mends brakes', '{{}}'),
            ('{UNOWNED}', '{UNOWNED}', '{ALICES}', '{UNOWNED}', 'the house rules', '{{}}');"
    )
}

/// A host with these chunks, and an agent whose model keeps its requests.
struct KnowledgeHost {
    app: App,
    model: ScriptedModel,
    agent: String,
}

impl KnowledgeHost {
    async fn new() -> Self {
        let model = ScriptedModel::start([]).await;
        let settings = vec![
            ("model_base_url", model.url.clone()),
            ("model_api_key", "a-key".to_owned()),
            ("model_default", "openai/scripted".to_owned()),
        ];
        let app = App::with(Options { settings }).await;
        app.database.execute(&seed()).await;
        let made = app.post(&User::Service, "/api/agents", json!({"name": "helper", "system_prompt": "Help."})).await;
        Self { agent: made.json["id"].as_str().unwrap().to_owned(), app, model }
    }

    async fn run(&self, user: &User, body: Value) -> Answer {
        self.app.post(user, &format!("/api/agents/{}/run", self.agent), body).await
    }

    /// Runs the agent with these chunks, and returns the ids of those that the run was given. The model must have got the same.
    async fn given(&self, user: &User, ids: &[&str]) -> Vec<String> {
        let items: Vec<_> = ids.iter().map(|id| json!({ "item_id": id })).collect();
        let run = self.run(user, json!({"message": "hi", "context_items": items})).await;
        assert_eq!(run.status, 200, "{user:?}: {}", run.text);
        let shown = run.json["retrieved_items"].as_array().unwrap();
        let told = self.told();
        for (place, item) in shown.iter().enumerate() {
            let framed =
                told.split(&format!("\n[{}] from source ", place + 1)).nth(1).unwrap_or_else(|| panic!("{told}"));
            assert!(framed.lines().nth(1) == item["text"].as_str(), "{told}");
        }
        assert_eq!(told.matches("\n[").count(), shown.len(), "{told}");
        shown.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The instructions in the last request to the model.
    fn told(&self) -> String {
        self.model.requests().last().unwrap()["messages"][0]["content"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_are_read_as_the_caller() {
    let knowledge = KnowledgeHost::new().await;
    let all = [BOBS, ALICES_SECOND, UNOWNED, ALICES];
    assert_eq!(knowledge.given(&User::Is(ALICE), &all).await, [ALICES_SECOND, ALICES]);
    assert_eq!(knowledge.given(&User::ServiceFor(ALICE), &all).await, [ALICES_SECOND, ALICES]);
    assert_eq!(knowledge.given(&User::Is(BOB), &all).await, [BOBS]);
    assert_eq!(knowledge.given(&User::Service, &all).await, all);
    // A chunk of another user, a missing chunk and a malformed id all give the same answer.
    let nowhere = "dddddddd-0000-4000-8000-000000000001";
    for id in [BOBS, UNOWNED, nowhere, "' or true --", ""] {
        let run = knowledge.run(&User::Is(ALICE), json!({"message": "hi", "context_items": [{"item_id": id}]})).await;
        assert_eq!((run.status, &run.json["retrieved_items"]), (200, &json!([])), "{id}: {}", run.text);
        assert_eq!(knowledge.told(), "Help.", "{id}");
    }
    // A chunk that is named twice is given once.
    assert_eq!(knowledge.given(&User::Is(ALICE), &[ALICES, BOBS, ALICES, &ALICES.to_uppercase()]).await, [ALICES]);
    let many = json!({"message": "hi", "context_items": vec![json!({"item_id": ALICES}); 10_000]});
    assert_eq!(knowledge.run(&User::Is(ALICE), many).await.status, 400);
    let anon = json!({"message": "hi", "context_items": [{"item_id": ALICES}]});
    assert_eq!(knowledge.run(&User::Anon, anon).await.status, 401);

    let audit = knowledge.app.audit().await;
    let rows: Vec<_> = audit.iter().filter(|row| row["tool"] == "context_items").collect();
    assert!(rows.len() == 8 && rows.iter().all(|row| row["outcome"] == "ok"), "{rows:?}");
    let roles: Vec<_> = rows.iter().filter_map(|row| row["role"].as_str()).collect();
    assert!(roles.contains(&"authenticated") && roles.contains(&"service_role"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_is_kept_with_the_run() {
    let knowledge = KnowledgeHost::new().await;
    let items = json!([
        {"text": "by value", "source_id": "mine", "meta": {"page": 7}, "colour": "red"}, {"item_id": ALICES}, {"item_id": BOBS},
        {"meta": {}}, {"text": "last"},
    ]);
    let run = knowledge.run(&User::Is(ALICE), json!({"message": "hi", "context_items": items})).await;
    let expected = json!([
        {"id": null, "source_id": "mine", "text": "by value", "meta": {"page": 7}},
        {"id": ALICES, "source_id": ALICES, "text": "alice grows tomatoes", "meta": {"page": 1}},
        {"id": null, "source_id": null, "text": "last", "meta": {}},
    ]);
    assert_eq!(run.json["retrieved_items"], expected, "{}", run.text);
    let id = run.json["run_id"].as_str().unwrap();
    let row = knowledge.app.get(&User::Is(ALICE), &format!("/api/agents/runs/{id}")).await;
    assert_eq!(row.json["retrieved_context"], expected);
    let path = format!("/api/sessions/{}/runs/{id}/retrieved-context", row.json["session_id"].as_str().unwrap());
    assert_eq!(knowledge.app.get(&User::Is(ALICE), &path).await.json["retrieved_context"], expected);
    assert_eq!(knowledge.app.get(&User::Is(BOB), &path).await.status, 404);

    // A chunk that does not fit the budget is not listed as used. A thousand tokens are the smallest budget.
    knowledge
        .app
        .database
        .execute(&format!("update ai.chunks set text = repeat('x', 3990) where id = '{ALICES}'"))
        .await;
    let items = json!([{"item_id": ALICES}, {"item_id": ALICES_SECOND}]);
    let body = json!({"message": "hi", "max_context_tokens": 1000, "context_items": items});
    let run = knowledge.run(&User::Is(ALICE), body).await;
    assert_eq!(run.json["retrieved_items"].as_array().unwrap().len(), 1, "{}", run.text);
    assert_eq!(run.json["retrieved_items"][0]["text"].as_str().unwrap().len(), 500);
    let told = knowledge.told();
    assert!((3_900..=4_000).contains(&told.chars().count()) && told.ends_with(">>>\n"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apps_own_policies_decide() {
    let knowledge = KnowledgeHost::new().await;
    let all = [ALICES, BOBS, UNOWNED];
    // Recipe 1: the app keeps the owners of documents in a table of its own.
    let own = format!(
        "create table public.documents (source_id uuid primary key, owner_id uuid not null);
         alter table public.documents enable row level security;
         create policy own on public.documents for select to authenticated using (owner_id = (select auth.uid()));
         grant select on public.documents to authenticated;
         insert into public.documents values ('{UNOWNED}', '{ALICE}'), ('{ALICES}', '{BOB}');
         drop policy auth_read_sources on ai.sources;
         drop policy auth_read_chunks on ai.chunks;
         create policy by_document on ai.sources for select to authenticated
            using (exists (select from public.documents d where d.source_id = sources.id));
         create policy by_document on ai.chunks for select to authenticated using (indexed_source_id in (
            select i.id from ai.indexed_sources i join public.documents d on d.source_id = i.source_id
            where d.owner_id = auth.uid()));"
    );
    knowledge.app.database.execute(&own).await;
    assert_eq!(knowledge.given(&User::Is(ALICE), &all).await, [UNOWNED]);
    assert_eq!(knowledge.given(&User::Is(BOB), &all).await, [ALICES]);
    // Without a policy nothing is shown, and without a right to the table neither.
    knowledge.app.database.execute("drop policy by_document on ai.chunks").await;
    assert_eq!(knowledge.given(&User::Is(ALICE), &all).await, Vec::<String>::new());
    knowledge.app.database.execute("revoke select on ai.chunks from authenticated").await;
    assert_eq!(knowledge.given(&User::Is(ALICE), &all).await, Vec::<String>::new());
    assert_eq!(knowledge.given(&User::Service, &all).await, all);
    // A policy that fails shows nothing, and the answer does not tell the error.
    let broken = "grant select on ai.chunks to authenticated;
        create policy broken on ai.chunks for select to authenticated using (1 / (length(text) - length(text)) = 1)";
    knowledge.app.database.execute(broken).await;
    let run = knowledge.run(&User::Is(ALICE), json!({"message": "hi", "context_items": [{"item_id": ALICES}]})).await;
    assert_eq!(run.status, 503, "{}", run.text);
    assert!(!run.text.contains("division"), "{}", run.text);
}

/// The host's own login writes these tables for their owners, and sees no row without an owner's name. What runs read, it reads as the
/// caller.
#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_login_reads_no_knowledge() {
    let knowledge = KnowledgeHost::new().await;
    let mut host = knowledge.app.database.login("behalf_host").await;
    for table in ["knowledge_bases", "indexed_sources", "chunks", "sources", "source_pages"] {
        let sql = format!("select count(*) from ai.{table}");
        let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut host).await.unwrap();
        assert_eq!(seen, 0, "{table}");
    }
    knowledge
        .app
        .install(behalf_tests::guests::PROBE, &json!({"database": {"access": "read", "schemas": ["ai"]}}))
        .await;
    for (user, seen) in [(User::Is(ALICE), "tomatoes"), (User::Is(BOB), "brakes")] {
        let rows = knowledge.app.sql(&user, "select text from ai.chunks").await;
        assert!(rows.text.contains(seen) && !rows.text.contains("rules"), "{}", rows.text);
        assert_eq!(rows.text.contains("tomatoes"), seen == "tomatoes", "{}", rows.text);
    }
}
