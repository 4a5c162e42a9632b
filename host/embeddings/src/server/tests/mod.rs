//! Tests of the clients over real sockets: servers that work, and servers that do not.

mod fake;

use serde_json::json;

pub(crate) use self::fake::{Fake, status};
use self::fake::{Reply, Request};
use super::*;

fn options(url: &str, model: &str) -> EmbeddingOptions {
    EmbeddingOptions {
        default_model: model.to_owned(),
        base_url: Some(url.to_owned()),
        api_key: Some(ApiKey::new("sk-secret")),
        ..EmbeddingOptions::default()
    }
}

fn quick(options: &EmbeddingOptions) -> Server {
    let mut server = Server::new(options).expect("the options are good");
    server.first_wait = Duration::from_millis(1);
    server
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

/// A vector that tells which text it is of.
fn vector(text: &str) -> Vec<f32> {
    vec![1.0, text.parse().expect("a number")]
}

fn inputs(request: &Request) -> Vec<String> {
    serde_json::from_value(request.body["input"].clone()).expect("texts")
}

/// The answer to a request for `openai/…`, its vectors in any order.
fn answer(request: &Request) -> Reply {
    let mut data: Vec<Value> = inputs(request)
        .iter()
        .enumerate()
        .map(|(n, text)| json!({"object": "embedding", "index": n, "embedding": vector(text)}))
        .collect();
    data.reverse();
    status("200 OK", "", &json!({"object": "list", "data": data, "usage": {"total_tokens": 1}}).to_string())
}

async fn ask(fake: &Fake, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
    quick(&options(&fake.url, "openai/m")).vectors(Family::OpenAi, "m", Purpose::Document, texts).await
}

/// What one text gets from a server that always gives this body.
async fn answered(body: &str) -> Result<Vec<Vec<f32>>, EmbeddingError> {
    let body = body.to_owned();
    ask(&Fake::start(move |_, _| status("200 OK", "", &body)).await, &texts(1)).await
}

#[tokio::test]
async fn many_texts_are_several_requests_and_keep_their_order() {
    let fake = Fake::start(|_, request| answer(request)).await;
    let texts = texts(150);
    let vectors = ask(&fake, &texts).await.expect("vectors");
    for (text, found) in texts.iter().zip(&vectors) {
        let [x, y] = found.as_slice() else { panic!("{found:?}") };
        assert!((x * x + y * y - 1.0).abs() < 1e-6, "its length is 1");
        assert!((y / x - text.parse::<f32>().expect("a number")).abs() < 0.01, "{text} {found:?}");
    }
    let requests = fake.requests();
    assert_eq!(requests.iter().map(|request| inputs(request).len()).sum::<usize>(), 150);
    assert_eq!((vectors.len(), requests.len()), (150, 3));
    for request in requests {
        assert_eq!(request.path, "/v1/embeddings");
        assert_eq!((&request.body["model"], &request.body["encoding_format"]), (&json!("m"), &json!("float")));
        assert_eq!(request.body.get("dimensions"), None);
        assert!(request.head.to_lowercase().contains("authorization: bearer sk-secret"), "{}", request.head);
    }
}

#[tokio::test]
async fn vectors_in_base64_are_read_and_dimensions_are_asked_for() {
    let fake = Fake::start(|_, _| {
        let bytes: Vec<u8> = [3.0_f32, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let text = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
        status("200 OK", "", &json!({"data": [{"embedding": text}]}).to_string())
    })
    .await;
    let with = |dimensions| EmbeddingOptions { dimensions: Some(dimensions), ..options(&fake.url, "openai/m") };
    let ask = async |dimensions, model| {
        quick(&with(dimensions)).vectors(Family::OpenAi, model, Purpose::Query, &texts(1)).await
    };
    assert_eq!(ask(2, "m").await, Ok(vec![vec![0.6, 0.8]]));
    assert!(matches!(ask(3, "m").await, Err(EmbeddingError::Answer(_))), "it did not do as it was asked");
    assert_eq!(ask(3, "other").await, Ok(vec![vec![0.6, 0.8]]));
    let asked: Vec<_> = fake.requests().iter().map(|request| request.body.get("dimensions").cloned()).collect();
    assert_eq!(asked, [Some(json!(2)), Some(json!(3)), None]);
}

#[tokio::test]
async fn ollama_is_asked_in_its_own_protocol_and_with_the_words_of_the_model() {
    let fake = Fake::start(|_, request| {
        let vectors: Vec<_> = inputs(request).iter().map(|_| [0.0, 2.0]).collect();
        status("200 OK", "", &json!({"model": "x", "embeddings": vectors}).to_string())
    })
    .await;
    let server = quick(&options(&format!("{}/v1", fake.url), "ollama/nomic-embed-text"));
    for purpose in [Purpose::Query, Purpose::Document] {
        let found =
            server.vectors(Family::Ollama, "nomic-embed-text", purpose, &["a".to_owned(), " ".to_owned()]).await;
        assert_eq!(found, Ok(vec![vec![0.0, 1.0], vec![0.0, 1.0]]));
    }
    let sent: Vec<_> = fake.requests().iter().map(|request| (request.path.clone(), inputs(request))).collect();
    let expected = [["search_query: a", "search_query: ."], ["search_document: a", "search_document: ."]];
    assert_eq!(sent, expected.map(|texts| ("/api/embed".to_owned(), texts.map(str::to_owned).to_vec())));
}

#[tokio::test]
async fn answers_that_cannot_be_used_are_told() {
    let many = format!(r#"{{"data":[{{"embedding":[{}1]}}]}}"#, "1,".repeat(4_000));
    for body in [
        "",
        "[]",
        r#"{"data":[]}"#,
        r#"{"data":[{"embedding":[]}]}"#,
        r#"{"data":[{"embedding":[0,0]}]}"#,
        r#"{"data":[{"embedding":[1e400]}]}"#,
        r#"{"data":[{"embedding":[NaN]}]}"#,
        r#"{"data":[{"embedding":[null]}]}"#,
        r#"{"data":[{"embedding":"AAAA"}]}"#,
        r#"{"data":[{"embedding":"AADAfwAAwH8="}]}"#,
        r#"{"data":[{"embedding":"not base64"}]}"#,
        r#"{"data":[{"index":1,"embedding":[1]}]}"#,
        r#"{"data":[{"embedding":[1]},{"embedding":[1]}]}"#,
        &many,
    ] {
        let found = answered(body).await;
        assert!(matches!(found, Err(EmbeddingError::Answer(_))), "{} {found:?}", body.get(..40).unwrap_or(body));
    }
    assert_eq!(answered(r#"{"data":[{"embedding":[2]}]}"#).await, Ok(vec![vec![1.0]]), "the check can succeed");
}

#[tokio::test]
async fn vectors_of_different_lengths_are_refused_in_one_answer_and_between_two() {
    let one = Fake::start(|_, _| status("200 OK", "", r#"{"data":[{"embedding":[1,2]},{"embedding":[1]}]}"#)).await;
    assert!(matches!(ask(&one, &texts(2)).await, Err(EmbeddingError::Answer(_))));
    let two = Fake::start(|_, request| {
        let count = inputs(request).len();
        let data = vec![json!({"embedding": vec![1; count]}); count];
        status("200 OK", "", &json!({ "data": data }).to_string())
    })
    .await;
    assert!(matches!(ask(&two, &texts(MAX_TEXTS + 3)).await, Err(EmbeddingError::Answer(_))));
    let twice = Fake::start(|_, _| {
        status("200 OK", "", r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#)
    })
    .await;
    assert!(matches!(ask(&twice, &texts(2)).await, Err(EmbeddingError::Answer(_))));
}

#[tokio::test]
async fn answers_without_end_are_cut_off() {
    const TOO_LARGE: Result<Vec<Vec<f32>>, EmbeddingError> =
        Err(EmbeddingError::Answer("it is larger than its vectors could be"));
    let told = Fake::start(|_, _| Reply::Whole("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_owned()));
    assert_eq!(ask(&told.await, &texts(1)).await, TOO_LARGE);
    let endless = Fake::start(|_, _| {
        let piece = format!("{:x}\r\n{}\r\n", 4_096, " ".repeat(4_096));
        Reply::Endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(), piece)
    })
    .await;
    assert_eq!(ask(&endless, &texts(1)).await, TOO_LARGE);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_the_rest_is_not() {
    for (line, tries) in [("429 Too Many Requests", 3), ("500 x", 3), ("503 x", 3)] {
        let fake = Fake::start(move |n, request| if n < 2 { status(line, "", "{}") } else { answer(request) }).await;
        assert!(ask(&fake, &texts(1)).await.is_ok(), "{line}");
        assert_eq!(fake.requests().len(), tries, "{line}");
    }
    let long = r#"{"error":{"message":"This model's maximum context length is 8192 tokens"}}"#;
    let quota = r#"{"error":{"code":"insufficient_quota"}}"#;
    let code = r#"{"error":{"message":"sk-secret said hello","code":"unsupported_value"}}"#;
    for (line, body, error) in [
        ("401 x", "{}", EmbeddingError::Unauthorised),
        ("400 x", long, EmbeddingError::TooLong),
        ("400 x", code, EmbeddingError::Refused { code: Some("unsupported_value".to_owned()) }),
        ("422 x", "<html>", EmbeddingError::Refused { code: None }),
        ("302 Found", "", EmbeddingError::NotSetUp("the embedding server redirects elsewhere")),
        ("404 x", "{}", EmbeddingError::NotSetUp("the embedding server knows no such model or address")),
        ("429 x", quota, EmbeddingError::NotSetUp("the account at the embedding server has no quota left")),
    ] {
        let fake = Fake::start(move |_, _| status(line, "location: http://127.0.0.1:1/\r\n", body)).await;
        assert_eq!(ask(&fake, &texts(1)).await, Err(error), "{line}");
        assert_eq!(fake.requests().len(), 1, "{line}");
    }
}

#[tokio::test]
async fn a_server_that_stays_away_is_asked_a_few_times() {
    let fake = Fake::start(|_, _| status("503 x", "", "")).await;
    let server = quick(&options(&fake.url, "openai/m"));
    let query = server.vectors(Family::OpenAi, "m", Purpose::Query, &texts(1)).await;
    assert!(matches!(query, Err(EmbeddingError::Unavailable(_))), "{query:?}");
    assert_eq!(fake.requests().len(), 1 + QUERY_RETRIES);
    // A wait that is too long is left to whoever asked.
    let limited = Fake::start(|_, _| status("429 x", "retry-after: 3600\r\n", "")).await;
    let found = ask(&limited, &texts(1)).await;
    assert_eq!(found, Err(EmbeddingError::RateLimited { retry_after: Some(Duration::from_hours(1)) }));
    assert_eq!(limited.requests().len(), 1);
    let closed = quick(&options("http://127.0.0.1:1", "openai/m"));
    let found = closed.vectors(Family::OpenAi, "m", Purpose::Query, &texts(1)).await;
    assert!(matches!(found, Err(EmbeddingError::Unavailable(_))), "{found:?}");
}

#[tokio::test]
async fn the_key_goes_nowhere_but_to_its_own_address() {
    let keyed = EmbeddingOptions { base_url: None, ..options("", "openai/m") };
    let server = quick(&keyed);
    let ollama = server.target(Family::Ollama, "m", Purpose::Query).map(|target| target.url);
    assert!(matches!(ollama, Err(EmbeddingError::NotSetUp(_))), "{ollama:?}");
    let url = server.target(Family::OpenAi, "m", Purpose::Query).map(|target| target.url);
    assert_eq!(url.as_deref(), Ok("https://api.openai.com/v1/"));
    let keyless = quick(&EmbeddingOptions { api_key: None, ..keyed });
    assert!(keyless.target(Family::OpenAi, "m", Purpose::Query).is_err());
    let local = quick(&EmbeddingOptions { default_model: "ollama/m".to_owned(), ..EmbeddingOptions::default() });
    let url = local.target(Family::Ollama, "m", Purpose::Query).map(|target| target.url);
    assert_eq!(url.as_deref(), Ok("http://localhost:11434/"));
    assert!(!format!("{server:?}").contains("sk-secret"));
}

#[test]
fn requests_are_bounded_in_texts_and_bytes() {
    let sizes = |texts: &[String]| groups(texts).map(<[String]>::len).collect::<Vec<_>>();
    assert_eq!(sizes(&texts(130)), [64, 64, 2]);
    assert_eq!(sizes(&vec!["x".repeat(MAX_BYTES / 2); 3]), [2, 1]);
    assert_eq!(sizes(&vec!["x".repeat(MAX_BYTES + 1); 2]), [1, 1]);
    assert!(sizes(&[]).is_empty());
}
