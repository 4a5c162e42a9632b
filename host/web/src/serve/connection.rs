//! Serves one connection, and ends it when its client takes too long.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response, Version};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::Service as _;

use super::activity::Activity;
use super::request_body::{BodyState, SharedBody};
use super::response_body::WatchedResponse;
use super::socket::WatchedSocket;
use super::{ClientBounds, CurrentRoutes};

/// Bytes of a request's header in HTTP/1: a token of 16 KiB fits, and many other fields.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// The same in HTTP/2, counted as its standard says (RFC 9113, section 6.5.2).
const MAX_HEADER_LIST_BYTES: u32 = 64 * 1024;
/// How a client of HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Requests under way on one HTTP/2 connection.
const MAX_STREAMS: u32 = 200;
/// How often an HTTP/2 client with requests under way is asked whether it is there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER: Duration = Duration::from_secs(20);
/// How long an HTTP/2 connection that was told to end may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves a connection until its client closes it, takes too long, or the host shuts down.
pub(super) async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: CurrentRoutes,
    bounds: ClientBounds,
    mut closed: watch::Receiver<bool>,
) {
    let spoken = tokio::select! {
        spoken = spoken(&stream) => spoken,
        () = tokio::time::sleep(bounds.stall) => return,
        () = stopped(&mut closed) => return,
    };
    let activity = Activity::new();
    let socket = TokioIo::new(WatchedSocket::new(stream, activity.clone(), bounds.stall));
    let service = {
        let activity = activity.clone();
        service_fn(move |request| answer(routes(), request, peer, bounds, activity.clone()))
    };
    let builder = builder(spoken);
    // A connection that becomes a websocket's is over here: whoever asked for it bounds what its client may take.
    let mut connection = pin!(builder.serve_connection_with_upgrades(socket, service));
    let mut watch = pin!(too_slow(&activity, &bounds));
    tokio::select! {
        // A connection that broke has nobody left to tell, and its text may repeat what the client sent.
        _ = connection.as_mut() => return,
        () = &mut watch => {
            tracing::debug!(client.address = %peer.ip(), "a client took too long; its connection is closed");
            if !activity.is_http2() {
                return;
            }
        }
        () = stopped(&mut closed) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                _ = connection => {}
                () = watch => {}
            }
            return;
        }
    }
    // HTTP/2 tells its client which requests it has not seen, so that the client can repeat them elsewhere.
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(FAREWELL, connection).await;
}

/// Ends when the host shuts down.
async fn stopped(closed: &mut watch::Receiver<bool>) {
    let _ = closed.wait_for(|closed| *closed).await;
}

/// The protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    Http1,
    Http2,
    /// Its first bytes do not say.
    Unknown,
}

/// Looks at the first bytes of a connection and leaves them there. Hyper could find out by itself, but it takes the bytes and
/// gives them back one read before the others, which doubles the buffer of each connection to 16 KiB for good.
async fn spoken(stream: &TcpStream) -> Spoken {
    let mut first = [0; PREFACE.len()];
    let count = stream.peek(&mut first).await.unwrap_or_default();
    match first.get(..count) {
        Some(first) if first == PREFACE => Spoken::Http2,
        Some(first) if PREFACE.starts_with(first) => Spoken::Unknown,
        _ => Spoken::Http1,
    }
}

fn builder(spoken: Spoken) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder = match spoken {
        Spoken::Http1 => builder.http1_only(),
        Spoken::Http2 => builder.http2_only(),
        Spoken::Unknown => builder,
    };
    // Without a timer of its own for headers: that one would end idle connections as soon as slow headers.
    builder.http1().max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST_BYTES);
    builder
}

/// Ends when the connection has waited for its client for too long.
async fn too_slow(activity: &Activity, bounds: &ClientBounds) {
    loop {
        let look_again = Instant::now() + bounds.stall.min(bounds.idle);
        match activity.deadline(bounds) {
            Some(deadline) if deadline <= Instant::now() => return,
            Some(deadline) => tokio::time::sleep_until(deadline.min(look_again)).await,
            None => tokio::time::sleep_until(look_again).await,
        }
    }
}

/// Answers one request. What its handler left of the body is read for a while, so that the client hears the answer.
async fn answer(
    mut router: Router,
    request: Request<Incoming>,
    peer: SocketAddr,
    bounds: ClientBounds,
    activity: Activity,
) -> Result<Response<WatchedResponse>, Infallible> {
    let is_http2 = request.version() == Version::HTTP_2;
    let under_way = activity.begin(is_http2);
    let (mut parts, incoming) = request.into_parts();
    parts.extensions.insert(ConnectInfo(peer));
    let expects_go_ahead = parts.headers.contains_key(http::header::EXPECT);
    let (body, rest) = if incoming.is_end_stream() {
        (Body::new(incoming), None)
    } else {
        let (shared, state) = (SharedBody::new(incoming), BodyState::default());
        parts.extensions.insert(state.clone());
        (Body::new(shared.reader(bounds.stall, state)), Some(shared))
    };
    let Ok(response) = router.call(Request::from_parts(parts, body)).await;
    if let Some(rest) = rest
        && rest.is_left(expects_go_ahead)
    {
        let draining = activity.begin(is_http2);
        tokio::spawn(async move {
            rest.drain().await;
            drop(draining);
        });
    }
    Ok(response.map(|body| WatchedResponse::new(body, under_way)))
}
