//! `Idempotency-Key`: a request that is sent again is answered again and not carried out again, whichever host it reaches.

use std::future::Future;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::error::ApiError;
use super::extract::header;
use super::state::AppState;
use crate::db::{Claimed, KeyClaim, RequestMark, StoredAnswer};
use crate::identity::{Principal, Role};
use crate::sandbox::CallError;
use crate::tools::ToolCallError;

/// Characters of a key.
const MAX_KEY_CHARS: usize = 255;
/// How long a request waits for its twin before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(50);
/// How often a claim is renewed while its request is worked on: well within the lease.
const RENEW: Duration = Duration::from_secs(20);
/// Largest answer that is kept: a tool's largest result and what is around it.
const MAX_ANSWER_BYTES: usize = 17 * 1024 * 1024;

/// The key that came with a request, if one did.
#[derive(Clone, Debug)]
pub(super) struct IdempotencyKey {
    key: Option<String>,
    route: String,
}

/// What is known of a request's key.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// Nothing: carry the request out, under this claim where there is a key.
    New(Option<KeyClaim>),
    /// It was answered so.
    Answered(StoredAnswer),
    /// It began this run.
    Run(String),
}

/// Put into an answer: what is kept of it instead of its body, because the body holds a secret.
#[derive(Clone, Debug)]
pub(super) struct KeptBody(pub(super) Bytes);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let key = header(&parts.headers, "idempotency-key")?.map(str::to_owned);
        if let Some(key) = &key {
            let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            if key.is_empty() || key.len() > MAX_KEY_CHARS || !printable {
                return Err(ApiError::BadRequest("Idempotency-Key must have 1 to 255 printable characters".to_owned()));
            }
        }
        Ok(Self { key, route: format!("{} {}", parts.method, parts.uri.path()) })
    }
}

impl IdempotencyKey {
    /// Whether the request has a key.
    pub(super) fn is_given(&self) -> bool {
        self.key.is_some()
    }

    /// Claims the key for this caller and body, or tells what became of it; waits a moment for a twin under way.
    pub(super) async fn claim(&self, state: &AppState, caller: &Principal, body: &Value) -> Result<Known, ApiError> {
        let Some(key) = &self.key else { return Ok(Known::New(None)) };
        if caller.role() == Role::Anon {
            return Err(ApiError::BadRequest(
                "Idempotency-Key needs a signed-in caller: all holders of the anon key are one".to_owned(),
            ));
        }
        let mark = RequestMark { scope: self.scope(caller, key), fingerprint: fingerprint(body) };
        let until = Instant::now() + PATIENCE;
        loop {
            match state.db.claim_key(&mark).await? {
                Claimed::Mine(claim) => return Ok(Known::New(Some(claim))),
                Claimed::Answered(answer) => return Ok(Known::Answered(answer)),
                Claimed::Run(run_id) => return Ok(Known::Run(run_id)),
                Claimed::OtherBody => {
                    return Err(ApiError::Unprocessable(
                        "this Idempotency-Key came with another body before; use a new key for a new request"
                            .to_owned(),
                    ));
                }
                Claimed::Working if Instant::now() >= until => {
                    return Err(ApiError::InProgress(
                        "a request with this Idempotency-Key is being worked on; ask again shortly".to_owned(),
                    ));
                }
                Claimed::Working => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// Carries `work` out at most once for this key. With a key it goes on when the client leaves, so that the client's
    /// next try finds the answer.
    pub(super) async fn once<F>(
        &self,
        state: &AppState,
        caller: &Principal,
        body: &Value,
        work: F,
    ) -> Result<Response, ApiError>
    where
        F: Future<Output = Result<Response, ApiError>> + Send + 'static,
    {
        let claim = match self.claim(state, caller, body).await? {
            Known::New(None) => return work.await,
            Known::New(Some(claim)) => claim,
            Known::Answered(answer) => return replay(answer),
            Known::Run(_) => return Err(ApiError::Internal("a key of no run is tied to one".into())),
        };
        let state = state.clone();
        tokio::spawn(async move { carry_out(&state, claim, work).await })
            .await
            .unwrap_or_else(|error| Err(ApiError::Internal(Box::new(error))))
    }

    /// Lengths keep `ab` + `c` and `a` + `bc` apart.
    fn scope(&self, caller: &Principal, key: &str) -> [u8; 32] {
        let subject = caller.subject().map(|id| id.to_string()).unwrap_or_default();
        let mut hash = Sha256::new();
        for part in [caller.actor().as_str(), &subject, &self.route, key] {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }
}

/// Gives a claim back whose request began nothing.
pub(super) async fn release(state: &AppState, claim: Option<KeyClaim>) {
    if let Some(claim) = claim
        && let Err(error) = state.db.release_key(&claim).await
    {
        tracing::warn!(error = %error, "an idempotency key is held until its lease is over");
    }
}

/// Marks an answer as one that was given before.
pub(super) fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert(HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));
    response
}

async fn carry_out<F>(state: &AppState, claim: KeyClaim, work: F) -> Result<Response, ApiError>
where
    F: Future<Output = Result<Response, ApiError>>,
{
    let mut work = std::pin::pin!(work);
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            () = tokio::time::sleep(RENEW) => {
                if let Err(error) = state.db.renew_key(&claim).await {
                    tracing::warn!(error = %error, "cannot renew the claim of an idempotency key");
                }
            }
        }
    };
    let response = match result {
        Err(error) if !had_effects(&error) => {
            release(state, Some(claim)).await;
            return Err(error);
        }
        Err(error) => error.into_response(),
        Ok(response) => response,
    };
    keep(state, &claim, response).await
}

async fn keep(state: &AppState, claim: &KeyClaim, response: Response) -> Result<Response, ApiError> {
    let (parts, body) = response.into_parts();
    let body =
        axum::body::to_bytes(body, MAX_ANSWER_BYTES).await.map_err(|error| ApiError::Internal(Box::new(error)))?;
    let kept = parts.extensions.get::<KeptBody>().map_or_else(|| body.clone(), |kept| kept.0.clone());
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let answer = StoredAnswer { status: parts.status.as_u16(), content_type, body: kept.to_vec() };
    if let Err(error) = state.db.answer_key(claim, &answer).await {
        // The work is done; its answer is worth more to this client than to one that may come again.
        tracing::error!(error = %error, "an answer was not kept for its idempotency key");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// Whether a failed request may have changed something. A call that was refused before its tool began has not.
fn had_effects(error: &ApiError) -> bool {
    match error {
        ApiError::Tool(ToolCallError::Call { error, .. }) => {
            !matches!(error, CallError::Busy | CallError::NotGranted(_))
        }
        _ => false,
    }
}

fn replay(answer: StoredAnswer) -> Result<Response, ApiError> {
    let status = StatusCode::from_u16(answer.status).map_err(|error| ApiError::Internal(Box::new(error)))?;
    let mut response = (status, answer.body).into_response();
    let content_type = answer.content_type.and_then(|text| HeaderValue::from_str(&text).ok());
    response.headers_mut().remove(CONTENT_TYPE);
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    Ok(replayed(response))
}

/// The same for two texts of the same JSON: the order of an object's fields means nothing.
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
