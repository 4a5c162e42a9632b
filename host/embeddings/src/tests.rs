//! Tests of the models together.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn embeddings(default_model: &str) -> Result<Embeddings, EmbeddingError> {
    Embeddings::new(EmbeddingOptions {
        default_model: default_model.to_owned(),
        weights: Some(local::weights()),
        threads: 1,
        ..EmbeddingOptions::default()
    })
}

#[tokio::test]
async fn queries_that_were_asked_before_are_answered_from_the_cache() {
    let embeddings = embeddings(LOCAL).expect("the options are good");
    let (first, second) = (["one".to_owned(), "two".to_owned()], ["two".to_owned(), "three".to_owned()]);
    let known = embeddings.embed(LOCAL, Purpose::Query, &first).await.expect("vectors");
    // The cached vector is replaced by one that the model would not make.
    embeddings.shared.queries.keep(Key::new(LOCAL, "two"), &[7.0]);
    let found = embeddings.embed(LOCAL, Purpose::Query, &second).await.expect("vectors");
    assert_eq!((found[0].as_slice(), found[1].len()), ([7.0].as_slice(), DIMS));
    assert_ne!(found[1], known[0]);
    let documents = embeddings.embed(LOCAL, Purpose::Document, &second).await.expect("vectors");
    assert_eq!(documents[0].len(), DIMS, "documents are computed");
    assert_eq!(embeddings.embed(LOCAL, Purpose::Query, &[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn models_are_told_apart_by_name() {
    let embeddings = embeddings(LOCAL).expect("the options are good");
    assert_eq!(embeddings.default_model(), LOCAL);
    assert_eq!(embeddings.dims(LOCAL).await, Ok(384));
    assert_eq!(embeddings.dims("mystery/m").await, Err(EmbeddingError::UnknownModel));
    let texts = ["x".to_owned()];
    let unset = embeddings.embed("ollama/m", Purpose::Document, &texts).await;
    assert!(matches!(unset, Err(EmbeddingError::NotSetUp(_))), "{unset:?}");
    assert_eq!((embeddings.max_tokens(LOCAL), embeddings.max_tokens("openai/m")), (256, 8_191));
    assert!(!embeddings.tokens("openai/m").is_exact());
    assert_eq!(embeddings.has_files(), Ok(()));
}

#[test]
fn options_that_cannot_work_are_refused() {
    assert_eq!(embeddings("mystery/m").err(), Some(EmbeddingError::UnknownModel));
    let base_url = EmbeddingOptions { base_url: Some("localhost".to_owned()), ..EmbeddingOptions::default() };
    assert!(matches!(Embeddings::new(base_url), Err(EmbeddingError::NotSetUp(_))));
}

#[tokio::test]
async fn the_length_of_a_servers_vectors_is_asked_for_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let fake = server::Fake::start(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        server::status("200 OK", "", r#"{"embeddings":[[1,2,3]]}"#)
    })
    .await;
    let options = EmbeddingOptions {
        default_model: "ollama/m".to_owned(),
        base_url: Some(fake.url.clone()),
        ..EmbeddingOptions::default()
    };
    let embeddings = Embeddings::new(options).expect("the options are good");
    assert_eq!(embeddings.dims("ollama/m").await, Ok(3));
    assert_eq!(embeddings.dims("ollama/m").await, Ok(3));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(embeddings.has_files(), Ok(()), "a server needs none");
}
