//! Agents with knowledge bases: what a run's model is given is what the run's caller may read, by every way to a model.

use behalf_tests::sse::read_events;
use behalf_tests::{
    ALICE, Answer, App, BOB, HostProcess, Options, ScriptedModel, Turn, User, eventually, guests, write_grants,
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use uuid::Uuid;

const ALICES: &str = "Alice takes parental leave of four weeks.";
const BOBS: &str = "Bob takes parental leave of nine days.";
const SHARED: &str = "Everybody takes parental leave of one year.";
const QUESTION: &str = "How long is parental leave?";

/// A host with an agent whose model keeps its requests.
pub(super) struct AgentBed {
    pub(super) app: App,
    pub(super) model: ScriptedModel,
    pub(super) agent: String,
}

pub(super) fn search(query: &str) -> Turn {
    Turn::Call(vec![("knowledge_search", json!({ "query": query }))])
}

pub(super) fn find<'a>(events: &'a [Value], name: &str) -> Option<&'a Value> {
    events.iter().find(|event| event["event"] == name)
}

impl AgentBed {
    pub(super) async fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self::with(turns, Vec::new()).await
    }

    async fn with(turns: impl IntoIterator<Item = Turn>, more: Vec<(&'static str, String)>) -> Self {
        let model = ScriptedModel::start(turns).await;
        let settings = [model.settings(), more].concat();
        let app = App::with(Options { settings }).await;
        Self { agent: app.agent(&[]).await, app, model }
    }

    /// The agent's base, in which both users have a document that answers the same question.
    pub(super) async fn handbook(&self) -> String {
        let base = self.base("handbook").await;
        self.document(&base, Some(ALICE), "alice.pdf", ALICES).await;
        self.document(&base, Some(BOB), "bob.pdf", BOBS).await;
        self.give(&base, json!({})).await;
        base
    }

    /// A base of the service role's that is searched by words.
    pub(super) async fn base(&self, name: &str) -> String {
        let body = json!({"name": name, "retrieval_config": {"method": "full_text"}});
        let made = self.app.post(&User::Service, "/api/knowledge-bases", body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json["id"].as_str().unwrap().to_owned()
    }

    /// Puts a document of one chunk into a base, as indexing does, and returns the id of its source.
    pub(super) async fn document(&self, base: &str, owner: Option<Uuid>, name: &str, text: &str) -> String {
        let (source, indexed) = (Uuid::new_v4(), Uuid::new_v4());
        let owner = owner.map_or("null".to_owned(), |owner| format!("'{owner}'"));
        let text = text.replace('\'', "''");
        let sql = format!(
            "insert into ai.sources (id, name, owner_id, extraction_status) values ('{source}', '{name}', {owner}, 'extracted');
             insert into ai.indexed_sources (id, knowledge_base_id, source_id, index_status, chunk_count)
                values ('{indexed}', '{base}', '{source}', 'indexed', 1);
             insert into ai.chunks (indexed_source_id, knowledge_base_id, source_id, text, meta)
                values ('{indexed}', '{base}', '{source}', '{text}', '{{\"page\": 3}}')"
        );
        self.app.database.execute(&sql).await;
        source.to_string()
    }

    pub(super) async fn give(&self, base: &str, config: Value) {
        let path = format!("/api/agents/{}/knowledge-bases", self.agent);
        let body = json!({"knowledge_base_id": base, "config": config});
        let made = self.app.post(&User::Service, &path, body).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }

    pub(super) async fn run(&self, user: &User, more: Value) -> Answer {
        let answer = self.app.post(user, &format!("/api/agents/{}/run", self.agent), asked(&more)).await;
        assert_eq!(answer.status, 200, "{user:?}: {}", answer.text);
        answer
    }

    pub(super) async fn stream(&self, user: &User, more: Value) -> Vec<Value> {
        let path = format!("/api/agents/{}/run/stream", self.agent);
        let response = self.app.request(user, Method::POST, &path).json(&asked(&more)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{user:?}");
        read_events(response).await.into_iter().map(|event| event.data).collect()
    }

    /// The requests to the model, as texts.
    pub(super) fn prompts(&self) -> Vec<String> {
        self.model.requests().iter().map(Value::to_string).collect()
    }

    /// The last result of a tool that the model was given.
    pub(super) fn last_result(&self) -> String {
        let last = self.model.requests().last().unwrap().clone();
        let messages = last["messages"].as_array().unwrap();
        let result = messages.iter().rev().find(|message| message["role"] == "tool").unwrap();
        result["content"].as_str().unwrap().to_owned()
    }
}

fn asked(more: &Value) -> Value {
    let mut body = json!({ "message": QUESTION });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// The texts of passages.
fn texts(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| item["text"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_get_their_own_documents_before_the_model_is_asked() {
    let bed =
        AgentBed::new([Turn::Say("Four weeks [1]."), Turn::Say("Nine days [1]."), Turn::Say("It depends.")]).await;
    bed.handbook().await;
    for (user, own, others, name) in
        [(User::Is(ALICE), ALICES, BOBS, "alice.pdf"), (User::ServiceFor(BOB), BOBS, ALICES, "bob.pdf")]
    {
        let run = bed.run(&user, json!({"citations_enabled": true})).await;
        assert_eq!(texts(&run.json["retrieved_items"]), [own], "{}", run.text);
        let prompt = bed.prompts().pop().unwrap();
        assert!(prompt.contains(own) && prompt.contains(name) && !prompt.contains(others), "{prompt}");
        let cited = &run.json["citations"][0];
        assert_eq!((&cited["citation_key"], &cited["text_excerpt"]), (&json!("1"), &json!(own)), "{}", run.text);
        assert_eq!((&cited["source_name"], &cited["meta"]["page"]), (&json!(name), &json!(3)));
        assert_eq!(run.json.get("warning"), None, "{}", run.text);

        let (run_id, session) = (run.json["run_id"].as_str().unwrap(), run.json["session_id"].as_str().unwrap());
        let path = format!("/api/sessions/{session}/runs/{run_id}/retrieved-context");
        assert_eq!(texts(&bed.app.get(&user, &path).await.json["retrieved_context"]), [own]);
        let handler = format!("/api/context-handlers/{}", run.json["context_handler_id"].as_str().unwrap());
        let handler = bed.app.get(&User::Service, &handler).await;
        assert_eq!((&handler.json["run_id"], &handler.json["query"]), (&json!(run_id), &json!(QUESTION)));
        assert_eq!(texts(&handler.json["retrieved_context"]), [own]);
    }
    let all = bed.run(&User::Service, json!({})).await;
    assert_eq!(texts(&all.json["retrieved_items"]).len(), 2, "{}", all.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_get_their_own_documents_from_the_tool() {
    let turns = [search("parental leave"), Turn::Say("See [1]."), search("parental leave"), Turn::Say("See [1].")];
    let bed = AgentBed::new(turns).await;
    bed.handbook().await;
    for (user, own, others) in [(User::Is(ALICE), ALICES, BOBS), (User::Is(BOB), BOBS, ALICES)] {
        let events = bed.stream(&user, json!({"citations_enabled": true})).await;
        let names: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
        let made =
            names.iter().position(|name| *name == "context_handler_created").unwrap_or_else(|| panic!("{names:?}"));
        assert_eq!((names[made - 1], names[made + 1]), ("tool_call", "tool_result"), "{names:?}");
        assert_eq!(events[made]["query"], "parental leave");
        let prompts = bed.prompts();
        let [first, second] = &prompts[prompts.len() - 2..] else { panic!("{}", prompts.len()) };
        assert!(!first.contains(own) && second.contains(own), "{second}");
        assert!(prompts[prompts.len() - 2..].iter().all(|prompt| !prompt.contains(others)), "{second}");
        let result: Value = serde_json::from_str(&bed.last_result()).unwrap();
        assert!(result["notice"].as_str().unwrap().contains("data"), "{result}");
        let complete = find(&events, "complete").unwrap();
        assert_eq!(texts(&complete["retrieved_items"]), [own], "{complete}");
        assert_eq!(complete["citations"][0]["text_excerpt"], own, "{complete}");
    }
    // The tool is shown without what its operator decides.
    let tools = bed.model.requests()[0]["tools"].clone();
    let tool = tools.as_array().unwrap().iter().find(|tool| tool["function"]["name"] == "knowledge_search").unwrap();
    let properties = tool["function"]["parameters"]["properties"].as_object().unwrap();
    assert!(properties.contains_key("query") && !properties.contains_key("top_k"), "{tool}");
    assert!(!properties.contains_key("knowledge_base_names"), "one base needs no name: {tool}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_searches_the_agents_bases_alone() {
    let named = Turn::Call(vec![(
        "knowledge_search",
        json!({"query": "parental leave", "knowledge_base_names": ["elsewhere"]}),
    )]);
    let bed = AgentBed::new([search("parental leave"), named, Turn::Say("Done.")]).await;
    bed.handbook().await;
    let elsewhere = bed.base("elsewhere").await;
    bed.document(&elsewhere, Some(ALICE), "other.pdf", "Parental leave elsewhere lasts a century.").await;
    let events = bed.stream(&User::Is(ALICE), json!({})).await;
    assert_eq!(find(&events, "complete").unwrap()["status"], "completed", "{events:?}");
    assert!(bed.prompts().iter().all(|prompt| !prompt.contains("century")));
    assert!(bed.prompts()[1].contains(ALICES));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_the_service_role_adds_ten_bases() {
    let one =
        Turn::Call(vec![("knowledge_search", json!({"query": "parental leave", "knowledge_base_names": ["base 7"]}))]);
    let bed = AgentBed::new([search("parental leave"), one, Turn::Say("Done.")]).await;
    let mut bases = Vec::new();
    for number in 0..10 {
        let base = bed.base(&format!("base {number}")).await;
        bed.document(&base, None, "doc.pdf", &format!("Parental leave number {number}.")).await;
        bases.push(json!({ "id": base, "top_k": 20 }));
    }
    let hidden = bed.base("hidden").await;
    bed.document(&hidden, None, "doc.pdf", "Parental leave that nobody asked for.").await;
    let events = bed.stream(&User::Service, json!({ "runtime_knowledge_bases": bases })).await;
    assert_eq!(find(&events, "complete").unwrap()["status"], "completed", "{events:?}");
    let requests = bed.model.requests();
    let tool = &requests[0]["tools"][0]["function"];
    let names = &tool["parameters"]["properties"]["knowledge_base_names"]["items"]["enum"];
    let expected: Vec<_> = (0..10).map(|number| format!("base {number}")).collect();
    assert_eq!(*names, json!(expected), "{tool}");
    let all = requests[1].to_string();
    assert!((0..10).all(|number| all.contains(&format!("Parental leave number {number}."))), "{all}");
    let one: Value = serde_json::from_str(&bed.last_result()).unwrap();
    assert!(one.to_string().contains("number 7.") && !one.to_string().contains("number 3."), "{one}");
    assert!(bed.prompts().iter().all(|prompt| !prompt.contains("nobody asked for")));
}

#[tokio::test(flavor = "multi_thread")]
async fn own_sources_only_leaves_out_what_others_share() {
    let turns = [Turn::Say("A."), Turn::Say("B."), search("parental leave"), Turn::Say("C."), Turn::Say("D.")];
    let bed = AgentBed::new(turns).await;
    let base = bed.handbook().await;
    let shared = bed.document(&base, None, "shared.pdf", SHARED).await;
    let policy = format!("create policy shared on ai.sources for select to authenticated using (id = '{shared}')");
    bed.app.database.execute(&policy).await;
    let alice = User::Is(ALICE);
    let everything = bed.run(&alice, json!({})).await;
    assert_eq!(texts(&everything.json["retrieved_items"]).len(), 2, "{}", everything.text);
    let own = json!({"retrieval": "own_sources_only"});
    assert_eq!(texts(&bed.run(&alice, own.clone()).await.json["retrieved_items"]), [ALICES]);
    bed.stream(&alice, own).await;
    assert!(bed.last_result().contains(ALICES) && !bed.last_result().contains(SHARED));
    // It holds for chunks that the request names as well.
    let id: Uuid = bed.app.database.value(&format!("select id from ai.chunks where source_id = '{shared}'")).await;
    let body = json!({"retrieval": "own_sources_only", "context_items": [{"item_id": id}]});
    assert_eq!(bed.run(&alice, body).await.json["retrieved_items"], json!([]));
}

/// What restricts a run restricts the agents that its agent asks.
#[tokio::test(flavor = "multi_thread")]
async fn own_sources_only_holds_for_subagents() {
    let ask = Turn::Call(vec![("colleague", json!({"message": QUESTION}))]);
    let bed = AgentBed::new([ask, search("parental leave"), Turn::Say("Four weeks."), Turn::Say("Done.")]).await;
    let base = bed.handbook().await;
    bed.document(&base, None, "shared.pdf", SHARED).await;
    let policy = "create policy shared on ai.sources for select to authenticated using (owner_id is null)";
    bed.app.database.execute(policy).await;
    let asking = bed.app.agent(&[]).await;
    let assign = json!({"tool_type": "agent", "tool_name": "colleague", "tool_id": bed.agent});
    assert_eq!(bed.app.post(&User::Service, &format!("/api/agents/{asking}/tools"), assign).await.status, 201);
    let body = json!({"message": QUESTION, "retrieval": "own_sources_only"});
    let run = bed.app.post(&User::Is(ALICE), &format!("/api/agents/{asking}/run"), body).await;
    assert_eq!(run.json["content"], "Done.", "{}", run.text);
    let prompts = bed.prompts();
    assert!(prompts[2].contains(ALICES), "{}", prompts[2]);
    assert!(prompts.iter().all(|prompt| !prompt.contains(SHARED)), "{prompts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_fails_leaves_a_warning() {
    let bed = AgentBed::new([Turn::Say("I do not know.")]).await;
    let base = bed.handbook().await;
    // Sections are chosen in bases of another strategy only.
    let bases = json!([{"id": base, "retrieval_method": "tree_search"}]);
    let run = bed.run(&User::Service, json!({ "knowledge_bases": bases })).await;
    assert!(run.json["warning"].as_str().unwrap().starts_with("Knowledge base retrieval failed: "), "{}", run.text);
    assert_eq!((&run.json["content"], &run.json["retrieved_items"]), (&json!("I do not know."), &json!([])));
    let handler = format!("/api/context-handlers/{}", run.json["context_handler_id"].as_str().unwrap());
    let handler = bed.app.get(&User::Service, &handler).await;
    assert_eq!((&handler.json["status"], handler.json["errors"].as_array().map(Vec::len)), (&json!("failed"), Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_revoked_holds_for_the_next_step() {
    let probe = Turn::Call(vec![("sql", json!({"sql": "select 1"}))]);
    let bed = AgentBed::new([search("parental leave"), probe, search("parental leave"), Turn::Say("Done.")]).await;
    bed.handbook().await;
    bed.app.install(guests::PROBE, &write_grants()).await;
    let assign = json!({"tool_type": "wasm", "tool_name": "sql", "approval": "always"});
    let tools = format!("/api/agents/{}/tools", bed.agent);
    assert_eq!(bed.app.post(&User::Service, &tools, assign).await.status, 201);
    let alice = User::Is(ALICE);
    let revoke = async {
        // It waits between two searches.
        let run = bed.app.run_that_asks(&alice, "sql").await;
        bed.app.database.execute("drop policy auth_read_chunks on ai.chunks").await;
        bed.app.decide(&alice, &run, json!({"approved": true})).await;
    };
    let (events, ()) = tokio::join!(bed.stream(&alice, json!({})), revoke);
    let results: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "tool_result" && event["tool_name"] == "knowledge_search")
        .map(|event| event["result"].as_str().unwrap())
        .collect();
    assert!(results.len() == 2 && results[0].contains(ALICES) && !results[1].contains(ALICES), "{results:?}");
}

/// Another host goes on with what the run may search, and with its numbers.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_another_host_resumes_searches_the_same_bases() {
    let insert = format!("insert into notes (owner_id, title) values ('{ALICE}', 'waits')");
    let turns = [
        search("parental leave"),
        Turn::Call(vec![("sql", json!({ "sql": insert }))]),
        search("parental leave"),
        Turn::Say("Four weeks [2]."),
    ];
    let bed = AgentBed::with(turns, vec![("run_lease_seconds", "2".to_owned())]).await;
    bed.handbook().await;
    let elsewhere = bed.base("elsewhere").await;
    bed.document(&elsewhere, Some(ALICE), "other.pdf", "Parental leave elsewhere lasts a century.").await;
    bed.app.install(guests::PROBE, &write_grants()).await;
    let tools = format!("/api/agents/{}/tools", bed.agent);
    let assign = json!({"tool_type": "wasm", "tool_name": "sql"});
    assert_eq!(bed.app.post(&User::Service, &tools, assign).await.status, 201);
    bed.app
        .database
        .execute(
            "create function public.hold_back() returns trigger language plpgsql security definer as
                $$ begin perform pg_advisory_xact_lock(42); return new; end $$;
             create trigger hold_back before insert on public.notes for each row execute function public.hold_back()",
        )
        .await;
    let mut owner = bed.app.database.owner().await;
    sqlx::query("select pg_advisory_lock(42)").execute(&mut owner).await.unwrap();
    let settings = [bed.model.settings(), vec![("run_lease_seconds", "2".to_owned())]].concat();
    let mut other = HostProcess::start(&bed.app.database, &settings).await;
    let path = format!("/api/agents/{}/run/stream", bed.agent);
    let request = other.request(&User::Is(ALICE), Method::POST, &path);
    let mut response = request.json(&asked(&json!({"citations_enabled": true}))).send().await.unwrap();
    let first = response.chunk().await.unwrap().unwrap();
    let first = String::from_utf8_lossy(&first).into_owned();
    let data = first.split("data: ").nth(1).unwrap().lines().next().unwrap();
    let run = serde_json::from_str::<Value>(data).unwrap()["run_id"].as_str().unwrap().to_owned();
    let waiting = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
        where not l.granted and l.locktype = 'advisory' and d.datname = current_database()";
    eventually("the insert waits", async || bed.app.database.value::<i64>(waiting).await > 0).await;
    // What the agent has by now does not count for a run that began before.
    bed.give(&elsewhere, json!({})).await;
    other.kill();
    owner.close().await.unwrap();

    let events = bed.app.request(&User::Is(ALICE), Method::GET, &format!("/api/agents/runs/{run}/events"));
    let events: Vec<_> = read_events(events.send().await.unwrap()).await.into_iter().map(|event| event.data).collect();
    let complete = find(&events, "complete").unwrap();
    assert_eq!(complete["status"], "completed", "{complete}");
    assert!(bed.prompts().iter().all(|prompt| !prompt.contains("century")));
    let numbers: Vec<_> =
        complete["retrieved_items"].as_array().unwrap().iter().map(|item| item["number"].clone()).collect();
    assert_eq!(numbers, [json!(1), json!(2)], "{complete}");
    assert_eq!(complete["citations"][0]["citation_key"], "2", "{complete}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_protocols_reach_the_same_passages() {
    let bed = AgentBed::new([search("parental leave"), Turn::Say("Four weeks.")]).await;
    bed.handbook().await;
    let elsewhere = bed.base("elsewhere").await;
    bed.document(&elsewhere, Some(ALICE), "other.pdf", "Parental leave elsewhere lasts a century.").await;

    let chat = json!({"model": bed.agent, "messages": [{"role": "user", "content": QUESTION}]});
    let answer = bed.app.post(&User::Is(ALICE), "/v1/chat/completions", chat).await;
    assert_eq!(answer.json["choices"][0]["message"]["content"], "Four weeks.", "{}", answer.text);
    assert!(bed.last_result().contains(ALICES) && !bed.last_result().contains("century"));
    assert!(bed.prompts().iter().all(|prompt| !prompt.contains(BOBS)));

    for (user, own, others) in [(User::Is(ALICE), ALICES, BOBS), (User::Is(BOB), BOBS, ALICES)] {
        let call = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "knowledge_search", "arguments": {"query": "parental leave"}},
        });
        let request = bed.app.request(&user, Method::POST, &format!("/mcp/agents/{}", bed.agent)).json(&call);
        let request = request.header("accept", "application/json, text/event-stream");
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert!(answer.text.contains(own) && !answer.text.contains(others), "{}", answer.text);
        assert!(!answer.text.contains("century"), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_handler_gives_a_run_what_its_caller_may_read() {
    let bed = AgentBed::new([Turn::Say("It depends."), Turn::Say("Nothing.")]).await;
    let base = bed.handbook().await;
    let service = &User::Service;
    let body =
        json!({"query": "parental leave", "knowledge_bases": [{"id": base, "top_k": 2}], "max_context_tokens": 2000});
    let made = bed.app.post(service, "/api/context-handlers", body).await;
    assert_eq!((made.status, &made.json["status"]), (201, &json!("completed")), "{}", made.text);
    assert_eq!(texts(&made.json["retrieved_context"]).len(), 2, "{}", made.text);
    let formatted = made.json["formatted_context"].as_str().unwrap();
    assert!(formatted.contains(ALICES) && formatted.contains(BOBS), "{formatted}");
    assert_eq!(made.json["knowledge_base_configs"], json!([{"id": base, "top_k": 2}]));
    let id = &made.json["id"];
    let list = bed.app.get(service, "/api/context-handlers").await;
    assert_eq!(list.json["context_handlers"][0]["id"], *id, "{}", list.text);
    for user in [User::Is(ALICE), User::ServiceFor(ALICE)] {
        assert_eq!(bed.app.get(&user, "/api/context-handlers").await.status, 403, "{user:?}");
    }
    let run = bed.run(service, json!({ "context_handler_id": id })).await;
    assert_eq!((texts(&run.json["retrieved_items"]).len(), &run.json["context_handler_id"]), (2, id), "{}", run.text);
    // The passages are read again, so one that is gone is gone.
    bed.app.database.execute(&format!("delete from ai.sources where owner_id = '{BOB}'")).await;
    let run = bed.run(service, json!({ "context_handler_id": id })).await;
    assert_eq!(texts(&run.json["retrieved_items"]), [ALICES], "{}", run.text);
    let nowhere = json!({"message": "hi", "context_handler_id": Uuid::new_v4()});
    let missing = bed.app.post(service, &format!("/api/agents/{}/run", bed.agent), nowhere).await;
    assert_eq!((missing.status, &missing.json["error"]), (404, &json!("Context handler not found")));
}
