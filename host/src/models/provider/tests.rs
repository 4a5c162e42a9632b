//! The client against a provider that behaves, and against some that do not.

use serde_json::json;

use super::{
    server::{Reply, Server, begun, chunk, events, status},
    *,
};
use crate::models::chat::{
    Delta, FinishReason, Message, ReasoningEffort, ResponseFormat, ToolCall, ToolSpec, Usage,
};

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
    ChatRequest {
        messages: vec![Message::user("hi")],
        ..ChatRequest::default()
    }
}

async fn ask(provider: &Arc<Provider>) -> Answered {
    provider
        .chat(Family::OpenAi, "m", question())
        .collect()
        .await
}

async fn answer_to(replies: Vec<Reply>) -> (Answered, Vec<String>) {
    let server = Server::start(replies).await;
    let answer = ask(&provider(&server.url, |_| ())).await;
    (answer, server.requests().await)
}

/// The answer of a provider in which the test is impatient.
async fn impatient(reply: Reply) -> Answered {
    let server = Server::start(vec![reply]).await;
    ask(&provider(&server.url, |settings| {
        settings.idle_timeout = Duration::from_millis(200)
    }))
    .await
}

fn hello() -> Answered {
    let usage = Usage {
        input_tokens: 7,
        output_tokens: 2,
        total_tokens: 9,
        ..Usage::default()
    };
    vec![
        Ok(Delta::Text("Hel".to_owned())),
        Ok(Delta::Text("lo".to_owned())),
        Ok(Delta::Done {
            usage,
            finish_reason: FinishReason::Stop,
        }),
    ]
}

fn is_unavailable(answer: &Answered) -> bool {
    matches!(answer.as_slice(), [Err(ModelError::Unavailable(_))])
}

fn calls(answer: &Answered) -> Vec<ToolCall> {
    let calls = answer.iter().flatten();
    calls
        .filter_map(|delta| {
            if let Delta::ToolCall(call) = delta {
                Some(call.clone())
            } else {
                None
            }
        })
        .collect()
}

fn call_piece(index: u32, id: &str, name: &str, arguments: &str) -> String {
    let mut call = json!({"index": index, "function": {"arguments": arguments}});
    if !name.is_empty() {
        call["id"] = json!(id);
        call["function"]["name"] = json!(name);
    }
    json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).to_string()
}

#[tokio::test]
async fn text_and_usage_arrive() {
    let (answer, requests) = answer_to(vec![events(&HELLO)]).await;
    assert_eq!(answer, hello());
    let request = &requests[0];
    assert!(
        request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("authorization: Bearer sk-secret\r\n"),
        "{request}"
    );
    assert!(
        request.contains(r#""stream_options":{"include_usage":true}"#),
        "{request}"
    );
}

#[tokio::test]
async fn reasoning_arrives_apart_from_text() {
    let thought = r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#;
    let (answer, _) = answer_to(vec![events(&[
        thought, HELLO[1], HELLO[2], HELLO[3], "[DONE]",
    ])])
    .await;
    assert_eq!(answer.first(), Some(&Ok(Delta::Reasoning("hm".to_owned()))));
    assert_eq!(answer[1..], hello()[..]);
}

#[tokio::test]
async fn the_whole_request_is_sent() {
    let server = Server::start(vec![events(&HELLO)]).await;
    let call = ToolCall {
        id: "c1".to_owned(),
        name: "add".to_owned(),
        arguments: json!({"a": 1}),
    };
    let request = ChatRequest {
        model: None,
        messages: vec![
            Message::system("be brief"),
            Message::user("1+1?"),
            Message::Assistant {
                content: String::new(),
                tool_calls: vec![call.clone()],
            },
            Message::tool(&call, "2"),
        ],
        tools: vec![ToolSpec {
            name: "web_search".to_owned(),
            description: "Adds".to_owned(),
            parameters: json!({"type": "object"}),
            read_only: true,
        }],
        temperature: Some(0.5),
        max_tokens: Some(9),
        response_format: Some(ResponseFormat {
            name: "sum".to_owned(),
            schema: json!({"type": "object"}),
        }),
        reasoning_effort: Some(ReasoningEffort::Low),
    };
    let answer: Answered = provider(&server.url, |_| ())
        .chat(Family::OpenAi, "qwen-max", request)
        .collect()
        .await;
    assert_eq!(answer, hello());
    let requests = server.requests().await;
    let body: serde_json::Value =
        serde_json::from_str(requests[0].split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert_eq!(body["model"], "qwen-max");
    assert_eq!(body["reasoning_effort"], "low");
    assert_eq!(body["temperature"], 0.5);
    assert_eq!(body["max_tokens"], 9);
    assert_eq!(body["response_format"]["json_schema"]["name"], "sum");
    assert_eq!(body["tools"][0]["function"]["name"], "web_search");
    let roles: Vec<_> = (0..4)
        .map(|at| body["messages"][at]["role"].as_str())
        .collect();
    assert_eq!(
        roles,
        [
            Some("system"),
            Some("user"),
            Some("assistant"),
            Some("tool")
        ]
    );
    assert_eq!(
        body["messages"][2]["tool_calls"][0]["function"]["arguments"],
        r#"{"a":1}"#
    );
    assert_eq!(body["messages"][3]["tool_call_id"], "c1");
}

#[tokio::test]
async fn a_models_name_is_sent_as_it_is() {
    let server = Server::start(vec![events(&HELLO)]).await;
    let _: Answered = provider(&server.url, |_| ())
        .chat(Family::OpenAi, "qwen-max", question())
        .collect()
        .await;
    let requests = server.requests().await;
    assert!(
        requests[0].contains(r#""model":"qwen-max""#) && !requests[0].contains("reasoning_effort")
    );
}

#[tokio::test]
async fn tool_calls_in_pieces_are_delivered_whole() {
    let pieces = [
        call_piece(0, "a", "add", ""),
        call_piece(0, "", "", "{\"a\":"),
        call_piece(1, "b", "list", ""),
        call_piece(0, "", "", " 1}"),
        call_piece(1, "", "", "{}"),
        call_piece(2, "c", "bare", ""),
        call_piece(3, "d", "broken", "{\"a\": "),
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned(),
        "[DONE]".to_owned(),
    ];
    let pieces: Vec<_> = pieces.iter().map(String::as_str).collect();
    let (answer, _) = answer_to(vec![events(&pieces)]).await;
    let made: Vec<_> = calls(&answer)
        .into_iter()
        .map(|call| (call.id, call.name, call.arguments))
        .collect();
    let expected = [
        ("a", "add", json!({"a": 1})),
        ("b", "list", json!({})),
        ("c", "bare", json!({})),
        ("d", "broken", json!("{\"a\": ")),
    ];
    assert_eq!(
        made,
        expected.map(|(id, name, arguments)| (id.to_owned(), name.to_owned(), arguments))
    );
    let end = Delta::Done {
        usage: Usage::default(),
        finish_reason: FinishReason::ToolCalls,
    };
    assert_eq!(answer.last(), Some(&Ok(end)));
}

#[tokio::test]
async fn calls_are_told_apart_however_an_endpoint_numbers_them() {
    let piece = |call: serde_json::Value| {
        json!({"choices": [{"delta": {"tool_calls": [call]}}]}).to_string()
    };
    let named = |index: Option<u64>, id: &str, name: &str, arguments: &str| {
        piece(json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}}))
    };
    let far = named(Some(u64::MAX), "far", "add", "{}");
    let repeated = [
        named(Some(0), "r", "add", "{\"a\""),
        named(Some(0), "r", "add", ": 1}"),
    ];
    let unnumbered = [
        named(None, "", "one", "{}"),
        named(None, "", "two", "{"),
        named(None, "", "", "}"),
    ];
    let all_zero = [
        named(Some(0), "x", "add", "{"),
        named(Some(0), "", "", "}"),
        named(Some(0), "y", "add", "{}"),
    ];
    let whole =
        piece(json!({"index": 0, "id": "w", "function": {"name": "add", "arguments": {"a": 1}}}));
    for (pieces, count) in [
        (vec![far], 1),
        (repeated.to_vec(), 1),
        (unnumbered.to_vec(), 2),
        (all_zero.to_vec(), 2),
        (vec![whole.clone(), whole], 2),
    ] {
        let pieces: Vec<_> = pieces
            .iter()
            .map(String::as_str)
            .chain(["[DONE]"])
            .collect();
        let made = calls(&answer_to(vec![events(&pieces)]).await.0);
        let ids: std::collections::HashSet<_> = made.iter().map(|call| &call.id).collect();
        assert_eq!((made.len(), ids.len()), (count, count), "{made:?}");
        assert!(
            made.iter().all(|call| call.arguments.is_object()),
            "{made:?}"
        );
    }
}

#[tokio::test]
async fn a_call_that_was_cut_short_has_no_arguments_to_go_by() {
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#;
    let (answer, _) = answer_to(vec![events(&[
        &call_piece(0, "a", "delete_all", ""),
        stop,
        "[DONE]",
    ])])
    .await;
    assert_eq!(calls(&answer)[0].arguments, json!(""));
}

#[tokio::test]
async fn it_asks_again_when_told_to_slow_down() {
    let slow = status("429 Too Many Requests", "retry-after: 1\r\n", "{}");
    let begun = Instant::now();
    let (answer, requests) = answer_to(vec![slow, events(&HELLO)]).await;
    assert_eq!(answer, hello());
    assert_eq!(requests.len(), 2);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn it_does_not_wait_as_long_as_any_endpoint_likes() {
    let slow = status("429 Too Many Requests", "retry-after: 3600\r\n", "{}");
    let (answer, requests) = answer_to(vec![slow]).await;
    assert_eq!(
        answer,
        [Err(ModelError::RateLimited {
            retry_after: Some(Duration::from_hours(1))
        })]
    );
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn trouble_of_the_provider_is_tried_again_but_not_for_ever() {
    let broken = status(
        "500 Internal Server Error",
        "",
        "your key sk-secret is fine",
    );
    let (answer, requests) = answer_to(vec![broken.clone(), broken.clone(), events(&HELLO)]).await;
    assert_eq!((answer, requests.len()), (hello(), 3));
    let (answer, requests) = answer_to(vec![broken]).await;
    assert!(is_unavailable(&answer), "{answer:?}");
    assert_eq!(requests.len(), 3);
    assert!(!format!("{answer:?}").contains("sk-secret"));
}

#[tokio::test]
async fn a_refused_request_is_not_tried_again() {
    let refused = status(
        "400 Bad Request",
        "",
        r#"{"error": {"code": "unsupported_value"}}"#,
    );
    let (answer, requests) = answer_to(vec![refused]).await;
    assert_eq!(
        answer,
        [Err(ModelError::BadRequest {
            code: Some("unsupported_value".to_owned())
        })]
    );
    assert_eq!(requests.len(), 1);
    let (answer, _) = answer_to(vec![status("401 Unauthorized", "", "{}")]).await;
    assert_eq!(answer, [Err(ModelError::Unauthorised)]);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(vec![events(&HELLO)]).await;
    let location = format!("location: {}/v1/chat/completions\r\n", elsewhere.url);
    let (answer, _) = answer_to(vec![status("307 Temporary Redirect", &location, "")]).await;
    assert!(
        matches!(answer.as_slice(), [Err(ModelError::Misconfigured(_))]),
        "{answer:?}"
    );
    assert!(elsewhere.requests().await.is_empty());
}

#[tokio::test]
async fn a_connection_lost_before_the_first_piece_is_tried_again() {
    let (answer, requests) = answer_to(vec![Reply::Raw(begun(&HELLO[..1])), events(&HELLO)]).await;
    assert_eq!((answer, requests.len()), (hello(), 2));
}

#[tokio::test]
async fn a_connection_lost_after_it_is_told() {
    let (answer, requests) = answer_to(vec![Reply::Raw(begun(&HELLO[..2]))]).await;
    assert_eq!(answer.first(), hello().first());
    assert!(
        matches!(answer[1..], [Err(ModelError::Unavailable(_))]),
        "{answer:?}"
    );
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_taken_for_whole() {
    let (answer, _) = answer_to(vec![events(&HELLO[..2])]).await;
    assert!(
        matches!(answer.last(), Some(Err(ModelError::Protocol(_)))),
        "{answer:?}"
    );
    let (answer, _) = answer_to(vec![status("200 OK", "", "<html>")]).await;
    assert!(
        matches!(answer.as_slice(), [Err(ModelError::Protocol(_))]),
        "{answer:?}"
    );
    let (answer, _) = answer_to(vec![events(&HELLO[..4])]).await;
    assert_eq!(answer, hello(), "it had said why it stopped");
}

#[tokio::test]
async fn what_is_not_json_is_told() {
    for piece in ["{", "\u{0}", "[[[[", r#"{"choices":[{"delta":{"content":"#] {
        let (answer, _) = answer_to(vec![events(&[HELLO[1], piece])]).await;
        assert!(
            matches!(answer.last(), Some(Err(ModelError::Protocol(_)))),
            "{answer:?}"
        );
    }
    let deep = "[".repeat(200_000);
    let (answer, _) = answer_to(vec![events(&[&deep])]).await;
    assert!(
        matches!(answer.as_slice(), [Err(ModelError::Protocol(_))]),
        "{answer:?}"
    );
    let binary = Reply::Raw("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\n\u{80}\n".to_owned());
    assert!(matches!(
        answer_to(vec![binary]).await.0.as_slice(),
        [Err(_)]
    ));
}

#[tokio::test]
async fn odd_shapes_do_no_harm() {
    let odd = [
        "null",
        "[]",
        "7",
        r#"{"choices":{}}"#,
        r#"{"choices":[null]}"#,
        r#"{"choices":[{"delta":7}]}"#,
        r#"{"choices":[{"delta":{"content":[1,{"text":2}],"tool_calls":{}}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":-1},{"index":0,"function":null},7]}}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":99999999999999}}"#,
    ];
    for piece in odd {
        let (answer, _) = answer_to(vec![events(&[piece, HELLO[1], HELLO[2], "[DONE]"])]).await;
        assert!(
            matches!(answer.last(), Some(Ok(Delta::Done { .. }) | Err(_))),
            "{piece}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn an_error_within_the_answer_is_told() {
    let error = r#"{"error":{"message":"too many tokens in your prompt sk-secret","type":"x"}}"#;
    let (answer, _) = answer_to(vec![events(&[HELLO[1], error])]).await;
    assert_eq!(answer.last(), Some(&Err(ModelError::ContextTooLong)));
}

#[tokio::test]
async fn silence_is_cut() {
    let slow = Reply::Late(Duration::from_millis(800), Box::new(events(&HELLO)));
    assert_eq!(
        impatient(slow).await,
        [Err(ModelError::Timeout)],
        "before the head"
    );
    assert_eq!(
        impatient(Reply::Stall(begun(&[]))).await,
        [Err(ModelError::Timeout)],
        "before the first piece"
    );
    let answer = impatient(Reply::Stall(begun(&HELLO[..2]))).await;
    assert_eq!(
        answer.last(),
        Some(&Err(ModelError::Timeout)),
        "between pieces"
    );
}

#[tokio::test]
async fn noise_is_not_a_sign_of_life() {
    for noise in [
        ": ping\n\n",
        "data: {\"choices\":[]}\n\n",
        "\n\n",
        "event: x\n\n",
    ] {
        let answer = impatient(Reply::Endless(begun(&[]), chunk(noise).repeat(500))).await;
        assert_eq!(answer, [Err(ModelError::Timeout)], "{noise:?}");
    }
}

#[tokio::test]
async fn a_line_without_an_end_is_cut() {
    let (answer, _) = answer_to(vec![Reply::Endless(begun(&[]), chunk(&"x".repeat(60_000)))]).await;
    assert!(
        matches!(answer.as_slice(), [Err(ModelError::TooLong(_))]),
        "{answer:?}"
    );
    let head = "HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    let (answer, _) = answer_to(vec![Reply::Endless(head, chunk(&"x".repeat(60_000)))]).await;
    assert_eq!(
        answer,
        [Err(ModelError::BadRequest { code: None })],
        "an error's body"
    );
}

#[tokio::test]
async fn text_without_an_end_is_cut() {
    let piece = |delta: serde_json::Value| {
        chunk(&format!(
            "data: {}\n\n",
            json!({"choices": [{"delta": delta}]})
        ))
    };
    let long = "x".repeat(50_000);
    for delta in [json!({"content": long}), json!({"reasoning_content": long})] {
        let (answer, _) = answer_to(vec![Reply::Endless(begun(&[]), piece(delta))]).await;
        assert!(
            matches!(answer.last(), Some(Err(ModelError::TooLong(_)))),
            "{:?}",
            answer.last()
        );
        assert!(answer.len() < 100);
    }
}

#[tokio::test]
async fn tool_arguments_without_an_end_are_cut() {
    let piece = |index, id: &str, name: &str, arguments: &str| {
        chunk(&format!(
            "data: {}\n\n",
            call_piece(index, id, name, arguments)
        ))
    };
    let first = format!("{}{}", begun(&[]), piece(0, "a", "add", ""));
    for then in [
        piece(0, "", "", &"x".repeat(50_000)),
        piece(0, "", "", "").repeat(1_000),
        piece(1, "b", "x", ""),
    ] {
        let (answer, _) = answer_to(vec![Reply::Endless(first.clone(), then)]).await;
        assert!(
            matches!(answer.as_slice(), [Err(ModelError::TooLong(_))]),
            "{answer:?}"
        );
    }
    let many: String = (0..200)
        .map(|n| piece(n, &format!("c{n}"), "add", "{}"))
        .collect();
    let (answer, _) = answer_to(vec![Reply::Raw(format!("{}{many}", begun(&[])))]).await;
    assert!(
        matches!(answer.as_slice(), [Err(ModelError::TooLong(_))]),
        "{answer:?}"
    );
}

#[tokio::test]
async fn the_whole_turn_has_a_deadline() {
    let piece = chunk("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n");
    let server = Server::start(vec![Reply::Endless(begun(&[]), piece)]).await;
    let provider = provider(&server.url, |settings| {
        settings.timeout = Duration::from_millis(300)
    });
    let begun = Instant::now();
    let answer = ask(&provider).await;
    let last = answer.last().cloned();
    assert!(
        matches!(
            last,
            Some(Err(ModelError::Timeout | ModelError::TooLong(_)))
        ),
        "{last:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn nobody_listening_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let answer = ask(&provider(&url, |_| ())).await;
    assert!(is_unavailable(&answer), "{answer:?}");
}

#[tokio::test]
async fn the_key_goes_nowhere_else() {
    let own = |default_model: &str| {
        let settings = ModelSettings {
            api_key: Some(ApiKey::new("sk-secret")),
            default_model: default_model.to_owned(),
            ..ModelSettings::default()
        };
        Provider::new(&settings).expect("the settings are good")
    };
    assert!(own("openai/m").target(Family::Anthropic, "m").is_err());
    assert!(own("openai/m").target(Family::Ollama, "m").is_err());
    assert!(
        own("builtin/extractive")
            .target(Family::Gemini, "m")
            .is_err()
    );
    let home = own("anthropic/m")
        .target(Family::Anthropic, "m")
        .map(|target| target.url);
    assert_eq!(home.as_deref(), Ok("https://api.anthropic.com/v1/"));
    let none = Provider::new(&ModelSettings::default()).expect("the settings are good");
    assert!(matches!(
        none.target(Family::OpenAi, "m"),
        Err(ModelError::Misconfigured(_))
    ));
    assert!(!format!("{:?}", own("openai/m")).contains("sk-secret"));
}

#[tokio::test]
async fn other_providers_protocols_are_spoken() {
    let event = |name: &str, data: &str| chunk(&format!("event: {name}\ndata: {data}\n\n"));
    let parts = [
        event(
            "message_start",
            r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}"#,
        ),
        event(
            "content_block_start",
            r#"{"content_block":{"type":"tool_use","id":"t1","name":"add","input":{}}}"#,
        ),
        event(
            "content_block_delta",
            r#"{"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
        ),
        event(
            "content_block_delta",
            r#"{"delta":{"type":"input_json_delta","partial_json":" 1}"}}"#,
        ),
        event("content_block_stop", "{}"),
        event(
            "message_delta",
            r#"{"delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}"#,
        ),
        event("message_stop", "{}"),
    ];
    let server = Server::start(vec![Reply::Raw(format!(
        "{}{}0\r\n\r\n",
        begun(&[]),
        parts.concat()
    ))])
    .await;
    let provider = provider(&server.url, |_| ());
    let answer: Answered = provider
        .chat(Family::Anthropic, "claude-x", question())
        .collect()
        .await;
    let call = ToolCall {
        id: "t1".to_owned(),
        name: "add".to_owned(),
        arguments: json!({"a": 1}),
    };
    assert_eq!(calls(&answer), [call], "{answer:?}");
    assert!(server.requests().await[0].starts_with("POST /v1/messages "));
}
