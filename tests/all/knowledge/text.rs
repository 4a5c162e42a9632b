//! Search by words: phrases, languages, filters, and the index under policies.

use behalf_contracts::{RetrievalError, RetrievalQuery, SearchMethod};
use behalf_tests::{ALICE, BOB};
use uuid::Uuid;

use super::shelf::Shelf;

fn ids(found: &[behalf_contracts::RetrievedChunk]) -> Vec<Uuid> {
    found.iter().map(|chunk| chunk.chunk_id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn words_and_exact_phrases_are_found() {
    let shelf = Shelf::start().await;
    let first = shelf.add(ALICE, "the boundary layer of a flat plate", "{}").await;
    let second = shelf.add(ALICE, "a layer beyond the boundary of a plate, and another boundary", "{}").await;
    let other = shelf.add(ALICE, "heat flows", "{}").await;
    let both = ids(&shelf.words(ALICE, "boundary layer").await);
    assert_eq!(both.len(), 2);
    assert!(both.contains(&first) && both.contains(&second));
    assert_eq!(ids(&shelf.words(ALICE, "\"boundary layer\"").await), [first]);
    assert_eq!(ids(&shelf.words(ALICE, "\"boundary layer\" heat").await), [first]);
    assert_eq!(ids(&shelf.words(ALICE, "\"boundary plate\"").await), Vec::<Uuid>::new());
    assert_eq!(ids(&shelf.words(ALICE, "heat nowhere").await), [other]);
    // Words that have no meaning of their own, and signs of Postgres's own language.
    for nothing in ["?!", "|", "& ! ( ", "''", "\"\"", "\\"] {
        assert!(shelf.words(ALICE, nothing).await.is_empty(), "{nothing}");
    }
    assert_eq!(ids(&shelf.words(ALICE, "heat:* | boundary & !layer").await).len(), 3);
    let empty = RetrievalQuery { text: "  ".to_owned(), ..RetrievalQuery::default() };
    assert!(matches!(shelf.find(&shelf.user(ALICE).await, &empty, &[]).await, Err(RetrievalError::Invalid(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hyphenated_word_finds_its_parts_and_they_find_it() {
    let shelf = Shelf::start().await;
    let apart = shelf.add(ALICE, "the boundary layer of a plate", "{}").await;
    let joined = shelf.add(ALICE, "a boundary-layer probe of some kind", "{}").await;
    shelf.add(ALICE, "heat flows", "{}").await;
    for text in ["boundary-layer", "boundary layer", "the boundary-layer-control"] {
        let found = ids(&shelf.words(ALICE, text).await);
        assert!(found.len() == 2 && found.contains(&apart) && found.contains(&joined), "{text}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn misspelt_words_are_found_where_pg_trgm_is_there_and_only_among_what_the_caller_sees() {
    let shelf = Shelf::start().await;
    let alices = shelf.add(ALICE, "the boundary layer of a plate", "{}").await;
    let bobs = shelf.add(BOB, "what a boundary is", "{}").await;
    shelf.add(ALICE, "heat flows", "{}").await;
    assert!(shelf.words(ALICE, "boundery").await.is_empty(), "without the extension");
    let is_available = "select exists (select from pg_available_extensions where name = 'pg_trgm')";
    if !shelf.database.value::<bool>(is_available).await {
        eprintln!("this Postgres has no pg_trgm");
        return;
    }
    shelf.database.execute("create schema if not exists extensions; grant usage on schema extensions to public").await;
    for schema in ["public", "extensions"] {
        shelf.database.execute(&format!("create extension pg_trgm schema {schema}")).await;
        for (user, chunk) in [(ALICE, alices), (BOB, bobs)] {
            let found = shelf.words(user, "boundery").await;
            assert_eq!(ids(&found), [chunk], "{schema}");
            assert!(found[0].score >= 0.5 && found[0].score < 1.0, "{found:?}");
        }
        // Words that are there are found as ever, and what is like nothing is not found.
        assert_eq!(ids(&shelf.words(ALICE, "heat boundery").await).len(), 1);
        assert!(shelf.words(ALICE, "zzqqxx").await.is_empty());
        shelf.database.execute("drop extension pg_trgm").await;
    }
    // Where callers do not look, there is none for them, and no error either.
    shelf.database.execute("create schema elsewhere; create extension pg_trgm schema elsewhere").await;
    assert!(shelf.words(ALICE, "boundery").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rarer_word_counts_more_and_scores_are_between_0_and_1() {
    let shelf = Shelf::start().await;
    for _ in 0..8 {
        shelf.add(ALICE, "common words", "{}").await;
    }
    let rare = shelf.add(ALICE, "rare words", "{}").await;
    let found = shelf.words(ALICE, "common rare").await;
    assert_eq!(found[0].chunk_id, rare);
    assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score));
    assert!(found.iter().all(|chunk| chunk.score > 0.0 && chunk.score < 1.0), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_of_metadata_and_of_sources_holds_for_words_and_for_both() {
    let shelf = Shelf::start().await;
    let german = shelf.add(ALICE, "the same text", r#"{"lang": "de", "page": 7}"#).await;
    shelf.add(ALICE, "the same text", r#"{"lang": "en"}"#).await;
    shelf.add(BOB, "the same text", r#"{"lang": "de", "page": 7}"#).await;
    let alice = shelf.user(ALICE).await;
    for method in [SearchMethod::FullText, SearchMethod::Hybrid, SearchMethod::Vector] {
        for filter in [r#"{"lang": "de"}"#, r#"{"page": 7}"#] {
            let query = RetrievalQuery {
                text: "same text".to_owned(),
                method: Some(method),
                filter_metadata: Some(serde_json::from_str(filter).unwrap()),
                ..RetrievalQuery::default()
            };
            let (found, path) = shelf.find(&alice, &query, &[0.5; 24]).await.unwrap();
            assert_eq!(ids(&found), [german], "{method:?} {filter} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_of_words_is_used_under_policies() {
    let shelf = Shelf::filled().await;
    // Rare words among many chunks, so that the index is worth it.
    shelf.add(BOB, "zebra", "{}").await;
    shelf.database.execute("analyze ai.chunk_words").await;
    let mut session = shelf.session(BOB).await;
    sqlx::raw_sql("set local behalf.text_query = '''zebra'''").execute(&mut session).await.unwrap();
    let plan: Vec<String> =
        sqlx::query_scalar("explain select chunk_id from ai.chunk_words where words @@ '''zebra'''::tsquery")
            .fetch_all(&mut session)
            .await
            .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("Bitmap Index Scan on chunk_words_words"), "{plan}");
    let found: Vec<Uuid> =
        sqlx::query_scalar("select chunk_id from ai.chunk_words").fetch_all(&mut session).await.unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_together_put_first_what_both_find() {
    let shelf = Shelf::filled().await;
    let both = shelf.add(BOB, "zebra", "{}").await;
    let query = RetrievalQuery {
        text: "zebra word1".to_owned(),
        method: Some(SearchMethod::Hybrid),
        ..RetrievalQuery::default()
    };
    let (found, _) = shelf.find(&shelf.user(BOB).await, &query, &[0.5; 24]).await.unwrap();
    assert_eq!(found.len(), 10);
    assert_eq!(found[0].chunk_id, both);
    assert!((found[0].score - 1.0).abs() < 1e-6, "{}", found[0].score);
}
