//! The client for model providers: any OpenAI-compatible endpoint, and others by their own protocols.
//!
//! It adds to the protocols what a host needs: a key goes to one endpoint only, requests have deadlines, answers have
//! size limits, a request is repeated until its first piece arrives, and errors contain no bodies.

mod access;
mod answer;
mod collect;
mod endpoint;
mod failure;
mod native;
mod openai;
mod retry;

use std::{sync::Arc, time::Duration};

use backon::Retryable;
use futures::{FutureExt, StreamExt, future, stream};
use genai::{Client, adapter::AdapterKind};
use tokio::time::{Instant, timeout_at};

use super::{
    ApiKey, ChatRequest, ModelError, ModelSettings, SettingsError,
    chat::ChatStream,
    name::{Family, ModelName},
};
pub use access::Access;
use access::Clients;
use answer::{Answer, Events};
use endpoint::BaseUrl;
use failure::Failure;
use retry::Retries;

/// A server that accepts no connection in this time is down. Waiting for the answer is bounded by the idle time-out.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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
}

impl Provider {
    pub(super) fn new(settings: &ModelSettings) -> Result<Self, SettingsError> {
        let base_url = settings.base_url.as_deref().map(BaseUrl::parse).transpose()?;
        let home = match ModelName::parse(&settings.default_model).map_err(SettingsError::DefaultModel)? {
            ModelName::Provided(family, _) => family,
            ModelName::Extractive => Family::OpenAi,
        };
        let http = http_client().build().map_err(|_| SettingsError::Client)?;
        Ok(Self {
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
        (|| self.attempt(&target, family, request.clone(), deadline))
            .retry(self.retries.backoff())
            .adjust(|failure, planned| self.retries.wait(failure, planned).filter(in_time))
            .notify(|_, wait| tracing::debug!(?wait, "asking the model provider again"))
            .await
            .map_err(|failure| failure.error)
    }

    async fn attempt(
        &self,
        target: &Target,
        family: Family,
        request: ChatRequest,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let patience = deadline.min(Instant::now() + self.idle_timeout);
        let asked = timeout_at(patience, self.ask(target, family, request)).await;
        let events = asked.map_err(|_| ModelError::Timeout)??;
        Answer::begin(events, self.idle_timeout, deadline).await
    }

    async fn ask(&self, target: &Target, family: Family, request: ChatRequest) -> Result<Events, Failure> {
        let own = target.clients.as_deref();
        let (http, native) = own.map_or((&self.http, &self.native), |own| (&own.http, &own.native));
        let kind = match family {
            Family::OpenAi => return openai::ask(http, target, request).await,
            Family::Anthropic => AdapterKind::Anthropic,
            Family::Gemini => AdapterKind::Gemini,
            Family::Ollama => AdapterKind::Ollama,
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

#[cfg(test)]
mod tests;
