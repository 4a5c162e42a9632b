//! Requests of a component that is only tried: a record answers them in place of servers, and none is sent unless the record asks
//! for it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::RequestBody;
use super::records::Record;
use super::send::{Io, LAST_WORDS, Sender, Sent};
use crate::egress::Target;
use crate::memory::Charge;

/// Answers requests in place of servers. Only what the grants of a call cover gets here.
pub trait HttpTrial: std::fmt::Debug + Send + Sync {
    /// What becomes of a request.
    fn answer(&self, request: &TrialRequest) -> TrialAnswer;

    /// Learns what a server answered to a request that was sent because [`HttpTrial::answer`] said so.
    fn answered(&self, request: &TrialRequest, response: &TrialResponse);
}

/// A request of a component that is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialRequest {
    /// The method, in capitals.
    pub method: String,
    /// The whole address: scheme, host, port where it is not the scheme's own, path and query.
    pub url: String,
    /// The body.
    pub body: Bytes,
}

/// An answer to such a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialResponse {
    /// The status. Of one that is none, 500 is made.
    pub status: u16,
    /// The headers, as far as they are text.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrialAnswer {
    /// It is sent.
    Send,
    /// It gets this answer.
    Respond(TrialResponse),
    /// It gets none, as if the server could not be reached.
    Unreachable,
}

impl Sender {
    /// Lets the record answer a request.
    pub(super) async fn try_out(
        &self,
        trial: &dyn HttpTrial,
        target: &Target,
        request: Request<WasiBody>,
        options: RequestOptions,
        record: &Arc<Record>,
        charges: Vec<Charge>,
    ) -> Sent {
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let url = format!("{}{path}", target.origin());
        let method = request.method().as_str().to_owned();
        let (parts, body) = request.into_parts();
        let limit = self.body_bytes;
        let end = self.grant.deadline.at().checked_sub(LAST_WORDS).unwrap_or_else(Instant::now);
        let body = RequestBody { inner: body, left: limit, limit }.collect();
        let body = tokio::time::timeout_at(end.into(), body).await.map_err(|_| Error::ConnectionReadTimeout)??;
        let asked = TrialRequest { method, url, body: body.to_bytes() };
        let answer = match trial.answer(&asked) {
            TrialAnswer::Respond(answer) => answer,
            TrialAnswer::Unreachable => {
                record.ended("not_recorded");
                return Err(Error::DestinationUnavailable);
            }
            TrialAnswer::Send => {
                let request = Request::from_parts(parts, whole(asked.body.clone()));
                let answer = read(self.send_to(target, request, options, record, charges).await?).await?;
                trial.answered(&asked, &answer);
                answer
            }
        };
        record.change(|record| {
            record.status = Some(answer.status);
            record.error = None;
        });
        let io: Io = Box::new(async { Ok(()) });
        Ok((response(answer), io))
    }
}

fn whole(body: Bytes) -> WasiBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// Reads a server's answer to its end, within the bounds of its body.
async fn read((response, io): (Response<WasiBody>, Io)) -> Result<TrialResponse, Error> {
    let _connection = wasmtime_wasi::runtime::spawn(Box::into_pin(io));
    let (parts, body) = response.into_parts();
    let text =
        |(name, value): (&HeaderName, &HeaderValue)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()));
    let headers = parts.headers.iter().filter_map(text).collect();
    Ok(TrialResponse { status: parts.status.as_u16(), headers, body: body.collect().await?.to_bytes() })
}

fn response(answer: TrialResponse) -> Response<WasiBody> {
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    let mut response = Response::new(whole(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}
