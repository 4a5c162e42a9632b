//! What is found out of policies holds every source that a caller sees chunks of, whatever the policies are.

use behalf_caller_db::Reach;
use behalf_tests::{ALICE, BOB};

use super::shelf::Shelf;

async fn ids(shelf: &Shelf, reach: Reach) -> (usize, u32) {
    match reach {
        Reach::Sources { ids, chunks } => {
            let known: i64 = shelf.database.value("select count(*) from ai.sources").await;
            assert!(ids.len() <= usize::try_from(known).unwrap());
            (ids.len(), chunks)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_found_out_of_the_policies_of_the_database() {
    let shelf = Shelf::filled().await;
    let (alice, bob, service) = (shelf.user(ALICE).await, shelf.user(BOB).await, shelf.service().await);
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await, (4, 40));
    assert_eq!(ids(&shelf, shelf.reach(&bob).await).await, (200, 2_000));
    assert_eq!(shelf.reach(&service).await, Reach::All { chunks: 4_000 });
    shelf.policies("true", "true").await;
    assert_eq!(shelf.reach(&alice).await, Reach::All { chunks: 4_000 });
    shelf.policies("", "").await;
    assert_eq!(shelf.reach(&alice).await, Reach::Sources { ids: Vec::new(), chunks: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_the_cookbook_is_understood() {
    let shelf = Shelf::filled().await;
    shelf
        .database
        .execute(&format!(
            "create table public.documents (source_id uuid, owner_id uuid);
             insert into public.documents select id, '{ALICE}' from ai.sources where owner_id = '{BOB}' limit 7;
             grant select on public.documents to authenticated;"
        ))
        .await;
    let alice = shelf.user(ALICE).await;
    let owned = "select source_id from public.documents where owner_id = auth.uid()";
    shelf.policies(&format!("id in ({owned})"), &format!("source_id in ({owned})")).await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 7);
    let indexed = "select i.source_id from ai.indexed_sources i where i.source_id in";
    shelf.policies(&format!("id in ({owned})"), &format!("source_id in ({indexed} ({owned}))")).await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_unknown_until_the_policy_changes() {
    let shelf = Shelf::filled().await;
    let alice = shelf.user(ALICE).await;
    // An array that is none, for a row that only the derived statement reads.
    shelf
        .policies("owner_id = (select auth.uid())", "source_id = any ((select auth.jwt() ->> 'sources')::uuid[])")
        .await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 0);
    shelf.database.execute("create function public.mine() returns uuid[] language sql stable as $$ select array[1 / 0]::text[]::uuid[] $$").await;
    shelf.policies("", "source_id = any (public.mine())").await;
    assert_eq!(shelf.reach(&alice).await, Reach::Unknown);
    // It is not asked again at once, and another policy is.
    assert_eq!(shelf.reach(&alice).await, Reach::Unknown);
    shelf.policies("owner_id = (select auth.uid())", "source_id in (select s.id from ai.sources s)").await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await, (4, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_tables_that_look_like_sql_change_nothing() {
    let shelf = Shelf::filled().await;
    let name = r#""x""; drop table ai.chunks; --""#;
    shelf
        .database
        .execute(&format!(
            "create table public.{name} (\"source_id) union select id from ai.sources --\" uuid);
             insert into public.{name} select id from ai.sources where owner_id = '{ALICE}' limit 2;
             grant select on public.{name} to authenticated;"
        ))
        .await;
    let alice = shelf.user(ALICE).await;
    let condition =
        format!("source_id in (select \"source_id) union select id from ai.sources --\" from public.{name})");
    shelf.policies("", &condition).await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 2);
    assert_eq!(shelf.database.value::<i64>("select count(*) from ai.chunks").await, 4_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_for_other_roles_and_commands_do_not_count() {
    let shelf = Shelf::filled().await;
    let alice = shelf.user(ALICE).await;
    shelf
        .database
        .execute(
            "create policy others on ai.chunks for select to anon using (true);
             create policy writers on ai.chunks for update to authenticated using (true);
             create policy narrow on ai.chunks as restrictive for select to authenticated using (knowledge_base_id is not null);",
        )
        .await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await, (4, 40));
    shelf.database.execute("create policy everybody on ai.chunks for select to public using (true)").await;
    assert_eq!(shelf.reach(&alice).await, Reach::All { chunks: 4_000 });
    shelf
        .database
        .execute("drop policy everybody on ai.chunks; create policy all_of_it on ai.chunks using (true)")
        .await;
    assert_eq!(shelf.reach(&alice).await, Reach::All { chunks: 4_000 });
}
