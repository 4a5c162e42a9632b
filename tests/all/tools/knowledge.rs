//! Tools search knowledge bases as their caller: the app's policies decide what is found, and the grant narrows that.

use behalf_tests::fences::fences;
use behalf_tests::projects::repository;
use behalf_tests::{ALICE, App, BOB, TestDatabase, User, eventually, guests};
use serde_json::{Value, json};
use sqlx::Connection as _;
use tokio::process::Command;
use uuid::Uuid;

const QUESTION: &str = "How long is parental leave?";

/// Two bases that are searched by words. In the handbook, each user has a document that answers the same question; in the plans, Alice.
async fn app_with(grant: Value, limits: Value) -> (App, String) {
    let app = App::start().await;
    let handbook = base(&app, "Handbook").await;
    document(&app, &handbook, ALICE, "alice.md", "Alice takes parental leave of four weeks.").await;
    document(&app, &handbook, BOB, "bob.md", "Bob takes parental leave of nine days.").await;
    let plans = base(&app, "Plans").await;
    document(&app, &plans, ALICE, "plan.md", "The plan says parental leave of one year.").await;
    app.install(guests::SEARCH, &json!({"knowledge": {"knowledge_bases": grant}, "limits": limits})).await;
    (app, plans)
}

async fn app(grant: Value) -> (App, String) {
    app_with(grant, json!({})).await
}

async fn base(app: &App, name: &str) -> String {
    let body = json!({"name": name, "retrieval_config": {"method": "full_text"}});
    let made = app.post(&User::Service, "/api/knowledge-bases", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json["id"].as_str().unwrap().to_owned()
}

/// Puts a document of one chunk into a base, as indexing does.
async fn document(app: &App, base: &str, owner: Uuid, name: &str, text: &str) {
    put(&app.database, base, owner, name, text).await;
}

async fn put(database: &TestDatabase, base: &str, owner: Uuid, name: &str, text: &str) {
    let (source, indexed) = (Uuid::new_v4(), Uuid::new_v4());
    let text = text.replace('\'', "''");
    let sql = format!(
        "insert into ai.sources (id, name, owner_id, extraction_status) values ('{source}', '{name}', '{owner}', 'extracted');
         insert into ai.indexed_sources (id, knowledge_base_id, source_id, index_status, chunk_count)
            values ('{indexed}', '{base}', '{source}', 'indexed', 1);
         insert into ai.chunks (indexed_source_id, knowledge_base_id, source_id, text, meta)
            values ('{indexed}', '{base}', '{source}', '{text}', '{{\"page\": 3, \"source_name\": \"the law\"}}')"
    );
    database.execute(&sql).await;
}

async fn search(app: &App, user: &User, options: Value) -> Value {
    app.call(user, "search", json!({"text": QUESTION, "options": options})).await.result().clone()
}

/// The texts that are found, in the order of the alphabet.
async fn texts(app: &App, user: &User, options: Value) -> Vec<String> {
    let found = search(app, user, options).await;
    let all = found.as_array().unwrap_or_else(|| panic!("{found}")).iter();
    let mut texts: Vec<_> = all.map(|one| one["text"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_finds_the_callers_documents_and_nothing_of_another() {
    let (app, _) = app(json!(["*"])).await;
    let hers = ["Alice takes parental leave of four weeks.", "The plan says parental leave of one year."];
    assert_eq!(texts(&app, &User::Is(ALICE), json!({})).await, hers);
    assert_eq!(texts(&app, &User::Is(BOB), json!({})).await, ["Bob takes parental leave of nine days."]);
    assert_eq!(texts(&app, &User::Is(Uuid::new_v4()), json!({})).await, [""; 0], "a stranger");
    assert_eq!(texts(&app, &User::Service, json!({})).await.len(), 3, "who may see all sees all");
    let anon = search(&app, &User::Anon, json!({})).await;
    assert!(anon == json!([]) || anon["error"]["code"] == "not_granted", "{anon}");

    let found = search(&app, &User::Is(BOB), json!({})).await;
    // What the host knows of a source outweighs what the document's metadata say.
    assert_eq!((&found[0]["meta"]["source_name"], &found[0]["meta"]["page"]), (&json!("bob.md"), &json!(3)), "{found}");
    assert!(Uuid::try_parse(found[0]["meta"]["knowledge_base_id"].as_str().unwrap()).is_ok());
    assert!(Uuid::try_parse(found[0]["chunk"].as_str().unwrap()).is_ok() && found[0]["score"].as_f64() > Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_policy_counts_from_the_next_search() {
    let (app, _) = app(json!(["Handbook"])).await;
    let bob = User::Is(BOB);
    assert_eq!(texts(&app, &bob, json!({})).await.len(), 1);
    app.database.execute("create policy all_read on ai.sources for select to authenticated using (true)").await;
    assert_eq!(texts(&app, &bob, json!({})).await.len(), 2);
    app.database.execute("drop policy all_read on ai.sources").await;
    assert_eq!(texts(&app, &bob, json!({})).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_was_not_granted_is_as_if_it_were_not_there() {
    let (app, plans) = app(json!(["Handbook"])).await;
    let alice = User::Is(ALICE);
    let hers = ["Alice takes parental leave of four weeks."];
    assert_eq!(texts(&app, &alice, json!({})).await, hers);
    assert_eq!(texts(&app, &alice, json!({"knowledge_bases": ["Handbook"]})).await, hers);
    let nowhere = Uuid::new_v4().to_string();
    for name in ["Plans", &plans, "*", "handbook", "Handbook' or true --", "Nothing", &nowhere] {
        let refused = search(&app, &alice, json!({"knowledge_bases": [name]})).await;
        let message = format!("this call has no knowledge base {name:?}: leave knowledge_bases out for all it has");
        assert_eq!(
            refused,
            json!({"error": {"code": "not_granted", "message": message, "retryable": false}}),
            "the answer does not say whether it exists"
        );
        let both = search(&app, &alice, json!({"knowledge_bases": ["Handbook", name]})).await;
        assert_eq!(both["error"]["code"], "not_granted", "{both}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_cannot_widen_a_search() {
    let (app, _) = app(json!(["*"])).await;
    let bob = User::Is(BOB);
    for raw in [
        r#"{"own_sources_only": false}"#,
        r#"{"owner_id": "a11ce000-0000-4000-8000-000000000001"}"#,
        r#"{"source_ids": ["a11ce000-0000-4000-8000-000000000001"]}"#,
        r#"{"role": "service_role"}"#,
        r#"{"knowledge_bases": ["Handbook"], "knowledge_bases": ["*"]}"#,
        r#"{"top_k": 1000000}"#,
        r#"{"top_k": 4294967297}"#,
        r#"{"top_k": 0}"#,
        r#"{"method": "full_text; drop table ai.chunks"}"#,
        r#"{"threshold": -1}"#,
        r#"{"filter_metadata": "page"}"#,
        "[]",
        "",
    ] {
        let answer = app.call(&bob, "search", json!({"text": QUESTION, "raw": raw})).await;
        assert_eq!(answer.result()["error"]["code"], "invalid", "{raw}: {}", answer.text);
    }
    for text in ["", " ", &"x".repeat(8_001)] {
        let answer = app.call(&bob, "search", json!({ "text": text })).await;
        assert_eq!(answer.result()["error"]["code"], "invalid", "{}", answer.text);
    }
    for text in ["' or true --", "$1", "leave:*", "leave & ! (", "\u{1}leave"] {
        let answer = app.call(&bob, "search", json!({"text": text, "options": {"method": "full_text"}})).await;
        assert!(!answer.text.contains("four weeks") && !answer.text.contains("one year"), "{text}: {}", answer.text);
    }
    let filter = json!({"filter_metadata": {"page": 3}, "top_k": 100});
    assert_eq!(texts(&app, &bob, filter).await, ["Bob takes parental leave of nine days."]);
    assert_eq!(texts(&app, &bob, json!({"filter_metadata": {"page": 4}})).await, [""; 0]);
    let all: i64 = app.database.value("select count(*) from ai.chunks").await;
    assert_eq!(all, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_are_bounded_and_an_answer_has_to_fit() {
    let (app, plans) = app_with(json!(["*"]), json!({"output_bytes": 20_000, "timeout_ms": 60_000})).await;
    let alice = User::Is(ALICE);
    let flood = app.call(&alice, "search_without_end", json!({ "text": QUESTION })).await;
    assert_eq!(flood.result(), &json!({"count": 50, "code": "limit"}));
    document(&app, &plans, ALICE, "long.md", &"parental leave is long. ".repeat(1_000)).await;
    let refused = search(&app, &alice, json!({})).await;
    assert_eq!(refused["error"]["code"], "limit", "{refused}");
    assert_eq!(texts(&app, &alice, json!({"knowledge_bases": ["Handbook"]})).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_grant_a_component_cannot_be_called() {
    let app = App::start().await;
    app.install(guests::SEARCH, &json!({"knowledge": {"knowledge_bases": []}})).await;
    let answer = app.call(&User::Is(ALICE), "search", json!({ "text": QUESTION })).await;
    assert!(answer.status >= 400 && answer.text.contains("behalf:tool/knowledge"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_row_tells_of_searches_and_never_of_texts() {
    let (app, _) = app(json!(["*"])).await;
    let row = async |body: Value| {
        let answer = app.call(&User::Is(ALICE), "search", body).await;
        app.settled().await;
        app.audit_of(&answer).await
    };
    let found = row(json!({ "text": QUESTION })).await;
    assert_eq!(found["egress"], json!([{"operation": "knowledge.search", "results": 2, "error": null}]), "{found}");
    let refused = row(json!({"text": QUESTION, "options": {"knowledge_bases": ["a secret of the tool"]}})).await;
    assert_eq!(refused["egress"], json!([{"operation": "knowledge.search", "results": 0, "error": "not_granted"}]));
    assert!(!found.to_string().contains("leave") && !refused.to_string().contains("a secret"), "{found} {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_ends_with_the_request_that_wanted_it() {
    let (app, _) = app(json!(["*"])).await;
    let alice = User::Is(ALICE);
    let mut owner = app.database.owner().await;
    let mut held = owner.begin().await.unwrap();
    sqlx::query("lock table ai.chunks in access exclusive mode").execute(&mut *held).await.unwrap();
    // The search reads the policies on chunks, as the host, and then chunks, as the caller. Jobs of the host wait for the table as well.
    let of_search = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'
            and (usename like '%tool_authenticated' or query like '%pg_policy%')";
    let waiting = async || -> i64 { app.database.value(of_search).await };
    {
        let call = std::pin::pin!(app.call(&alice, "search", json!({ "text": QUESTION })));
        tokio::select! {
            answer = call => panic!("the table is locked: {}", answer.text),
            () = eventually("the search waits", async || waiting().await > 0) => {}
        }
    }
    eventually("the statement is ended", async || waiting().await == 0).await;
    held.rollback().await.unwrap();
    assert_eq!(texts(&app, &alice, json!({})).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundled_tool_quotes_passages_with_their_source() {
    let (app, _) = app(json!(["*"])).await;
    let ask = async |user: &User, more: Value| {
        let mut arguments = json!({ "query": QUESTION });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app.call(user, "knowledge_search", arguments).await
    };
    let answer = ask(&User::Is(BOB), json!({})).await;
    let found = answer.result();
    assert_eq!(found["results"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found["results"][0]["quote"], "Bob takes parental leave of nine days.");
    assert_eq!(found["results"][0]["source"]["name"], "bob.md");
    assert!(found["notice"].as_str().unwrap().contains("no instructions"), "{found}");
    let one = ask(&User::Is(ALICE), json!({"knowledge_base_names": ["Plans"], "top_k": 1})).await;
    assert_eq!(one.result()["results"][0]["quote"], "The plan says parental leave of one year.");
    let refused = ask(&User::Is(BOB), json!({"knowledge_base_names": ["Plans"]})).await;
    assert_eq!((refused.status, &refused.json["tool_code"]), (403, &json!("denied")), "{}", refused.text);
    for wrong in [json!({"top_k": 51}), json!({"knowledge_base_names": []}), json!({"all": true})] {
        assert_eq!(ask(&User::Is(BOB), wrong.clone()).await.status, 400, "{wrong}");
    }
    let (handbook, text): (String, String) = (
        app.database.value("select id::text from ai.knowledge_bases where name = 'Handbook'").await,
        format!("parental leave {}", "is a long story. ".repeat(5_000)),
    );
    document(&app, &handbook, BOB, "long.md", &text).await;
    let long = ask(&User::Is(BOB), json!({})).await;
    let found = long.result();
    let quoted = found["results"].as_array().unwrap().iter();
    let chars: usize = quoted.map(|one| one["quote"].as_str().unwrap().chars().count()).sum();
    assert!(found["truncated"].is_string() && (50_000..=64_010).contains(&chars), "{chars}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_for_authors_work() {
    let app = App::start().await;
    assert_eq!(super::page::run_page(&app, "docs/authors/knowledge.md").await, 2);
}

/// What only `behalf tool run` and `check` read: documents of the page's `plugin.toml`.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_can_bring_documents_of_users() {
    let page = std::fs::read_to_string(repository().join("docs/authors/knowledge.md")).unwrap();
    let manifest = fences(&page).into_iter().find(|(_, text)| text.contains("[[check.documents]]")).unwrap().1;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plugin.toml"), manifest).unwrap();
    let file = folder.path().join("search.wasm");
    std::fs::copy(guests::SEARCH, &file).unwrap();
    for (user, expected) in [("alice", "30 days"), ("bob", "28 days")] {
        let mut command = Command::new(behalf_tests::projects::behalf_bin());
        command.args(["tool", "run"]).arg(&file).args(["search", r#"{"text": "days of leave"}"#, "--sub", user]);
        let done = command.output().await.unwrap();
        let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success() && out.contains(expected), "{user}: {out}{error}");
        assert_eq!(out.matches("days").count(), 1, "{user}: {out}");
    }
}
