//! The share of HTTP itself: a bare axum route that reads a call's request and answers as many bytes as the host does.

use std::net::{Ipv4Addr, SocketAddr};

use axum::routing::post;
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use behalf_jobs::AbortOnDrop;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;
use uuid::Uuid;

/// A server that has none of the host's layers. It runs on the runtime that serves the host's requests in a
/// measurement, so what the host takes beyond it is the host's own. It ends when it is dropped.
///
/// It is compiled with this crate, which an ordinary build optimises less than the host's own server:
/// docs/performance.md says how to build both alike.
pub(super) struct Echo {
    pub(super) address: SocketAddr,
    _server: AbortOnDrop<std::io::Result<()>>,
}

/// The request of a call.
#[derive(Deserialize)]
struct Call {
    arguments: Value,
}

/// The fields of the host's answer to a call of the empty tool, so that it has the same size.
#[derive(Serialize)]
struct Answer {
    result: Value,
    call_id: Uuid,
    duration_ms: f64,
}

impl Echo {
    /// Listens on a free port of the loopback address.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        // As the host does; without it, small answers wait for the client's acknowledgement.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let router = Router::new().route("/api/tools/{name}/call", post(answer));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, _server: AbortOnDrop::new(server) })
    }
}

async fn answer(Json(call): Json<Call>) -> Json<Answer> {
    // Digits as a measured time has.
    Json(Answer { result: call.arguments, call_id: Uuid::nil(), duration_ms: 0.036_127 })
}
