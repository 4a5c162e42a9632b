//! What a user's search tells of others' chunks: nothing by what is found, nor by ranks and scores.

use behalf_contracts::{RetrievalQuery, RetrievedChunk, SearchMethod};
use behalf_tests::{ALICE, BOB};
use uuid::Uuid;

use super::shelf::Shelf;

const METHODS: [SearchMethod; 3] = [SearchMethod::Vector, SearchMethod::FullText, SearchMethod::Hybrid];

async fn answers(shelf: &Shelf, user: Uuid) -> Vec<Vec<RetrievedChunk>> {
    let principal = shelf.user(user).await;
    let mut answers = Vec::new();
    for method in METHODS {
        for text in ["boundary layer", "\"boundary layer\"", "heat", "canary"] {
            let query = RetrievalQuery { text: text.to_owned(), method: Some(method), ..RetrievalQuery::default() };
            answers.push(shelf.find(&principal, &query, &[0.5; 24]).await.unwrap().0);
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn ranks_and_scores_do_not_change_when_somebody_else_adds_documents() {
    let shelf = Shelf::start().await;
    for text in ["a boundary layer", "heat of a boundary", "a layer, and a layer", "heat"] {
        shelf.add(ALICE, text, "{}").await;
    }
    let before = answers(&shelf, ALICE).await;
    assert!(before.iter().any(|found| found.len() > 2));
    for number in 0..200 {
        shelf.add(BOB, &format!("canary boundary layer heat {number}"), "{}").await;
    }
    shelf.database.execute("analyze").await;
    assert_eq!(answers(&shelf, ALICE).await, before);
    assert_eq!(shelf.words(BOB, "canary").await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_hidden_chunks_are_not_found() {
    let shelf = Shelf::start().await;
    let secret = shelf.add(BOB, "a canary sings", r#"{"kind": "bird"}"#).await;
    shelf.add(ALICE, "a dog barks", "{}").await;
    assert!(shelf.words(ALICE, "canary").await.is_empty());
    assert_eq!(shelf.words(BOB, "canary").await[0].chunk_id, secret);
    let alice = shelf.user(ALICE).await;
    for method in METHODS {
        let query = RetrievalQuery {
            text: "canary".to_owned(),
            method: Some(method),
            filter_metadata: Some(serde_json::from_str(r#"{"kind": "bird"}"#).unwrap()),
            ..RetrievalQuery::default()
        };
        assert!(shelf.find(&alice, &query, &[0.5; 24]).await.unwrap().0.is_empty());
        // Nor by the id of the source.
        let source: Uuid =
            shelf.database.value(&format!("select source_id from ai.chunks where id = '{secret}'")).await;
        let named = RetrievalQuery { filter_metadata: None, source_ids: Some(vec![source]), ..query };
        assert!(shelf.find(&alice, &named, &[0.5; 24]).await.unwrap().0.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_show_nothing_to_a_transaction_that_asks_for_none() {
    let shelf = Shelf::start().await;
    shelf.add(ALICE, "a dog barks", "{}").await;
    shelf.add(BOB, "a dog sleeps", "{}").await;
    let mut session = shelf.session(ALICE).await;
    let count = "select count(*) from ai.chunk_words";
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut session).await.unwrap();
    assert_eq!(seen, 0);
    // One that names a query sees what the user may see, and of that what matches.
    for (query, expected) in [("'dog'", 1), ("'bark'", 1), ("'sleep'", 0), ("!'cat'", 1), ("", 0)] {
        let set = format!("set local behalf.text_query = '{}'", query.replace('\'', "''"));
        sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut session).await.unwrap();
        let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut session).await.unwrap();
        assert_eq!(seen, expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_role_finds_everybodys_chunks_that_match() {
    let shelf = Shelf::start().await;
    shelf.add(ALICE, "a dog barks", "{}").await;
    shelf.add(BOB, "a dog sleeps", "{}").await;
    shelf.add(BOB, "a cat sleeps", "{}").await;
    let query =
        RetrievalQuery { text: "dog".to_owned(), method: Some(SearchMethod::FullText), ..RetrievalQuery::default() };
    assert_eq!(shelf.find(&shelf.service().await, &query, &[]).await.unwrap().0.len(), 2);
}
