//! Answers that hold nothing, and errors in the forms in which endpoints report them.

use serde_json::{Value, json};

use super::reply::{Reply, chunk, lines, say, sse, usage};
use super::{Behaviour, Outcome};

const TOO_LONG: &str = "too long for the model";

/// The first answers, and then words.
fn until(nth: usize, failures: usize, failure: Reply) -> Reply {
    if nth < failures { failure } else { say("At last.") }
}

fn too_long(status: u16, error: &Value) -> Reply {
    Reply::json(status, &json!({ "error": error }))
}

pub(super) const ALL: &[Behaviour] = &[
    Behaviour {
        name: "says-nothing-once",
        provider: "Gemini",
        source: "https://github.com/BerriAI/litellm/issues/24442",
        outcome: Outcome::Answers("At last."),
        answer: |asked| until(asked.nth, 1, sse(&[chunk(&json!({"role": "assistant"}), Some("stop")), usage()])),
    },
    Behaviour {
        name: "says-nothing",
        provider: "Gemini",
        source: "https://github.com/google-gemini/deprecated-generative-ai-python/issues/744",
        outcome: Outcome::Fails("the model's answer was empty", ""),
        answer: |_| {
            sse(&[chunk(&json!({"role": "assistant", "content": ""}), None), chunk(&json!({}), Some("stop")), usage()])
        },
    },
    Behaviour {
        name: "says-white-space",
        provider: "small local models",
        source: "https://dev.to/mohammadhasankaman/why-is-my-llm-stream-empty-a-field-guide-to-broken-sse-responses-4l0k",
        outcome: Outcome::Fails("the model's answer was empty", ""),
        answer: |_| say(" \n"),
    },
    Behaviour {
        name: "thinks-until-its-tokens-are-gone",
        provider: "OpenAI (o-series), Qwen",
        source: "https://platform.openai.com/docs/guides/reasoning#allocating-space-for-reasoning",
        outcome: Outcome::Fails("used all its tokens before it said anything", ""),
        answer: |_| {
            sse(&[chunk(&json!({"reasoning_content": "Hm."}), None), chunk(&json!({}), Some("length")), usage()])
        },
    },
    Behaviour {
        name: "withholds-the-answer",
        provider: "Azure OpenAI",
        source: "https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter",
        outcome: Outcome::Fails("the provider withheld it", ""),
        answer: |_| sse(&[chunk(&json!({"role": "assistant"}), Some("content_filter")), usage()]),
    },
    Behaviour {
        name: "overflows-in-silence",
        provider: "LM Studio",
        source: "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/2339",
        outcome: Outcome::Fails("the model's answer was empty", ""),
        answer: |_| sse(&[usage()]),
    },
    Behaviour {
        name: "stops-in-the-middle",
        provider: "any, behind a proxy",
        source: "https://github.com/anomalyco/opencode/pull/40061",
        outcome: Outcome::Fails("it ended before it was complete", ""),
        answer: |_| Reply::stream(lines(&[chunk(&json!({"content": "Half an"}), None)])),
    },
    Behaviour {
        name: "breaks-off-in-the-middle",
        provider: "any, behind a proxy",
        source: "https://github.com/anomalyco/opencode/pull/40061",
        outcome: Outcome::Fails("the model provider is unavailable", ""),
        answer: |_| Reply::stream(lines(&[chunk(&json!({"content": "Half an"}), None)])).broken(),
    },
    Behaviour {
        name: "an-error-in-the-stream",
        provider: "OpenRouter",
        source: "https://openrouter.ai/docs/api/reference/errors-and-debugging",
        outcome: Outcome::Fails("the model provider is unavailable", "Provider disconnected"),
        answer: |_| {
            let error = json!({"error": {"code": 502, "message": "Provider disconnected"},
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]});
            sse(&[chunk(&json!({"content": "Half an"}), None), error])
        },
    },
    Behaviour {
        name: "an-error-as-an-event",
        provider: "Groq",
        source: "https://github.com/anomalyco/opencode/issues/1018",
        outcome: Outcome::Answers("At last."),
        answer: |asked| {
            let error = json!({"error": {"message": "Failed to call a function.", "type": "invalid_request_error",
                "code": "tool_use_failed", "failed_generation": "<function=echo>", "status_code": 400}});
            until(asked.nth, 1, Reply::stream(format!("event: error\ndata: {error}\n\n")))
        },
    },
    Behaviour {
        name: "an-error-as-a-line",
        provider: "llama.cpp",
        source: "https://github.com/ggml-org/llama.cpp/pull/15780",
        outcome: Outcome::Fails(TOO_LONG, "exceeds the available context size"),
        answer: |_| {
            let error = json!({"code": 400, "message": "the request exceeds the available context size. try increasing the context size",
                "type": "exceed_context_size_error", "n_prompt_tokens": 1407, "n_ctx": 256});
            Reply::stream(format!("error: {error}\n\n"))
        },
    },
    Behaviour {
        name: "ends-with-an-error",
        provider: "Z.ai (GLM)",
        source: "https://docs.z.ai/api-reference/llm/chat-completion",
        outcome: Outcome::Fails("the model provider is unavailable", ""),
        answer: |_| sse(&[chunk(&json!({"content": "Half an"}), None), chunk(&json!({}), Some("network_error"))]),
    },
    Behaviour {
        name: "lacks-resources",
        provider: "DeepSeek",
        source: "https://api-docs.deepseek.com/api/create-chat-completion",
        outcome: Outcome::Answers("At last."),
        answer: |asked| until(asked.nth, 1, sse(&[chunk(&json!({}), Some("insufficient_system_resource"))])),
    },
    Behaviour {
        name: "an-error-that-is-a-text",
        provider: "LM Studio",
        source: "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/2339",
        outcome: Outcome::Fails("refused the request", "No models loaded"),
        answer: |_| Reply::json(400, &json!({"error": "No models loaded. Please load a model in the developer page."})),
    },
    Behaviour {
        name: "an-error-in-a-list",
        provider: "Gemini's OpenAI endpoint",
        source: "https://github.com/0xsline/OpenChatCut/issues/6",
        outcome: Outcome::Fails("refused the request", "Request contains an invalid argument."),
        answer: |_| {
            Reply::json(
                400,
                &json!([{"error": {"code": 400, "message": "Request contains an invalid argument.", "status": "INVALID_ARGUMENT"}}]),
            )
        },
    },
    Behaviour {
        name: "a-list-of-errors",
        provider: "Cloudflare Workers AI",
        source: "https://developers.cloudflare.com/workers-ai/platform/errors/",
        outcome: Outcome::Fails("refused the request", "No such model"),
        answer: |_| {
            Reply::json(
                400,
                &json!({"errors": [{"message": "AiError: No such model", "code": 5007}], "success": false, "result": {}}),
            )
        },
    },
    Behaviour {
        name: "an-error-under-200",
        provider: "MiniMax",
        source: "https://github.com/milind-soni/OpenMausBot/pull/1200",
        outcome: Outcome::Fails("the model provider is unavailable", "insufficient balance"),
        answer: |_| {
            Reply::json(
                200,
                &json!({"choices": null, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
            )
        },
    },
    Behaviour {
        name: "details-in-place-of-an-error",
        provider: "FastAPI servers",
        source: "https://fastapi.tiangolo.com/tutorial/handling-errors/",
        outcome: Outcome::Fails("refused the request", "value is not a valid list"),
        answer: |_| {
            Reply::json(
                422,
                &json!({"detail": [{"loc": ["body", "messages"], "msg": "value is not a valid list", "type": "type_error.list"}]}),
            )
        },
    },
    Behaviour {
        name: "an-error-within-an-error",
        provider: "OpenRouter",
        source: "https://openrouter.ai/docs/api/reference/errors-and-debugging",
        outcome: Outcome::Fails("refused the request", "the inner reason"),
        answer: |_| {
            let raw = json!({"error": {"message": "the inner reason", "type": "invalid_request_error"}}).to_string();
            Reply::json(
                400,
                &json!({"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw, "provider_name": "x"}}}),
            )
        },
    },
    Behaviour {
        name: "a-page-in-place-of-an-answer",
        provider: "a wrong base address",
        source: "https://docs.openwebui.com/troubleshooting/connection-error",
        outcome: Outcome::Fails("a web page", ""),
        answer: |_| Reply::page(200),
    },
    Behaviour {
        name: "a-bad-gateway-for-a-while",
        provider: "any, behind nginx",
        source: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html",
        outcome: Outcome::Answers("At last."),
        answer: |asked| until(asked.nth, 2, Reply::page(502)),
    },
    Behaviour {
        name: "overloaded-for-a-while",
        provider: "Anthropic",
        source: "https://docs.claude.com/en/api/errors",
        outcome: Outcome::Answers("At last."),
        answer: |asked| {
            until(
                asked.nth,
                1,
                Reply::json(
                    529,
                    &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
                ),
            )
        },
    },
    Behaviour {
        name: "slows-down",
        provider: "OpenAI, Groq",
        source: "https://platform.openai.com/docs/guides/rate-limits",
        outcome: Outcome::Answers("At last."),
        answer: |asked| {
            let error = json!({"error": {"message": "Rate limit reached for requests", "type": "requests", "code": "rate_limit_exceeded"}});
            until(asked.nth, 1, Reply::json(429, &error).with("retry-after-ms", "20"))
        },
    },
    Behaviour {
        name: "no-quota-left",
        provider: "OpenAI",
        source: "https://platform.openai.com/docs/guides/error-codes",
        outcome: Outcome::Fails("no quota left", "You exceeded your current quota"),
        answer: |_| {
            Reply::json(
                429,
                &json!({"error": {"message": "You exceeded your current quota, please check your plan.", "type": "insufficient_quota", "code": "insufficient_quota"}}),
            )
        },
    },
    Behaviour {
        name: "a-bad-key-under-400",
        provider: "Gemini's OpenAI endpoint",
        source: "https://ai.google.dev/gemini-api/docs/troubleshooting",
        outcome: Outcome::Fails("refused this host's credentials", "API key not valid"),
        answer: |_| {
            Reply::json(
                400,
                &json!([{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}]),
            )
        },
    },
    Behaviour {
        name: "no-such-model",
        provider: "OpenAI",
        source: "https://platform.openai.com/docs/guides/error-codes",
        outcome: Outcome::Fails("knows no such model", "does not exist"),
        answer: |_| {
            Reply::json(
                404,
                &json!({"error": {"message": "The model `gpt-9` does not exist or you do not have access to it.", "code": "model_not_found"}}),
            )
        },
    },
    Behaviour {
        name: "too-long",
        provider: "OpenAI, vLLM",
        source: "https://platform.openai.com/docs/guides/error-codes",
        outcome: Outcome::Fails(TOO_LONG, "maximum context length"),
        answer: |_| {
            too_long(
                400,
                &json!({"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"}),
            )
        },
    },
    Behaviour {
        name: "too-long-under-500",
        provider: "llama.cpp",
        source: "https://github.com/ggml-org/llama.cpp/issues/19774",
        outcome: Outcome::Fails(TOO_LONG, "Context size has been exceeded."),
        answer: |_| {
            too_long(500, &json!({"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}))
        },
    },
    Behaviour {
        name: "too-long-for-a-minute",
        provider: "Groq",
        source: "https://console.groq.com/docs/errors",
        outcome: Outcome::Fails(TOO_LONG, "Request too large"),
        answer: |_| {
            too_long(
                413,
                &json!({"message": "Request too large for model `x` on tokens per minute (TPM): Limit 6000.", "type": "tokens", "code": "rate_limit_exceeded"}),
            )
        },
    },
    Behaviour {
        name: "too-long-by-range",
        provider: "DashScope (Qwen)",
        source: "https://help.aliyun.com/zh/model-studio/error-code",
        outcome: Outcome::Fails(TOO_LONG, "Range of input length"),
        answer: |_| {
            too_long(
                400,
                &json!({"code": "invalid_parameter_error", "message": "Range of input length should be [1, 30720]", "type": "invalid_request_error"}),
            )
        },
    },
    Behaviour {
        name: "too-long-by-a-sum",
        provider: "Together, Text Generation Inference",
        source: "https://github.com/stanford-crfm/helm/pull/2079",
        outcome: Outcome::Fails(TOO_LONG, "must be <= 2048"),
        answer: |_| {
            let words = "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2019 `inputs` tokens and 30 `max_new_tokens`";
            too_long(422, &json!({"message": words, "type": "invalid_request_error", "param": null, "code": null}))
        },
    },
    Behaviour {
        name: "too-long-by-numbers",
        provider: "Fireworks",
        source: "https://github.com/anomalyco/models.dev/pull/6508",
        outcome: Outcome::Fails(TOO_LONG, "model maximum context length"),
        answer: |_| {
            let words = "The prompt is too long: 1200012, model maximum context length: 1048573";
            too_long(400, &json!({"object": "error", "type": "invalid_request_error", "message": words}))
        },
    },
];
