//! Tests of the client over real sockets.

mod failing;
mod hostile;
mod numbers;
mod protocol;
mod server;

use serde_json::json;
use server::{Reply, Server, begun, chunk, events, status};

use super::*;
use crate::chat::{Delta, FinishReason, Message, ReasoningEffort, ResponseFormat, ToolCall, ToolSpec, Usage};

const HELLO: [&str; 5] = [
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"Hel"}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}"#,
    r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}"#,
    "[DONE]",
];

type Answered = Vec<Result<Delta, ModelError>>;

fn provider(url: &str, change: impl FnOnce(&mut ModelSettings)) -> Arc<Provider> {
    let mut settings = ModelSettings {
        base_url: Some(url.to_owned()),
        api_key: Some(ApiKey::new("sk-secret")),
        timeout: Duration::from_secs(20),
        idle_timeout: Duration::from_secs(5),
        ..ModelSettings::default()
    };
    change(&mut settings);
    let mut provider = Provider::new(&settings).expect("the settings are good");
    provider.retries = Retries::quick();
    Arc::new(provider)
}

fn question() -> ChatRequest {
    ChatRequest { messages: vec![Message::user("hi")], ..ChatRequest::default() }
}

async fn ask(provider: &Arc<Provider>) -> Answered {
    provider.chat(Family::OpenAi, "m", question()).collect().await
}

async fn answer_to(replies: Vec<Reply>) -> (Answered, Vec<String>) {
    let server = Server::start(replies).await;
    let answer = ask(&provider(&server.url, |_| ())).await;
    (answer, server.requests().await)
}

/// The answer of a provider with a short idle time-out.
async fn impatient(reply: Reply) -> Answered {
    let server = Server::start(vec![reply]).await;
    ask(&provider(&server.url, |settings| {
        settings.idle_timeout = Duration::from_millis(200);
    }))
    .await
}

fn hello() -> Answered {
    let usage = Usage { input_tokens: 7, output_tokens: 2, total_tokens: 9, ..Usage::default() };
    vec![
        Ok(Delta::Text("Hel".to_owned())),
        Ok(Delta::Text("lo".to_owned())),
        Ok(Delta::Done { usage, finish_reason: FinishReason::Stop }),
    ]
}

/// The answer without what the endpoint said of its failure.
fn bare(answer: Answered) -> Answered {
    answer.into_iter().map(|delta| delta.map_err(|error| error.bare().clone())).collect()
}

fn is_unavailable(answer: &Answered) -> bool {
    matches!(answer.as_slice(), [Err(ModelError::Unavailable(_))])
}

fn calls(answer: &Answered) -> Vec<ToolCall> {
    let calls = answer.iter().flatten();
    calls.filter_map(|delta| if let Delta::ToolCall(call) = delta { Some(call.clone()) } else { None }).collect()
}

fn call_piece(index: u32, id: &str, name: &str, arguments: &str) -> String {
    let mut call = json!({"index": index, "function": {"arguments": arguments}});
    if !name.is_empty() {
        call["id"] = json!(id);
        call["function"]["name"] = json!(name);
    }
    json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).to_string()
}
