//! A host with buckets and objects, for the tests of this folder.

use behalf_tests::{Answer, App, User};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// Makes a bucket that belongs to nobody.
pub(super) async fn bucket(app: &App, name: &str) {
    let made = app.post(&User::Service, "/storage/v1/bucket", json!({ "name": name })).await;
    assert_eq!(made.status, 200, "{name}: {}", made.text);
}

/// Makes a bucket that belongs to a user, whatever policies say.
pub(super) async fn bucket_of(app: &App, name: &str, owner: Uuid) {
    let made = format!(
        "insert into storage.buckets (id, name, owner, owner_id) values ('{name}', '{name}', '{owner}', '{owner}')"
    );
    app.database.execute(&made).await;
}

/// Uploads a text.
pub(super) async fn upload(app: &App, user: &User, bucket: &str, name: &str, headers: &[(&str, &str)]) -> Answer {
    upload_bytes(app, user, bucket, name, headers, b"hello".to_vec()).await
}

/// Uploads bytes.
pub(super) async fn upload_bytes(
    app: &App,
    user: &User,
    bucket: &str,
    name: &str,
    headers: &[(&str, &str)],
    bytes: Vec<u8>,
) -> Answer {
    let mut request = app.request(user, Method::POST, &format!("/storage/v1/object/{bucket}/{name}"));
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "text/plain");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.body(bytes).send().await.unwrap()).await
}

/// Uploads a text that belongs to a user, whatever policies say.
pub(super) async fn upload_of(app: &App, bucket: &str, name: &str, owner: Uuid) {
    let made = upload(app, &User::Service, bucket, name, &[]).await;
    assert_eq!(made.status, 200, "{bucket}/{name}: {}", made.text);
    let owned = format!(
        "update storage.objects set owner = '{owner}', owner_id = '{owner}' where bucket_id = '{bucket}' and name = '{name}'"
    );
    app.database.execute(&owned).await;
}

/// A row without bytes.
pub(super) async fn rows(app: &App, bucket: &str, names: &[&str]) {
    let names: Vec<String> = names.iter().map(|name| format!("('{bucket}', $name${name}$name$)")).collect();
    app.database.execute(&format!("insert into storage.objects (bucket_id, name) values {}", names.join(", "))).await;
}

/// Asserts a failure of `/storage/v1`.
#[track_caller]
pub(super) fn assert_refused(answer: &Answer, status: u16, meant: &str, code: &str, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    let (is, wanted) = (&answer.json, (json!(meant), json!(code)));
    assert_eq!((is["statusCode"].clone(), is["code"].clone()), wanted, "{}", answer.text);
    assert!(is["message"].as_str().is_some_and(|text| text.contains(message)), "{message:?}: {}", answer.text);
    assert!(is["error"].as_str().is_some_and(|text| !text.is_empty()), "{}", answer.text);
}

/// The names of a list.
pub(super) fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect()
}
