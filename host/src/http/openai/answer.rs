//! A run's answer in the API's form, whole or in pieces.

use serde_json::{Value, json};

/// What all pieces of one answer say of it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// The run, so that its events and its audit rows can be found.
    pub(super) run_id: String,
    /// The model as the client named it.
    pub(super) model: String,
    /// When it began, in seconds since 1970.
    pub(super) created: i64,
}

impl Head {
    /// The whole answer.
    pub(super) fn whole(&self, content: &str, steps: &Value, spent: &Value) -> Value {
        json!({
            "id": self.id(), "object": "chat.completion", "created": self.created, "model": self.model,
            "choices": [{
                "index": 0, "message": { "role": "assistant", "content": content, "refusal": null },
                "logprobs": null, "finish_reason": finish_reason(steps),
            }],
            "usage": usage(spent),
        })
    }

    /// A piece; `finish` in the last one.
    pub(super) fn piece(&self, delta: &Value, finish: Option<&str>) -> Value {
        json!({
            "id": self.id(), "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": [{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }],
        })
    }

    /// What a streamed answer cost.
    pub(super) fn cost(&self, spent: &Value) -> Value {
        json!({
            "id": self.id(), "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": [], "usage": usage(spent),
        })
    }

    fn id(&self) -> String {
        format!("chatcmpl-{}", self.run_id)
    }
}

/// Why the last step ended, in the API's words.
pub(super) fn finish_reason(steps: &Value) -> &'static str {
    let last = steps.as_array().and_then(|steps| steps.last()).and_then(|step| step.get("finish_reason"));
    match last.and_then(Value::as_str) {
        Some("length") => "length",
        Some("content_filter") => "content_filter",
        _ => "stop",
    }
}

fn usage(spent: &Value) -> Value {
    let count = |name: &str| spent.get(name).and_then(Value::as_u64).unwrap_or(0);
    json!({
        "prompt_tokens": count("prompt_tokens"),
        "completion_tokens": count("completion_tokens"),
        "total_tokens": count("total_tokens"),
        "prompt_tokens_details": { "cached_tokens": count("cached_tokens") },
        "completion_tokens_details": { "reasoning_tokens": count("reasoning_tokens") },
    })
}
