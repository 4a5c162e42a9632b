//! The files of the measurement, and requests for them.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use behalf_host_db::run_script;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::load::{Connection, get, is_success};
use super::super::test_bed::TestBed;

/// The caller's own folder in each bucket is theirs.
const POLICY: &str = "create policy own_folder on storage.objects for all to authenticated
    using ((storage.foldername(name))[1] = (select auth.uid()::text))
    with check ((storage.foldername(name))[1] = (select auth.uid()::text));";
const PRIVATE: &str = "drawers";
const PUBLIC: &str = "posters";
/// How long signed addresses are valid, in seconds: longer than any measurement.
const VALID: u32 = 86_400;

/// Which files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Small,
    Large,
}

impl Size {
    /// The beginning of the keys in the report.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }

    /// The length of each file.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Small => 1 << 10,
            Self::Large => 10_000_000,
        }
    }

    /// Files of this size that are downloaded.
    fn downloaded(self) -> u16 {
        match self {
            Self::Small => 100,
            Self::Large => 4,
        }
    }

    /// Names that are uploaded to by so many connections.
    fn uploaded(self, connections: u16) -> u16 {
        match self {
            Self::Small => connections.saturating_mul(16),
            // Each is a request of ten megabytes in memory.
            Self::Large => connections.min(16),
        }
    }

    /// What a file holds. No two parts of it are equal, so nothing can be compressed away.
    pub(super) fn content(self) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        std::iter::repeat_with(next).flatten().take(self.bytes()).collect()
    }
}

/// Files in a public and in a private bucket, and what asks for them.
pub(super) struct Files {
    address: SocketAddr,
    anon_key: String,
    token: String,
    user: Uuid,
    connections: u16,
}

impl Files {
    /// Makes the buckets, and stores the files in both.
    pub(super) async fn store(bed: &TestBed, address: SocketAddr, connections: u16) -> anyhow::Result<Self> {
        run_script(&bed.postgres().owner_url(), POLICY).await?;
        let user = bed.callers.first().context("nobody calls")?.user;
        let files = Self { address, anon_key: bed.anon_key.clone(), token: bed.token.clone(), user, connections };
        for (bucket, public) in [(PRIVATE, false), (PUBLIC, true)] {
            let body = json!({ "id": bucket, "name": bucket, "public": public }).to_string();
            let asked = request(&bed.anon_key, &bed.service_key, "POST", "/storage/v1/bucket", "", body.as_bytes());
            files.ask(&asked).await?;
            for size in [Size::Small, Size::Large] {
                let content = size.content();
                for name in files.names(size) {
                    let path = format!("/storage/v1/object/{bucket}/{name}");
                    files.ask(&files.own("POST", &path, "x-upsert: true\r\n", &content)).await?;
                }
            }
        }
        Ok(files)
    }

    /// The names of the files that are downloaded.
    pub(super) fn names(&self, size: Size) -> impl Iterator<Item = String> {
        let (user, key) = (self.user, size.key());
        (0..size.downloaded()).map(move |number| format!("{user}/{key}-{number}.bin"))
    }

    /// The names that files are uploaded to.
    fn targets(&self, size: Size) -> impl Iterator<Item = String> {
        let (user, key) = (self.user, size.key());
        (0..size.uploaded(self.connections)).map(move |number| format!("{user}/{key}-upload-{number}.bin"))
    }

    pub(super) fn plain_downloads(&self, size: Size) -> Vec<Vec<u8>> {
        self.names(size).map(|name| get(&format!("/{name}"))).collect()
    }

    pub(super) fn plain_uploads(&self, size: Size) -> Vec<Vec<u8>> {
        let content = size.content();
        self.targets(size).map(|name| body_of("PUT", &format!("/{name}"), "", &content)).collect()
    }

    pub(super) fn public_downloads(&self, size: Size) -> Vec<Vec<u8>> {
        self.names(size).map(|name| get(&format!("/storage/v1/object/public/{PUBLIC}/{name}"))).collect()
    }

    pub(super) async fn signed_downloads(&self, size: Size) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut requests = Vec::new();
        for name in self.names(size) {
            let path = format!("/storage/v1/object/sign/{PRIVATE}/{name}");
            let answer =
                self.ask(&self.own("POST", &path, "", json!({ "expiresIn": VALID }).to_string().as_bytes())).await?;
            requests.push(get(&format!("/storage/v1{}", text(&answer, "signedURL")?)));
        }
        Ok(requests)
    }

    pub(super) fn policy_downloads(&self, size: Size) -> Vec<Vec<u8>> {
        let path = |name| format!("/storage/v1/object/authenticated/{PRIVATE}/{name}");
        self.names(size).map(|name| self.own("GET", &path(name), "", b"")).collect()
    }

    pub(super) async fn signed_uploads(&self, size: Size) -> anyhow::Result<Vec<Vec<u8>>> {
        let (content, mut requests) = (size.content(), Vec::new());
        for name in self.targets(size) {
            let path = format!("/storage/v1/object/upload/sign/{PRIVATE}/{name}");
            let answer = self.ask(&self.own("POST", &path, "x-upsert: true\r\n", b"{}")).await?;
            let url = format!("/storage/v1{}", text(&answer, "url")?);
            requests.push(body_of("PUT", &url, "Content-Type: application/octet-stream\r\n", &content));
        }
        Ok(requests)
    }

    pub(super) fn policy_uploads(&self, size: Size) -> Vec<Vec<u8>> {
        let content = size.content();
        let path = |name| format!("/storage/v1/object/{PRIVATE}/{name}");
        self.targets(size).map(|name| self.own("POST", &path(name), "x-upsert: true\r\n", &content)).collect()
    }

    /// A request of the caller.
    fn own(&self, method: &str, path: &str, more: &str, body: &[u8]) -> Vec<u8> {
        request(&self.anon_key, &self.token, method, path, more, body)
    }

    /// Sends one request, and returns its answer as JSON.
    async fn ask(&self, request: &[u8]) -> anyhow::Result<Value> {
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.send(request).await?;
        ensure!(is_success(answer), "an unexpected answer: {}", String::from_utf8_lossy(answer));
        let body = answer.windows(4).position(|part| part == b"\r\n\r\n").context("no body")? + 4;
        Ok(serde_json::from_slice(answer.get(body..).unwrap_or_default())?)
    }
}

/// A request with a token. Its body is JSON where it begins like an object of JSON, and bytes otherwise.
pub(super) fn request(anon_key: &str, token: &str, method: &str, path: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let content = match body {
        [] => "",
        [b'{', ..] => "Content-Type: application/json\r\n",
        _ => "Content-Type: application/octet-stream\r\n",
    };
    body_of(method, path, &format!("apikey: {anon_key}\r\nAuthorization: Bearer {token}\r\n{more}{content}"), body)
}

fn body_of(method: &str, path: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}{length}\r\n").into_bytes();
    request.extend_from_slice(body);
    request
}

fn text<'a>(answer: &'a Value, member: &str) -> anyhow::Result<&'a str> {
    answer[member].as_str().with_context(|| format!("no {member}"))
}
