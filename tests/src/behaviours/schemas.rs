//! Endpoints that refuse the schemas of tools. One tool never stops an agent.

use serde_json::{Value, json};

use super::reply::{Reply, say};
use super::{Asked, Behaviour, Outcome};

const DONE: Outcome = Outcome::Answers("Done.");

fn echo<'a>(asked: &'a Asked<'_>) -> Option<&'a Value> {
    let tools = asked.body["tools"].as_array()?;
    tools.iter().find(|tool| tool["function"]["name"] == "echo")
}

/// Whether a schema has more than types, names, words and lists of them.
fn is_plain(schema: &Value) -> bool {
    const PLAIN: [&str; 6] = ["type", "description", "properties", "items", "required", "enum"];
    let Some(fields) = schema.as_object() else { return false };
    let properties = fields.get("properties").and_then(Value::as_object);
    fields.keys().all(|key| PLAIN.contains(&key.as_str()))
        && properties.is_none_or(|properties| properties.values().all(is_plain))
        && fields.get("items").is_none_or(is_plain)
}

pub(super) const ALL: &[Behaviour] = &[
    Behaviour {
        name: "refuses-a-schema-by-its-tools-name",
        provider: "OpenAI",
        source: "https://github.com/ogx-ai/ogx/issues/3004",
        outcome: Outcome::LeavesOut,
        answer: |asked| {
            if echo(asked).is_none() {
                return say("Done.");
            }
            let words =
                "Invalid schema for function 'echo': In context=('properties', 'text'), array schema missing items.";
            Reply::json(
                400,
                &json!({"error": {"message": words, "type": "invalid_request_error",
                "param": "tools[0].function.parameters", "code": "invalid_function_parameters"}}),
            )
        },
    },
    Behaviour {
        name: "refuses-a-schema-by-its-place",
        provider: "Gemini's OpenAI endpoint",
        source: "https://github.com/gera2ld/ai.nvim/issues/13",
        outcome: Outcome::LeavesOut,
        answer: |asked| {
            let tools = asked.body["tools"].as_array().map_or(&[][..], Vec::as_slice);
            let Some(place) = tools.iter().position(|tool| tool["function"]["name"] == "echo") else {
                return say("Done.");
            };
            let words = format!(
                "Invalid JSON payload received. Invalid value at 'tools[0].function_declarations[{place}].parameters': Proto field is not repeating"
            );
            Reply::json(400, &json!([{"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}]))
        },
    },
    Behaviour {
        name: "cannot-make-a-grammar",
        provider: "llama.cpp",
        source: "https://github.com/ggml-org/llama.cpp/issues/25895",
        outcome: DONE,
        answer: |asked| {
            let tools = asked.body["tools"].as_array().map_or(&[][..], Vec::as_slice);
            if !tools.is_empty() && tools.iter().all(|tool| is_plain(&tool["function"]["parameters"])) {
                return say("Done.");
            }
            Reply::json(
                400,
                &json!({"error": {"code": 400, "message": "Failed to initialize samplers: failed to parse grammar", "type": "invalid_request_error"}}),
            )
        },
    },
    Behaviour {
        name: "wants-items-and-properties",
        provider: "OpenAI",
        source: "https://github.com/spring-projects/spring-ai/issues/4776",
        outcome: DONE,
        answer: |asked| {
            let tools = asked.body["tools"].as_array().map_or(&[][..], Vec::as_slice);
            let is_whole = |tool: &Value| tool["function"]["parameters"]["properties"].is_object();
            if !tools.is_empty() && tools.iter().all(is_whole) {
                return say("Done.");
            }
            Reply::json(
                400,
                &json!({"error": {"message": "Invalid schema: In context=(), object schema missing properties", "code": "x"}}),
            )
        },
    },
];
