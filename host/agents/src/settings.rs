//! An agent's settings, and what they and a request allow one run.

use std::time::Duration;

use behalf_models::{Models, ReasoningEffort};
use behalf_problem::nearest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const DEFAULT_STEPS: u32 = 25;
/// A model that takes more steps has lost its way.
const MAX_STEPS: u32 = 100;
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(5);
/// A run takes memory and a slot on its host.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);
const DEFAULT_CONTEXT_TOKENS: u32 = 32_000;
const MIN_CONTEXT_TOKENS: u32 = 1_000;
const MAX_CONTEXT_TOKENS: u32 = 256_000;

/// The platform's default.
const DEFAULT_APPROVAL: Duration = Duration::from_mins(5);
/// People go home for the weekend.
const MAX_APPROVAL: Duration = Duration::from_hours(24 * 7);

/// The names of an agent's settings.
const NAMES: [&str; 10] = [
    "temperature",
    "max_tokens",
    "max_steps",
    "reasoning_effort",
    "timeout_seconds",
    "max_context_tokens",
    "max_total_tokens",
    "fallback_model",
    "approval_timeout_seconds",
    "mirror_to_channel",
];

/// The settings of an agent. Unknown names are kept and ignored, because clients of the platform send more of them.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct AgentSettings {
    temperature: Option<f64>,
    max_tokens: Option<u32>,
    max_steps: Option<u32>,
    reasoning_effort: Option<ReasoningEffort>,
    timeout_seconds: Option<f64>,
    max_context_tokens: Option<u32>,
    max_total_tokens: Option<u64>,
    fallback_model: Option<String>,
    approval_timeout_seconds: Option<f64>,
    mirror_to_channel: Option<bool>,
}

/// Settings that one request overrides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunOverrides {
    pub(crate) temperature: Option<f64>,
    pub(crate) timeout_seconds: Option<f64>,
    pub(crate) max_context_tokens: Option<u32>,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) reasoning_effort: Option<ReasoningEffort>,
}

/// How much one run may use, and how it asks its model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunBudget {
    pub(crate) temperature: Option<f64>,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) max_steps: u32,
    pub(crate) reasoning_effort: Option<ReasoningEffort>,
    pub(crate) timeout: Duration,
    pub(crate) context_tokens: u32,
    /// Tokens of all steps together, those of agents that are asked included.
    pub(crate) total_tokens: Option<u64>,
    /// The model to go on with where the first one fails.
    pub(crate) fallback_model: Option<String>,
    /// How long the run waits for somebody to agree to a call.
    pub(crate) approval_timeout: Duration,
    /// Whether its events are messages of its user's channel as well.
    pub(crate) is_mirrored: bool,
}

impl AgentSettings {
    /// Reads stored or sent settings; the error names what is wrong.
    pub(crate) fn read(settings: &Value) -> Result<Self, String> {
        if !settings.is_object() {
            return Err("settings must be a JSON object".to_owned());
        }
        let read = Self::deserialize(settings).map_err(|error| format!("settings: {error}"))?;
        if let Some(model) = read.fallback_model.as_deref().filter(|model| !model.is_empty()) {
            Models::check_name(model).map_err(|error| format!("settings: fallback_model: {error}"))?;
        }
        Ok(read)
    }

    /// Checks what an operator sends: also that no name is a slip of the pen, which would be kept and ignored.
    pub(crate) fn check(settings: &Value) -> Result<Self, String> {
        let read = Self::read(settings)?;
        let unknown =
            settings.as_object().into_iter().flat_map(Map::keys).filter(|name| !NAMES.contains(&name.as_str()));
        for name in unknown {
            if let Some(meant) = nearest(name, NAMES) {
                return Err(format!("settings: {name:?} is no setting of an agent; {meant:?} is"));
            }
        }
        Ok(read)
    }

    /// The budget of a run: the agent's settings, over them the request's overrides, everything within the host's limits.
    pub(crate) fn budget(&self, overrides: RunOverrides) -> RunBudget {
        let seconds = overrides.timeout_seconds.or(self.timeout_seconds);
        let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(DEFAULT_TIMEOUT);
        let tokens = overrides.max_context_tokens.or(self.max_context_tokens).unwrap_or(DEFAULT_CONTEXT_TOKENS);
        RunBudget {
            temperature: overrides.temperature.or(self.temperature),
            // What the operator allows is not the caller's to raise.
            max_tokens: self.max_tokens.into_iter().chain(overrides.max_tokens).min(),
            max_steps: self.max_steps.unwrap_or(DEFAULT_STEPS).clamp(1, MAX_STEPS),
            reasoning_effort: overrides.reasoning_effort.or(self.reasoning_effort),
            timeout: timeout.clamp(Duration::from_secs(1), MAX_TIMEOUT),
            context_tokens: tokens.clamp(MIN_CONTEXT_TOKENS, MAX_CONTEXT_TOKENS),
            total_tokens: self.max_total_tokens.filter(|tokens| *tokens > 0),
            fallback_model: self.fallback_model.clone().filter(|model| !model.is_empty()),
            approval_timeout: self
                .approval_timeout_seconds
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .unwrap_or(DEFAULT_APPROVAL)
                .clamp(Duration::from_secs(1), MAX_APPROVAL),
            is_mirrored: self.mirror_to_channel.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_have_defaults_and_limits() {
        let budget = AgentSettings::read(&json!({ "max_steps": 0, "unknown": true }))
            .expect("settings")
            .budget(RunOverrides::default());
        assert_eq!((budget.max_steps, budget.timeout, budget.context_tokens), (1, DEFAULT_TIMEOUT, 32_000));
        let overrides = RunOverrides {
            timeout_seconds: Some(1e300),
            max_context_tokens: Some(u32::MAX),
            temperature: Some(0.5),
            ..RunOverrides::default()
        };
        let budget = AgentSettings::default().budget(overrides);
        assert_eq!((budget.timeout, budget.context_tokens, budget.temperature), (DEFAULT_TIMEOUT, 256_000, Some(0.5)));
    }

    #[test]
    fn a_caller_may_ask_for_less_than_the_operator_allows() {
        let settings = AgentSettings::read(&json!({ "max_tokens": 100 })).expect("settings");
        let asked = |max_tokens| settings.budget(RunOverrides { max_tokens, ..RunOverrides::default() }).max_tokens;
        assert_eq!((asked(None), asked(Some(10)), asked(Some(1_000))), (Some(100), Some(10), Some(100)));
    }

    #[test]
    fn a_name_that_is_a_slip_is_refused_with_the_one_that_is_meant() {
        for (written, meant) in
            [("maxsteps", "max_steps"), ("Temprature", "temperature"), ("timeout_second", "timeout_seconds")]
        {
            let said = AgentSettings::check(&json!({ written: 1 })).expect_err(written);
            assert!(said.contains(written) && said.contains(meant), "{said}");
        }
        // Clients of the platform send other names, which are kept.
        assert!(AgentSettings::check(&json!({ "note": "words", "api_key": "x", "max_steps": 3 })).is_ok());
        // What was stored before is read as it is.
        assert!(AgentSettings::read(&json!({ "maxsteps": 1 })).is_ok());
    }

    #[test]
    fn the_list_of_names_has_every_field() {
        let own = include_str!("settings.rs").split_once("struct AgentSettings {").map(|(_, rest)| rest);
        let fields = own.and_then(|rest| rest.split_once('}')).map(|(fields, _)| fields.matches(": Option<").count());
        assert_eq!(fields, Some(NAMES.len()));
    }

    #[test]
    fn settings_of_the_wrong_kind_are_named() {
        for bad in [
            json!([]),
            json!({ "max_steps": "many" }),
            json!({ "reasoning_effort": "infinite" }),
            json!({ "mirror_to_channel": "chat" }),
        ] {
            assert!(AgentSettings::read(&bad).is_err(), "{bad}");
        }
    }
}
