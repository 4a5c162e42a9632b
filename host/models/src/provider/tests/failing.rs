//! Tests of the client with common failures of providers.

use super::*;

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
    assert_eq!(answer, [Err(ModelError::RateLimited { retry_after: Some(Duration::from_hours(1)) })]);
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn trouble_of_the_provider_is_tried_again_but_not_for_ever() {
    let broken = status("500 Internal Server Error", "", "your key sk-secret is fine");
    let (answer, requests) = answer_to(vec![broken.clone(), broken.clone(), events(&HELLO)]).await;
    assert_eq!((answer, requests.len()), (hello(), 3));
    let (answer, requests) = answer_to(vec![broken]).await;
    assert!(is_unavailable(&bare(answer.clone())), "{answer:?}");
    assert_eq!(requests.len(), 3);
    assert!(!format!("{answer:?}").contains("sk-secret"));
}

#[tokio::test]
async fn a_refused_request_is_not_tried_again() {
    let refused = status("400 Bad Request", "", r#"{"error": {"code": "unsupported_value"}}"#);
    let (answer, requests) = answer_to(vec![refused]).await;
    assert_eq!(bare(answer), [Err(ModelError::BadRequest { code: Some("unsupported_value".to_owned()) })]);
    assert_eq!(requests.len(), 1);
    let (answer, _) = answer_to(vec![status("401 Unauthorized", "", "{}")]).await;
    assert_eq!(answer, [Err(ModelError::Unauthorised)]);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(vec![events(&HELLO)]).await;
    let location = format!("location: {}/v1/chat/completions\r\n", elsewhere.url);
    let (answer, _) = answer_to(vec![status("307 Temporary Redirect", &location, "")]).await;
    assert!(matches!(answer.as_slice(), [Err(ModelError::Misconfigured(_))]), "{answer:?}");
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
    assert!(matches!(answer[1..], [Err(ModelError::Unavailable(_))]), "{answer:?}");
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_taken_for_whole() {
    let (answer, _) = answer_to(vec![events(&HELLO[..2])]).await;
    assert!(matches!(answer.last(), Some(Err(ModelError::Protocol(_)))), "{answer:?}");
    let (answer, _) = answer_to(vec![status("200 OK", "", "<html>")]).await;
    assert!(matches!(answer.as_slice(), [Err(ModelError::Protocol(_))]), "{answer:?}");
    let (answer, _) = answer_to(vec![events(&HELLO[..4])]).await;
    assert_eq!(answer, hello(), "it had said why it stopped");
}

#[tokio::test]
async fn an_error_within_the_answer_is_told() {
    let error = r#"{"error":{"message":"too many tokens in your prompt sk-secret","type":"x"}}"#;
    let (answer, _) = answer_to(vec![events(&[HELLO[1], error])]).await;
    let Some(Err(error)) = answer.last() else { panic!("{answer:?}") };
    assert_eq!(error.bare(), &ModelError::ContextTooLong);
    let reason = error.reason().map(crate::Reason::as_str);
    assert_eq!(reason, Some("too many tokens in your prompt […]"), "the key is not repeated");
}

#[tokio::test]
async fn nobody_listening_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let answer = ask(&provider(&url, |_| ())).await;
    assert!(is_unavailable(&answer), "{answer:?}");
}
