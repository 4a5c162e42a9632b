//! Whoever sees little of much finds the chunks that fit best, under any policy.

use behalf_contracts::{RetrievalQuery, SearchMethod};
use behalf_tests::{ALICE, BOB};
use uuid::Uuid;

use super::shelf::Shelf;

/// Enough that one miss does not decide.
const QUESTIONS: u32 = 20;

const FOLLOWS: &str = "source_id in (select s.id from ai.sources s)";

/// Alice sees a hundredth and Bob a half, of the same 4,000 chunks, and a stranger nothing.
async fn everybody_finds_what_they_see(shelf: &Shelf, ways: &[&str]) {
    let questions = shelf.questions(QUESTIONS).await;
    for user in [ALICE, BOB] {
        let (recall, paths) = shelf.recall(user, Some(user), &questions).await;
        assert!(recall >= 0.98, "{user}: {recall} by {paths:?}");
        assert!(paths.iter().all(|path| ways.contains(path)), "{user}: {paths:?}");
    }
    let nobody = shelf.user(Uuid::from_u128(0xdead)).await;
    let query = RetrievalQuery { text: "word1".to_owned(), ..RetrievalQuery::default() };
    for method in [SearchMethod::Vector, SearchMethod::FullText, SearchMethod::Hybrid] {
        let query = RetrievalQuery { method: Some(method), ..query.clone() };
        let (found, _) = shelf.find(&nobody, &query, &questions[0]).await.unwrap();
        assert!(found.is_empty(), "{method:?}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_by_owner_keeps_the_recall() {
    let shelf = Shelf::filled().await;
    everybody_finds_what_they_see(&shelf, &["sources"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_by_membership_keeps_the_recall() {
    let shelf = Shelf::filled().await;
    shelf
        .database
        .execute(
            "create table public.members (team uuid, user_id uuid);
             create table public.team_sources (team uuid, source_id uuid);
             insert into public.members select distinct owner_id, owner_id from ai.sources;
             insert into public.team_sources select owner_id, id from ai.sources;
             grant select on public.members, public.team_sources to authenticated;",
        )
        .await;
    let joined = "select t.source_id from public.team_sources t join public.members m on m.team = t.team where m.user_id = (select auth.uid())";
    shelf.policies(&format!("id in ({joined})"), FOLLOWS).await;
    everybody_finds_what_they_see(&shelf, &["sources"]).await;
    // The same on the chunks themselves, correlated.
    let exists = joined.replace("select t.source_id", "select 1") + " and t.source_id = chunks.source_id";
    shelf.policies("", &format!("exists ({exists})")).await;
    everybody_finds_what_they_see(&shelf, &["sources"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_by_claim_keeps_the_recall() {
    let shelf = Shelf::filled().await;
    shelf.policies("metadata ->> 'tenant' = (select auth.jwt() ->> 'sub')", FOLLOWS).await;
    everybody_finds_what_they_see(&shelf, &["sources"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_nobody_can_look_into_keeps_the_recall() {
    let shelf = Shelf::filled().await;
    shelf
        .database
        .execute(
            "create function public.may_read(source uuid) returns boolean language plpgsql stable security definer set search_path = ''
                 as $$ begin return exists (select from ai.sources s where s.id = source and s.owner_id = auth.uid()); end $$;",
        )
        .await;
    shelf.policies("", "public.may_read(source_id)").await;
    everybody_finds_what_they_see(&shelf, &["wide graph", "everything"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_shows_everything_keeps_the_recall() {
    let shelf = Shelf::filled().await;
    shelf.policies("true", "true").await;
    let questions = shelf.questions(QUESTIONS).await;
    let (recall, paths) = shelf.recall(ALICE, None, &questions).await;
    assert!(recall >= 0.98, "{recall} by {paths:?}");
    assert_eq!(paths, ["graph"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_far_more_chunks_than_others_keeps_the_recall() {
    let shelf = Shelf::filled().await;
    // By what sources have on average, Alice's four have some hundred chunks.
    shelf
        .database
        .execute(
            "insert into ai.chunks (knowledge_base_id, source_id, text, chunk_index, embedding_model, embedding)
                 select c.knowledge_base_id, c.source_id, 'one of many', n, c.embedding_model,
                     l2_normalize((select array_agg(random() - 0.5 + 0 * (g + n))::vector from generate_series(1, vector_dims(c.embedding)) g))
                 from ai.chunks c, generate_series(10, 6499) n where c.source_id = md5('source0')::uuid and c.chunk_index = 0;
             analyze ai.chunks;",
        )
        .await;
    let questions = shelf.questions(QUESTIONS).await;
    for _ in 0..2 {
        let (recall, paths) = shelf.recall(ALICE, Some(ALICE), &questions).await;
        assert!(recall >= 0.98, "{recall} by {paths:?}");
        assert!(paths.contains(&"graph of sources"), "{paths:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_sources_than_are_compared_one_by_one_keep_the_recall() {
    let shelf = Shelf::filled().await;
    shelf.policies("true", FOLLOWS).await;
    let questions = shelf.questions(QUESTIONS).await;
    for _ in 0..2 {
        let (recall, paths) = shelf.recall(ALICE, None, &questions).await;
        assert!(recall >= 0.98, "{recall} by {paths:?}");
        assert_eq!(paths, ["graph of sources"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_policy_counts_in_the_next_search() {
    let shelf = Shelf::filled().await;
    let questions = shelf.questions(3).await;
    let owner = "owner_id = (select auth.uid())";
    for _ in 0..2 {
        shelf.policies(owner, FOLLOWS).await;
        assert!(shelf.recall(ALICE, Some(ALICE), &questions).await.0 >= 0.98);
        // Alice is shown what is Bob's.
        shelf.policies(&format!("owner_id = '{BOB}'"), FOLLOWS).await;
        assert!(shelf.recall(ALICE, Some(BOB), &questions).await.0 >= 0.98);
        // And nothing at all: there is no policy.
        shelf.policies("", "").await;
        let query = RetrievalQuery { text: "word1".to_owned(), ..RetrievalQuery::default() };
        assert!(shelf.find(&shelf.user(ALICE).await, &query, &questions[0]).await.unwrap().0.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn named_sources_own_sources_and_metadata_narrow_a_search() {
    let shelf = Shelf::filled().await;
    shelf.policies("true", "true").await;
    let (alice, questions) = (shelf.user(ALICE).await, shelf.questions(5).await);
    let query =
        RetrievalQuery { text: "x".to_owned(), method: Some(SearchMethod::Vector), ..RetrievalQuery::default() };
    let own = RetrievalQuery { own_sources_only: true, ..query.clone() };
    let marked = shelf.add(BOB, "marked", r#"{"lang": "de", "page": 3}"#).await;
    for vector in &questions {
        let right = shelf.nearest(Some(ALICE), vector).await;
        let (found, path) = shelf.find(&alice, &own, vector).await.unwrap();
        let found: Vec<Uuid> = found.iter().map(|chunk| chunk.chunk_id).collect();
        assert_eq!(found, right, "{path}");
        let source = shelf.nearest(Some(BOB), vector).await[0];
        let source: Uuid =
            shelf.database.value(&format!("select source_id from ai.chunks where id = '{source}'")).await;
        let named = RetrievalQuery { source_ids: Some(vec![source]), ..query.clone() };
        let (found, _) = shelf.find(&alice, &named, vector).await.unwrap();
        assert_eq!(found.len(), 10);
        assert!(found.iter().all(|chunk| chunk.source_id == source));
        for filter in [r#"{"lang": "de"}"#, r#"{"page": 3.0}"#, r#"{"lang": "de", "page": 3}"#] {
            let filter_metadata = serde_json::from_str(filter).unwrap();
            let filtered = RetrievalQuery { filter_metadata: Some(filter_metadata), ..query.clone() };
            let (found, path) = shelf.find(&alice, &filtered, vector).await.unwrap();
            assert_eq!(found.iter().map(|chunk| chunk.chunk_id).collect::<Vec<_>>(), [marked], "{filter} by {path}");
        }
    }
}
