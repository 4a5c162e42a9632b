use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::models::{Models, ReasoningEffort};

const DEFAULT_STEPS: u32 = 25;
/// More steps than this are a model that lost its way.
const MAX_STEPS: u32 = 100;
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(5);
/// A run holds memory and a place on its host.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);
const DEFAULT_CONTEXT_TOKENS: u32 = 32_000;
const MIN_CONTEXT_TOKENS: u32 = 1_000;
const MAX_CONTEXT_TOKENS: u32 = 256_000;

/// The platform's.
const DEFAULT_APPROVAL: Duration = Duration::from_mins(5);
/// People go home for the weekend.
const MAX_APPROVAL: Duration = Duration::from_hours(24 * 7);

/// What an operator set for an agent. Unknown names are kept and ignored, as clients of the platform send more of them.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AgentSettings {
    temperature: Option<f64>,
    max_tokens: Option<u32>,
    max_steps: Option<u32>,
    reasoning_effort: Option<ReasoningEffort>,
    timeout_seconds: Option<f64>,
    max_context_tokens: Option<u32>,
    max_total_tokens: Option<u64>,
    fallback_model: Option<String>,
    approval_timeout_seconds: Option<f64>,
}

/// What one request asks for beside the agent's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Wishes {
    pub(super) temperature: Option<f64>,
    pub(super) timeout_seconds: Option<f64>,
    pub(super) max_context_tokens: Option<u32>,
    pub(super) max_tokens: Option<u32>,
    pub(super) reasoning_effort: Option<ReasoningEffort>,
}

/// What holds for one run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) temperature: Option<f64>,
    pub(super) max_tokens: Option<u32>,
    pub(super) max_steps: u32,
    pub(super) reasoning_effort: Option<ReasoningEffort>,
    pub(super) timeout: Duration,
    pub(super) context_tokens: u32,
    /// Tokens of all steps together, those of agents that are asked included.
    pub(super) total_tokens: Option<u64>,
    /// The model to go on with where the first one fails.
    pub(super) fallback_model: Option<String>,
    /// How long somebody who has to agree to a call is waited for.
    pub(super) approval_timeout: Duration,
}

impl AgentSettings {
    /// Reads stored or sent settings; the error names what is wrong.
    pub fn read(settings: &Value) -> Result<Self, String> {
        if !settings.is_object() {
            return Err("settings must be a JSON object".to_owned());
        }
        let read = Self::deserialize(settings).map_err(|error| format!("settings: {error}"))?;
        if let Some(model) = read.fallback_model.as_deref().filter(|model| !model.is_empty()) {
            Models::check_name(model).map_err(|error| format!("settings: fallback_model: {error}"))?;
        }
        Ok(read)
    }

    /// The bounds of a run: the agent's settings, the request's wishes over them, everything within the host's limits.
    pub(super) fn bounds(&self, wishes: Wishes) -> Bounds {
        let seconds = wishes.timeout_seconds.or(self.timeout_seconds);
        let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(DEFAULT_TIMEOUT);
        let tokens = wishes.max_context_tokens.or(self.max_context_tokens).unwrap_or(DEFAULT_CONTEXT_TOKENS);
        Bounds {
            temperature: wishes.temperature.or(self.temperature),
            // What the operator allows is not the caller's to raise.
            max_tokens: self.max_tokens.into_iter().chain(wishes.max_tokens).min(),
            max_steps: self.max_steps.unwrap_or(DEFAULT_STEPS).clamp(1, MAX_STEPS),
            reasoning_effort: wishes.reasoning_effort.or(self.reasoning_effort),
            timeout: timeout.clamp(Duration::from_secs(1), MAX_TIMEOUT),
            context_tokens: tokens.clamp(MIN_CONTEXT_TOKENS, MAX_CONTEXT_TOKENS),
            total_tokens: self.max_total_tokens.filter(|tokens| *tokens > 0),
            fallback_model: self.fallback_model.clone().filter(|model| !model.is_empty()),
            approval_timeout: self
                .approval_timeout_seconds
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .unwrap_or(DEFAULT_APPROVAL)
                .clamp(Duration::from_secs(1), MAX_APPROVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_have_defaults_and_limits() {
        let bounds = AgentSettings::read(&json!({ "max_steps": 0, "unknown": true }))
            .expect("settings")
            .bounds(Wishes::default());
        assert_eq!((bounds.max_steps, bounds.timeout, bounds.context_tokens), (1, DEFAULT_TIMEOUT, 32_000));
        let wishes = Wishes {
            timeout_seconds: Some(1e300),
            max_context_tokens: Some(u32::MAX),
            temperature: Some(0.5),
            ..Wishes::default()
        };
        let bounds = AgentSettings::default().bounds(wishes);
        assert_eq!((bounds.timeout, bounds.context_tokens, bounds.temperature), (DEFAULT_TIMEOUT, 256_000, Some(0.5)));
    }

    #[test]
    fn a_caller_may_ask_for_less_than_the_operator_allows() {
        let settings = AgentSettings::read(&json!({ "max_tokens": 100 })).expect("settings");
        let asked = |max_tokens| settings.bounds(Wishes { max_tokens, ..Wishes::default() }).max_tokens;
        assert_eq!((asked(None), asked(Some(10)), asked(Some(1_000))), (Some(100), Some(10), Some(100)));
    }

    #[test]
    fn settings_of_the_wrong_kind_are_named() {
        for bad in [json!([]), json!({ "max_steps": "many" }), json!({ "reasoning_effort": "infinite" })] {
            assert!(AgentSettings::read(&bad).is_err(), "{bad}");
        }
    }
}
