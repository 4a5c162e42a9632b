//! Embedding servers: what all protocols share. A key goes to one address only, requests have deadlines, answers have size
//! limits, and errors repeat nothing that a server sent but an error code.

mod address;
mod answer;
mod failure;
mod ollama;
mod openai;
mod prefix;

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use behalf_telemetry::trace;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use self::address::BaseUrl;
use self::failure::Failure;
use crate::name::{Family, ModelName};
use crate::{ApiKey, EmbeddingError, EmbeddingOptions, Purpose};

/// A server that accepts no connection in this time is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one request may take, with its repetitions. Somebody waits for a query; a server without a graphics card needs long
/// for documents.
const QUERY_TIMEOUT: Duration = Duration::from_secs(20);
const DOCUMENTS_TIMEOUT: Duration = Duration::from_mins(3);
/// Texts of one request. Those of `openai/` may have 2,048 and 300,000 tokens.
const MAX_TEXTS: usize = 64;
/// Bytes of the texts of one request. No token is shorter than a byte, so these fit in any case.
const MAX_BYTES: usize = 256 * 1024;
/// Requests of one call at the same time, and of the whole host for documents.
const AT_ONCE: usize = 4;
const DOCUMENTS_AT_ONCE: usize = 8;
/// How often a request is repeated.
const QUERY_RETRIES: usize = 2;
const DOCUMENTS_RETRIES: usize = 5;
/// The longest wait before a repetition.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// An embedding server and the key for it.
#[derive(Debug)]
pub(crate) struct Server {
    http: reqwest::Client,
    base_url: Option<BaseUrl>,
    api_key: Option<ApiKey>,
    /// The protocol that the key belongs to, if there is no base URL.
    home: Family,
    /// The length of the vectors of this model, if it can be chosen.
    dimensions: Option<(String, u32)>,
    documents: Semaphore,
    first_wait: Duration,
}

/// The address, key and model of a request.
#[derive(Debug)]
struct Target<'a> {
    /// The address to which the protocol's path is appended; ends with a slash.
    url: String,
    family: Family,
    model: &'a str,
    dimensions: Option<u32>,
    purpose: Purpose,
}

impl Server {
    pub(crate) fn new(options: &EmbeddingOptions) -> Result<Self, EmbeddingError> {
        // It unpacks nothing, because compressed bodies could be far larger than the bytes on the wire, and follows no
        // redirect, because one could lead anywhere.
        let http = reqwest::Client::builder()
            .user_agent(concat!("behalf/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip()
            .build()
            .map_err(|_| EmbeddingError::NotSetUp("the client of embedding servers could not be made"))?;
        let base_url = options.base_url.as_deref().map(BaseUrl::parse).transpose()?;
        let (home, model) = match ModelName::parse(&options.default_model)? {
            ModelName::Served(family, model) => (family, Some(model)),
            ModelName::Local => (Family::OpenAi, None),
        };
        Ok(Self {
            http,
            base_url,
            api_key: options.api_key.clone(),
            home,
            dimensions: model.map(str::to_owned).zip(options.dimensions),
            documents: Semaphore::new(DOCUMENTS_AT_ONCE),
            first_wait: Duration::from_millis(350),
        })
    }

    /// A vector for each text.
    pub(crate) async fn vectors(
        &self,
        family: Family,
        model: &str,
        purpose: Purpose,
        texts: &[String],
    ) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let target = self.target(family, model, purpose)?;
        let mut requests = Vec::new();
        for group in groups(texts) {
            requests.push(self.request(&target, group));
        }
        let answers: Vec<Vec<Vec<f32>>> = stream::iter(requests).buffered(AT_ONCE).try_collect().await?;
        let vectors = answers.concat();
        let dims = vectors.first().map_or(0, Vec::len);
        if vectors.iter().any(|vector| vector.len() != dims) {
            return Err(EmbeddingError::Answer("its vectors have different lengths"));
        }
        Ok(vectors)
    }

    async fn request(&self, target: &Target<'_>, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let (time, retries) = match target.purpose {
            Purpose::Query => (QUERY_TIMEOUT, QUERY_RETRIES),
            Purpose::Document => (DOCUMENTS_TIMEOUT, DOCUMENTS_RETRIES),
        };
        let _place = match target.purpose {
            Purpose::Query => None,
            // It is never closed.
            Purpose::Document => Some(self.documents.acquire().await.map_err(|_| EmbeddingError::Busy)?),
        };
        let deadline = Instant::now() + time;
        let backoff = ExponentialBuilder::new().with_min_delay(self.first_wait).with_max_times(retries).with_jitter();
        (|| async { timeout_at(deadline, self.attempt(target, texts)).await.map_err(|_| EmbeddingError::Timeout)? })
            .retry(backoff)
            .adjust(|failure: &Failure, planned| {
                failure.wait(planned?).filter(|wait| *wait <= LONGEST_WAIT && Instant::now() + *wait < deadline)
            })
            .notify(|_, wait| tracing::debug!(?wait, "asking the embedding server again"))
            .await
            .map_err(|failure| failure.error)
    }

    async fn attempt(&self, target: &Target<'_>, texts: &[String]) -> Result<Vec<Vec<f32>>, Failure> {
        let prefix = prefix::of(target.model, target.purpose);
        let texts: Vec<String> = texts.iter().map(|text| format!("{prefix}{}", not_empty(text))).collect();
        let (path, body) = match target.family {
            Family::OpenAi => openai::request(target, &texts),
            Family::Ollama => ollama::request(target, &texts),
        };
        let answer = self.post(&format!("{}{path}", target.url), &body, texts.len()).await?;
        let vectors = match target.family {
            Family::OpenAi => openai::read(&answer, texts.len())?,
            Family::Ollama => ollama::read(&answer)?,
        };
        Ok(answer::checked(vectors, texts.len(), target.dimensions)?)
    }

    async fn post(&self, url: &str, body: &Value, texts: usize) -> Result<Vec<u8>, Failure> {
        let mut traced = HeaderMap::new();
        trace::continue_at(&mut traced);
        let mut request = self.http.post(url).headers(traced).json(body);
        if let Some(key) = &self.api_key {
            request = request.header(AUTHORIZATION, format!("Bearer {}", key.expose()));
        }
        let response = request.send().await.map_err(|error| failure::transport(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            return Ok(answer::body(response, answer::most_bytes(texts)).await?);
        }
        // What cannot be read of the body says nothing of the failure.
        let body = answer::body(response, failure::MAX_BYTES).await.unwrap_or_default();
        Err(failure::answered(status, &headers, &body))
    }

    /// The key goes to the base URL, or to the usual address of its own protocol, and to no other that a model's name chooses.
    fn target<'a>(&self, family: Family, model: &'a str, purpose: Purpose) -> Result<Target<'a>, EmbeddingError> {
        let url = match &self.base_url {
            Some(base_url) => base_url.of(family),
            None if family != self.home => {
                return Err(EmbeddingError::NotSetUp("no embedding server is set up for this prefix"));
            }
            None if family == Family::OpenAi && self.api_key.is_none() => {
                return Err(EmbeddingError::NotSetUp("neither an address nor a key of an embedding server is set"));
            }
            None => address::usual(family).to_owned(),
        };
        let dimensions = self.dimensions.as_ref().filter(|(of, _)| family == self.home && of == model);
        Ok(Target { url, family, model, dimensions: dimensions.map(|(_, dims)| *dims), purpose })
    }
}

/// Servers refuse empty texts, and a vector is needed for each.
fn not_empty(text: &str) -> &str {
    if text.trim().is_empty() { "." } else { text }
}

/// Neighbouring texts that go in one request.
fn groups(texts: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = texts;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(MAX_TEXTS).take_while(|text| {
            bytes += text.len();
            bytes <= MAX_BYTES
        });
        let count = fits.count().max(1);
        let (group, others) = rest.split_at_checked(count)?;
        rest = others;
        Some(group)
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::{Fake, status};
