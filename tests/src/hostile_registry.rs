//! An OCI registry that sends whatever a test wants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::registry::digest;

/// The answer of a hostile registry to one path.
#[derive(Clone, Debug)]
pub enum RegistryAnswer {
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
pub struct HostileRegistry {
    /// `127.0.0.1:…`
    pub host: String,
    answers: Arc<Mutex<HashMap<String, RegistryAnswer>>>,
}

impl HostileRegistry {
    /// Starts one that has nothing.
    pub async fn start() -> Self {
        let answers = Arc::<Mutex<HashMap<_, _>>>::default();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&answers));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, answers }
    }

    /// Sets the answer to a path below `/v2/tool/`.
    pub fn set_answer(&self, path: &str, answer: RegistryAnswer) {
        self.answers.lock().unwrap().insert(format!("/v2/tool/{path}"), answer);
    }

    /// The answer that such a path has now.
    pub fn answer_to(&self, path: &str) -> RegistryAnswer {
        self.answers.lock().unwrap()[&format!("/v2/tool/{path}")].clone()
    }

    /// Removes all answers.
    pub fn clear(&self) {
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
        self.set_answer("manifests/1", RegistryAnswer::Bytes(text.clone().into_bytes()));
        self.set_answer(&format!("manifests/{pinned}"), RegistryAnswer::Bytes(text.into_bytes()));
        self.set_answer(
            &format!("blobs/{}", digest(config_text.as_bytes())),
            RegistryAnswer::Bytes(config_text.into_bytes()),
        );
        self.set_answer(&format!("blobs/{layer}"), RegistryAnswer::Bytes(component.to_vec()));
        pinned
    }
}

async fn answer(State(answers): State<Arc<Mutex<HashMap<String, RegistryAnswer>>>>, uri: Uri) -> Response {
    if uri.path() == "/v2/" {
        return StatusCode::OK.into_response();
    }
    let found = answers.lock().unwrap().get(uri.path()).cloned();
    let kind = [(header::CONTENT_TYPE, "application/vnd.oci.image.manifest.v1+json")];
    match found {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(RegistryAnswer::Bytes(bytes)) => (kind, bytes).into_response(),
        Some(RegistryAnswer::Refusal(status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Some(RegistryAnswer::Endless) => {
            let parts = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
            (kind, axum::body::Body::from_stream(parts)).into_response()
        }
        Some(RegistryAnswer::CutOff(bytes)) => {
            let parts = futures::stream::iter([Ok(bytes), Err(std::io::Error::other("cut off"))]);
            (kind, axum::body::Body::from_stream(parts)).into_response()
        }
    }
}
