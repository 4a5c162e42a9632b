//! Optional fields of requests that endpoints refuse. Each is refused whenever it is there, so that a run is completed only if the
//! host leaves it out.

use serde_json::json;

use super::reply::{Reply, say, whole};
use super::{Asked, Behaviour, Outcome};

const DONE: Outcome = Outcome::Answers("Done.");

/// Refuses a request with this field, in `OpenAI`'s words.
fn refuse(asked: &Asked<'_>, field: &str, words: &str) -> Reply {
    if !asked.has(field) {
        return say("Done.");
    }
    let error =
        json!({"message": words, "type": "invalid_request_error", "param": field, "code": "unsupported_parameter"});
    Reply::json(400, &json!({ "error": error }))
}

pub(super) const ALL: &[Behaviour] = &[
    Behaviour {
        name: "refuses-stream-options",
        provider: "Mistral",
        source: "https://github.com/openai/openai-agents-python/issues/442",
        outcome: DONE,
        answer: |asked| {
            if !asked.has("stream_options") {
                return say("Done.");
            }
            let detail = json!([{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"], "msg": "Extra inputs are not permitted", "input": true}]);
            Reply::json(
                422,
                &json!({"object": "error", "message": {"detail": detail}, "type": "invalid_request_error", "param": null, "code": null}),
            )
        },
    },
    Behaviour {
        name: "refuses-an-extra-field",
        provider: "Fireworks",
        source: "https://github.com/FlowiseAI/Flowise/issues/2866",
        outcome: DONE,
        answer: |asked| {
            let words = "Extra inputs are not permitted, field: 'stream_options', value: {'include_usage': True}";
            refuse(asked, "stream_options", words)
        },
    },
    Behaviour {
        name: "refuses-max-tokens",
        provider: "Azure OpenAI",
        source: "https://github.com/lobehub/lobehub/issues/5909",
        outcome: DONE,
        answer: |asked| {
            let words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
            if !asked.has("max_tokens") && !asked.has("max_completion_tokens") {
                return Reply::json(400, &json!({"error": {"message": "a limit is missing"}}));
            }
            refuse(asked, "max_tokens", words)
        },
    },
    Behaviour {
        // The host sends the newer name to models that are named so.
        name: "o1-knows-only-max-tokens",
        provider: "Azure OpenAI (older versions)",
        source: "https://github.com/openai/openai-python/issues/1724",
        outcome: DONE,
        answer: |asked| {
            if !asked.has("max_completion_tokens") && !asked.has("max_tokens") {
                return Reply::json(400, &json!({"error": {"message": "a limit is missing"}}));
            }
            refuse(asked, "max_completion_tokens", "Unrecognized request argument supplied: max_completion_tokens")
        },
    },
    Behaviour {
        name: "refuses-temperature",
        provider: "Moonshot (Kimi)",
        source: "https://github.com/promptfoo/promptfoo/pull/9672",
        outcome: DONE,
        answer: |asked| refuse(asked, "temperature", "invalid temperature: only 1 is allowed for this model"),
    },
    Behaviour {
        name: "refuses-reasoning-effort",
        provider: "xAI",
        source: "https://github.com/neavo/LinguaGacha/issues/771",
        outcome: DONE,
        answer: |asked| {
            if !asked.has("reasoning_effort") {
                return say("Done.");
            }
            Reply::json(
                400,
                &json!({"code": "Client specified an invalid argument", "error": "Model x does not support parameter reasoningEffort."}),
            )
        },
    },
    Behaviour {
        name: "refuses-unknown-names",
        provider: "Gemini's OpenAI endpoint",
        source: "https://github.com/SuzumiyaAkizuki/ComfyUI-NewBie-LLM-Formatter/issues/3",
        outcome: DONE,
        answer: |asked| {
            if !asked.has("reasoning_effort") {
                return say("Done.");
            }
            let words = "Invalid JSON payload received. Unknown name \"reasoning_effort\": Cannot find field.";
            Reply::json(400, &json!([{"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}]))
        },
    },
    Behaviour {
        name: "refuses-to-stream",
        provider: "OpenAI (unverified organisations)",
        source: "https://help.openai.com/en/articles/10910291-api-organization-verification",
        outcome: DONE,
        answer: |asked| {
            if asked.body["stream"] != true {
                return Reply::json(200, &whole(&json!({"role": "assistant", "content": "Done."}), Some("stop")));
            }
            let words = "Your organization must be verified to stream this model.";
            Reply::json(400, &json!({"error": {"message": words, "param": "stream", "code": "unsupported_value"}}))
        },
    },
    Behaviour {
        name: "refuses-several-one-by-one",
        provider: "OpenAI (reasoning models)",
        source: "https://platform.openai.com/docs/guides/reasoning",
        outcome: DONE,
        answer: |asked| {
            for field in ["temperature", "max_tokens", "reasoning_effort"] {
                if asked.has(field) {
                    return refuse(
                        asked,
                        field,
                        &format!("Unsupported parameter: '{field}' is not supported with this model."),
                    );
                }
            }
            say("Done.")
        },
    },
];
