//! Tokens of other issuers, as these document them: each user is one user of their own at every face.

use std::process::Stdio;

use behalf_identity::{SigningAlgorithm, SigningKey, user_id};
use behalf_tests::app::{anon_key, service_key, token};
use behalf_tests::fences::fences;
use behalf_tests::projects::repository;
use behalf_tests::tenants::now;
use behalf_tests::{ALICE, Answer, App, BOB, Options, TestDatabase, User, eventually};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const WHO: &str =
    "select auth.uid() as uid, auth.jwt() ->> 'sub' as sub, auth.jwt() ->> 'behalf_uid' as ours, auth.role() as role";

/// A server of key sets: one for each path.
async fn key_server(sets: Vec<(&'static str, Value)>) -> String {
    let mut router = axum::Router::new();
    for (path, set) in sets {
        router = router.route(path, axum::routing::get(async move || axum::Json(set)));
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Somebody who issues tokens.
struct Provider {
    name: &'static str,
    issuer: &'static str,
    subject: &'static str,
    kid: String,
    key: SigningKey,
    entry: Value,
    claims: Value,
}

impl Provider {
    /// `entry` is what an operator sets beside issuer and address of the keys; `claims` are those of a token beside the usual times.
    fn new(
        name: &'static str,
        issuer: &'static str,
        subject: &'static str,
        algorithm: SigningAlgorithm,
        (entry, claims): (Value, Value),
    ) -> Self {
        let kid = format!("{name}-{}", Uuid::new_v4());
        Self { name, issuer, subject, kid, key: SigningKey::generate(algorithm).unwrap(), entry, claims }
    }

    fn jwks(&self) -> Value {
        let mut jwk = serde_json::to_value(self.key.public_jwk()).unwrap();
        jwk["kid"] = json!(self.kid);
        json!({ "keys": [jwk] })
    }

    fn user(&self) -> Uuid {
        user_id(self.issuer, self.subject)
    }

    fn token_with(&self, more: &Value) -> User {
        let mut claims = json!({ "iss": self.issuer, "sub": self.subject, "iat": now(), "exp": now() + 600 });
        for part in [&self.claims, more] {
            claims.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        }
        let pem = self.key.private_pem().as_bytes();
        let (alg, key) = match self.key.algorithm() {
            SigningAlgorithm::Es256 => (Algorithm::ES256, EncodingKey::from_ec_pem(pem).unwrap()),
            SigningAlgorithm::Rs256 => (Algorithm::RS256, EncodingKey::from_rsa_pem(pem).unwrap()),
        };
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(alg) };
        User::Token(jsonwebtoken::encode(&header, &claims, &key).unwrap())
    }

    fn token(&self) -> User {
        self.token_with(&json!({}))
    }
}

fn auth0() -> Provider {
    Provider::new(
        "auth0",
        "https://dev-example.eu.auth0.com/",
        "auth0|5f7c8ec7c33c6c004bbafe82",
        SigningAlgorithm::Rs256,
        (
            json!({ "audience": "https://api.app.example" }),
            json!({
                "aud": ["https://api.app.example", "https://dev-example.eu.auth0.com/userinfo"],
                "azp": "my_client_id", "scope": "openid profile email", "permissions": [],
            }),
        ),
    )
}

fn clerk() -> Provider {
    Provider::new(
        "clerk",
        "https://clean-mayfly-62.clerk.accounts.dev",
        "user_2NNEqL2nrIRdJ194ndJqAHwEfxC",
        SigningAlgorithm::Rs256,
        (
            json!({ "azp": "https://app.example" }),
            json!({
                "azp": "https://app.example", "sid": "sess_2GbDB4enHdCa5vS1zpC3Xzg9tK9", "nbf": now() - 10,
                "fva": [5, -1], "sts": "active", "v": 2,
            }),
        ),
    )
}

fn firebase() -> Provider {
    Provider::new(
        "firebase",
        "https://securetoken.google.com/demo-project",
        "9mJvRhXNt9Wy5Kl2xQzRZ4jDcAb1",
        SigningAlgorithm::Rs256,
        (
            json!({ "audience": "demo-project", "algorithms": "RS256" }),
            json!({
                "aud": "demo-project", "auth_time": now() - 60, "user_id": "9mJvRhXNt9Wy5Kl2xQzRZ4jDcAb1",
                "email": "ada@example.com", "email_verified": true,
                "firebase": { "identities": { "email": ["ada@example.com"] }, "sign_in_provider": "password" },
            }),
        ),
    )
}

fn cognito() -> Provider {
    Provider::new(
        "cognito",
        "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example",
        "c295b4d4-e0b1-70a4-1c2e-0123456789ab",
        SigningAlgorithm::Rs256,
        (
            json!({ "client_id": "1example23456789", "require": { "token_use": "access" } }),
            json!({
                "client_id": "1example23456789", "token_use": "access", "scope": "aws.cognito.signin.user.admin",
                "auth_time": now() - 60, "jti": Uuid::new_v4(), "username": "ada", "cognito:groups": ["readers"],
            }),
        ),
    )
}

fn keycloak() -> Provider {
    Provider::new(
        "keycloak",
        "https://sso.example/realms/app",
        "b54b3a4e-63a4-4a4d-9f0e-0123456789ab",
        SigningAlgorithm::Es256,
        (
            json!({ "audience": "account", "azp": "web", "role_claim": "/resource_access/web/role" }),
            json!({
                "aud": "account", "azp": "web", "typ": "Bearer", "preferred_username": "ada",
                "resource_access": { "web": { "role": "authenticated" } },
            }),
        ),
    )
}

fn supabase() -> Provider {
    Provider::new(
        "supabase",
        "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
        "0a1b2c3d-4e5f-4a6b-8c7d-0123456789ab",
        SigningAlgorithm::Es256,
        (
            json!({ "audience": "authenticated", "role_claim": "role" }),
            json!({
                "aud": "authenticated", "role": "authenticated", "aal": "aal1", "session_id": Uuid::new_v4(),
                "amr": [{ "method": "password", "timestamp": now() }], "is_anonymous": false,
            }),
        ),
    )
}

/// The settings of a host that trusts these.
async fn trusting(providers: &[&Provider]) -> Vec<(&'static str, String)> {
    let mut sets = Vec::new();
    for provider in providers {
        let path: &'static str = Box::leak(format!("/{}", provider.name).into_boxed_str());
        sets.push((path, provider.jwks()));
    }
    let server = key_server(sets).await;
    let entry = |provider: &&Provider| {
        let mut entry = json!({ "issuer": provider.issuer, "jwks_url": format!("{server}/{}", provider.name) });
        entry.as_object_mut().unwrap().extend(provider.entry.as_object().unwrap().clone());
        entry
    };
    vec![("issuers", Value::Array(providers.iter().map(entry).collect()).to_string())]
}

async fn app(providers: &[&Provider]) -> App {
    App::with(Options { settings: trusting(providers).await }).await
}

async fn mcp(app: &App, user: &User, query: &str) -> Answer {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "database_query", "arguments": {"query": query}}});
    let request = app.request(user, Method::POST, "/mcp").header("accept", "application/json, text/event-stream");
    Answer::of(request.json(&message).send().await.unwrap()).await
}

/// The statuses that this caller gets from a tool, a table, `/mcp`, `/v1` and a run.
async fn faces(app: &App, agent: &str, user: &User) -> [u16; 5] {
    let question = json!({ "model": agent, "messages": [{ "role": "user", "content": "hello" }] });
    [
        app.call(user, "database_query", json!({ "query": "select 1 as one" })).await.status,
        app.get(user, "/rest/v1/notes").await.status,
        mcp(app, user, "select 1 as one").await.status,
        app.post(user, "/v1/chat/completions", question).await.status,
        app.ask(user, agent, "hello").await.status,
    ]
}

async fn who(app: &App, user: &User) -> Value {
    app.call(user, "database_query", json!({ "query": WHO })).await.result()[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_known_issuers_work_at_every_face() {
    let providers = [auth0(), clerk(), firebase(), cognito(), keycloak(), supabase()];
    let app = app(&providers.iter().collect::<Vec<_>>()).await;
    let agent = app.agent(&["database_query"]).await;
    let titles = "select title from notes order by title";
    for provider in &providers {
        let (user, id, name) = (provider.token(), provider.user(), provider.name);
        assert_eq!(faces(&app, &agent, &user).await, [200; 5], "{name}");
        let said = json!({ "uid": id, "sub": provider.subject, "ours": id, "role": "authenticated" });
        assert_eq!(who(&app, &user).await, said, "{name}");
        let note = json!({ "title": name, "body": "of their own" });
        let made = app.request(&user, Method::POST, "/rest/v1/notes").header("prefer", "return=representation");
        let made = Answer::of(made.json(&note).send().await.unwrap()).await;
        assert_eq!((made.status, &made.json[0]["owner_id"]), (201, &json!(id)), "{name}: {}", made.text);
        // Tool, REST, run, /v1, MCP: the one note, and nobody else's.
        let called = app.call(&user, "database_query", json!({ "query": titles })).await;
        assert_eq!(called.result(), &json!([{ "title": name }]));
        assert_eq!(app.get(&user, "/rest/v1/notes?select=title").await.json, json!([{ "title": name }]));
        let question = format!("/database_query {}", json!({ "query": titles }));
        let run = app.ask(&user, &agent, &question).await;
        assert!(run.status == 200 && run.text.contains(name) && !run.text.contains("Garden"), "{name}: {}", run.text);
        let asked = json!({ "model": agent, "messages": [{ "role": "user", "content": question }] });
        let said_by_agent = app.post(&user, "/v1/chat/completions", asked).await.text;
        assert!(said_by_agent.contains(name) && !said_by_agent.contains("Garden"), "{name}: {said_by_agent}");
        let run = format!("/api/agents/runs/{}", run.json["run_id"].as_str().unwrap());
        assert_eq!(app.get(&user, &run).await.status, 200);
        assert_eq!(app.get(&User::Is(ALICE), &run).await.status, 404);
        let spoken = mcp(&app, &user, titles).await;
        assert!(
            spoken.status == 200 && spoken.text.contains(name) && !spoken.text.contains("Garden"),
            "{}",
            spoken.text
        );
        // A service that the user lets act for them, and the app's back end: the same user, with the same claims.
        let made = app.post(&user, "/api/delegations", json!({ "agent_id": agent })).await;
        assert_eq!(made.status, 201, "{name}: {}", made.text);
        let service = User::Token(made.json["token"].as_str().unwrap().to_owned());
        let question = format!("/database_query {}", json!({ "query": WHO }));
        let run = app.ask(&service, &agent, &question).await;
        assert!(run.status == 200 && run.text.contains(provider.subject), "{name}: {}", run.text);
        assert!(run.text.contains(&id.to_string()), "{name}: {}", run.text);
        let acting = who(&app, &User::ServiceFor(id)).await;
        assert_eq!(acting, said, "{name}");
    }
    let all = app.get(&User::Is(ALICE), "/rest/v1/notes?select=title&order=title").await.json;
    assert_eq!(all, json!([{ "title": "Garden" }, { "title": "Safe" }]), "the project's own users are who they were");
    let calls = format!("select count(*) from ai.tool_calls where user_id = '{}'", auth0().user());
    app.state.caller_db.audit().flush().await;
    assert!(app.database.value::<i64>(&calls).await > 0, "the audit log names the user by their id here");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_issuer_names_a_user_of_another() {
    let (one, two) = (keycloak(), supabase());
    let app = app(&[&one, &two]).await;
    let agent = app.agent(&["database_query"]).await;
    // Both name alice, whose id is known to everybody who ever saw a row of hers.
    let named = json!({ "sub": ALICE, "behalf_uid": ALICE, "behalf_sub": ALICE });
    let (first, second) = (one.token_with(&named), two.token_with(&named));
    for (user, provider) in [(&first, &one), (&second, &two)] {
        let id = user_id(provider.issuer, &ALICE.to_string());
        assert_eq!(who(&app, user).await["uid"], json!(id));
        assert_eq!(app.get(user, "/rest/v1/notes").await.json, json!([]));
        assert_eq!(
            app.call(user, "database_query", json!({"query": "select * from notes"})).await.result(),
            &json!([])
        );
    }
    let note = |title: &str| json!({ "title": title, "body": "" });
    assert_eq!(app.post(&first, "/rest/v1/notes", note("first")).await.status, 201);
    assert_eq!(app.get(&second, "/rest/v1/notes").await.json, json!([]));
    let forged = json!({ "title": "forged", "body": "", "owner_id": ALICE });
    assert_eq!(app.post(&first, "/rest/v1/notes", forged).await.status, 403);
    // Roles, project keys and other issuers' keys raise nobody.
    for refused in [
        two.token_with(&json!({ "role": "service_role" })),
        two.token_with(&json!({ "role": "anon" })),
        two.token_with(&json!({ "aud": "other" })),
        two.token_with(&json!({ "iss": one.issuer })),
        two.token_with(&json!({ "iss": "https://unknown.example", "aud": "authenticated", "sub": ALICE })),
        two.token_with(&json!({ "exp": now() - 3_600 })),
        two.token_with(&json!({ "sub": "" })),
    ] {
        assert_eq!(faces(&app, &agent, &refused).await, [401; 5], "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_database_with_another_auth_uid_no_subject_is_taken_for_a_user_of_the_project() {
    let provider = keycloak();
    let database = TestDatabase::create().await;
    // As Supabase has it.
    let theirs = "create or replace function auth.uid() returns uuid language sql stable as $$
        select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
            (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid $$";
    database.execute(theirs).await;
    let app = App::on(database, Options { settings: trusting(&[&provider]).await }).await;
    let posing = provider.token_with(&json!({ "sub": ALICE }));
    let id = user_id(provider.issuer, &ALICE.to_string());
    let said = who(&app, &posing).await;
    assert_eq!((&said["uid"], &said["sub"], &said["ours"]), (&json!(id), &json!(id), &Value::Null));
    assert_eq!(app.get(&posing, "/rest/v1/notes").await.json, json!([]));
    let own = app.call(&posing, "database_query", json!({"query": "select auth.jwt() ->> 'behalf_sub' as sub"})).await;
    assert_eq!(own.result()[0]["sub"], json!(ALICE));
    assert_eq!(
        app.get(&User::Is(ALICE), "/rest/v1/notes?select=title&title=eq.Safe").await.json.as_array().unwrap().len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_resource_is_refused_at_mcp() {
    let provider = auth0();
    let app = app(&[&provider]).await;
    let count = "select count(*) from notes";
    assert_eq!(mcp(&app, &provider.token(), count).await.status, 200, "an audience that the operator set is this host");
    assert_eq!(mcp(&app, &User::Is(ALICE), count).await.status, 200, "a token that names no resource");
    let own = |aud: Value| {
        let claims = json!({ "sub": BOB, "aud": aud, "exp": now() + 600, "iat": now() });
        let key = EncodingKey::from_secret(behalf_tests::SECRET.as_bytes());
        User::Token(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap())
    };
    for ours in [json!(["authenticated", format!("{}/mcp", app.url)]), json!(["authenticated", app.url])] {
        assert_eq!(mcp(&app, &own(ours.clone()), count).await.status, 200, "{ours}");
    }
    for other in [
        "https://mcp.elsewhere.example",
        "https://mcp.elsewhere.example/mcp",
        "HTTPS://MCP.elsewhere.example/",
        "http://localhost:1/mcp",
    ] {
        let user = own(json!(["authenticated", other]));
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        let request = app.request(&user, Method::POST, "/mcp").header("accept", "application/json, text/event-stream");
        let refused = request.json(&message).send().await.unwrap();
        assert_eq!(refused.status(), 401, "{other}");
        let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
        assert!(
            challenge.contains("error=\"invalid_token\"") && challenge.contains("resource_metadata="),
            "{challenge}"
        );
        assert_eq!(app.get(&user, "/api/tools").await.status, 200, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_another_port_a_token_names_the_address_that_the_operator_set() {
    let mapped = "http://localhost:9";
    for (public, status) in [(None, 401), (Some(mapped), 200)] {
        let settings = public.map(|url| ("public_url", url.to_owned())).into_iter().collect();
        let app = App::with(Options { settings }).await;
        let ask = |method: Method, path: &str| app.request(&User::Nobody, method, path).header("host", "localhost:9");
        let about = ask(Method::GET, "/.well-known/oauth-protected-resource/mcp").send().await.unwrap();
        let resource = Answer::of(about).await.json["resource"].clone();
        assert_eq!(resource, json!(format!("{mapped}/mcp")));
        let claims = json!({ "sub": BOB, "aud": ["authenticated", resource], "exp": now() + 600, "iat": now() });
        let key = EncodingKey::from_secret(behalf_tests::SECRET.as_bytes());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
        let asked =
            ask(Method::POST, "/mcp").header("accept", "application/json, text/event-stream").bearer_auth(token);
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        assert_eq!(asked.json(&message).send().await.unwrap().status(), status, "{public:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_would_trust_too_much_does_not_start() {
    for (wrong, why) in [
        (json!([{ "issuer": "https://a.example" }]), "audience"),
        (json!([{ "issuer": "https://a.example", "audience": "x", "subject": "uuid" }]), "one issuer at most"),
        (json!([{ "issuer": "https://a.example", "audience": "x", "algorithms": ["HS256"] }]), "algorithms"),
        (json!([{ "issuer": "https://a.example", "audience": "x", "default_role": "service_role" }]), "service_role"),
    ] {
        let database = TestDatabase::create().await;
        let options = Options { settings: vec![("issuers", wrong.to_string())] };
        let settings = behalf_tests::app::settings(&database, options);
        let error = behalf::app::App::build(settings, None).await.expect_err("it starts").to_string();
        assert!(error.contains("issuers:") && error.contains(why), "{wrong}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_holds() {
    let providers = [auth0(), clerk(), firebase(), cognito(), keycloak(), supabase()];
    let app = app(&providers.iter().collect::<Vec<_>>()).await;
    let User::Token(bearer) = providers[0].token() else { unreachable!() };
    let page = std::fs::read_to_string(repository().join("docs/own-issuer.md")).unwrap();
    let (mut printed, mut commands, mut compared, mut entries) = (String::new(), 0, 0, Vec::new());
    for (language, content) in fences(&page) {
        match language.as_str() {
            "sql" => app.database.execute(&content).await,
            "toml" => {
                let table: toml::Table = content.parse().unwrap();
                let list: Value = serde_json::to_value(&table["ISSUERS"]).unwrap();
                entries.extend(list.as_array().unwrap().clone());
            }
            "sh" => {
                let done = tokio::process::Command::new("/bin/sh")
                    .args(["-eu", "-c", &content])
                    .env("BASE_URL", &app.url)
                    .env("ANON_KEY", anon_key())
                    .env("SERVICE_ROLE_KEY", service_key())
                    .env("ALICE", token(ALICE))
                    .env("TOKEN", &bearer)
                    .stderr(Stdio::piped())
                    .output()
                    .await
                    .unwrap();
                assert!(done.status.success(), "{content}\n{}", String::from_utf8_lossy(&done.stderr));
                printed = String::from_utf8(done.stdout).unwrap();
                commands += 1;
            }
            "json" => {
                let wanted: Value = serde_json::from_str(&content).unwrap();
                let got: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
                assert_eq!(got, wanted);
                compared += 1;
            }
            _ => {}
        }
    }
    assert!(commands > 1 && compared > 1, "{commands} commands, {compared} compared");
    assert!(entries.len() > 5, "{} entries", entries.len());
    // Each entry of the page is one that a host takes.
    let database = TestDatabase::create().await;
    let options = Options { settings: vec![("issuers", Value::Array(entries).to_string())] };
    App::on(database, options).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_auth_uid_is_noticed_while_the_host_runs() {
    let provider = keycloak();
    let app = app(&[&provider]).await;
    let user = provider.token();
    assert_eq!(who(&app, &user).await["sub"], provider.subject);
    app.database
        .execute(
            "create or replace function auth.uid() returns uuid language sql stable as $$
             select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$",
        )
        .await;
    eventually("`sub` is the user's id here", async || who(&app, &user).await["sub"] == json!(provider.user())).await;
}
