//! A real OCI registry, which ends with its test.

use std::path::Path;

use behalf_config::environment;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, BufReader};

/// The user name of a registry with a password.
pub const REGISTRY_USER: &str = "publisher";
/// Their password.
pub const REGISTRY_PASSWORD: &str = "the-registry-password-in-tests";
/// Both as the registry stores them. bcrypt is slow on purpose, so this has few rounds.
const HTPASSWD: &str = "publisher:$2b$04$EN/oE07WMZyzvkUzIhiVJ.Bydyi755jw7Qcs7j8gE3h.sm2EdEwDi\n";

/// CNCF Distribution, as Debian packages it, on a free port. The process ends when this value is dropped.
#[derive(Debug)]
pub struct Registry {
    /// `127.0.0.1:…`
    pub host: String,
    _program: tokio::process::Child,
    _dir: tempfile::TempDir,
}

impl Registry {
    /// Starts a registry without passwords.
    pub async fn start() -> Self {
        Self::run("").await
    }

    /// Starts a registry with one user.
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
        // The registry would stop at a full pipe, so its output is read to the end.
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

/// A SHA-256 digest as registries write it.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Names of the files in a folder, in order.
pub fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
