//! Serves a router on a listener, within bounds on the time that clients take.

mod activity;
mod connection;
mod request_body;
mod response_body;
mod socket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use behalf_telemetry::metric;
use futures::future::BoxFuture;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use connection::serve_connection;
pub(crate) use request_body::BodyState;

/// How long the listener rests where no connection can be accepted, as when the process has too many open files.
const REST: Duration = Duration::from_secs(1);

/// How long clients may take. Work of the host itself counts for neither bound.
#[derive(Clone, Copy, Debug)]
pub struct ClientBounds {
    /// For a whole header; for each next piece of a body; for reading each next piece of an answer.
    pub stall: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
}

impl Default for ClientBounds {
    /// Balancers close idle connections after 60 s; a host that does so first breaks requests under way.
    fn default() -> Self {
        Self { stall: Duration::from_secs(30), idle: Duration::from_secs(90) }
    }
}

/// The routes that serve the next request. A host that starts has others than one that is ready.
pub type CurrentRoutes = Arc<dyn Fn() -> Router + Send + Sync>;

/// Serves until `stop` is done and the requests under way have ended.
///
/// Boxed, so that the server is compiled here, where code is optimised for requests, and not with the program.
pub fn serve(
    listener: TcpListener,
    routes: CurrentRoutes,
    bounds: ClientBounds,
    mut stop: BoxFuture<'static, ()>,
) -> BoxFuture<'static, io::Result<()>> {
    Box::pin(async move {
        let (closing, closed) = watch::channel(false);
        let connections = TaskTracker::new();
        let open = OpenConnections::default();
        loop {
            let (stream, peer) = tokio::select! {
                accepted = accept(&listener) => accepted,
                () = &mut stop => break,
            };
            let place = open.enter();
            let served = serve_connection(stream, peer, Arc::clone(&routes), bounds, closed.clone());
            connections.spawn(async move {
                served.await;
                drop(place);
            });
        }
        drop(listener);
        closing.send(true).ok();
        connections.close();
        connections.wait().await;
        Ok(())
    })
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Events are small, and each shall arrive when it happens.
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            // The client went away before it was accepted.
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                tracing::error!(error.kind = ?error.kind(), "cannot accept a connection; trying again shortly");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The number of open connections.
#[derive(Clone, Debug, Default)]
struct OpenConnections(Arc<AtomicU32>);

/// A connection that is counted until this is dropped.
struct OpenConnection(OpenConnections);

impl OpenConnections {
    fn enter(&self) -> OpenConnection {
        metric::client_connections(self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1));
        OpenConnection(self.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        metric::client_connections(self.0.0.fetch_sub(1, Ordering::Relaxed).saturating_sub(1));
    }
}
