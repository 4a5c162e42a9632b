//! Tests of the client with a broken or hostile provider.

use super::*;

#[tokio::test]
async fn what_is_not_json_is_told() {
    for piece in ["{", "\u{0}", "[[[[", r#"{"choices":[{"delta":{"content":"#] {
        let (answer, _) = answer_to(vec![events(&[HELLO[1], piece])]).await;
        assert!(matches!(answer.last(), Some(Err(ModelError::Protocol(_)))), "{answer:?}");
    }
    let deep = "[".repeat(200_000);
    let (answer, _) = answer_to(vec![events(&[&deep])]).await;
    assert!(matches!(answer.as_slice(), [Err(ModelError::Protocol(_))]), "{answer:?}");
    let binary = Reply::Raw("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\n\u{80}\n".to_owned());
    assert!(matches!(answer_to(vec![binary]).await.0.as_slice(), [Err(_)]));
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
        assert!(matches!(answer.last(), Some(Ok(Delta::Done { .. }) | Err(_))), "{piece}: {answer:?}");
    }
}

#[tokio::test]
async fn silence_is_cut() {
    let slow = Reply::Late(Duration::from_millis(800), Box::new(events(&HELLO)));
    assert_eq!(impatient(slow).await, [Err(ModelError::Timeout)], "before the head");
    assert_eq!(impatient(Reply::Stall(begun(&[]))).await, [Err(ModelError::Timeout)], "before the first piece");
    let answer = impatient(Reply::Stall(begun(&HELLO[..2]))).await;
    assert_eq!(answer.last(), Some(&Err(ModelError::Timeout)), "between pieces");
}

#[tokio::test]
async fn noise_is_not_a_sign_of_life() {
    for noise in [": ping\n\n", "data: {\"choices\":[]}\n\n", "\n\n", "event: x\n\n"] {
        let answer = impatient(Reply::Endless(begun(&[]), chunk(noise).repeat(500))).await;
        assert_eq!(answer, [Err(ModelError::Timeout)], "{noise:?}");
    }
}

#[tokio::test]
async fn a_line_without_an_end_is_cut() {
    let (answer, _) = answer_to(vec![Reply::Endless(begun(&[]), chunk(&"x".repeat(60_000)))]).await;
    assert!(matches!(answer.as_slice(), [Err(ModelError::TooLong(_))]), "{answer:?}");
    let head = "HTTP/1.1 400 Bad Request\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    let (answer, _) = answer_to(vec![Reply::Endless(head, chunk(&"x".repeat(60_000)))]).await;
    assert_eq!(bare(answer), [Err(ModelError::BadRequest { code: None })], "an error's body");
}

#[tokio::test]
async fn text_without_an_end_is_cut() {
    let piece = |delta: serde_json::Value| chunk(&format!("data: {}\n\n", json!({"choices": [{"delta": delta}]})));
    let long = "x".repeat(50_000);
    for delta in [json!({"content": long}), json!({"reasoning_content": long})] {
        let (answer, _) = answer_to(vec![Reply::Endless(begun(&[]), piece(delta))]).await;
        assert!(matches!(answer.last(), Some(Err(ModelError::TooLong(_)))), "{:?}", answer.last());
        assert!(answer.len() < 100);
    }
}

#[tokio::test]
async fn tool_arguments_without_an_end_are_cut() {
    let piece = |index, id: &str, name: &str, arguments: &str| {
        chunk(&format!("data: {}\n\n", call_piece(index, id, name, arguments)))
    };
    let first = format!("{}{}", begun(&[]), piece(0, "a", "add", ""));
    for then in [piece(0, "", "", &"x".repeat(50_000)), piece(0, "", "", "").repeat(1_000), piece(1, "b", "x", "")] {
        let (answer, _) = answer_to(vec![Reply::Endless(first.clone(), then)]).await;
        assert!(matches!(answer.as_slice(), [Err(ModelError::TooLong(_))]), "{answer:?}");
    }
    let many: String = (0..200).map(|n| piece(n, &format!("c{n}"), "add", "{}")).collect();
    let (answer, _) = answer_to(vec![Reply::Raw(format!("{}{many}", begun(&[])))]).await;
    assert!(matches!(answer.as_slice(), [Err(ModelError::TooLong(_))]), "{answer:?}");
}

#[tokio::test]
async fn the_whole_turn_has_a_deadline() {
    let piece = chunk("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n");
    let server = Server::start(vec![Reply::Endless(begun(&[]), piece)]).await;
    let provider = provider(&server.url, |settings| {
        settings.timeout = Duration::from_millis(300);
    });
    let begun = Instant::now();
    let answer = ask(&provider).await;
    let last = answer.last().cloned();
    assert!(matches!(last, Some(Err(ModelError::Timeout | ModelError::TooLong(_)))), "{last:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}
