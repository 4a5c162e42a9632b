//! The host's address from its first second: whoever asks hears that the host starts, until its routes are there.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::any;
use behalf_config::Settings;
use behalf_jobs::AbortOnDrop;
use behalf_web::{ApiError, Routes, router, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinError;

use super::error::StartError;
use super::{health, options};

/// An address on which a host listens. Dropped before it is closed, it answers nobody any more.
#[derive(Debug)]
pub(crate) struct Front {
    address: Option<SocketAddr>,
    routers: Arc<Routers>,
    step: Step,
    stop: oneshot::Sender<()>,
    server: AbortOnDrop<io::Result<()>>,
}

/// What a host that starts waits for.
#[derive(Clone, Debug)]
struct Step(Arc<Mutex<&'static str>>);

/// The routes of a host that starts, and those of the host once it is ready.
#[derive(Debug)]
struct Routers {
    starting: Router,
    ready: OnceLock<Router>,
}

impl Front {
    /// Listens, and answers every request but those for the process's health with 503.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, StartError> {
        let listener =
            TcpListener::bind(settings.bind).await.map_err(|error| StartError::Bind(settings.bind, error))?;
        let address = listener.local_addr().ok();
        let step = Step(Arc::new(Mutex::new("the checks before the start")));
        let both = Arc::new(Routers { starting: starting(step.clone()), ready: OnceLock::new() });
        let (end, stopped) = oneshot::channel::<()>();
        let stopped = Box::pin(async move {
            stopped.await.ok();
        });
        let current = Arc::clone(&both);
        let choose = move || current.ready.get().unwrap_or(&current.starting).clone();
        let server = serve(listener, Arc::new(choose), options::client_bounds(settings), stopped);
        Ok(Self { address, routers: both, step, stop: end, server: AbortOnDrop::new(tokio::spawn(server)) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Says what the start waits for now.
    pub(super) fn waits_for(&self, what: &'static str) {
        *self.step.0.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// Serves the host's routes from the next request on.
    pub(super) fn becomes_ready(&self, routes: Router) {
        self.routers.ready.set(routes).ok();
    }

    /// Waits for the server, which ends by itself only where it breaks.
    pub(super) async fn ended(&mut self) -> io::Result<()> {
        flat((&mut self.server).await)
    }

    /// Accepts no more requests, and waits for those under way, at most for `grace`.
    pub(super) async fn close(self, grace: Duration) -> io::Result<()> {
        let Self { stop, server, .. } = self;
        stop.send(()).ok();
        tokio::time::timeout(grace, server).await.map_or(Ok(()), flat)
    }
}

fn flat(ended: Result<io::Result<()>, JoinError>) -> io::Result<()> {
    ended.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The routes of a host that starts.
fn starting(step: Step) -> Router {
    let refuse = || any(not_ready);
    // Probes by their names, so that the log can tell them from requests.
    let probes = ["/readyz", "/metrics"].into_iter().fold(Routes::new(), |routes, path| routes.route(path, refuse()));
    let routes = probes.route("/", refuse()).route("/{*path}", refuse()).with_state(step);
    router(routes.merge(health::liveness())).0
}

/// Says that the host starts, and what it waits for.
async fn not_ready(State(Step(step)): State<Step>) -> ApiError {
    let what = *step.lock().unwrap_or_else(PoisonError::into_inner);
    ApiError::unavailable(format!("the host is starting and waits for {what}; try again shortly"))
}
