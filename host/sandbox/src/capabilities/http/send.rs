//! Sends one request: checks it, connects, and waits for the answer within its limits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsConnector;
use url::Host;
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{RequestBody, ResponseBody};
use super::denied::denial;
use super::errors::{MAX_HEAD_BYTES, from_connect, from_hyper, from_tls};
use super::grant::HttpMethods;
use super::identity::Identity;
use super::mask::{Mask, MaskedBody};
use super::records::Record;
use super::secret::{CallSecrets, Carried};
use super::trial::HttpTrial;
use crate::deadline::Deadline;
use crate::egress::{Egress, HostPattern, Target};
use crate::memory::Charge;

/// Connections of one call at once; each is a file of this process.
pub(super) const MAX_CONNECTIONS: usize = 8;
/// Time to look up the host, to connect and to agree on keys.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time to wait for the beginning of an answer: the service may have to compute it.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_mins(1);
/// Time to wait between two pieces of an answer.
const BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests end this long before their call, so that the tool still has time to return an error.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(100);

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    /// For its beginning.
    pub(super) first_byte: Duration,
    /// Between two pieces of it.
    pub(super) between_bytes: Duration,
}

impl Waits {
    /// The times for guests.
    pub(super) const GUEST: Self = Self { first_byte: FIRST_BYTE_TIMEOUT, between_bytes: BETWEEN_BYTES_TIMEOUT };
}

/// The hosts that one call may reach, how, and until when.
#[derive(Clone, Debug)]
pub(crate) struct HttpGrant {
    pub(crate) hosts: Arc<[HostPattern]>,
    pub(crate) methods: HttpMethods,
    pub(crate) identity: Identity,
    pub(crate) egress: Arc<Egress>,
    pub(crate) deadline: Deadline,
    pub(crate) secrets: CallSecrets,
    /// What answers in place of servers, where the component is only tried.
    pub(crate) trial: Option<Arc<dyn HttpTrial>>,
}

/// The hosts, connections and limits that the requests of one call share.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) grant: HttpGrant,
    pub(super) body_bytes: u64,
    pub(super) connections: Arc<Semaphore>,
    pub(super) waits: Waits,
}

/// The work of a connection. Dropped, it closes the connection.
pub(super) type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
/// An answer and its connection, or the error.
pub(super) type Sent = Result<(Response<WasiBody>, Io), Error>;

/// One connection's requests; the connection itself is a task of its own.
type Channel = http1::SendRequest<RequestBody>;

impl Sender {
    /// Checks, connects, sends. The charges are for what the host keeps of the request and its connection.
    pub(super) async fn send(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
        record: &Arc<Record>,
        charges: Vec<Charge>,
    ) -> Sent {
        let target = self.check(&request, record)?;
        match &self.grant.trial {
            None => self.send_to(&target, request, options, record, charges).await,
            Some(trial) => self.try_out(&**trial, &target, request, options, record, charges).await,
        }
    }

    /// Connects to a target that was checked, and sends.
    pub(super) async fn send_to(
        &self,
        target: &Target,
        mut request: Request<WasiBody>,
        options: RequestOptions,
        record: &Arc<Record>,
        charges: Vec<Charge>,
    ) -> Sent {
        let secrets = self.secrets(target, record)?;
        let now = Instant::now();
        let end = self.grant.deadline.at().checked_sub(LAST_WORDS).unwrap_or(now);
        // A guest may ask for less than the host's own bounds, never for more.
        let within = |asked: Option<Duration>, most: Duration| asked.unwrap_or(most).min(most);
        let connected_by = (now + within(options.connect_timeout, CONNECT_TIMEOUT)).min(end);
        let named = self.grant.identity.add(target, request.headers_mut());
        // A new key is not used at once, so it may take a while.
        tokio::time::timeout_at(connected_by.into(), named).await.map_err(|_| Error::ConfigurationError)??;
        let (mut channel, connection) = self.connect(target, connected_by).await?;
        *request.uri_mut() = origin_form(request.uri())?;
        let host = HeaderValue::from_str(&target.authority()).map_err(|_| Error::HttpRequestUriInvalid)?;
        request.headers_mut().insert(header::HOST, host);
        if let Some(secrets) = &secrets {
            secrets.add_to(request.headers_mut());
            record.change(|record| record.secrets.clone_from(&secrets.names));
        }
        let limit = self.body_bytes;
        let request = request.map(|inner| RequestBody { inner, left: limit, limit });
        let first_byte_by = (Instant::now() + within(options.first_byte_timeout, self.waits.first_byte)).min(end);
        let mut response = tokio::time::timeout_at(first_byte_by.into(), channel.send_request(request))
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
        let charges: Arc<[Charge]> = charges.into();
        let body_charges = Arc::clone(&charges);
        let mask = secrets.map(|secrets| hide(&secrets, &mut response, record)).transpose()?;
        let bounded = |body: Incoming| {
            let body = ResponseBody::new(body, limit, between, end, Arc::clone(record)).charged(body_charges);
            match mask {
                Some(mask) => MaskedBody::new(body, mask).boxed_unsync(),
                None => body.boxed_unsync(),
            }
        };
        let io: Io = Box::new(async move {
            connection.await;
            drop(charges);
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
        // The destinations inside a tunnel cannot be checked, and an echo of a request shows headers that a proxy added.
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(Error::HttpRequestMethodInvalid);
        }
        if let Some(reason) = denial(&target, request.method(), &self.grant) {
            record.change(|record| record.reason = Some(reason));
            return Err(Error::HttpRequestDenied);
        }
        Ok(target)
    }

    /// The secrets that the request gets. One that has no value, and one that would travel in plain text, ends the request.
    fn secrets(&self, target: &Target, record: &Record) -> Result<Option<Carried>, Error> {
        let refused = |cause, text: String| {
            record.ended(cause);
            Error::InternalError(Some(text))
        };
        let found = self.grant.secrets.of(target).map_err(|name| {
            refused("secret_not_set", format!("the secret {name} of this host has no value yet; an operator sets it"))
        })?;
        if found.is_some() && !target.tls && !self.grant.egress.is_named(target) {
            let text = "a request with a secret needs https://, except for hosts in a private network that is allowed";
            return Err(refused("secret_without_tls", text.to_owned()));
        }
        Ok(found)
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

/// Hides the secrets in the headers of an answer, and returns what hides them in its body. An answer in which they would not be
/// found is refused.
fn hide(secrets: &Carried, response: &mut Response<Incoming>, record: &Record) -> Result<Mask, Error> {
    let mut encodings = response.headers().get_all(header::CONTENT_ENCODING).iter();
    if !encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        record.ended("encoded_answer");
        let text = "the host compressed its answer although it was asked not to, where it was sent a secret";
        return Err(Error::InternalError(Some(text.to_owned())));
    }
    let mask = secrets.mask();
    mask.hide_in(response.headers_mut());
    Ok(mask)
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

/// The connection runs as a task that ends with its handle, and counts as one of the call's connections until then.
async fn open_channel(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    permit: OwnedSemaphorePermit,
) -> Result<(Channel, AbortOnDropJoinHandle<()>), Error> {
    let handshake = http1::Builder::new().max_buf_size(MAX_HEAD_BYTES).handshake(TokioIo::new(stream)).await;
    let (channel, connection) = handshake.map_err(|error| from_hyper(&error))?;
    let task = wasmtime_wasi::runtime::spawn(async move {
        let _permit = permit;
        // The guest gets this error through the request or the body.
        connection.await.ok();
    });
    Ok((channel, task))
}

/// The path and the query, which are sent. The rest of the address is the target.
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
