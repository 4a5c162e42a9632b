//! Answers in other forms than the usual one, all of which hold a text.

use serde_json::json;

use super::reply::{Reply, chunk, lines, say, sse, usage, whole};
use super::{Behaviour, Outcome};

const HELLO: Outcome = Outcome::Answers("Hello there.");
/// Where the format of events is defined.
const SSE: &str = "https://html.spec.whatwg.org/multipage/server-sent-events.html";

fn hello() -> [serde_json::Value; 3] {
    [
        chunk(&json!({"content": "Hello "}), None),
        chunk(&json!({"content": "there."}), None),
        chunk(&json!({}), Some("stop")),
    ]
}

pub(super) const ALL: &[Behaviour] = &[
    Behaviour {
        name: "streams",
        provider: "OpenAI",
        source: "https://platform.openai.com/docs/api-reference/chat-streaming",
        outcome: HELLO,
        answer: |_| say("Hello there."),
    },
    Behaviour {
        name: "begins-without-choices",
        provider: "Azure OpenAI",
        source: "https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming",
        outcome: HELLO,
        answer: |_| {
            let first =
                json!({"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]});
            let late = json!({"choices": [{"index": 0, "finish_reason": null, "content_filter_offsets": {}, "content_filter_results": {}}]});
            let [one, two, end] = hello();
            sse(&[first, one, two, end, late, usage()])
        },
    },
    Behaviour {
        name: "comments-between",
        provider: "OpenRouter",
        source: "https://openrouter.ai/docs/api-reference/streaming",
        outcome: HELLO,
        answer: |_| {
            Reply::stream(format!(
                ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n{}data: [DONE]\n\n",
                lines(&hello())
            ))
        },
    },
    Behaviour {
        name: "ignores-stream",
        provider: "gateways without streaming",
        source: "https://github.com/BerriAI/litellm/issues/5803",
        outcome: HELLO,
        answer: |_| Reply::json(200, &whole(&json!({"role": "assistant", "content": "Hello there."}), Some("stop"))),
    },
    Behaviour {
        name: "whole-without-a-reason",
        provider: "KoboldCpp",
        source: "https://github.com/PowerShell/AIShell/issues/350",
        outcome: HELLO,
        answer: |_| Reply::json(200, &whole(&json!({"role": "assistant", "content": "Hello there."}), Some("null"))),
    },
    Behaviour {
        name: "a-list-of-pieces",
        provider: "Gemini without alt=sse",
        source: "https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent",
        outcome: HELLO,
        answer: |_| Reply::json(200, &json!(hello())),
    },
    Behaviour {
        name: "a-piece-on-each-line",
        provider: "Ollama (NDJSON)",
        source: "https://docs.ollama.com/api/streaming",
        outcome: HELLO,
        answer: |_| {
            Reply::stream(hello().iter().flat_map(|piece| [piece.to_string(), "\n".to_owned()]).collect::<String>())
        },
    },
    Behaviour {
        name: "content-in-chunks",
        provider: "Mistral (Magistral)",
        source: "https://github.com/BerriAI/litellm/issues/16272",
        outcome: HELLO,
        answer: |_| {
            let thought = json!([{"type": "thinking", "thinking": [{"type": "text", "text": "A greeting."}]}]);
            let said = |text: &str| chunk(&json!({"content": [{"type": "text", "text": text}]}), None);
            sse(&[
                chunk(&json!({ "content": thought }), None),
                said("Hello "),
                said("there."),
                chunk(&json!({"content": ""}), Some("stop")),
            ])
        },
    },
    Behaviour {
        name: "thinks-in-reasoning-content",
        provider: "DeepSeek",
        source: "https://api-docs.deepseek.com/guides/thinking_mode",
        outcome: HELLO,
        answer: |_| {
            let [one, two, end] = hello();
            sse(&[chunk(&json!({"content": null, "reasoning_content": "A greeting."}), None), one, two, end])
        },
    },
    Behaviour {
        name: "thinks-in-reasoning",
        provider: "vLLM, Groq, OpenRouter",
        source: "https://docs.vllm.ai/en/latest/features/reasoning_outputs.html",
        outcome: HELLO,
        answer: |_| {
            let [one, two, end] = hello();
            sse(&[chunk(&json!({"content": "", "reasoning": "A greeting."}), None), one, two, end])
        },
    },
    Behaviour {
        name: "thinks-in-marked-content",
        provider: "Gemini's OpenAI endpoint",
        source: "https://ai.google.dev/gemini-api/docs/openai#thinking",
        outcome: HELLO,
        answer: |_| {
            let mark = json!({"google": {"thought": true}});
            let [one, two, end] = hello();
            sse(&[chunk(&json!({"content": "A greeting.", "extra_content": mark}), None), one, two, end])
        },
    },
    Behaviour {
        name: "repeats-the-whole-at-the-end",
        provider: "MiniMax",
        source: "https://github.com/GCWing/OpenBitFun/pull/792",
        outcome: HELLO,
        answer: |_| {
            let [one, two, end] = hello();
            sse(&[one, two, end, whole(&json!({"role": "assistant", "content": "Hello there."}), Some("stop"))])
        },
    },
    Behaviour {
        name: "message-beside-delta",
        provider: "Foundry Local",
        source: "https://github.com/microsoft/foundry-local/issues/144",
        outcome: HELLO,
        answer: |_| {
            let both = |text: &str| {
                let message = json!({"role": "assistant", "content": text, "function_call": null, "tool_calls": []});
                json!({"choices": [{"index": 197, "delta": message, "message": message, "finish_reason": null}]})
            };
            sse(&[both("Hello "), both("there."), chunk(&json!({}), Some("stop"))])
        },
    },
    Behaviour {
        name: "an-empty-reason-each-time",
        provider: "SGLang, Ollama",
        source: "https://github.com/sgl-project/sglang/issues/3912",
        outcome: HELLO,
        answer: |_| {
            let said = |text: &str| chunk(&json!({"role": null, "content": text, "tool_calls": null}), Some(""));
            sse(&[said("Hello "), said("there."), chunk(&json!({"content": ""}), Some("stop"))])
        },
    },
    Behaviour {
        name: "reason-under-another-name",
        provider: "Gemini's OpenAI endpoint",
        source: "https://github.com/jakobdylanc/llmcord/issues/84",
        outcome: HELLO,
        answer: |_| {
            let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": null, "finishReason": "stop"}]});
            Reply::stream(lines(&[chunk(&json!({"content": "Hello there."}), None), end]))
        },
    },
    Behaviour {
        name: "hangs-up-instead-of-done",
        provider: "MiniMax",
        source: "https://github.com/milind-soni/OpenMausBot/pull/1200",
        outcome: HELLO,
        answer: |_| Reply::stream(lines(&hello())),
    },
    Behaviour {
        name: "ends-with-eos-token",
        provider: "Text Generation Inference",
        source: "https://huggingface.github.io/text-generation-inference/",
        outcome: HELLO,
        answer: |_| {
            Reply::stream(lines(&[
                chunk(&json!({"content": "Hello there."}), None),
                chunk(&json!({"content": ""}), Some("eos_token")),
            ]))
        },
    },
    Behaviour {
        name: "done-without-a-reason",
        provider: "proxies of Gemini",
        source: "https://github.com/open-learning-exchange/planet/pull/10281",
        outcome: HELLO,
        answer: |_| sse(&[chunk(&json!({"content": "Hello there."}), None)]),
    },
    Behaviour {
        name: "carriage-returns",
        provider: "any server of events",
        source: SSE,
        outcome: HELLO,
        answer: |_| Reply::stream(format!("{}data: [DONE]\n\n", lines(&hello())).replace('\n', "\r\n")),
    },
    Behaviour {
        name: "an-event-over-several-lines",
        provider: "any server of events",
        source: SSE,
        outcome: HELLO,
        answer: |_| {
            let pretty = |piece: &serde_json::Value| {
                let text = serde_json::to_string_pretty(piece).unwrap();
                text.lines().flat_map(|line| ["data: ", line, "\n"]).collect::<String>() + "\n"
            };
            Reply::stream(hello().iter().map(pretty).collect::<String>())
        },
    },
    Behaviour {
        name: "a-byte-order-mark",
        provider: "any server of events",
        source: SSE,
        outcome: HELLO,
        answer: |_| Reply::stream(format!("\u{feff}{}data: [DONE]\n\n", lines(&hello()))),
    },
    Behaviour {
        name: "refuses-in-words",
        provider: "OpenAI",
        source: "https://platform.openai.com/docs/guides/structured-outputs#refusals",
        outcome: Outcome::Answers("I cannot help with that."),
        answer: |_| {
            sse(&[chunk(&json!({"refusal": "I cannot help with that."}), None), chunk(&json!({}), Some("stop"))])
        },
    },
    Behaviour {
        name: "counts-in-the-choice",
        provider: "Moonshot (Kimi)",
        source: "https://github.com/earendil-works/pi/issues/2017",
        outcome: HELLO,
        answer: |_| {
            let counted = json!({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18});
            let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": counted}]});
            let [one, two, _] = hello();
            sse(&[one, two, end])
        },
    },
    Behaviour {
        name: "counts-in-a-field-of-its-own",
        provider: "Groq",
        source: "https://console.groq.com/docs/api-reference#chat-create",
        outcome: HELLO,
        answer: |_| {
            let [one, two, mut end] = hello();
            end["x_groq"] =
                json!({"id": "req_1", "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}});
            sse(&[one, two, end])
        },
    },
];
