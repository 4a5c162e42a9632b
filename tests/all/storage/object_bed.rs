//! Buckets, policies and requests that the tests of objects share.

use behalf_tests::{ALICE, App, BOB, Options, TestDatabase, User, eventually};
use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A bucket for everybody's own folders, one that everybody reads, and some with limits.
pub(super) const BUCKETS: &str = "
insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
    ('files', 'files', false, null, null),
    ('other', 'other', false, null, null),
    ('open', 'open', true, null, null),
    ('small', 'small', false, 1000, null),
    ('pictures', 'pictures', false, null, array['image/*', 'text/plain']);
create policy own_folder_read on storage.objects for select to authenticated
    using ((storage.foldername(name))[1] = auth.uid()::text);
create policy own_folder_insert on storage.objects for insert to authenticated
    with check ((storage.foldername(name))[1] = auth.uid()::text);
create policy own_folder_update on storage.objects for update to authenticated
    using ((storage.foldername(name))[1] = auth.uid()::text);
create policy own_folder_delete on storage.objects for delete to authenticated
    using ((storage.foldername(name))[1] = auth.uid()::text);
";

/// A host with [`BUCKETS`].
pub(super) async fn app() -> App {
    let database = TestDatabase::create().await;
    database.execute(BUCKETS).await;
    App::on(database, Options::default()).await
}

pub(super) fn alice() -> User {
    User::Is(ALICE)
}

pub(super) fn bob() -> User {
    User::Is(BOB)
}

/// A name in alice's folder.
pub(super) fn hers(name: &str) -> String {
    format!("{ALICE}/{name}")
}

/// The address of an object.
pub(super) fn at(bucket: &str, name: &str) -> String {
    format!("/storage/v1/object/{bucket}/{name}")
}

/// An answer whose body may be anything.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    pub(super) bytes: Vec<u8>,
}

impl Reply {
    async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, bytes: response.bytes().await.unwrap().to_vec() }
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// Fails unless this is a failure of this form.
    pub(super) fn assert_error(&self, status: u16, status_code: &str, error: &str, message: &str) {
        let json = self.json();
        let seen = ["statusCode", "error", "message"].map(|name| json[name].as_str().unwrap_or_default().to_owned());
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(seen, [status_code, error, message].map(str::to_owned), "{}", self.text());
        assert!(json["code"].is_string(), "{}", self.text());
    }
}

/// A request with headers and a body.
pub(super) async fn ask(
    app: &App,
    user: &User,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Reply {
    let mut request = app.request(user, method, path).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::of(request.send().await.unwrap()).await
}

/// GET.
pub(super) async fn get(app: &App, user: &User, path: &str) -> Reply {
    ask(app, user, Method::GET, path, &[], "").await
}

/// Uploads these bytes, which must be taken.
pub(super) async fn put(app: &App, user: &User, path: &str, kind: &str, bytes: &[u8]) {
    let headers = [("content-type", kind), ("x-upsert", "true")];
    let reply = ask(app, user, Method::POST, path, &headers, bytes.to_vec()).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
}

/// Sends a form.
pub(super) async fn send_form(
    app: &App,
    user: &User,
    path: &str,
    headers: &[(&str, &str)],
    form: reqwest::multipart::Form,
) -> Reply {
    let mut request = app.request(user, Method::POST, path).multipart(form);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::of(request.send().await.unwrap()).await
}

/// A connection of its own, for requests that no client would make.
pub(super) async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap()
}

/// The head of a request as this user, up to the headers that `more` has. Nothing of the path is changed.
pub(super) fn head(user: &User, method: &str, path: &str, more: &[&str]) -> String {
    let token = match user {
        User::Is(user) => behalf_tests::app::token(*user),
        _ => behalf_tests::app::service_key(),
    };
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n");
    for line in more {
        head += line;
        head += "\r\n";
    }
    head + "\r\n"
}

/// Sends a request byte by byte as it is, and reads the answer to the end of the connection.
pub(super) async fn raw(app: &App, user: &User, method: &str, path: &str, body: &str) -> (u16, String) {
    let length = format!("content-length: {}", body.len());
    let head = head(user, method, path, &["connection: close", &length]);
    let mut stream = connect(app).await;
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    split(&answer)
}

/// The status and the body of an answer.
pub(super) fn split(answer: &[u8]) -> (u16, String) {
    let text = String::from_utf8_lossy(answer);
    let status = text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// How many objects there are.
pub(super) async fn objects(app: &App) -> i64 {
    app.database.value("select count(*) from storage.objects").await
}

/// Waits until there are bytes for each object, and none that nothing names and that are not on their way out.
pub(super) async fn no_bytes_are_left_over(app: &App) {
    let left = "select count(*) from behalf.blobs b where b.released_at is null and not exists (
        select from storage.objects o where o.id = b.object_id and o.version = b.id::text)";
    eventually("bytes are left that nothing names", async || app.database.value::<i64>(left).await == 0).await;
    let missing = "select count(*) from storage.objects o where not exists (
        select from behalf.blobs b where b.object_id = o.id and b.id::text = o.version and b.released_at is null)";
    assert_eq!(app.database.value::<i64>(missing).await, 0, "an object has no bytes");
}
