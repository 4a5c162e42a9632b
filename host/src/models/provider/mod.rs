//! The client for model providers: any OpenAI-compatible endpoint, and others by their own protocols.
//!
//! Wire formats are `genai`'s. This folder adds what a host needs around them: one endpoint the key may go to,
//! deadlines, bounds on what an endpoint may send, retries before the first piece, and errors without bodies.
//!
//! Bounds hold for what arrives as events. A single event, and the body of an error, are read by the client library
//! without one; the time an endpoint may stay without a complete event limits them.

mod answer;
mod collect;
mod convert;
mod endpoint;
mod failure;
mod retry;

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future, stream};
use genai::{
    Client, ModelIden, ServiceTarget,
    adapter::AdapterKind,
    resolver::{AuthData, Endpoint},
};
use tokio::time::Instant;

use super::{
    ApiKey, ChatRequest, ModelError, ModelSettings, SettingsError,
    chat::ChatStream,
    name::{Family, ModelName},
};
use answer::Answer;
use collect::Collector;
use endpoint::BaseUrl;
use retry::Retries;

/// A host that does not pick up in this time is down; the idle time-out is for those that think.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What local endpoints that want no key get as one: the client library always sends some.
const NO_KEY: &str = "none";

/// A provider's endpoint and the key for it.
#[derive(Debug, Clone)]
pub(super) struct Provider {
    client: Client,
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
        let base_url = settings
            .base_url
            .as_deref()
            .map(BaseUrl::parse)
            .transpose()?;
        let home =
            match ModelName::parse(&settings.default_model).map_err(SettingsError::DefaultModel)? {
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
        let client = Client::builder()
            .with_reqwest(http)
            .build()
            .map_err(|_| SettingsError::Client)?;
        Ok(Self {
            client,
            base_url,
            api_key: settings.api_key.clone(),
            home,
            timeout: settings.timeout,
            idle_timeout: settings.idle_timeout,
            retries: Retries::default(),
        })
    }

    /// Asks for one turn of `model`.
    pub(super) fn chat(
        self: &Arc<Self>,
        family: Family,
        model: &str,
        request: ChatRequest,
    ) -> ChatStream {
        let target = match self.target(family, model) {
            Ok(target) => target,
            Err(error) => return stream::once(future::ready(Err(error))).boxed(),
        };
        let provider = Arc::clone(self);
        let opened = async move { provider.open(target, family, request).await };
        opened.map(Answer::into_stream).flatten_stream().boxed()
    }

    /// Opens an answer; tries again while nothing of it has been handed on.
    async fn open(
        &self,
        target: ServiceTarget,
        family: Family,
        request: ChatRequest,
    ) -> Result<Answer, ModelError> {
        let deadline = Instant::now() + self.timeout;
        let (request, options) = convert::request(request, family);
        let mut attempt = 0;
        loop {
            let opened = self
                .client
                .exec_chat_stream(target.clone(), request.clone(), Some(&options))
                .await;
            let begun = match opened {
                Ok(opened) => {
                    Answer::begin(
                        opened.stream,
                        Collector::new(family),
                        self.idle_timeout,
                        deadline,
                    )
                    .await
                }
                Err(error) => Err(failure::read(error)),
            };
            let failure = match begun {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let Some(wait) = self
                .retries
                .wait(attempt, &failure)
                .filter(|wait| Instant::now() + *wait < deadline)
            else {
                return Err(failure.error);
            };
            tracing::debug!(
                model.attempt = attempt,
                ?wait,
                "asking the model provider again"
            );
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Where to ask. The key goes to the base URL, or to the public endpoint of the provider it is for, and never
    /// to another one that an agent's author names.
    fn target(&self, family: Family, model: &str) -> Result<ServiceTarget, ModelError> {
        let url = match &self.base_url {
            Some(base_url) => base_url.for_family(family),
            None if family != self.home => {
                return Err(ModelError::Misconfigured(
                    "no model provider is set up for this prefix",
                ));
            }
            None if family != Family::Ollama && self.api_key.is_none() => {
                return Err(ModelError::Misconfigured(
                    "no model provider is set up; set BEHALF_MODEL_BASE_URL, BEHALF_MODEL_API_KEY or both",
                ));
            }
            None => endpoint::public(family).to_owned(),
        };
        let key = self.api_key.as_ref().map_or(NO_KEY, ApiKey::expose);
        let kind = match family {
            Family::OpenAi => AdapterKind::OpenAI,
            Family::Anthropic => AdapterKind::Anthropic,
            Family::Gemini => AdapterKind::Gemini,
            Family::Ollama => AdapterKind::Ollama,
        };
        Ok(ServiceTarget {
            endpoint: Endpoint::from_owned(url),
            auth: AuthData::from_single(key),
            model: ModelIden::new(kind, model),
        })
    }
}

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
