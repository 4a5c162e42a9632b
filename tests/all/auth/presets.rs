//! The presets: GitHub, which knows no ID tokens, Apple, which answers with a form, and Azure, whose addresses anybody can write;
//! and providers that lie about themselves.

use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use axum::{Json, Router};
use behalf_tests::{App, User};
use reqwest::Url;
use serde_json::{Value, json};

use super::oidc::{Browser, Oidc, add_account, fragment, me, query, user};

const ADA: &str = "ada@people.example";

/// What GitHub's stand-in says of its user, and what it was asked.
#[derive(Default)]
struct GitHub {
    addresses: Mutex<Value>,
    asked: Mutex<Vec<String>>,
}

/// A stand-in for GitHub with one user, and its address.
async fn github() -> (Arc<GitHub>, String) {
    let state = Arc::new(GitHub::default());
    let page = |Query(asked): Query<std::collections::HashMap<String, String>>| async move {
        let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
        back.query_pairs_mut().append_pair("code", "a-code").append_pair("state", &asked["state"]);
        Redirect::to(back.as_str())
    };
    let exchange = |State(state): State<Arc<GitHub>>, body: String| async move {
        state.asked.lock().unwrap().push(body);
        Json(json!({ "access_token": "of-github", "token_type": "bearer" }))
    };
    let profile =
        || async { Json(json!({ "id": 7, "login": "ada", "name": "Ada", "email": "public@people.example" })) };
    let addresses = |State(state): State<Arc<GitHub>>| async move { Json(state.addresses.lock().unwrap().clone()) };
    let router = Router::new()
        .route("/login/oauth/authorize", get(page))
        .route("/login/oauth/access_token", post(exchange))
        .route("/api/v3/user", get(profile))
        .route("/api/v3/user/emails", get(addresses))
        .with_state(Arc::clone(&state));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (state, url)
}

async fn app(oidc: &Oidc, name: &str, issuer: &str) -> App {
    let mut provider = oidc.provider("app");
    provider["issuer"] = json!(issuer);
    oidc.app_with(json!({ name: provider }), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn at_github_the_primary_address_counts_if_it_is_verified() {
    let (oidc, (github, url)) = (Oidc::start().await, github().await);
    let app = app(&oidc, "github", &url).await;
    let account = add_account(&app, ADA, true).await;
    let sign_in = async |addresses: Value| {
        *github.addresses.lock().unwrap() = addresses;
        let browser = Browser::new();
        let page = browser.begin_at("github", &app, &json!({}), "&scopes=repo").await;
        assert_eq!(query(&page)["scope"], "user:email repo");
        let answer = browser.walk(page).await;
        browser.call_back(&app, &answer).await
    };
    let address = |email: &str, primary: bool, verified: bool| json!({ "email": email, "primary": primary, "verified": verified });
    for addresses in [
        json!([]),
        json!([address(ADA, true, false)]),
        json!([address(ADA, false, true)]),
        json!([address("other@people.example", true, false), address(ADA, false, true)]),
    ] {
        let led = sign_in(addresses.clone()).await;
        assert_eq!(query(&led)["error_code"], "provider_email_needs_verification", "{addresses}");
    }
    let led = sign_in(json!([address("other@people.example", false, true), address(ADA, true, true)])).await;
    let session = fragment(&led);
    assert_eq!(session["provider_token"], "of-github");
    let me = me(&app, &session["access_token"]).await;
    assert_eq!((&me["id"], &me["user_metadata"]["user_name"]), (&json!(account), &json!("ada")));
    assert_eq!(me["identities"][1]["id"], "7");
    let asked = github.asked.lock().unwrap().pop().unwrap();
    assert!(asked.contains("code_verifier=") && asked.contains("client_secret=") && asked.contains("code=a-code"));
    // It has no ID tokens.
    let body = json!({ "provider": "github", "id_token": "a.b.c" });
    assert_eq!(app.post(&User::Anon, "/auth/v1/token?grant_type=id_token", body).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn apple_s_page_answers_with_a_form_that_tells_the_name() {
    let oidc = Oidc::start().await;
    let app = app(&oidc, "apple", &oidc.issuer).await;
    let browser = Browser::new();
    let mut nameless = user("ada", ADA, true);
    nameless.as_object_mut().unwrap().remove("name");
    let page = browser.begin_at("apple", &app, &nameless, "").await;
    assert_eq!(query(&page)["response_mode"], "form_post");
    let mut at = page;
    let html = loop {
        let (_, to, text) = browser.open(at.as_str()).await;
        match to {
            Some(to) => at = to,
            None => break text,
        }
    };
    let field = |name: &str| {
        let rest = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{html}")).1;
        rest.split('"').next().unwrap().to_owned()
    };
    let mut form = Url::parse("http://x/").unwrap();
    for name in ["code", "state", "iss"] {
        form.query_pairs_mut().append_pair(name, &field(name));
    }
    let claimed = r#"{"name":{"firstName":"Ada","lastName":"L"},"email":"victim@people.example"}"#;
    form.query_pairs_mut().append_pair("user", claimed);
    // In another browser it is nothing; in the one that asked, it is a session, once.
    let (status, to) = Browser::new().send_form(&app, form.query().unwrap()).await;
    assert_eq!((status, query(&to.unwrap())["error_code"].as_str()), (303, "bad_oauth_state"));
    let (status, to) = browser.send_form(&app, form.query().unwrap()).await;
    assert_eq!(status, 302);
    let me = me(&app, &fragment(&to.unwrap())["access_token"]).await;
    assert_eq!((&me["email"], &me["user_metadata"]["full_name"]), (&json!(ADA), &json!("Ada L")));
    let (_, again) = browser.send_form(&app, form.query().unwrap()).await;
    assert_eq!(query(&again.unwrap())["error_code"], "bad_oauth_state");
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_s_word_for_an_address_is_xms_edov() {
    let oidc = Oidc::start().await;
    let app = app(&oidc, "azure", &oidc.issuer).await;
    let account = add_account(&app, ADA, true).await;
    let sign_in = async |edov: Value| {
        let mut user = user("ada", ADA, true);
        user["xms_edov"] = edov;
        let browser = Browser::new();
        let page = browser.begin_at("azure", &app, &user, "").await;
        let answer = browser.walk(page).await;
        browser.call_back(&app, &answer).await
    };
    // Whoever runs a tenant writes any address there, and `email_verified` means nothing.
    for edov in [Value::Null, json!(false), json!("0")] {
        assert_eq!(query(&sign_in(edov).await)["error_code"], "provider_email_needs_verification");
    }
    let session = fragment(&sign_in(json!(true)).await);
    assert_eq!(me(&app, &session["access_token"]).await["id"], account);
}

/// A provider that says this of itself, at its address and a path.
async fn liar(document: impl Fn(&str) -> axum::response::Response + Clone + Send + Sync + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let own = url.clone();
    let answer = move || std::future::ready(document(&own));
    let router = Router::new().route("/.well-known/openid-configuration", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_lies_about_itself_is_not_used() {
    let oidc = Oidc::start().await;
    let honest = oidc.issuer.clone();
    let describes = |url: &str, name: &str, value: Value| {
        let mut document = json!({
            "issuer": url, "authorization_endpoint": format!("{url}/auth"), "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/jwks"),
        });
        document[name] = value;
        Json(document).into_response()
    };
    let elsewhere =
        liar(move |_| Redirect::to(&format!("{honest}/.well-known/openid-configuration")).into_response()).await;
    let honest = oidc.issuer.clone();
    let another = liar(move |url| describes(url, "issuer", json!(honest))).await;
    let endless = liar(|_| "{".repeat(300_000).into_response()).await;
    let nonsense = liar(|_| "[]".into_response()).await;
    let inside = liar(move |url| describes(url, "jwks_uri", json!("http://169.254.169.254/latest"))).await;
    let script = liar(move |url| describes(url, "authorization_endpoint", json!("javascript:alert(1)"))).await;
    let fine = liar(move |url| describes(url, "scopes_supported", json!(["openid"]))).await;
    let names = ["elsewhere", "another", "endless", "nonsense", "inside", "script", "fine"];
    let urls = [elsewhere, another, endless, nonsense, inside, script, fine];
    let providers: serde_json::Map<String, Value> = names
        .iter()
        .zip(urls)
        .map(|(name, issuer)| ((*name).to_owned(), json!({ "issuer": issuer, "client_id": "app" })))
        .collect();
    let app = oidc.app_with(Value::Object(providers), &[]).await;
    let browser = Browser::new();
    for name in names {
        let (status, to, text) = browser.open(&format!("{}/auth/v1/authorize?provider={name}", app.url)).await;
        let wanted = if name == "fine" { 302 } else { 503 };
        assert_eq!((status, to.is_some()), (wanted, name == "fine"), "{name}: {text}");
        assert!(!text.contains("127.0.0.1"), "{text}");
    }
    // None of them began anything.
    let begun: i64 = app.database.value("select count(*) from auth.flow_state").await;
    assert_eq!(begun, 1);
}
