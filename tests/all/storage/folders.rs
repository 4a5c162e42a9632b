//! What tests of objects share: two private buckets and a public one, in which each user has a folder.

use behalf_tests::app::anon_key;
use behalf_tests::{ALICE, Answer, App, BOB, Options, TestDatabase, User};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// Each user has the folder that is named after them.
const SETUP: &str = "
    insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
        ('box', 'box', false, null, null), ('attic', 'attic', false, null, null), ('square', 'square', true, null, null),
        ('small', 'small', false, 10, null), ('pictures', 'pictures', false, null, '{image/*}');
    create policy own_folder on storage.objects for all to authenticated
        using ((storage.foldername(name))[1] = auth.uid()::text)
        with check ((storage.foldername(name))[1] = auth.uid()::text);";

pub(super) fn alice() -> User {
    User::Is(ALICE)
}

pub(super) fn bob() -> User {
    User::Is(BOB)
}

/// The bearer of the public key, as clients send it.
pub(super) fn anon() -> User {
    User::Token(anon_key())
}

/// A database with the buckets.
pub(super) async fn database() -> TestDatabase {
    let database = TestDatabase::create().await;
    database.execute(SETUP).await;
    database
}

/// A host with the buckets.
pub(super) async fn app() -> App {
    app_with(Vec::new()).await
}

/// A setting with which bytes that nothing names are deleted within seconds.
pub(super) fn swept_soon() -> (&'static str, String) {
    ("storage_abandoned_seconds", "4".to_owned())
}

/// The same with other settings.
pub(super) async fn app_with(settings: Vec<(&'static str, String)>) -> App {
    App::on(database().await, Options { settings }).await
}

/// A name in alice's folder.
pub(super) fn hers(name: &str) -> String {
    format!("{ALICE}/{name}")
}

/// A name in bob's folder.
pub(super) fn his(name: &str) -> String {
    format!("{BOB}/{name}")
}

/// A request below `/storage/v1`.
pub(super) fn request(app: &App, user: &User, method: Method, path: &str) -> RequestBuilder {
    app.request(user, method, &format!("/storage/v1{path}"))
}

/// A request with a JSON body, or none.
pub(super) async fn send(app: &App, user: &User, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = request(app, user, method, path);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    Answer::of(request.send().await.unwrap()).await
}

/// POST with a JSON body.
pub(super) async fn post(app: &App, user: &User, path: &str, body: Value) -> Answer {
    send(app, user, Method::POST, path, Some(body)).await
}

/// Uploads an object, which must succeed.
pub(super) async fn upload(app: &App, user: &User, bucket: &str, name: &str, bytes: &'static str) {
    let request = request(app, user, Method::POST, &format!("/object/{bucket}/{name}"));
    let request = request.header("content-type", "text/plain").header("cache-control", "max-age=60").body(bytes);
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{bucket}/{name}: {}", answer.text);
}

/// The bytes of an object, or none where it cannot be read.
pub(super) async fn bytes(app: &App, user: &User, bucket: &str, name: &str) -> Option<Vec<u8>> {
    let response = download(app, user, bucket, name).await;
    if response.status() != 200 {
        let answer = Answer::of(response).await;
        assert_eq!((answer.status, &answer.json["statusCode"]), (400, &json!("404")), "{}", answer.text);
        return None;
    }
    Some(response.bytes().await.unwrap().to_vec())
}

/// The text of an object, or none where it cannot be read.
pub(super) async fn text(app: &App, user: &User, bucket: &str, name: &str) -> Option<String> {
    bytes(app, user, bucket, name).await.map(|bytes| String::from_utf8(bytes).unwrap())
}

/// The answer to a download.
pub(super) async fn download(app: &App, user: &User, bucket: &str, name: &str) -> Response {
    request(app, user, Method::GET, &format!("/object/authenticated/{bucket}/{name}")).send().await.unwrap()
}

/// Whether an answer is a failure that means this status and has this short name.
pub(super) fn assert_refused(answer: &Answer, status_code: &str, error: &str) {
    let (is_code, is_error) = (&answer.json["statusCode"], &answer.json["error"]);
    assert_eq!((answer.status, is_code, is_error), (400, &json!(status_code), &json!(error)), "{}", answer.text);
    assert!(answer.json["message"].is_string() && answer.json["code"].is_string(), "{}", answer.text);
}
