//! Tests of the client with a correct provider.

use super::*;

#[tokio::test]
async fn text_and_usage_arrive() {
    let (answer, requests) = answer_to(vec![events(&HELLO)]).await;
    assert_eq!(answer, hello());
    let request = &requests[0];
    assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer sk-secret\r\n"), "{request}");
    assert!(request.contains(r#""stream_options":{"include_usage":true}"#), "{request}");
}

#[tokio::test]
async fn reasoning_arrives_apart_from_text() {
    let thought = r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#;
    let (answer, _) = answer_to(vec![events(&[thought, HELLO[1], HELLO[2], HELLO[3], "[DONE]"])]).await;
    assert_eq!(answer.first(), Some(&Ok(Delta::Reasoning("hm".to_owned()))));
    assert_eq!(answer[1..], hello()[..]);
}

#[tokio::test]
async fn the_whole_request_is_sent() {
    let server = Server::start(vec![events(&HELLO)]).await;
    let call = ToolCall { id: "c1".to_owned(), name: "add".to_owned(), arguments: json!({"a": 1}) };
    let request = ChatRequest {
        model: None,
        messages: vec![
            Message::system("be brief"),
            Message::user("1+1?"),
            Message::calling("", vec![call.clone()]),
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
        response_format: Some(ResponseFormat { name: "sum".to_owned(), schema: json!({"type": "object"}) }),
        reasoning_effort: Some(ReasoningEffort::Low),
        accesses: Vec::new(),
    };
    let answer: Answered = provider(&server.url, |_| ()).chat(Family::OpenAi, "qwen-max", request).collect().await;
    assert_eq!(answer, hello());
    let body = server.body().await;
    assert_eq!(body["model"], "qwen-max");
    assert_eq!(body["reasoning_effort"], "low");
    assert_eq!(body["temperature"], 0.5);
    assert_eq!(body["max_tokens"], 9);
    assert_eq!(body["response_format"]["json_schema"]["name"], "sum");
    assert_eq!(body["tools"][0]["function"]["name"], "web_search");
    let roles: Vec<_> = (0..4).map(|at| body["messages"][at]["role"].as_str()).collect();
    assert_eq!(roles, [Some("system"), Some("user"), Some("assistant"), Some("tool")]);
    assert_eq!(body["messages"][2]["tool_calls"][0]["function"]["arguments"], r#"{"a":1}"#);
    assert_eq!(body["messages"][3]["tool_call_id"], "c1");
}

#[tokio::test]
async fn a_models_name_is_sent_as_it_is() {
    let server = Server::start(vec![events(&HELLO)]).await;
    let _: Answered = provider(&server.url, |_| ()).chat(Family::OpenAi, "qwen-max", question()).collect().await;
    let requests = server.requests().await;
    assert!(requests[0].contains(r#""model":"qwen-max""#) && !requests[0].contains("reasoning_effort"));
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
    let made: Vec<_> = calls(&answer).into_iter().map(|call| (call.id, call.name, call.arguments)).collect();
    let expected = [
        ("a", "add", json!({"a": 1})),
        ("b", "list", json!({})),
        ("c", "bare", json!({})),
        ("d", "broken", json!("{\"a\": ")),
    ];
    assert_eq!(made, expected.map(|(id, name, arguments)| (id.to_owned(), name.to_owned(), arguments)));
    let end = Delta::Done { usage: Usage::default(), finish_reason: FinishReason::ToolCalls };
    assert_eq!(answer.last(), Some(&Ok(end)));
}

#[tokio::test]
async fn calls_are_told_apart_however_an_endpoint_numbers_them() {
    let piece = |call: serde_json::Value| json!({"choices": [{"delta": {"tool_calls": [call]}}]}).to_string();
    let named = |index: Option<u64>, id: &str, name: &str, arguments: &str| {
        piece(json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}}))
    };
    let far = named(Some(u64::MAX), "far", "add", "{}");
    let repeated = [named(Some(0), "r", "add", "{\"a\""), named(Some(0), "r", "add", ": 1}")];
    let unnumbered = [named(None, "", "one", "{}"), named(None, "", "two", "{"), named(None, "", "", "}")];
    let all_zero = [named(Some(0), "x", "add", "{"), named(Some(0), "", "", "}"), named(Some(0), "y", "add", "{}")];
    let whole = piece(json!({"index": 0, "id": "w", "function": {"name": "add", "arguments": {"a": 1}}}));
    for (pieces, count) in [
        (vec![far], 1),
        (repeated.to_vec(), 1),
        (unnumbered.to_vec(), 2),
        (all_zero.to_vec(), 2),
        (vec![whole.clone(), whole], 1),
    ] {
        let pieces: Vec<_> = pieces.iter().map(String::as_str).chain(["[DONE]"]).collect();
        let made = calls(&answer_to(vec![events(&pieces)]).await.0);
        let ids: std::collections::HashSet<_> = made.iter().map(|call| &call.id).collect();
        assert_eq!((made.len(), ids.len()), (count, count), "{made:?}");
        assert!(made.iter().all(|call| call.arguments.is_object()), "{made:?}");
    }
}

#[tokio::test]
async fn a_call_that_was_cut_short_has_no_arguments_to_go_by() {
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#;
    let (answer, _) = answer_to(vec![events(&[&call_piece(0, "a", "delete_all", ""), stop, "[DONE]"])]).await;
    assert_eq!(calls(&answer)[0].arguments, json!(""));
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
    assert!(own("openai/m").target(Family::Anthropic, "m", &[]).is_err());
    assert!(own("openai/m").target(Family::Ollama, "m", &[]).is_err());
    assert!(own("builtin/extractive").target(Family::Gemini, "m", &[]).is_err());
    let home = own("anthropic/m").target(Family::Anthropic, "m", &[]).map(|target| target.url);
    assert_eq!(home.as_deref(), Ok("https://api.anthropic.com/v1/"));
    let none = Provider::new(&ModelSettings::default()).expect("the settings are good");
    assert!(matches!(none.target(Family::OpenAi, "m", &[]), Err(ModelError::Misconfigured(_))));
    assert!(!format!("{:?}", own("openai/m")).contains("sk-secret"));
}

#[tokio::test]
async fn other_providers_protocols_are_spoken() {
    let event = |name: &str, data: &str| chunk(&format!("event: {name}\ndata: {data}\n\n"));
    let parts = [
        event("message_start", r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}"#),
        event("content_block_start", r#"{"content_block":{"type":"tool_use","id":"t1","name":"add","input":{}}}"#),
        event("content_block_delta", r#"{"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#),
        event("content_block_delta", r#"{"delta":{"type":"input_json_delta","partial_json":" 1}"}}"#),
        event("content_block_stop", "{}"),
        event("message_delta", r#"{"delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}"#),
        event("message_stop", "{}"),
    ];
    let server = Server::start(vec![Reply::Raw(format!("{}{}0\r\n\r\n", begun(&[]), parts.concat()))]).await;
    let provider = provider(&server.url, |_| ());
    let answer: Answered = provider.chat(Family::Anthropic, "claude-x", question()).collect().await;
    let call = ToolCall { id: "t1".to_owned(), name: "add".to_owned(), arguments: json!({"a": 1}) };
    assert_eq!(calls(&answer), [call], "{answer:?}");
    assert!(server.requests().await[0].starts_with("POST /v1/messages "));
}

#[tokio::test]
async fn thoughts_that_anthropic_signed_go_back_to_it_and_to_nobody_else() {
    let event = |name: &str, data: &str| chunk(&format!("event: {name}\ndata: {data}\n\n"));
    let parts = [
        event("message_start", r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}"#),
        event("content_block_start", r#"{"content_block":{"type":"thinking","thinking":"","signature":""}}"#),
        event("content_block_delta", r#"{"delta":{"type":"thinking_delta","thinking":"I had better add."}}"#),
        event("content_block_delta", r#"{"delta":{"type":"signature_delta","signature":"c2ln"}}"#),
        event("content_block_stop", "{}"),
        event("content_block_start", r#"{"content_block":{"type":"tool_use","id":"t1","name":"add","input":{}}}"#),
        event("content_block_delta", r#"{"delta":{"type":"input_json_delta","partial_json":"{}"}}"#),
        event("content_block_stop", "{}"),
        event("message_delta", r#"{"delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}"#),
        event("message_stop", "{}"),
    ];
    let reply = Reply::Raw(format!("{}{}0\r\n\r\n", begun(&[]), parts.concat()));
    let server = Server::start(vec![reply]).await;
    let provider = provider(&server.url, |_| ());
    let answer: Answered = provider.chat(Family::Anthropic, "claude-x", question()).collect().await;
    let opaque = answer.iter().flatten().find_map(|delta| match delta {
        Delta::Opaque(opaque) => Some(opaque.clone()),
        _ => None,
    });
    let call = calls(&answer).remove(0);
    let turn = Message::Assistant { content: String::new(), tool_calls: vec![call.clone()], opaque };
    let messages = vec![Message::user("hi"), turn, Message::tool(&call, "2")];
    for (model, is_there) in [("claude-x", true), ("claude-y", false)] {
        let request = ChatRequest { messages: messages.clone(), ..ChatRequest::default() };
        let _: Answered = provider.chat(Family::Anthropic, model, request).collect().await;
        let sent = server.requests().await.pop().expect("a request");
        let expected = r#"{"type":"thinking","thinking":"I had better add.","signature":"c2ln"}"#;
        let body: serde_json::Value =
            serde_json::from_str(sent.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
        let first = &body["messages"][1]["content"][0];
        let expected: serde_json::Value = serde_json::from_str(expected).expect("JSON");
        assert_eq!(first == &expected, is_there, "{model}: {body}");
    }
}
