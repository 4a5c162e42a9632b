//! `OpenAI`'s chat completions protocol, which most providers and local servers support.
//!
//! The endpoint may belong to anybody, so everything that is read from it has a size limit.

mod body;
mod event;
mod lines;
mod request;

use std::collections::VecDeque;

use behalf_telemetry::trace;
use futures::{StreamExt, stream};
use reqwest::{
    Client, Response,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue},
};
use serde_json::Value;

use super::{
    Target,
    answer::Events,
    collect::Event,
    failure::{self, Failure},
};
use crate::{ApiKey, ModelError};
use body::Body;
pub(super) use request::body;

/// The most bytes of an error's body that are read to classify it.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// What an answer may be.
const ACCEPTED: &str = "text/event-stream, application/json;q=0.9";

/// Sends a request and waits for the head of the answer.
pub(super) async fn ask(client: &Client, target: &Target, body: &Value) -> Result<Events, Failure> {
    let mut traced = HeaderMap::new();
    trace::continue_at(&mut traced);
    let url = format!("{}chat/completions", target.url);
    let mut asked = client.post(url).header(ACCEPT, ACCEPTED).headers(traced).json(body);
    if let Some(key) = &target.api_key {
        asked = asked.header(AUTHORIZATION, bearer(key)?);
    }
    let response = asked.send().await.map_err(|error| failure::transport(&error))?;
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    Ok(stream::unfold(Some(Reading::new(response)), |reading| async { reading?.next().await }).boxed())
}

fn bearer(key: &ApiKey) -> Result<HeaderValue, ModelError> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose()))
        .map_err(|_| ModelError::Misconfigured("the provider's key cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn refusal(mut response: Response) -> Failure {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    // If the body breaks off, the status is enough.
    while let Ok(Some(bytes)) = response.chunk().await {
        body.extend_from_slice(&bytes);
        if body.len() > MAX_ERROR_BYTES {
            break;
        }
    }
    failure::answered(status, &headers, &body)
}

/// The body of an answer while it is read.
struct Reading {
    response: Response,
    body: Body,
    ready: VecDeque<Event>,
    ended: bool,
}

impl Reading {
    fn new(response: Response) -> Self {
        Self { response, body: Body::default(), ready: VecDeque::new(), ended: false }
    }

    async fn next(mut self) -> Option<(Result<Event, Failure>, Option<Self>)> {
        match self.advance().await {
            Ok(event) => event.map(|event| (Ok(event), Some(self))),
            Err(failure) => Some((Err(failure), None)),
        }
    }

    async fn advance(&mut self) -> Result<Option<Event>, Failure> {
        if let Some(event) = self.ready.pop_front() {
            return Ok(Some(event));
        }
        if self.ended {
            return Ok(None);
        }
        if !self.body.advance(&mut self.ready)? {
            if let Some(bytes) = self.response.chunk().await.map_err(|error| failure::transport(&error))? {
                self.body.push(&bytes)?;
            } else {
                self.ended = true;
                self.body.ended(&mut self.ready)?;
            }
        }
        Ok(Some(self.ready.pop_front().unwrap_or(Event::Noise)))
    }
}
