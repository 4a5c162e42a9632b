//! `Idempotency-Key`: a repeated request gets the first one's response and is not carried out again, on whichever host
//! it arrives.

use std::future::Future;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use behalf_identity::{Principal, Role};
use behalf_problem::{Kind, LogText as _};
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::error::ApiError;
use crate::extract::header;
use crate::idempotency_key::{Claimed, IdempotencyKeyStore, KeyClaim, RequestMark, StoredAnswer};

/// The most characters of a key.
const MAX_KEY_CHARS: usize = 255;
/// How long a request waits while another one with the same key is processed.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// The interval between checks while it waits.
const POLL: Duration = Duration::from_millis(50);
/// How often a claim is renewed while its request is processed: well within the lease.
const RENEW: Duration = Duration::from_secs(20);
/// Largest response that is stored: a tool's largest result and the JSON around it.
const MAX_ANSWER_BYTES: usize = 17 * 1024 * 1024;

/// The idempotency key of a request, if it has one.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    key: Option<String>,
    route: String,
}

/// The state of a request's key.
#[derive(Clone, Debug)]
pub enum Known {
    /// The request is new: carry it out, under this claim if it has a key.
    New(Option<KeyClaim>),
    /// A request with this key got this response.
    Answered(StoredAnswer),
    /// A request with this key began this run.
    Run(String),
}

/// Marks a response whose body contains a secret: this body is stored instead.
#[derive(Clone, Debug)]
pub struct KeptBody(pub Bytes);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let key = header(&parts.headers, "idempotency-key")?.map(str::to_owned);
        if let Some(key) = &key {
            let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            if key.is_empty() || key.len() > MAX_KEY_CHARS || !printable {
                return Err(ApiError::bad_request("Idempotency-Key must have 1 to 255 printable characters"));
            }
        }
        Ok(Self { key, route: format!("{} {}", parts.method, parts.uri.path()) })
    }
}

impl IdempotencyKey {
    /// Whether the request has a key.
    pub fn is_given(&self) -> bool {
        self.key.is_some()
    }

    /// Claims the key for this caller and body, or returns the state of an earlier request. Waits a short time for a
    /// request that is still processed. The claim has to be tied to what the request begins: one that is tied to nothing is free again
    /// once its host stops.
    pub fn claim<'a>(
        &'a self,
        store: &'a IdempotencyKeyStore,
        caller: &'a Principal,
        body: &'a Value,
    ) -> BoxFuture<'a, Result<Known, ApiError>> {
        self.claim_or_wait(store, caller, body, true)
    }

    fn claim_or_wait<'a>(
        &'a self,
        store: &'a IdempotencyKeyStore,
        caller: &'a Principal,
        body: &'a Value,
        takes_over: bool,
    ) -> BoxFuture<'a, Result<Known, ApiError>> {
        Box::pin(async move {
            let Some(key) = &self.key else { return Ok(Known::New(None)) };
            if caller.role() == Role::Anon {
                return Err(ApiError::bad_request(
                    "Idempotency-Key needs a signed-in caller: all holders of the anon key are one",
                ));
            }
            let mark = RequestMark { scope: self.scope(caller, key), fingerprint: fingerprint(body) };
            let until = Instant::now() + MAX_WAIT;
            loop {
                match store.claim(&mark, takes_over).await? {
                    Claimed::Mine(claim) => return Ok(Known::New(Some(claim))),
                    Claimed::Answered(answer) => return Ok(Known::Answered(answer)),
                    Claimed::Run(run_id) => return Ok(Known::Run(run_id)),
                    Claimed::OtherBody => {
                        return Err(ApiError::new(
                            Kind::Unprocessable,
                            "this Idempotency-Key came with another body before; use a new key for a new request",
                        ));
                    }
                    Claimed::Lost => {
                        return Err(ApiError::new(
                            Kind::OutcomeUnknown,
                            "the host that worked on this request stopped, and nobody knows whether it was carried out; look before you send it again with a new key",
                        ));
                    }
                    Claimed::Working if Instant::now() >= until => {
                        return Err(ApiError::new(
                            Kind::InProgress,
                            "a request with this Idempotency-Key is being worked on; ask again shortly",
                        ));
                    }
                    Claimed::Working => tokio::time::sleep(POLL).await,
                }
            }
        })
    }

    /// Carries `work` out at most once for this key. With a key, `work` continues if the client disconnects, so that
    /// the client's next attempt gets the response. If the host stops meanwhile, it gets [`Kind::OutcomeUnknown`].
    pub async fn once<F>(
        &self,
        store: &IdempotencyKeyStore,
        caller: &Principal,
        body: &Value,
        work: F,
    ) -> Result<Response, ApiError>
    where
        F: Future<Output = Result<Response, ApiError>> + Send + 'static,
    {
        let claim = match self.claim_or_wait(store, caller, body, false).await? {
            Known::New(None) => return work.await,
            Known::New(Some(claim)) => claim,
            Known::Answered(answer) => return replay(answer),
            Known::Run(_) => return Err(ApiError::internal("a key of no run is tied to one")),
        };
        let store = store.clone();
        tokio::spawn(async move { carry_out(&store, claim, work).await }.in_current_span())
            .await
            .unwrap_or_else(|error| Err(ApiError::internal(error)))
    }

    /// The hash of caller, route and key.
    fn scope(&self, caller: &Principal, key: &str) -> [u8; 32] {
        scope(caller, &self.route, key.as_bytes())
    }

    /// The hash of caller, route and body, and of what else the request says in `more`: the same for a request that is sent again.
    pub fn request_digest(&self, caller: &Principal, more: &str, body: &Value) -> [u8; 32] {
        let body = Sha256::new().chain_update(fingerprint(body)).chain_update(more).finalize();
        scope(caller, &self.route, &body)
    }
}

/// The lengths distinguish `ab` + `c` from `a` + `bc`.
fn scope(caller: &Principal, route: &str, what: &[u8]) -> [u8; 32] {
    let subject = caller.subject().map(|id| id.to_string()).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [caller.actor().as_bytes(), subject.as_bytes(), route.as_bytes(), what] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Releases the claim of a request that had no effects.
pub fn release(store: &IdempotencyKeyStore, claim: Option<KeyClaim>) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        if let Some(claim) = claim
            && let Err(error) = store.release(&claim).await
        {
            tracing::warn!(error = error.log_text(), "an idempotency key is held until its lease is over");
        }
    })
}

/// Adds the header that marks a repeated response.
pub fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));
    response
}

async fn carry_out<F>(store: &IdempotencyKeyStore, claim: KeyClaim, work: F) -> Result<Response, ApiError>
where
    F: Future<Output = Result<Response, ApiError>>,
{
    let result = tokio::select! {
        result = work => result,
        never = keep_renewed(store, &claim) => match never {},
    };
    let response = match result {
        Err(error) if !error.had_effects() => {
            release(store, Some(claim)).await;
            return Err(error);
        }
        Err(error) => error.into_response(),
        Ok(response) => response,
    };
    keep(store, &claim, response).await
}

/// Renews a claim until this is dropped.
async fn keep_renewed(store: &IdempotencyKeyStore, claim: &KeyClaim) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(RENEW).await;
        if let Err(error) = store.renew(claim).await {
            tracing::warn!(error = error.log_text(), "cannot renew the claim of an idempotency key");
        }
    }
}

async fn keep(store: &IdempotencyKeyStore, claim: &KeyClaim, response: Response) -> Result<Response, ApiError> {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_ANSWER_BYTES).await.map_err(ApiError::internal)?;
    let kept = parts.extensions.get::<KeptBody>().map_or_else(|| body.clone(), |kept| kept.0.clone());
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let answer = StoredAnswer { status: parts.status.as_u16(), content_type, body: kept.to_vec() };
    if let Err(error) = store.store_answer(claim, &answer).await {
        // The work is done, so this client gets its response although a repetition will not.
        tracing::error!(error = error.log_text(), "an answer was not kept for its idempotency key");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replay(answer: StoredAnswer) -> Result<Response, ApiError> {
    let status = StatusCode::from_u16(answer.status).map_err(ApiError::internal)?;
    let mut response = (status, answer.body).into_response();
    let content_type = answer.content_type.and_then(|text| HeaderValue::from_str(&text).ok());
    response.headers_mut().remove(CONTENT_TYPE);
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    Ok(replayed(response))
}

/// A hash that does not depend on the order of an object's fields.
fn fingerprint(body: &Value) -> [u8; 32] {
    Sha256::digest(sorted(body).to_string().as_bytes()).into()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by(|a, b| a.0.cmp(b.0));
            fields.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_fields_means_nothing_and_their_values_do() {
        let one: Value = serde_json::from_str(r#"{"a": [{"x": 1, "y": 2}], "b": null}"#).unwrap_or_default();
        let two: Value = serde_json::from_str(r#"{"b": null, "a": [{"y": 2, "x": 1}]}"#).unwrap_or_default();
        assert_eq!(fingerprint(&one), fingerprint(&two));
        assert_ne!(fingerprint(&json!({ "a": 1 })), fingerprint(&json!({ "a": "1" })));
        assert_ne!(fingerprint(&json!([1, 2])), fingerprint(&json!([2, 1])));
    }
}
