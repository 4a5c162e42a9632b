//! The client for model providers: any OpenAI-compatible endpoint, and others by their own protocols.
//!
//! Around the wire formats stands what a host needs: one endpoint the key may go to, deadlines, bounds on what an
//! endpoint may send, retries before the first piece, and errors without bodies.

mod access;
mod answer;
mod collect;
mod endpoint;
mod failure;
mod native;
mod openai;
mod retry;

use std::{sync::Arc, time::Duration};

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

/// A host that does not pick up in this time is down; the idle time-out is for those that think.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A provider's endpoint and the key for it.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    http: reqwest::Client,
    native: Client,
    base_url: Option<BaseUrl>,
    api_key: Option<ApiKey>,
    /// Whose key it is, where no base URL says where it belongs.
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
        // Compressed bodies could be far larger than what came over the wire, and a redirect could lead anywhere.
        let http = reqwest::Client::builder()
            .user_agent(concat!("behalf/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip()
            .build()
            .map_err(|_| SettingsError::Client)?;
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

    /// Asks for one turn of `model`.
    pub(super) fn chat(self: &Arc<Self>, family: Family, model: &str, request: ChatRequest) -> ChatStream {
        let target = match self.target(family, model, &request.accesses) {
            Ok(target) => target,
            Err(error) => return stream::once(future::ready(Err(error))).boxed(),
        };
        let provider = Arc::clone(self);
        let opened = async move { provider.open(target, family, request).await };
        opened.map(Answer::into_stream).flatten_stream().boxed()
    }

    /// Opens an answer; tries again while nothing of it has been handed on.
    async fn open(&self, target: Target, family: Family, request: ChatRequest) -> Result<Answer, ModelError> {
        let deadline = Instant::now() + self.timeout;
        let mut attempt = 0;
        loop {
            let failure = match self.attempt(&target, family, request.clone(), deadline).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wait = self.retries.wait(attempt, &failure).filter(|wait| Instant::now() + *wait < deadline);
            let Some(wait) = wait else {
                return Err(failure.error);
            };
            tracing::debug!(model.attempt = attempt, ?wait, "asking the model provider again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
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

    /// Where to ask. The key goes to the base URL, or to the public endpoint of the provider it is for, and never
    /// to another one that an agent's author names.
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
                return Err(ModelError::Misconfigured(
                    "no model provider is set up; set BEHALF_MODEL_BASE_URL, BEHALF_MODEL_API_KEY or both",
                ));
            }
            None => endpoint::public(family).to_owned(),
        };
        Ok(Target { url, api_key: self.api_key.clone(), model: model.to_owned(), clients: None })
    }
}

/// Whom to ask for an answer.
#[derive(Debug, Clone)]
struct Target {
    /// What the protocol's paths are appended to; ends with a slash.
    url: String,
    api_key: Option<ApiKey>,
    /// The provider's own name for the model.
    model: String,
    /// Clients of this endpoint alone; the host's where absent.
    clients: Option<Arc<Clients>>,
}

#[cfg(test)]
mod tests;
