//! `score` of chunks over `/rest/v1`: what the cookbook asks for, and what it says of others' documents, which is nothing.

use behalf_tests::{ALICE, Answer, BOB, TestDatabase, User};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bed::{Bed, alice, bob, source};

const QUERY: &str = "/rest/v1/chunks?select=id,text,score,source_id,meta&order=score.desc";

/// A chunk of a source without a job.
pub(super) async fn chunk(database: &TestDatabase, base: Option<&str>, source: &str, text: &str) -> String {
    let id = Uuid::new_v4();
    let base = base.map_or_else(|| "null".to_owned(), |base| format!("'{base}'"));
    let sql = format!(
        "insert into ai.chunks (id, knowledge_base_id, source_id, text) values ('{id}', {base}, '{source}', '{}')",
        text.replace('\'', "''")
    );
    database.execute(&sql).await;
    id.to_string()
}

pub(super) async fn ask(bed: &Bed, user: &User, path: &str, question: Option<&str>) -> Answer {
    let request = bed.request(user, Method::GET, path).header("accept-profile", "ai");
    let request = match question {
        Some(question) => request.header("behalf-query", question),
        None => request,
    };
    Answer::of(request.send().await.unwrap()).await
}

fn texts_and_scores(answer: &Answer) -> Vec<(String, f64)> {
    let rows = answer.json.as_array().unwrap_or_else(|| panic!("{}", answer.text));
    rows.iter().map(|row| (row["text"].as_str().unwrap().to_owned(), row["score"].as_f64().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookbooks_request_works_unchanged_and_scores_are_nothing_without_a_question() {
    let bed = Bed::start().await;
    let source = source(&bed.database, Some(ALICE), "a.md", &[]).await;
    chunk(&bed.database, None, &source, "the anchor is red").await;
    let answer = ask(&bed, &alice(), &format!("{QUERY}&limit=10"), None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let row = &answer.json[0];
    assert_eq!((&row["score"], &row["source_id"], &row["meta"]), (&json!(0), &json!(source), &json!({})), "{row}");
    assert_eq!(ask(&bed, &bob(), QUERY, None).await.json, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_in_the_header_orders_chunks_by_its_words() {
    let bed = Bed::start().await;
    let source = source(&bed.database, Some(ALICE), "a.md", &[]).await;
    for text in ["anchors and an anchor", "the red anchor", "a blue boat", "Über den Häfen: ein Anker"] {
        chunk(&bed.database, None, &source, text).await;
    }
    let found = texts_and_scores(&ask(&bed, &alice(), QUERY, Some("red%20anchor")).await);
    let texts: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts[..2], ["the red anchor", "anchors and an anchor"]);
    assert!(found.iter().all(|(_, score)| (0.0..1.0).contains(score)), "{found:?}");
    assert!(found[0].1 > found[1].1 && found[1].1 > 0.0 && found[2].1 == 0.0, "{found:?}");
    // As a browser encodes it, and as a program sends bytes.
    for question in ["%C3%9Cber%20H%C3%A4fen", "anchor"] {
        let best = &texts_and_scores(&ask(&bed, &alice(), QUERY, Some(question)).await)[0];
        assert!(best.1 > 0.4, "{question}: {best:?}");
    }
    // As a filter too.
    let path = "/rest/v1/chunks?select=text&score=gt.0";
    assert_eq!(ask(&bed, &alice(), path, Some("boat")).await.json, json!([{ "text": "a blue boat" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_language_is_that_of_the_base_also_when_it_changes() {
    let bed = Bed::start().await;
    let base = bed.base(&alice(), json!({ "retrieval_config": { "ts_language": "german" } })).await;
    let source = source(&bed.database, Some(ALICE), "a.md", &[]).await;
    chunk(&bed.database, Some(&base), &source, "Die Schiffe liegen im Hafen").await;
    let score = async |question: &str| texts_and_scores(&ask(&bed, &alice(), QUERY, Some(question)).await)[0].1;
    assert!(score("schiff").await > 0.0, "stemmed as German is");
    let change = json!({ "retrieval_config": { "ts_language": "simple" } });
    let changed = bed.send(&alice(), Method::PATCH, &format!("/api/knowledge-bases/{base}"), change).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert!(score("schiff").await == 0.0 && score("schiffe").await > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_stay_the_same_whatever_others_add() {
    let bed = Bed::start().await;
    let (hers, his) =
        (source(&bed.database, Some(ALICE), "a.md", &[]).await, source(&bed.database, Some(BOB), "b.md", &[]).await);
    for text in ["the anchor is red", "the boat is red and blue", "an anchor, an anchor and a boat"] {
        chunk(&bed.database, None, &hers, text).await;
    }
    let user = alice();
    let asked = || ask(&bed, &user, QUERY, Some("anchor red boat"));
    let before = asked().await.text;
    for number in 0..50 {
        chunk(&bed.database, None, &his, &format!("anchor red red red boat {number}")).await;
    }
    bed.database.execute("analyze ai.chunks").await;
    assert_eq!(asked().await.text, before);
    assert!(!before.contains("red red red"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_header_breaks_a_request() {
    let bed = Bed::start().await;
    let source = source(&bed.database, Some(ALICE), "a.md", &[]).await;
    chunk(&bed.database, None, &source, "dogs bark").await;
    let long = "dog%20".repeat(900);
    for question in
        ["%", "%zz", "%00", "%C3", "\\", "'; drop table ai.chunks; --", "\"}", "&|!:*()<->", "", "%F0%9F%90%B6", &long]
    {
        let answer = ask(&bed, &alice(), QUERY, Some(question)).await;
        assert_eq!(
            (answer.status, answer.json.as_array().map(Vec::len)),
            (200, Some(1)),
            "{question}: {}",
            answer.text
        );
    }
    let half = texts_and_scores(&ask(&bed, &alice(), QUERY, Some("100%C3 dogs")).await);
    assert!(half[0].1 > 0.0, "what is not encoded is taken as it stands");
}

/// The function takes a row that its caller can make up, and tells nothing but what is in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_row_tells_nothing_of_the_real_one() {
    let bed = Bed::start().await;
    let his = source(&bed.database, Some(BOB), "b.md", &[]).await;
    let id = chunk(&bed.database, None, &his, "a canary sings").await;
    let row = json!({ "chunk": { "id": id, "source_id": his, "text": "nothing", "language": "english" } });
    let request = bed.request(&alice(), Method::POST, "/rest/v1/rpc/score").header("content-profile", "ai");
    let answer = Answer::of(request.header("behalf-query", "canary sings").json(&row).send().await.unwrap()).await;
    assert_eq!((answer.status, &answer.json), (200, &json!(0)), "{}", answer.text);
    let anonymous = bed.request(&User::Anon, Method::GET, QUERY).header("accept-profile", "ai");
    let refused = Answer::of(anonymous.header("behalf-query", "canary").send().await.unwrap()).await;
    assert!(refused.status == 401 || refused.json == Value::Array(Vec::new()), "{}", refused.text);
}
