//! Chat models: one interface, [`Models::chat`], to OpenAI-compatible endpoints, other providers, and a built-in model.
//!
//! This crate owns the types of a conversation, the client for model providers, and the built-in model, which needs no
//! provider. It never sees a caller's identity, calls no tool, logs no message, and sends a provider's key to no other
//! endpoint than the one it belongs to.

mod chat;
mod error;
mod extractive;
mod key;
mod name;
mod opaque;
mod provider;
mod settings;

pub use chat::{
    ChatRequest, ChatStream, Delta, FinishReason, Message, ReasoningEffort, ResponseFormat, ToolCall, ToolSpec, Usage,
};
pub use error::{Cause, ModelError, Reason, UnknownModel};
pub use key::ApiKey;
pub use name::EXTRACTIVE;
pub use opaque::Opaque;
pub use provider::{Access, OPTIONAL_FIELDS};
pub use settings::{ModelSettings, SettingsError};

use std::sync::Arc;

use behalf_problem::nearest;
use futures::{StreamExt, future, stream};
use name::{Family, ModelName};
use provider::Provider;

/// An endpoint does not list a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint lists {count} models and not this one{}", .meant.as_ref().map(|meant| format!("; {meant:?} may be meant")).unwrap_or_default())]
pub struct NotListed {
    /// The model that is probably meant, as the endpoint calls it.
    pub meant: Option<String>,
    /// How many it lists.
    pub count: usize,
}

/// The chat models of a deployment.
#[derive(Debug, Clone)]
pub struct Models {
    default_model: String,
    provider: Arc<Provider>,
}

impl Models {
    /// Makes the models that `settings` describe. This sends no request yet.
    pub fn new(settings: ModelSettings) -> Result<Self, SettingsError> {
        let provider = Arc::new(Provider::new(&settings)?);
        Ok(Self { default_model: settings.default_model, provider })
    }

    /// The model that answers if a request names none.
    pub fn default_model(&self) -> &str {
        &self.default_model
    }

    /// Checks the form of a model's name. Only a request shows whether the provider has that model.
    pub fn check_name(name: &str) -> Result<(), UnknownModel> {
        ModelName::parse(name).map(drop)
    }

    /// The model that the deployment's own endpoint lists in the place of this one, which it does not list: the error has the name that is
    /// probably meant. An endpoint that lists nothing may have any model.
    pub async fn check_listed(&self, name: &str) -> Result<(), NotListed> {
        let Ok(ModelName::Provided(Family::OpenAi, model)) = ModelName::parse(name) else { return Ok(()) };
        let Some(listed) = self.provider.listed().await else { return Ok(()) };
        if listed.contains(&model) {
            return Ok(());
        }
        let meant = nearest(&model, listed.iter().map(String::as_str));
        Err(NotListed { meant: meant.map(str::to_owned), count: listed.len() })
    }

    /// Requests one turn. Errors also arrive through the stream.
    pub fn chat(&self, request: ChatRequest) -> ChatStream {
        match ModelName::parse(request.model.as_deref().unwrap_or(&self.default_model)) {
            Ok(ModelName::Extractive) => extractive::chat(&request),
            Ok(ModelName::Provided(family, model)) => self.provider.chat(family, &model, request),
            Err(unknown) => stream::once(future::ready(Err(unknown.into()))).boxed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(model: Option<&str>) -> Vec<Result<Delta, ModelError>> {
        let models = Models::new(ModelSettings::default()).expect("the defaults are good");
        let request = ChatRequest {
            model: model.map(str::to_owned),
            messages: vec![Message::user("hello")],
            ..ChatRequest::default()
        };
        models.chat(request).collect().await
    }

    #[tokio::test]
    async fn a_host_without_settings_answers_with_the_built_in_model() {
        assert!(matches!(answer(None).await.last(), Some(Ok(Delta::Done { .. }))));
        assert_eq!(answer(None).await, answer(Some(EXTRACTIVE)).await);
    }

    #[tokio::test]
    async fn other_models_are_told_to_be_out_of_reach() {
        let unknown = answer(Some("mystery/m")).await;
        assert_eq!(unknown, [Err(ModelError::UnknownModel(UnknownModel))]);
        let unset = answer(Some("openai/gpt-4o")).await;
        assert!(matches!(unset.as_slice(), [Err(ModelError::Misconfigured(_))]), "{unset:?}");
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let refused = |settings| Models::new(settings).err();
        let base_url = ModelSettings { base_url: Some("localhost".to_owned()), ..ModelSettings::default() };
        assert_eq!(refused(base_url), Some(SettingsError::BaseUrl));
        let name = ModelSettings { default_model: "mystery/m".to_owned(), ..ModelSettings::default() };
        assert_eq!(refused(name), Some(SettingsError::DefaultModel(UnknownModel)));
    }
}
