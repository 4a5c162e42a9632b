//! `/rest/v1`: an app's tables and functions with the clients it has.

mod attacks;
mod clients;
mod corpus;
mod differential;
mod docs;
mod hosts;
mod outage;
mod own_tables;
mod reads;
mod reload;
mod rpc;
mod waiting;
mod writes;

use behalf_tests::{ALICE, Answer, App, BOB, Options, User};
use reqwest::Method;

/// Tables and functions of the tests, beside those of the demo.
const SCHEMA: &str = include_str!("schema.sql");

/// A host with the tables of [`SCHEMA`].
async fn app() -> App {
    app_with(Vec::new()).await
}

/// The same with other settings.
async fn app_with(settings: Vec<(&'static str, String)>) -> App {
    let database = behalf_tests::TestDatabase::create().await;
    database.execute(SCHEMA).await;
    App::on(database, Options { settings }).await
}

fn alice() -> User {
    User::Is(ALICE)
}

fn bob() -> User {
    User::Is(BOB)
}

/// A request with headers and a body.
async fn send(app: &App, user: &User, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mut request = app.request(user, method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !body.is_empty() {
        request = request.body(body.to_owned());
        if headers.iter().all(|(name, _)| *name != "content-type") {
            request = request.header("content-type", "application/json");
        }
    }
    let response = request.send().await.unwrap();
    let headers = response.headers().clone();
    Response { headers, answer: Answer::of(response).await }
}

/// An answer with its headers.
struct Response {
    headers: http::HeaderMap,
    answer: Answer,
}

impl Response {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Fails unless the answer is an error object with this status and code.
fn assert_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json["code"].as_str()), (status, Some(code)), "{}", answer.text);
    for member in ["message", "details", "hint"] {
        assert!(answer.json.get(member).is_some(), "{member} is missing: {}", answer.text);
    }
}

/// A text as an address takes it, every byte encoded.
fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02X}"))
}
