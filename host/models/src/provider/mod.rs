//! The client for model providers: any OpenAI-compatible endpoint, and others by their own protocols.
//!
//! It adds to the protocols what a host needs: a key goes to one endpoint only, requests have deadlines, answers have
//! size limits, a request is repeated until its first piece arrives, and errors contain no bodies.

mod access;
mod answer;
mod arguments;
mod collect;
mod endpoint;
mod failure;
mod listed;
mod native;
mod openai;
mod quirks;
mod reason;
mod retry;
mod said;

use std::{sync::Arc, time::Duration};

use backon::Retryable;
use futures::{FutureExt, StreamExt, future, stream};
use genai::{Client, adapter::AdapterKind};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::{
    ApiKey, ChatRequest, ModelError, ModelSettings, SettingsError,
    chat::ChatStream,
    name::{Family, ModelName},
};
pub use access::Access;
use access::Clients;
use answer::{Answer, Events, Teller};
use collect::Collector;
use endpoint::BaseUrl;
use failure::Failure;
pub use quirks::OPTIONAL_FIELDS;
use quirks::{Field, Memory};
use retry::Retries;

/// A server that accepts no connection in this time is down. Waiting for the answer is bounded by the idle time-out.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often one request is sent anew without something that its endpoint refused. Each refusal names one thing.
const MAX_LESSONS: usize = 6;

/// An HTTP client for providers. It unpacks nothing, because compressed bodies could be far larger than the bytes on
/// the wire, and follows no redirect, because one could lead anywhere.
fn http_client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("behalf/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_gzip()
}

/// A provider's endpoint and the key for it.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    http: reqwest::Client,
    native: Client,
    base_url: Option<BaseUrl>,
    api_key: Option<ApiKey>,
    /// The provider that the key belongs to, if there is no base URL.
    home: Family,
    timeout: Duration,
    idle_timeout: Duration,
    retries: Retries,
    /// The fields that no request gets.
    omitted: Vec<Field>,
    /// What endpoints have refused.
    memory: Memory,
}

impl Provider {
    pub(super) fn new(settings: &ModelSettings) -> Result<Self, SettingsError> {
        let base_url = settings.base_url.as_deref().map(BaseUrl::parse).transpose()?;
        let home = match ModelName::parse(&settings.default_model).map_err(SettingsError::DefaultModel)? {
            ModelName::Provided(family, _) => family,
            ModelName::Extractive => Family::OpenAi,
        };
        let http = http_client().build().map_err(|_| SettingsError::Client)?;
        let omitted = settings.omitted_fields.iter().map(|name| Field::named(name.trim()).ok_or(SettingsError::Field));
        Ok(Self {
            omitted: omitted.collect::<Result<_, _>>()?,
            memory: Memory::default(),
            native: native::client(http.clone())?,
            http,
            base_url,
            api_key: settings.api_key.clone(),
            home,
            timeout: settings.timeout,
            idle_timeout: settings.idle_timeout,
            retries: Retries::default(),
        })
    }

    /// Requests one turn of `model`.
    pub(super) fn chat(self: &Arc<Self>, family: Family, model: &str, request: ChatRequest) -> ChatStream {
        let target = match self.target(family, model, &request.accesses) {
            Ok(target) => target,
            Err(error) => return stream::once(future::ready(Err(error))).boxed(),
        };
        let provider = Arc::clone(self);
        let opened = async move { provider.open(target, family, request).await };
        opened.map(Answer::into_stream).flatten_stream().boxed()
    }

    /// Opens an answer and waits for its first piece. Until then a failed request may be repeated.
    async fn open(&self, target: Target, family: Family, request: ChatRequest) -> Result<Answer, ModelError> {
        let deadline = Instant::now() + self.timeout;
        let in_time = |wait: &Duration| Instant::now() + *wait < deadline;
        let teller = Teller { key: target.api_key.clone(), request: Arc::new(request) };
        (|| self.attempt(&target, family, &teller, deadline))
            .retry(self.retries.backoff())
            .adjust(|failure, planned| self.retries.wait(failure, planned).filter(in_time))
            .notify(|_, wait| tracing::debug!(?wait, "asking the model provider again"))
            .await
            .map_err(|failure| teller.tell(failure))
    }

    /// Asks, and asks again without what the endpoint refuses, if the request can do without it.
    async fn attempt(
        &self,
        target: &Target,
        family: Family,
        teller: &Teller,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let origin = target.origin();
        let mut quirks = self.memory.of(&origin);
        quirks.without.extend(&self.omitted);
        for lesson in 0.. {
            let sent = match family {
                Family::OpenAi => Some(openai::body(&teller.request, target, &quirks)),
                _ => None,
            };
            let (body, notes) = sent.map(|sent| (sent.body, sent.notes)).unzip();
            let collected = Collector::new(origin.clone(), notes.unwrap_or_default());
            let failure = match self.once(target, family, (teller, body.as_ref()), collected, deadline).await {
                Ok(answer) => {
                    if lesson > 0 {
                        self.memory.remember(&origin, quirks);
                    }
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            let learned = body.and_then(|body| quirks.learn(&failure, &body, &teller.request));
            match learned.filter(|_| lesson < MAX_LESSONS) {
                Some(learned) => quirks = learned,
                None => return Err(failure),
            }
            tracing::info!("a model endpoint refuses a part of a request; trying without it");
        }
        Err(ModelError::Misconfigured("the endpoint refuses whatever it is sent").into())
    }

    async fn once(
        &self,
        target: &Target,
        family: Family,
        (teller, body): (&Teller, Option<&serde_json::Value>),
        collected: Collector,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let patience = deadline.min(Instant::now() + self.idle_timeout);
        let asked = timeout_at(patience, self.ask(target, family, &teller.request, body)).await;
        let events = asked.map_err(|_| ModelError::Timeout)??;
        Answer::begin(events, collected, teller.clone(), (self.idle_timeout, deadline)).await
    }

    async fn ask(
        &self,
        target: &Target,
        family: Family,
        request: &ChatRequest,
        body: Option<&serde_json::Value>,
    ) -> Result<Events, Failure> {
        let own = target.clients.as_deref();
        let (http, native) = own.map_or((&self.http, &self.native), |own| (&own.http, &own.native));
        let kind = match (family, body) {
            (_, Some(body)) => return openai::ask(http, target, body).await,
            (Family::Anthropic, None) => AdapterKind::Anthropic,
            (Family::Gemini, None) => AdapterKind::Gemini,
            (Family::Ollama | Family::OpenAi, None) => AdapterKind::Ollama,
        };
        native::ask(native, kind, target, request).await
    }

    /// The endpoint for a request. The key goes to the base URL, or to the public endpoint of its own provider, and
    /// never to another one that an agent's author names.
    fn target(&self, family: Family, model: &str, accesses: &[Access]) -> Result<Target, ModelError> {
        if let Some(own) = accesses.iter().find(|access| access.family == family) {
            let (url, api_key, clients) = (own.url.clone(), Some(own.key.clone()), own.clients.clone());
            return Ok(Target { url, api_key, model: model.to_owned(), clients });
        }
        let url = match &self.base_url {
            Some(base_url) => base_url.for_family(family),
            None if family != self.home => {
                return Err(ModelError::Misconfigured("no model provider is set up for this prefix"));
            }
            None if family != Family::Ollama && self.api_key.is_none() => {
                return Err(ModelError::Misconfigured("no model provider is set up on this host"));
            }
            None => endpoint::public(family).to_owned(),
        };
        Ok(Target { url, api_key: self.api_key.clone(), model: model.to_owned(), clients: None })
    }
}

/// The endpoint, key and model of a request.
#[derive(Debug, Clone)]
struct Target {
    /// The address to which the protocol's paths are appended; ends with a slash.
    url: String,
    api_key: Option<ApiKey>,
    /// The provider's own name for the model.
    model: String,
    /// Clients for this endpoint only; if absent, the host's are used.
    clients: Option<Arc<Clients>>,
}

/// Bytes of a digest that tell endpoints and models apart.
const ORIGIN_BYTES: usize = 8;

impl Target {
    /// A digest of the endpoint and the model. It is stored with conversations, which users read, so it does not say the address.
    fn origin(&self) -> String {
        let digest = Sha256::digest(format!("{}\n{}", self.url, self.model));
        hex::encode(digest.get(..ORIGIN_BYTES).unwrap_or(&digest))
    }
}

#[cfg(test)]
mod tests;
