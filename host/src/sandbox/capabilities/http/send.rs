use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsConnector;
use url::Host;
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{RequestBody, ResponseBody};
use super::{Io, Record, Sender, Sent};
use crate::sandbox::egress::Target;

/// For finding the host, connecting and agreeing on keys.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    /// For its beginning.
    pub(super) first_byte: Duration,
    /// Between two pieces of it.
    pub(super) between_bytes: Duration,
}

impl Waits {
    /// For guests.
    pub(super) const GUEST: Self = Self { first_byte: FIRST_BYTE_TIMEOUT, between_bytes: BETWEEN_BYTES_TIMEOUT };
}

/// A service that computes may take this long.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_mins(1);
/// One that began to answer goes on.
const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests end this long before their call does, so that the tool can still say what it waited for.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// Bytes of an answer's status line and headers together; also the buffer of one connection.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// One connection's requests; the connection itself is a task of its own.
type Channel = http1::SendRequest<RequestBody>;

impl Sender {
    /// Checks, connects, sends.
    pub(super) async fn send(
        &self,
        mut request: Request<WasiBody>,
        options: RequestOptions,
        record: &Arc<Record>,
    ) -> Sent {
        let target = self.check(&request, record)?;
        let now = Instant::now();
        let end = self.grant.deadline.checked_sub(LAST_WORDS).unwrap_or(now);
        // A guest may ask for less than the host's own bounds, never for more.
        let within = |asked: Option<Duration>, most: Duration| asked.unwrap_or(most).min(most);
        let connected_by = (now + within(options.connect_timeout, CONNECT_TIMEOUT)).min(end);
        let (mut channel, connection) = self.connect(&target, connected_by).await?;
        *request.uri_mut() = origin_form(request.uri())?;
        let host = HeaderValue::from_str(&target.authority()).map_err(|_| Error::HttpRequestUriInvalid)?;
        request.headers_mut().insert(header::HOST, host);
        let limit = self.body_bytes;
        let request = request.map(|inner| RequestBody { inner, left: limit, limit });
        let first_byte_by = (Instant::now() + within(options.first_byte_timeout, self.waits.first_byte)).min(end);
        let response = tokio::time::timeout_at(first_byte_by.into(), channel.send_request(request))
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(|error| from_hyper(&error))?;
        record.change(|record| {
            record.status = Some(response.status().as_u16());
            record.error = None;
        });
        let known = Body::size_hint(response.body()).lower();
        if known > limit {
            return Err(Error::HttpResponseBodySize(Some(known)));
        }
        let between = within(options.between_bytes_timeout, self.waits.between_bytes);
        let bounded = |body: Incoming| ResponseBody::new(body, limit, between, end, Arc::clone(record)).boxed_unsync();
        let io: Io = Box::new(async move {
            connection.await;
            Ok(())
        });
        Ok((response.map(bounded), io))
    }

    /// Whether the request may be made at all.
    fn check(&self, request: &Request<WasiBody>, record: &Record) -> Result<Target, Error> {
        let target = Target::of(request.uri())?;
        record.change(|record| {
            record.host = target.host.to_string();
            record.port = target.port;
        });
        // A tunnel leads where no check looks, and an echo of a request shows headers that a proxy added.
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(Error::HttpRequestMethodInvalid);
        }
        if !target.is_granted(&self.grant.hosts) {
            return Err(Error::HttpRequestDenied);
        }
        Ok(target)
    }

    async fn connect(&self, target: &Target, by: Instant) -> Result<(Channel, AbortOnDropJoinHandle<()>), Error> {
        let by = tokio::time::Instant::from_std(by);
        let permit = tokio::time::timeout_at(by, Arc::clone(&self.connections).acquire_owned()).await;
        let permit = permit.ok().and_then(Result::ok).ok_or(Error::ConnectionLimitReached)?;
        let egress = &self.grant.egress;
        let addresses =
            tokio::time::timeout_at(by, egress.addresses(target)).await.map_err(|_| Error::DnsTimeout)??;
        let open = async {
            let tcp = connect_any(&addresses, by).await?;
            if !target.tls {
                return open_channel(tcp, permit).await;
            }
            let name = server_name(&target.host)?;
            let tls = TlsConnector::from(egress.tls()?).connect(name, tcp).await.map_err(|error| from_tls(&error))?;
            open_channel(tls, permit).await
        };
        tokio::time::timeout_at(by, open).await.map_err(|_| Error::ConnectionTimeout)?
    }
}

/// The first of these addresses that answers. Each gets an even share of the time that is left.
async fn connect_any(addresses: &[SocketAddr], by: tokio::time::Instant) -> Result<TcpStream, Error> {
    let mut last = Error::DestinationNotFound;
    for (index, address) in addresses.iter().enumerate() {
        let remaining = u32::try_from(addresses.len() - index).unwrap_or(1);
        let share = by.saturating_duration_since(tokio::time::Instant::now()) / remaining;
        last = match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).ok();
                return Ok(stream);
            }
            Ok(Err(error)) => from_connect(&error),
            Err(_) => Error::ConnectionTimeout,
        };
    }
    Err(last)
}

/// The connection runs as a task that ends with its handle, and keeps its place among the call's connections until then.
async fn open_channel(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    permit: OwnedSemaphorePermit,
) -> Result<(Channel, AbortOnDropJoinHandle<()>), Error> {
    let handshake = http1::Builder::new().max_buf_size(MAX_HEAD_BYTES).handshake(TokioIo::new(stream)).await;
    let (channel, connection) = handshake.map_err(|error| from_hyper(&error))?;
    let task = wasmtime_wasi::runtime::spawn(async move {
        let _permit = permit;
        // What went wrong reaches the guest through the request or the body.
        connection.await.ok();
    });
    Ok((channel, task))
}

/// Only path and query go over the wire; the rest became the target.
fn origin_form(uri: &Uri) -> Result<Uri, Error> {
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    Uri::builder().path_and_query(path).build().map_err(|_| Error::HttpRequestUriInvalid)
}

fn server_name(host: &Host<String>) -> Result<ServerName<'static>, Error> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid),
        Host::Ipv4(address) => Ok(ServerName::from(std::net::IpAddr::V4(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(std::net::IpAddr::V6(*address))),
    }
}

/// Names what hyper reports. An error of the request's body comes through it as its source.
pub(super) fn from_hyper(error: &hyper::Error) -> Error {
    if let Some(Error::HttpRequestBodySize(size)) = error.source().and_then(|source| source.downcast_ref()) {
        return Error::HttpRequestBodySize(*size);
    }
    if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(u32::try_from(MAX_HEAD_BYTES).ok())
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() || error.is_body_write_aborted()
    {
        Error::ConnectionTerminated
    } else {
        Error::HttpProtocolError
    }
}

fn from_connect(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Error::ConnectionTerminated,
        _ => Error::DestinationUnavailable,
    }
}

fn from_tls(error: &io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
        Some(rustls::Error::AlertReceived(alert)) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: alert.as_str().map(str::to_owned),
        },
        Some(_) => Error::TlsProtocolError,
        None => Error::ConnectionTerminated,
    }
}
