//! Fields of a turn that providers want to read again with the tool's result, and refuse a conversation without.

use serde_json::{Value, json};

use super::reply::{Reply, call, calls, chunk, say, sse};
use super::{Asked, Behaviour, Outcome};

const HI: Outcome = Outcome::Calls(&[r#"{"text": "hi"}"#]);

fn refuse(words: &str) -> Reply {
    Reply::json(400, &json!([{"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}]))
}

/// Done, if what was to come back is there.
fn done_if(is_there: bool, words: &str) -> Reply {
    if is_there { say("Done.") } else { refuse(words) }
}

fn echo(more: &Value) -> Value {
    let arguments = json!({"text": "hi"}).to_string();
    let mut call =
        json!({"index": 0, "id": "call_a", "type": "function", "function": {"name": "echo", "arguments": arguments}});
    call.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    call
}

fn signature(asked: &Asked<'_>) -> Option<String> {
    let signature = asked.turn().pointer("/tool_calls/0/extra_content/google/thought_signature");
    signature.and_then(Value::as_str).map(str::to_owned)
}

const UNSIGNED: &str =
    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly.";
const THOUGHTLESS: &str = "Missing `reasoning_content` field in the assistant message at message index 2.";

pub(super) const ALL: &[Behaviour] = &[
    Behaviour {
        name: "signs-calls",
        provider: "Gemini's OpenAI endpoint",
        source: "https://ai.google.dev/gemini-api/docs/thought-signatures",
        outcome: HI,
        answer: |asked| {
            if !asked.has_result() {
                let signed = json!({"extra_content": {"google": {"thought_signature": "c2lnbmF0dXJl"}}});
                return calls(&[echo(&signed)], "tool_calls");
            }
            done_if(signature(asked).as_deref() == Some("c2lnbmF0dXJl"), UNSIGNED)
        },
    },
    Behaviour {
        name: "wants-signatures-it-did-not-give",
        provider: "Gemini's OpenAI endpoint",
        source: "https://github.com/Gitlawb/openclaude/issues/67",
        outcome: HI,
        answer: |asked| {
            if !asked.has_result() {
                return call(&[r#"{"text": "hi"}"#]);
            }
            done_if(signature(asked).as_deref() == Some("skip_thought_signature_validator"), UNSIGNED)
        },
    },
    Behaviour {
        name: "refuses-its-own-signature",
        provider: "gateways before Gemini",
        source: "https://docs.apiyi.com/en/faq/gemini-thought-signature-missing.md",
        outcome: HI,
        answer: |asked| {
            if !asked.has_result() {
                return calls(
                    &[echo(&json!({"extra_content": {"google": {"thought_signature": "b3RoZXI"}}}))],
                    "tool_calls",
                );
            }
            done_if(signature(asked).as_deref() != Some("b3RoZXI"), "Corrupted thought signature.")
        },
    },
    Behaviour {
        name: "signs-in-the-id",
        provider: "LiteLLM before Gemini",
        source: "https://github.com/BerriAI/litellm/issues/37849",
        outcome: HI,
        answer: |asked| {
            let id = format!("call_a__thought__{}", "c2lnbmF0dXJl".repeat(80));
            if !asked.has_result() {
                return calls(&[echo(&json!({ "id": id }))], "tool_calls");
            }
            let result = asked.messages().iter().find(|message| message["role"] == "tool").unwrap();
            let is_there = asked.turn()["tool_calls"][0]["id"] == id && result["tool_call_id"] == id;
            done_if(is_there, UNSIGNED)
        },
    },
    Behaviour {
        name: "takes-short-ids-alone",
        provider: "Mistral",
        source: "https://docs.mistral.ai/capabilities/function_calling",
        outcome: HI,
        answer: |asked| {
            if !asked.has_result() {
                return call(&[r#"{"text": "hi"}"#]);
            }
            let id = asked.turn()["tool_calls"][0]["id"].as_str().unwrap_or_default().to_owned();
            let result = asked.messages().iter().find(|message| message["role"] == "tool").unwrap();
            if id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric()) && result["tool_call_id"] == id {
                return say("Done.");
            }
            let words = format!("Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9.");
            Reply::json(
                400,
                &json!({"object": "error", "message": words, "type": "invalid_request_error", "code": 3280}),
            )
        },
    },
    Behaviour {
        name: "wants-its-thoughts-again",
        provider: "DeepSeek",
        source: "https://api-docs.deepseek.com/guides/thinking_mode#tool-calls",
        outcome: HI,
        answer: |asked| {
            if !asked.has_result() {
                let thought = |text: &str| chunk(&json!({ "reasoning_content": text }), None);
                return sse(&[
                    thought("I had "),
                    thought("better ask."),
                    chunk(&json!({"tool_calls": [echo(&json!({}))]}), Some("tool_calls")),
                ]);
            }
            done_if(asked.turn()["reasoning_content"] == "I had better ask.", THOUGHTLESS)
        },
    },
    Behaviour {
        name: "wants-thoughts-it-did-not-have",
        provider: "DeepSeek",
        source: "https://github.com/continuedev/continue/issues/11285",
        outcome: HI,
        answer: |asked| {
            if !asked.has_result() {
                return call(&[r#"{"text": "hi"}"#]);
            }
            done_if(asked.turn()["reasoning_content"] == "", THOUGHTLESS)
        },
    },
    Behaviour {
        name: "wants-reasoning-details-again",
        provider: "OpenRouter",
        source: "https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks",
        outcome: HI,
        answer: |asked| {
            if !asked.has_result() {
                let detail = |text: &str, signature: Value| {
                    let detail = json!({"type": "reasoning.text", "index": 0, "format": "x", "text": text, "signature": signature});
                    chunk(&json!({"reasoning": text, "reasoning_details": [detail]}), None)
                };
                let called = chunk(&json!({"tool_calls": [echo(&json!({}))]}), Some("tool_calls"));
                return sse(&[detail("I had ", Value::Null), detail("better ask.", json!("s1")), called]);
            }
            let expected = json!([{"type": "reasoning.text", "index": 0, "format": "x", "text": "I had better ask.", "signature": "s1"}]);
            done_if(asked.turn()["reasoning_details"] == expected, "reasoning_details must be passed back unmodified")
        },
    },
    Behaviour {
        name: "refuses-thoughts",
        provider: "Groq",
        source: "https://github.com/janhq/jan/issues/8136",
        outcome: HI,
        answer: |asked| {
            if !asked.has_result() {
                let called = chunk(&json!({"tool_calls": [echo(&json!({}))]}), Some("tool_calls"));
                return sse(&[chunk(&json!({"reasoning_content": "Hm."}), None), called]);
            }
            let words = "'messages.1' : for 'role:assistant' the following must be satisfied[('messages.1' : property 'reasoning_content' is unsupported)]";
            done_if(asked.turn().get("reasoning_content").is_none(), words)
        },
    },
];
