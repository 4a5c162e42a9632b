//! A project of Powabase, moved as docs/from-powabase.md says.

use behalf_tests::{App, RealtimeSocket, ScriptedModel, Turn, User, Vsn};
use reqwest::Method;
use serde_json::{Value, json};

use super::bed::{ADA, NewServer, Page, Project, SignedIn, add, host, rows, sign_in};
use super::supabase::until;

const START: &str = "**1. The new database**, and one dump of the old.";
const UNCHANGED: &str = "## What runs unchanged";

const AGENT: &str = "a9000000-0000-4000-8000-000000000001";
const BASE: &str = "b0000000-0000-4000-8000-000000000001";
const HER_SOURCE: &str = "50000000-0000-4000-8000-000000000001";
const HER_CHUNK: &str = "c0000000-0000-4000-8000-000000000001";

const HERS: &str = "The handle of the pump is red.";
const HIS: &str = "The handle of the saw is blue.";

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_project_keeps_its_agents_knowledge_and_conversations() {
    let (project, new) = (Project::start("powabase.sql").await, NewServer::start().await);
    let database = new.database();
    let mut page = Page::open("from-powabase.md", &database);
    let files = behalf_tests::projects::repository().join("tests/moving/files");
    for (name, value) in [
        ("OLD", project.url()),
        ("NEW", new.url()),
        ("ADMIN", new.admin_url()),
        ("FILES", files.display().to_string()),
        ("BEHALF_STORAGE", page.storage()),
    ] {
        page.set(name, value);
    }
    let printed = page.run(START, UNCHANGED, &database).await;
    assert!(page.commands() >= 6);
    for line in [
        "users: 2 added, 0 kept, 0 left out",
        "buckets: 1 added, 0 kept, 1 left out",
        "objects: 1 added, 0 kept, 1 left out",
        "storage.buckets sources: the bucket sources is the host's own",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    // It may run again.
    page.sh("psql \"$NEW\" -q --set=ON_ERROR_STOP=1 --file=docs/from-powabase.sql").await;
    let model = ScriptedModel::start((0..10).map(|_| Turn::Say("It is red [1]."))).await;
    let settings: Vec<_> = model.settings().into_iter().chain([("storage", page.storage())]).collect();
    let app = host(&database, &settings).await;
    let (ada, bob) = (sign_in(&app, "ada@example.com").await, sign_in(&app, "bob@example.com").await);
    agents_are_as_before(&app).await;
    conversations_are_as_before(&app, &ada, &bob).await;
    each_finds_their_own(&app, &ada, &bob).await;
    sources_are_there_without_their_files(&app, &ada, &bob).await;
    the_app_works(&app, &ada).await;
    goes_on(&app, &ada, &model).await;
    database.execute("drop schema powabase cascade").await;
    assert_eq!(app.get(&ada.user, &format!("/api/sources/{HER_SOURCE}")).await.status, 200);
    app.stop().await;
    project.discard().await;
    new.discard().await;
}

async fn agents_are_as_before(app: &App) {
    let agent = app.get(&User::Service, &format!("/api/agents/{AGENT}")).await.json;
    assert_eq!((&agent["name"], &agent["model"]), (&json!("helpdesk"), &json!("gpt-5.4-mini")), "{agent}");
    assert_eq!(agent["settings"]["max_steps"], 10, "{agent}");
    let tools = app.get(&User::Service, &format!("/api/agents/{AGENT}/tools")).await.json;
    let names: Vec<(&str, &Value)> = tools["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| (tool["tool_name"].as_str().unwrap(), &tool["config_override"]))
        .collect();
    let (none, rules) = (json!({}), json!({ "rules": ["part MATCHES .*gold.*"] }));
    assert_eq!(names.len(), 2, "{tools}");
    assert!(names.contains(&("database_query", &none)) && names.contains(&("order_part", &rules)), "{tools}");
    let tool = app.get(&User::Service, "/api/tools/70000000-0000-4000-8000-000000000001").await.json;
    assert_eq!(tool["config"]["endpoint"], "https://parts.example.com/order", "{tool}");
    let other = "a9000000-0000-4000-8000-000000000002";
    let servers = app.get(&User::Service, &format!("/api/agents/{other}/mcp-servers")).await;
    assert!(
        servers.text.contains("https://crm.example.com/mcp") && !servers.text.contains("old.example"),
        "{}",
        servers.text
    );
    let bases = app.get(&User::Service, &format!("/api/agents/{AGENT}/knowledge-bases")).await.json;
    assert_eq!(
        (&bases["knowledge_bases"][0]["knowledge_base_id"], &bases["knowledge_bases"][0]["config"]["top_k"]),
        (&json!(BASE), &json!(3))
    );
}

async fn conversations_are_as_before(app: &App, ada: &SignedIn, bob: &SignedIn) {
    let path = "/api/sessions/sess_0123456789ab";
    let messages = app.get(&ada.user, &format!("{path}/messages")).await.json;
    let said: Vec<_> =
        messages["messages"].as_array().unwrap().iter().map(|one| (&one["role"], &one["content"])).collect();
    let expected = [("user", "Which colour has the pump?"), ("assistant", "Its handle is red [1].")]
        .map(|(role, content)| (json!(role), json!(content)));
    assert_eq!(said, expected.each_ref().map(|(role, content)| (role, content)), "{messages}");
    assert_eq!(messages["messages"][1]["citations"][0]["item_id"], HER_CHUNK, "{messages}");
    let runs = app.get(&ada.user, &format!("{path}/runs")).await.json;
    let statuses: Vec<_> = runs["runs"].as_array().unwrap().iter().map(|run| run["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["completed", "failed"], "{runs}");
    assert_eq!(runs["runs"][0]["usage"]["total_tokens"], 132, "{runs}");
    assert_eq!(app.get(&bob.user, path).await.status, 404);
    // One that nobody owned is nobody's but the back end's, and its run does not wait for a host for ever.
    let ownerless = "/api/sessions/sess_ba9876543210";
    assert_eq!(app.get(&ada.user, ownerless).await.status, 404);
    let runs = app.get(&User::Service, &format!("{ownerless}/runs")).await.json;
    assert_eq!(runs["runs"][0]["status"], "failed", "{runs}");
    let listed = app.get(&ada.user, &format!("/api/agents/{AGENT}/sessions")).await.json;
    assert_eq!(listed["total"], 1, "{listed}");
}

/// The cookbook's policies decide for every way to a chunk.
async fn each_finds_their_own(app: &App, ada: &SignedIn, bob: &SignedIn) {
    // Vectors are made by the host meanwhile.
    behalf_tests::eventually("every chunk has a vector", async || {
        app.database.value::<i64>("select count(*) from ai.chunks where embedding is null").await == 0
    })
    .await;
    for (user, own, others) in [(&ada.user, HERS, HIS), (&bob.user, HIS, HERS)] {
        for method in ["vector_search", "full_text", "hybrid"] {
            let body = json!({ "query": "Which colour has the handle?", "retrieval_method": method, "top_k": 10 });
            let found = app.post(user, &format!("/api/knowledge-bases/{BASE}/search"), body).await;
            assert!(found.text.contains(own) && !found.text.contains(others), "{method}: {}", found.text);
        }
        let rest = app.request(user, Method::GET, "/rest/v1/chunks?select=text,score&order=score.desc&limit=10");
        let rest = rest.header("accept-profile", "ai").send().await.unwrap().text().await.unwrap();
        assert!(rest.contains(own) && !rest.contains(others), "{rest}");
    }
    let base = app.get(&ada.user, &format!("/api/knowledge-bases/{BASE}")).await.json;
    assert_eq!((&base["name"], &base["source_counts"]["indexed"]), (&json!("manuals"), &json!(1)), "{base}");
    assert_eq!(base["drift"]["has_drift"], false, "{base}");
}

async fn sources_are_there_without_their_files(app: &App, ada: &SignedIn, bob: &SignedIn) {
    let path = format!("/api/sources/{HER_SOURCE}");
    let source = app.get(&ada.user, &path).await.json;
    assert_eq!((&source["name"], &source["extraction_status"]), (&json!("pump.md"), &json!("extracted")), "{source}");
    assert_eq!(source["metadata"]["shelf"], 1, "{source}");
    assert_eq!(app.get(&bob.user, &path).await.status, 404);
    let text = app.get(&ada.user, &format!("{path}/page-texts")).await;
    assert!(text.text.contains(HERS) && text.text.contains("Oil the pump"), "{}", text.text);
    assert_eq!(app.get(&ada.user, &format!("{path}/download")).await.status, 404);
    let again = app.post(&User::Service, &format!("{path}/reextract"), json!({})).await;
    assert!((400..500).contains(&again.status), "{}", again.text);
    // It is indexed again from its text, and nothing of it is lost.
    let reindex = app.post(&User::Service, &format!("/api/knowledge-bases/{BASE}/reindex"), json!({})).await;
    assert!(reindex.status < 300, "{}", reindex.text);
    let place = format!("/api/knowledge-bases/{BASE}/sources/1d000000-0000-4000-8000-000000000001");
    until(app, &User::Service, &place, "index_status", "indexed").await;
    let body = json!({ "query": "Which colour has the handle of the pump?", "top_k": 10 });
    let found = app.post(&ada.user, &format!("/api/knowledge-bases/{BASE}/search"), body).await;
    assert!(
        found.text.contains(HERS) && found.text.contains("Oil the pump") && !found.text.contains(HIS),
        "{}",
        found.text
    );
}

async fn the_app_works(app: &App, ada: &SignedIn) {
    assert_eq!(rows(app, &ada.user, "tickets?select=subject").await, json!([{ "subject": "The pump leaks" }]));
    let mut socket = RealtimeSocket::connect(app, &ada.user, Vsn::Two).await;
    socket.joined(&format!("chat:{ADA}"), json!({ "private": true })).await;
    add(app, &ada.user, "chat_messages", json!({ "role": "user", "content": "Hello" })).await;
    let told = socket.event("broadcast").await;
    assert_eq!(told.payload["payload"]["content"], "Hello", "{told:?}");
    let exported = app.get(&User::Service, "/storage/v1/object/authenticated/exports/tickets.csv").await;
    assert_eq!(exported.text, "subject\n");
}

/// The conversation of before goes on: the model is told what was said, and what the caller finds.
async fn goes_on(app: &App, ada: &SignedIn, model: &ScriptedModel) {
    app.send(&User::Service, Method::PATCH, &format!("/api/agents/{AGENT}"), json!({ "model": "openai/scripted" }))
        .await;
    let body = json!({ "message": "Are you sure about the pump?", "session_id": "sess_0123456789ab", "citations_enabled": true });
    let run = app.post(&ada.user, &format!("/api/agents/{AGENT}/run"), body).await;
    assert_eq!((run.status, &run.json["content"]), (200, &json!("It is red [1].")), "{}", run.text);
    assert_eq!(run.json["citations"][0]["source_name"], "pump.md", "{}", run.text);
    let asked = model.requests().last().unwrap().to_string();
    assert!(asked.contains("Its handle is red [1].") && asked.contains(HERS) && !asked.contains(HIS), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_not_half_migrated_where_it_stands() {
    let project = Project::start("powabase.sql").await;
    let database = project.database();
    let page = Page::open("from-powabase.md", &database);
    let schemas = "select string_agg(nspname, ',' order by nspname) from pg_namespace";
    let roles = "select count(*) from pg_roles";
    let (before, count) = (database.value::<String>(schemas).await, database.value::<i64>(roles).await);
    let said = page.sh("if behalf migrate; then exit 1; fi").await;
    assert!(
        said.contains("the schema ai has tables of another platform, such as ai.agent")
            && said.contains("from-powabase.md"),
        "{said}"
    );
    assert_eq!((database.value::<String>(schemas).await, database.value::<i64>(roles).await), (before, count));
    project.discard().await;
}
