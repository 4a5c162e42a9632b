//! OCI registries: a real one, and one that lies.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use behalf::config::environment;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, BufReader};

/// The user of a registry that asks who is there.
pub const REGISTRY_USER: &str = "publisher";
/// Their password.
pub const REGISTRY_PASSWORD: &str = "the-registry-password-in-tests";
/// The same as the registry keeps it, with few rounds: bcrypt is slow on purpose.
const HTPASSWD: &str = "publisher:$2b$04$EN/oE07WMZyzvkUzIhiVJ.Bydyi755jw7Qcs7j8gE3h.sm2EdEwDi\n";

/// CNCF Distribution, as Debian packs it, on a port of its own. It ends with this value.
#[derive(Debug)]
pub struct Registry {
    /// `127.0.0.1:…`
    pub host: String,
    _program: tokio::process::Child,
    _dir: tempfile::TempDir,
}

impl Registry {
    /// Starts one that anybody may use.
    pub async fn start() -> Self {
        Self::run("").await
    }

    /// Starts one with one user.
    pub async fn with_user() -> Self {
        Self::run("auth: {htpasswd: {realm: tests, path: htpasswd}}\n").await
    }

    async fn run(more: &str) -> Self {
        let program = environment("BEHALF_TEST_REGISTRY_BIN")
            .expect("BEHALF_TEST_REGISTRY_BIN is not set: run the tests with `./dev test`");
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\nstorage: {{inmemory: {{}}}}\n\
             http: {{addr: \"127.0.0.1:0\", secret: tests}}\n{more}"
        );
        std::fs::write(dir.path().join("config.yml"), config).unwrap();
        std::fs::write(dir.path().join("htpasswd"), HTPASSWD).unwrap();
        let mut child = tokio::process::Command::new(program)
            .args(["serve", "config.yml"])
            .current_dir(dir.path())
            .stderr(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let host = loop {
            let line =
                lines.next_line().await.unwrap().unwrap_or_else(|| panic!("the registry did not start:\n{said}"));
            if let Some((_, rest)) = line.split_once("listening on ") {
                break rest.chars().take_while(|c| !matches!(c, '"' | ' ' | ',')).collect();
            }
            said.push_str(&line);
            said.push('\n');
        };
        // Whoever stops reading stops the program that writes.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { host, _program: child, _dir: dir }
    }

    /// A manifest as the registry sends it.
    pub async fn manifest(&self, name: &str, tag: &str) -> Value {
        let url = format!("http://{}/v2/{name}/manifests/{tag}", self.host);
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let answer = reqwest::Client::new().get(url).header("accept", kind).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], kind);
        answer.json().await.unwrap()
    }

    /// A blob.
    pub async fn blob(&self, name: &str, digest: &str) -> Vec<u8> {
        let url = format!("http://{}/v2/{name}/blobs/{digest}", self.host);
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap().into()
    }
}

/// As registries write digests.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// What a lying registry says to one path.
#[derive(Clone, Debug)]
pub enum Lie {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This status and this body.
    Refusal(u16, String),
    /// Bytes without end.
    Endless,
    /// The connection ends in the middle.
    CutOff(Vec<u8>),
}

/// A registry that sends whatever a test says.
#[derive(Clone, Debug)]
pub struct LyingRegistry {
    /// `127.0.0.1:…`
    pub host: String,
    answers: Arc<Mutex<HashMap<String, Lie>>>,
}

impl LyingRegistry {
    /// Starts one that has nothing.
    pub async fn start() -> Self {
        let answers = Arc::<Mutex<HashMap<_, _>>>::default();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&answers));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, answers }
    }

    /// What it says from now on to a path below `/v2/tool/`.
    pub fn say(&self, path: &str, lie: Lie) {
        self.answers.lock().unwrap().insert(format!("/v2/tool/{path}"), lie);
    }

    /// What it says to such a path now.
    pub fn said(&self, path: &str) -> Lie {
        self.answers.lock().unwrap()[&format!("/v2/tool/{path}")].clone()
    }

    /// Forgets everything it was to say.
    pub fn forget(&self) {
        self.answers.lock().unwrap().clear();
    }

    /// Serves an honest artifact under the tag `1`, which the change may make a dishonest one; returns its digest.
    pub fn artifact(&self, component: &[u8], change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let layer = digest(component);
        let mut config = json!({
            "created": "2026-01-01T00:00:00Z", "architecture": "wasm", "os": "wasip2", "layerDigests": [layer],
            "component": {"exports": [], "imports": []},
        });
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.wasm.config.v0+json", "digest": "", "size": 0},
            "layers": [{"mediaType": "application/wasm", "digest": layer, "size": component.len()}],
            "annotations": {"org.opencontainers.image.version": "1.0.0"},
        });
        change(&mut manifest, &mut config);
        let config_text = config.to_string();
        if manifest["config"]["digest"] == "" {
            manifest["config"]["digest"] = json!(digest(config_text.as_bytes()));
        }
        if manifest["config"]["size"] == 0 {
            manifest["config"]["size"] = json!(config_text.len());
        }
        let text = manifest.to_string();
        let pinned = digest(text.as_bytes());
        self.say("manifests/1", Lie::Bytes(text.clone().into_bytes()));
        self.say(&format!("manifests/{pinned}"), Lie::Bytes(text.into_bytes()));
        self.say(&format!("blobs/{}", digest(config_text.as_bytes())), Lie::Bytes(config_text.into_bytes()));
        self.say(&format!("blobs/{layer}"), Lie::Bytes(component.to_vec()));
        pinned
    }
}

async fn answer(State(answers): State<Arc<Mutex<HashMap<String, Lie>>>>, uri: Uri) -> Response {
    if uri.path() == "/v2/" {
        return StatusCode::OK.into_response();
    }
    let lie = answers.lock().unwrap().get(uri.path()).cloned();
    let kind = [(header::CONTENT_TYPE, "application/vnd.oci.image.manifest.v1+json")];
    match lie {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Lie::Bytes(bytes)) => (kind, bytes).into_response(),
        Some(Lie::Refusal(status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Some(Lie::Endless) => {
            let parts = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
            (kind, axum::body::Body::from_stream(parts)).into_response()
        }
        Some(Lie::CutOff(bytes)) => {
            let parts = futures::stream::iter([Ok(bytes), Err(std::io::Error::other("cut off"))]);
            (kind, axum::body::Body::from_stream(parts)).into_response()
        }
    }
}

/// Names of the files in a folder, in order.
pub fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
