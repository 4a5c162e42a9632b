//! Which status each route gives to whom, in `tests/golden/routes.txt`.
//!
//! The host describes its routes in `/openapi.json`; each is asked by every caller of [`CALLERS`] about a
//! real object of alice's. A route that is not in the file fails the test, and a line without a route does too.
//!
//! After a change of the routes: `UPDATE_GOLDEN=1 ./dev test -E 'test(/^web::matrix::/)'`, then read `git diff tests/golden`. Look
//! at the columns of strangers first: a 2xx under `none`, `expired`, `audience`, `anon`, `other` or `as-other` says that
//! this route is open to them. 404 under `other` is what a hidden row looks like; 403 says that the caller may not do this
//! at all. A new route needs a line in [`body`] where it takes one, and an arm in [`TestBed::part`] where its path names a
//! new kind of object.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use behalf_config::environment;
use behalf_identity::{TokenRequest, mint_token};
use behalf_tests::{ALICE, App, BOB, Options, SECRET, User, components};
use behalf_web::Route;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/routes.txt");

/// The columns. The objects are alice's, so she is the owner.
fn callers() -> Vec<(&'static str, User)> {
    let signed = |change: fn(&mut TokenRequest)| {
        let mut request = TokenRequest::for_user(&ALICE.to_string());
        change(&mut request);
        User::Token(mint_token(SECRET, &request).unwrap())
    };
    vec![
        ("none", User::Nobody),
        ("expired", signed(|token| token.ttl_seconds = -3600)),
        ("audience", signed(|token| "another-project".clone_into(&mut token.audience))),
        ("anon", User::Anon),
        ("owner", User::Is(ALICE)),
        ("other", User::Is(BOB)),
        ("service", User::Service),
        ("as-owner", User::ServiceFor(ALICE)),
        ("as-other", User::ServiceFor(BOB)),
    ]
}

/// A body that the route takes from whoever may send it.
fn body(route: &Route) -> Value {
    match (route.method.as_str(), route.path.as_str()) {
        ("POST", "/api/agents") | ("PATCH", "/api/agents/{agent}" | "/api/sources/{source}") => {
            json!({"name": "another"})
        }
        ("POST", "/api/agents/{agent}/tools") => json!({"tool_type": "builtin", "tool_name": "echo"}),
        ("POST", "/api/agents/{agent}/knowledge-bases") => json!({"knowledge_base_id": ALICE}),
        ("POST", "/api/knowledge-bases") => json!({"name": "of the matrix"}),
        ("PATCH", "/api/knowledge-bases/{knowledge_base}") => json!({"description": "other words"}),
        ("POST", "/api/knowledge-bases/{knowledge_base}/sources") => json!({"source_id": ALICE}),
        ("POST", "/api/knowledge-bases/{knowledge_base}/search") => json!({"query": "leave"}),
        ("POST", "/api/knowledge-bases/{knowledge_base}/items") => json!({"source_ids": [ALICE]}),
        ("POST", "/api/context-handlers") => json!({"query": "leave", "knowledge_bases": [ALICE]}),
        ("PATCH", "/api/agents/{agent}/tools/{assignment}") => json!({"approval": "always"}),
        ("POST", "/api/agents/{agent}/run" | "/api/agents/{agent}/run/stream") => json!({"message": "hello"}),
        ("PUT", "/api/agents/runs/{run}/feedback") => json!({"rating": "good"}),
        ("POST", "/api/agents/{agent}/mcp-servers") => json!({"name": "crm", "url": "https://mcp.example/mcp"}),
        ("PUT", "/api/agents/{agent}/mcp-servers/{server}") => json!({"enabled": false}),
        ("POST", "/api/tools") => custom_tool("of_the_matrix"),
        ("PUT", "/api/tools/{name}") => json!({"description": "Other words."}),
        ("POST", "/api/tools/{name}/call") => json!({"arguments": {}}),
        ("POST", "/mcp" | "/mcp/agents/{agent}") => json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
        ("POST", "/api/agents/{agent}/provider-keys") => json!({"provider": "openai", "api_key": "a-key"}),
        ("POST", "/api/credits") => json!({"amount": 1}),
        ("POST", "/storage/v1/object/sign/{bucket}/{*name}") => json!({"expiresIn": 60}),
        ("POST", "/storage/v1/object/sign/{bucket}") => json!({"expiresIn": 60, "paths": ["a"]}),
        ("POST", "/storage/v1/object/copy" | "/storage/v1/object/move") => {
            json!({"bucketId": "nowhere", "sourceKey": "a", "destinationKey": "b"})
        }
        ("DELETE", "/storage/v1/object/{bucket}") => json!({"prefixes": ["a"]}),
        ("POST", "/api/delegations") => json!({"agent_id": BOB}),
        ("PUT", "/api/plugins/{id}/secrets/{secret}") => json!({"value": "sk-0123456789"}),
        ("PATCH", "/api/plugins/{id}") => json!({"enabled": true, "settings": {"words": "other"}}),
        ("POST" | "PATCH" | "PUT", "/rest/v1/{relation}") => json!({"title": "another", "body": "words"}),
        ("POST", "/auth/v1/admin/users") => json!({"email": "made@people.example"}),
        ("POST", "/auth/v1/admin/generate_link") => json!({"type": "magiclink", "email": "linked@people.example"}),
        ("POST", "/auth/v1/invite") => json!({"email": "invited@people.example"}),
        ("POST", "/api/plugins/restore") => json!({"name": "no-such-plugin"}),
        ("POST", "/api/sources/import-url") => json!({"mode": "urls", "urls": ["http://127.0.0.1:9/a.txt"]}),
        ("POST", "/api/sources/import-from-storage") => json!({"bucket": "nowhere", "path": "a.txt"}),
        ("POST", "/storage/v1/bucket") => json!({"name": "of-the-matrix"}),
        ("PUT", "/storage/v1/bucket/{bucket}") => json!({"public": true}),
        ("POST", "/storage/v1/object/list/{bucket}") => json!({"prefix": ""}),
        ("POST", "/realtime/v1/api/broadcast") => {
            json!({"messages": [{"topic": "a-topic", "event": "an-event", "payload": {"words": "of the matrix"}}]})
        }
        _ => json!({}),
    }
}

fn custom_tool(name: &str) -> Value {
    json!({"name": name, "description": "d", "type": "http", "input_schema": {"type": "object"}})
}

/// A host that may go to an address on which nobody listens.
async fn app() -> App {
    App::with(Options { settings: vec![("http_allow_private", "127.0.0.1:9".to_owned())] }).await
}

/// The objects that paths name, each made when it is first needed.
struct TestBed {
    app: App,
    made: BTreeMap<&'static str, String>,
    plugins: u32,
    files: u32,
}

impl TestBed {
    /// What stands for one part of a route's path: `{run}` is a run of alice's.
    async fn part(&mut self, route: &Route, name: &str) -> String {
        match (name, route.path.as_str()) {
            ("agent" | "model", _) => self.agent().await,
            ("assignment", "/api/agents/{agent}/knowledge-bases/{assignment}") => self.assigned_base().await,
            ("assignment", _) => self.assignment().await,
            ("handler", _) => self.context_handler().await,
            ("server", _) => self.mcp_server().await,
            ("session", _) => self.conversation().await.0,
            ("run", "/api/agents/runs/{run}/feedback") => self.rated_run().await,
            ("run", _) => self.conversation().await.1,
            ("provider", _) => "openai".to_owned(),
            ("secret", _) => "rates_key".to_owned(),
            ("*name", _) => "a-name".to_owned(),
            ("upload", _) => "no-such-upload".to_owned(),
            ("call_id", _) => self.failed_call().await,
            ("delegation", _) => self.delegation().await,
            ("name", "/api/tools/{name}") if route.method != Method::GET => self.custom_tool().await,
            ("name", path) if path.starts_with("/api/tools/") => "empty".to_owned(),
            ("id", path) if path.starts_with("/api/plugins/") => self.plugin().await,
            ("id", "/api/jobs/{id}/retry") => self.job("dead").await,
            ("id", path) if path.starts_with("/api/jobs/") => self.job("delayed").await,
            ("relation", _) => "notes".to_owned(),
            ("topic", _) => "a-topic".to_owned(),
            ("event", _) => "an-event".to_owned(),
            ("function", _) => "no_such_function".to_owned(),
            ("user_id", _) => self.account().await,
            ("factor_id", _) => self.factor().await,
            ("identity_id", _) => ALICE.to_string(),
            ("bucket", _) => self.bucket().await,
            ("source", "/api/sources/{source}/cancel") => self.waiting_source().await,
            ("source", _) => self.source().await,
            ("derivative", _) => "text".to_owned(),
            ("memory", _) => self.memory().await,
            ("knowledge_base", _) => self.base().await,
            ("indexed_source", _) => self.indexed_source().await,
            _ => panic!("{{{name}}} of {}: say in `TestBed::part` how an object of alice's is made for it", route.path),
        }
    }

    /// Makes an object as `user`, unless there is one; `id` is where its answer has the id.
    async fn object(&mut self, kind: &'static str, user: User, path: &str, body: Value, id: &str) -> String {
        if let Some(made) = self.made.get(kind) {
            return made.clone();
        }
        let answer = self.app.post(&user, path, body).await;
        let made = answer.json[id].as_str().unwrap_or_else(|| panic!("{kind}: {}", answer.text)).to_owned();
        self.made.insert(kind, made.clone());
        made
    }

    async fn agent(&mut self) -> String {
        self.object("agent", User::Service, "/api/agents", json!({"name": "helper"}), "id").await
    }

    async fn assignment(&mut self) -> String {
        let path = format!("/api/agents/{}/tools", self.agent().await);
        let body = json!({"tool_type": "builtin", "tool_name": "empty"});
        self.object("assignment", User::Service, &path, body, "id").await
    }

    /// The agent has a base whose id is alice's: see the test.
    async fn assigned_base(&mut self) -> String {
        let path = format!("/api/agents/{}/knowledge-bases", self.agent().await);
        self.object("assigned base", User::Service, &path, json!({ "knowledge_base_id": ALICE }), "id").await
    }

    /// A search of alice's.
    async fn context_handler(&mut self) -> String {
        let make = format!(
            "insert into ai.context_handlers (user_id, query, max_context_tokens) values ('{ALICE}', 'leave', 1000) returning id::text"
        );
        self.app.database.value(&make).await
    }

    /// A call of alice's of which the database said something.
    async fn failed_call(&mut self) -> String {
        let body = json!({"arguments": {"query": "select 1 / 0"}});
        self.object("call", User::Is(ALICE), "/api/tools/database_query/call", body, "call_id").await
    }

    async fn delegation(&mut self) -> String {
        let body = json!({ "agent_id": self.agent().await });
        self.object("delegation", User::Is(ALICE), "/api/delegations", body, "id").await
    }

    /// A session of alice's and a run in it that is over.
    async fn conversation(&mut self) -> (String, String) {
        let agent = format!("/api/agents/{}", self.agent().await);
        let path = format!("{agent}/sessions");
        let session = self.object("session", User::Is(ALICE), &path, json!({}), "session_id").await;
        let body = json!({"message": "hello", "session_id": session});
        let run = self.object("run", User::Is(ALICE), &format!("{agent}/run"), body, "run_id").await;
        (session, run)
    }

    /// A run of alice's with her feedback.
    async fn rated_run(&mut self) -> String {
        let run = self.conversation().await.1;
        let path = format!("/api/agents/runs/{run}/feedback");
        let rated = self.app.send(&User::Is(ALICE), Method::PUT, &path, json!({"rating": "bad"})).await;
        assert_eq!(rated.status, 200, "{}", rated.text);
        run
    }

    /// Asked for its tools it cannot be reached: nobody listens there.
    async fn mcp_server(&mut self) -> String {
        let path = format!("/api/agents/{}/mcp-servers", self.agent().await);
        let body = json!({"name": "crm", "url": "http://127.0.0.1:9/mcp"});
        self.object("mcp server", User::Service, &path, body, "id").await
    }

    async fn custom_tool(&mut self) -> String {
        let body = custom_tool(&format!("custom_{}", self.plugins));
        self.object("custom tool", User::Service, "/api/tools", body, "id").await
    }

    /// A user with a row of their own. Alice has none: her tokens are minted.
    async fn account(&mut self) -> String {
        let body = json!({ "email": format!("user-{}@people.example", self.plugins) });
        self.object("account", User::Service, "/auth/v1/admin/users", body, "id").await
    }

    /// A second factor of that user.
    async fn factor(&mut self) -> String {
        let user = self.account().await;
        if let Some(made) = self.made.get("factor") {
            return made.clone();
        }
        let insert = format!(
            "with made as (
                insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret)
                values (gen_random_uuid(), '{user}', 'phone', 'totp', 'verified', now(), now(), 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
                returning id)
             select id::text from made"
        );
        let made: String = self.app.database.value(&insert).await;
        self.made.insert("factor", made.clone());
        made
    }

    /// A bucket of nobody's, which no policy shows.
    async fn bucket(&mut self) -> String {
        let body = json!({ "name": format!("bucket-{}", self.plugins) });
        self.object("bucket", User::Service, "/storage/v1/bucket", body, "name").await
    }

    /// A base of alice's.
    async fn base(&mut self) -> String {
        self.object("base", User::Is(ALICE), "/api/knowledge-bases", json!({"name": "hers"}), "id").await
    }

    /// A source of hers in it, of which no job is at work.
    async fn indexed_source(&mut self) -> String {
        let (base, source) = (self.base().await, self.source().await);
        let make = format!(
            "insert into ai.indexed_sources (knowledge_base_id, source_id, index_status) values ('{base}', '{source}', 'failed')
             on conflict (knowledge_base_id, source_id) do update set index_status = 'failed', job_id = null returning id::text"
        );
        self.app.database.value(&make).await
    }

    /// A memory of alice's. A route that deletes it needs another one.
    async fn memory(&mut self) -> String {
        let make = format!("insert into ai.memories (user_id, text) values ('{ALICE}', 'hers') returning id::text");
        self.app.database.value(&make).await
    }

    /// A source of alice's that failed: nobody works on it, and its end does not depend on when it is asked for.
    async fn source(&mut self) -> String {
        self.source_that_is("failed").await
    }

    /// A source of alice's that waits, for a job that is not there.
    async fn waiting_source(&mut self) -> String {
        self.source_that_is("pending").await
    }

    async fn source_that_is(&mut self, status: &'static str) -> String {
        if let Some(made) = self.made.get(status) {
            return made.clone();
        }
        let file = self.file("alice").await;
        let change = format!(
            "update ai.sources set extraction_status = '{status}', job_id = null where id = '{file}' returning id::text"
        );
        let made: String = self.app.database.value(&change).await;
        self.made.insert(status, made.clone());
        made
    }

    /// A source of alice's that was uploaded.
    async fn file(&mut self, words: &str) -> String {
        let request = self.app.request(&User::Is(ALICE), Method::POST, "/api/sources/upload");
        let answer = behalf_tests::Answer::of(request.multipart(self.form(words)).send().await.unwrap()).await;
        answer.json["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
    }

    /// A form with a file that is not there yet.
    fn form(&mut self, words: &str) -> Form {
        self.files += 1;
        Form::new().part("file", Part::text(format!("{words} {}", self.files)).file_name("a.txt"))
    }

    /// A background job of alice's in this state, of a kind that the host does not know.
    async fn job(&mut self, state: &'static str) -> String {
        if let Some(made) = self.made.get(state) {
            return made.clone();
        }
        let claims = json!({ "sub": ALICE, "role": "authenticated" });
        let insert = format!(
            "with claims as materialized (select set_config('request.jwt.claims', '{claims}', true)), made as (
                insert into behalf.jobs (lane, kind, state, run_at)
                select 'matrix', 'matrix.unknown', '{state}', now() + interval '1 day' from claims returning id)
             select id::text from made"
        );
        let made: String = self.app.database.value(&insert).await;
        self.made.insert(state, made.clone());
        made
    }

    async fn plugin(&mut self) -> String {
        if let Some(made) = self.made.get("plugin") {
            return made.clone();
        }
        let made = self.app.upload_bytes(self.component(), &json!({}), "").await;
        let id = made.json["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
        self.plugins += 1;
        self.made.insert("plugin", id.clone());
        id
    }

    /// A component that is not registered yet.
    fn component(&self) -> Vec<u8> {
        components::tool(&format!("matrix_{}", self.plugins), &json!({"type": "object"}))
    }

    /// A request that the route takes from whoever may send it.
    async fn request(&mut self, route: &Route, user: &User) -> reqwest::RequestBuilder {
        let mut path = String::new();
        for part in route.path.split('/').skip(1) {
            path.push('/');
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => path += &self.part(route, name).await,
                None => path += part,
            }
        }
        let request = self.app.request(user, route.method.clone(), &path);
        match (route.method.as_str(), route.path.as_str()) {
            ("GET", _) => request,
            ("POST", "/api/plugins") => request.header("content-type", "application/wasm").body(self.component()),
            ("POST", "/api/sources/upload") => request.multipart(self.form("matrix")),
            ("POST", "/v1/chat/completions") => {
                let messages = json!([{"role": "user", "content": "hello"}]);
                request.json(&json!({"model": self.agent().await, "messages": messages}))
            }
            ("POST", path) if path.starts_with("/mcp") => {
                request.header("accept", "application/json, text/event-stream").json(&body(route))
            }
            _ => request.json(&body(route)),
        }
    }

    async fn status(&mut self, route: &Route, user: &User) -> u16 {
        let status = self.request(route, user).await.send().await.unwrap().status();
        if status.is_success() && route.method != Method::GET {
            // What was changed is not what the next caller shall meet.
            self.made.clear();
            self.plugins += 1;
        }
        status.as_u16()
    }
}

/// A base that agents are given: of the service role's, with the id of alice.
fn nobodys_base() -> String {
    format!("insert into ai.knowledge_bases (id, name) values ('{ALICE}', 'nobody''s')")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_every_caller_as_it_is_written_down() {
    let mut bed = TestBed { app: app().await, made: BTreeMap::new(), plugins: 0, files: 0 };
    bed.app.database.execute(&nobodys_base()).await;
    let mut callers = callers();
    // What a service may do that alice let act for her, beside what tests/all/accounts/delegations.rs says: nothing.
    let body = json!({ "agent_id": bed.agent().await });
    let delegation = bed.app.post(&User::Is(ALICE), "/api/delegations", body).await;
    callers.push(("deleg", User::Token(delegation.json["token"].as_str().unwrap().to_owned())));
    let mut table = format!("{:<7}{:<52}", "", "");
    callers.iter().for_each(|(name, _)| write!(table, " {name:<8}").unwrap());
    let mut table = table.trim_end().to_owned() + "\n";
    for route in bed.app.state.routes() {
        let mut line = format!("{:<7}{:<52}", route.method.as_str(), route.path);
        for (_, user) in &callers {
            write!(line, " {:<8}", bed.status(&route, user).await).unwrap();
        }
        table += line.trim_end();
        table.push('\n');
    }
    if environment("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &table).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    let lines = |text: &str, other: &str, sign: char| -> String {
        text.lines().filter(|line| !other.lines().any(|same| same == *line)).fold(String::new(), |mut all, line| {
            writeln!(all, "{sign} {line}").unwrap();
            all
        })
    };
    let difference = lines(&golden, &table, '-') + &lines(&table, &golden, '+');
    assert!(golden == table, "tests/golden/routes.txt differs (- file, + host); {HOW_TO_UPDATE}:\n{difference}");
}

const HOW_TO_UPDATE: &str = "the head of tests/all/web/matrix.rs says how to update it and what to look at";

/// Whether the path with another method means an object of a bucket that has the name of a kind of request.
fn is_bucket(path: &str) -> bool {
    path.starts_with("/storage/v1/object/") && !path.starts_with("/storage/v1/object/{bucket}")
}

/// What is not declared is not served, so the list above is whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_declared_is_refused() {
    let app = App::start().await;
    let declared = app.state.routes();
    let mut paths: Vec<_> = declared.iter().map(|route| route.path.as_str()).collect();
    paths.dedup();
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if declared.iter().any(|route| route.path == path && route.method == method) || is_bucket(path) {
                continue;
            }
            let answer = app.send(&User::Service, method.clone(), &path.replace(['{', '}'], ""), json!({})).await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text);
        }
    }
    assert_eq!(app.get(&User::Service, "/api/no-such-thing").await.status, 404);
}

/// The requests of the service role that change nothing of what is set up or kept: calls of tools have an audit row of their own,
/// and a run that is over cannot be cancelled.
/// The app's own tables are no administration; `ai.app_requests` has the requests. The service role has no memories.
const CHANGE_NOTHING: [(&str, &str); 14] = [
    ("POST", "/rest/v1/{relation}"),
    ("PATCH", "/rest/v1/{relation}"),
    ("PUT", "/rest/v1/{relation}"),
    ("DELETE", "/rest/v1/{relation}"),
    ("POST", "/rest/v1/rpc/{function}"),
    ("POST", "/api/tools/{name}/call"),
    ("POST", "/mcp"),
    ("POST", "/mcp/agents/{agent}"),
    ("POST", "/api/agents/runs/{run}/cancel"),
    ("POST", "/api/context-handlers"),
    ("DELETE", "/api/memories"),
    ("POST", "/api/knowledge-bases/{knowledge_base}/search"),
    ("POST", "/api/knowledge-bases/{knowledge_base}/items"),
    ("POST", "/api/knowledge-bases/{knowledge_base}/build-bm25"),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_service_role_changes_leaves_an_audit_event() {
    let mut bed = TestBed { app: app().await, made: BTreeMap::new(), plugins: 0, files: 0 };
    bed.app.database.execute(&nobodys_base()).await;
    let newest = "select coalesce(max(id), 0) from ai.audit_events";
    let mut changes = 0;
    for route in bed.app.state.routes() {
        // The app's own files and messages are no administration either.
        let is_apps = route.path.starts_with("/storage/v1") || route.path.starts_with("/realtime/v1");
        if route.method == Method::GET || is_apps || CHANGE_NOTHING.contains(&(route.method.as_str(), &route.path)) {
            continue;
        }
        let request = bed.request(&route, &User::Service).await;
        let before: i64 = bed.app.database.value(newest).await;
        let answer = request.send().await.unwrap();
        if !answer.status().is_success() {
            continue;
        }
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        // The answer may be a stream; what it tells of is recorded when it begins.
        drop(answer);
        let after: i64 = bed.app.database.value(newest).await;
        assert!(after > before, "{} {} left no audit event", route.method, route.path);
        let actors = format!("select string_agg(distinct actor, ',') from ai.audit_events where id > {before}");
        assert_eq!(bed.app.database.value::<String>(&actors).await, "service_role", "{}", route.path);
        if route.path.starts_with("/api/plugins") || route.path == "/api/tools" || route.path == "/api/agents/{agent}" {
            let found = format!("select count(*) from ai.audit_events where id > {before} and request_id = '{id}'");
            assert_eq!(bed.app.database.value::<i64>(&found).await, 1, "{} {}", route.method, route.path);
        }
        changes += 1;
        bed.made.clear();
        bed.plugins += 1;
    }
    assert!(changes >= 22, "only {changes} requests changed something");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_a_route_does_not_know_is_refused() {
    let app = App::start().await;
    let api = app.get(&User::Nobody, "/openapi.json").await.json;
    let mut declared = 0;
    // The parameters of `/rest/v1` are names of columns.
    for route in app.state.routes().iter().filter(|route| !route.path.starts_with("/rest/v1")) {
        let path = route.path.replace(['{', '}'], "");
        let operation = &api["paths"][route.path.replace("{*", "{")][route.method.as_str().to_lowercase()];
        let parameters = &operation["parameters"];
        // Some routes pass on what they do not know, and say so.
        if parameters.as_array().is_some_and(|all| all.iter().any(|one| one["explode"] == true)) {
            continue;
        }
        for query in ["?behalf_unknown=1", "?limits=1", "?Limit=1", "?limit%00=1"] {
            let answer = app.send(&User::Service, route.method.clone(), &format!("{path}{query}"), json!({})).await;
            assert_eq!(answer.status, 400, "{} {path}{query}: {}", route.method, answer.text);
            assert!(answer.text.contains("unknown query parameter"), "{}", answer.text);
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "query") {
            let query = format!("{path}?{}=x", parameter["name"].as_str().unwrap());
            let answer = app.send(&User::Service, route.method.clone(), &query, json!({})).await;
            assert!(!answer.text.contains("unknown query parameter"), "{query}: {}", answer.text);
            declared += 1;
        }
    }
    assert!(declared > 30, "{declared}");
    // HEAD is taken where GET is.
    let head = app.request(&User::Service, Method::HEAD, "/api/tool-calls?outcomes=denied").send().await.unwrap();
    assert_eq!(head.status(), 400);
}
