//! Tool calls as servers garble them. After the tool's result, each says `Done.`

use serde_json::{Value, json};

use super::reply::{Reply, call, calls, chunk, lines, say, sse, whole};
use super::{Asked, Behaviour, Outcome};

const HI: Outcome = Outcome::Calls(&[r#"{"text": "hi"}"#]);
const TWO: Outcome = Outcome::Calls(&[r#"{"text": "one"}"#, r#"{"text": "two"}"#]);

/// Calls first, and is done after the result.
fn then_done(asked: &Asked<'_>, first: impl FnOnce() -> Reply) -> Reply {
    if asked.has_result() { say("Done.") } else { first() }
}

/// A call of `echo` with fields of its own.
fn echo(more: Value, arguments: Value) -> Value {
    let mut call = json!({"type": "function", "function": {"name": "echo"}});
    call["function"]["arguments"] = arguments;
    if let (Value::Object(call), Value::Object(more)) = (&mut call, more) {
        call.extend(more);
    }
    call
}

fn text(words: &str) -> String {
    json!({ "text": words }).to_string()
}

pub(super) const ALL: &[Behaviour] = &[
    Behaviour {
        name: "calls-in-pieces",
        provider: "OpenAI",
        source: "https://platform.openai.com/docs/guides/function-calling#streaming",
        outcome: HI,
        answer: |asked| then_done(asked, || call(&["{\"te", "xt\": ", "\"hi\"}"])),
    },
    Behaviour {
        name: "every-call-has-index-zero",
        provider: "Ollama",
        source: "https://github.com/vercel/ai/pull/14277",
        outcome: TWO,
        answer: |asked| {
            then_done(asked, || {
                let one = |id: &str, words: &str| echo(json!({"index": 0, "id": id}), json!(text(words)));
                calls(&[one("call_1", "one"), one("call_2", "two")], "tool_calls")
            })
        },
    },
    Behaviour {
        name: "index-zero-and-no-ids",
        provider: "proxies of Gemini",
        source: "https://github.com/su-kaka/gcli2api/pull/406",
        outcome: TWO,
        answer: |asked| {
            then_done(asked, || {
                let one = |words: &str| echo(json!({"index": 0, "id": ""}), json!(text(words)));
                calls(&[one("one"), one("two")], "stop")
            })
        },
    },
    Behaviour {
        name: "index-zero-in-pieces",
        provider: "vLLM",
        source: "https://github.com/InternLM/lmdeploy/issues/3412",
        outcome: TWO,
        answer: |asked| {
            then_done(asked, || {
                let begin = |id: &str| echo(json!({"index": 0, "id": id}), json!(""));
                let go_on = |part: &str| json!({"index": 0, "id": "", "function": {"name": null, "arguments": part}});
                let pieces =
                    [begin("a"), go_on("{\"text\": "), go_on("\"one\"}"), begin("b"), go_on("{\"text\": \"two\"}")];
                calls(&pieces, "tool_calls")
            })
        },
    },
    Behaviour {
        name: "a-new-id-with-each-piece",
        provider: "Poolside",
        source: "https://github.com/poolsideai/pool/issues/9",
        outcome: HI,
        answer: |asked| {
            then_done(asked, || {
                let go_on = |id: &str, part: &str| json!({"index": 0, "id": id, "function": {"arguments": part}});
                calls(
                    &[
                        echo(json!({"index": 0, "id": "a"}), json!("")),
                        go_on("b", "{\"text\":"),
                        go_on("c", " \"hi\"}"),
                    ],
                    "tool_calls",
                )
            })
        },
    },
    Behaviour {
        name: "the-name-with-each-piece",
        provider: "DashScope (Qwen)",
        source: "https://github.com/NousResearch/hermes-agent/pull/3468",
        outcome: HI,
        answer: |asked| {
            then_done(asked, || {
                let piece = |part: &str| echo(json!({"index": 0, "id": "a"}), json!(part));
                calls(&[piece(""), piece("{\"text\":"), piece(" \"hi\"}")], "tool_calls")
            })
        },
    },
    Behaviour {
        name: "no-index",
        provider: "Gemini's OpenAI endpoint, Ollama",
        source: "https://github.com/ollama/ollama/issues/7881",
        outcome: TWO,
        answer: |asked| {
            then_done(asked, || {
                let one = |id: &str, words: &str| echo(json!({ "id": id }), json!(text(words)));
                calls(&[one("call_1", "one"), one("call_2", "two")], "tool_calls")
            })
        },
    },
    Behaviour {
        name: "arguments-before-the-name",
        provider: "SGLang",
        source: "https://github.com/vercel/ai/pull/15879",
        outcome: HI,
        answer: |asked| {
            then_done(asked, || {
                let begin = json!({"id": "a", "type": "function", "function": {"arguments": "{\"text\": "}});
                calls(&[begin, echo(json!({"id": "a"}), json!("\"hi\"}"))], "tool_calls")
            })
        },
    },
    Behaviour {
        name: "encoded-twice",
        provider: "vLLM with Granite, Nova Sonic",
        source: "https://github.com/vllm-project/vllm/pull/54964",
        outcome: HI,
        answer: |asked| then_done(asked, || call(&[&json!(text("hi")).to_string()])),
    },
    Behaviour {
        name: "an-empty-object-first",
        provider: "llama-stack over vLLM",
        source: "https://github.com/ogx-ai/ogx/pull/5462",
        outcome: HI,
        answer: |asked| then_done(asked, || call(&["{}", "{\"text\": ", "\"hi\"}"])),
    },
    Behaviour {
        name: "the-whole-once-more",
        provider: "vLLM (xLAM)",
        source: "https://github.com/vllm-project/vllm/issues/51697",
        outcome: HI,
        answer: |asked| then_done(asked, || call(&["{\"text\": ", "\"hi\"}", &text("hi")])),
    },
    Behaviour {
        name: "a-brace-too-many",
        provider: "vLLM (xLAM)",
        source: "https://github.com/vllm-project/vllm/issues/51697",
        outcome: HI,
        answer: |asked| then_done(asked, || call(&["{", &text("hi")])),
    },
    Behaviour {
        name: "arguments-are-an-object",
        provider: "MiniMax, Ollama",
        source: "https://github.com/can1357/oh-my-pi/pull/1779",
        outcome: HI,
        answer: |asked| {
            then_done(asked, || calls(&[echo(json!({"index": 0, "id": "a"}), json!({"text": "hi"}))], "tool_calls"))
        },
    },
    Behaviour {
        name: "a-fence-around-arguments",
        provider: "small local models",
        source: "https://github.com/groq/groq-typescript/issues/28",
        outcome: HI,
        answer: |asked| then_done(asked, || call(&[&format!("```json\n{}\n```", text("hi"))])),
    },
    Behaviour {
        name: "arguments-are-null",
        provider: "vLLM",
        source: "https://github.com/vllm-project/vllm/issues/21046",
        outcome: Outcome::Told("required"),
        answer: |asked| then_done(asked, || calls(&[echo(json!({"index": 0, "id": "a"}), Value::Null)], "tool_calls")),
    },
    Behaviour {
        name: "two-readings",
        provider: "Gemini",
        source: "https://github.com/NousResearch/hermes-agent/pull/26053",
        outcome: Outcome::Told("JSON object"),
        answer: |asked| then_done(asked, || call(&[&text("one"), &text("two")])),
    },
    Behaviour {
        name: "arguments-cut-short",
        provider: "any, at its limit of tokens",
        source: "https://platform.openai.com/docs/guides/function-calling",
        outcome: Outcome::Told("JSON object"),
        answer: |asked| then_done(asked, || call(&["{\"text\": \"h"])),
    },
    Behaviour {
        name: "one-call-under-an-old-name",
        provider: "older gateways",
        source: "https://platform.openai.com/docs/api-reference/chat/create#chat-create-function_call",
        outcome: HI,
        answer: |asked| {
            then_done(asked, || {
                let piece = |call: Value| chunk(&json!({ "function_call": call }), None);
                let first = piece(json!({"name": "echo", "arguments": ""}));
                sse(&[first, piece(json!({"arguments": text("hi")})), chunk(&json!({}), Some("function_call"))])
            })
        },
    },
    Behaviour {
        name: "calls-in-a-whole-answer",
        provider: "gateways without streaming",
        source: "https://github.com/microsoft/autogen/issues/4878",
        outcome: HI,
        answer: |asked| {
            then_done(asked, || {
                let call = echo(json!({"id": ""}), json!(text("hi")));
                Reply::json(
                    200,
                    &whole(&json!({"role": "assistant", "content": null, "tool_calls": [call]}), Some("stop")),
                )
            })
        },
    },
    Behaviour {
        name: "stops-beside-calls",
        provider: "Gemini's OpenAI endpoint",
        source: "https://github.com/su-kaka/gcli2api/pull/407",
        outcome: HI,
        answer: |asked| {
            then_done(asked, || {
                let call = echo(json!({"index": 0, "id": "a"}), json!(text("hi")));
                let message = json!({"role": "assistant", "content": "", "tool_calls": [call]});
                Reply::stream(lines(&[chunk(&message, None), chunk(&json!({"content": ""}), Some("stop"))]))
            })
        },
    },
];
