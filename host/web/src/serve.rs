//! Serves a router on a listener.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use futures::future::BoxFuture;
use tokio::net::TcpListener;

/// Serves until `stop` is done and the requests under way have ended.
///
/// Boxed, so that the server is compiled here, where code is optimised for requests, and not with the program.
pub fn serve(
    listener: TcpListener,
    router: Router,
    stop: BoxFuture<'static, ()>,
) -> BoxFuture<'static, io::Result<()>> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    Box::pin(async move { axum::serve(listener, service).with_graceful_shutdown(stop).await })
}
