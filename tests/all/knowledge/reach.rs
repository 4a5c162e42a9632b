//! What is found out of policies holds every source that a caller sees chunks of, whatever the policies are.

use std::sync::Arc;
use std::time::Duration;

use behalf_caller_db::{AppLimits, Reach, ReachRequest};
use behalf_identity::{CallerKey, Principal};
use behalf_tests::{ALICE, BOB};
use uuid::Uuid;

use super::shelf::{BASE, Shelf};

/// The default policy on chunks.
const FOLLOWS: &str = "source_id in (select s.id from ai.sources s)";

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

/// A table of who may read which source: Alice seven of Bob's, and one that is nowhere.
async fn readers(shelf: &Shelf) {
    shelf
        .database
        .execute(&format!(
            "create table public.readers (source_id uuid, user_id uuid);
             insert into public.readers (select id, '{ALICE}'::uuid from ai.sources where owner_id = '{BOB}' order by id limit 7);
             insert into public.readers values ('{}', '{ALICE}');
             grant select on public.readers to authenticated;",
            Uuid::from_u128(0x404)
        ))
        .await;
}

const READERS: &str = "select r.source_id from public.readers r where r.user_id = (select auth.uid())";

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_on_sources_by_their_id_is_asked_without_reading_sources() {
    let shelf = Shelf::filled().await;
    readers(&shelf).await;
    let (alice, bob) = (shelf.user(ALICE).await, shelf.user(BOB).await);
    shelf.policies(&format!("id in ({READERS})"), FOLLOWS).await;
    // The one that is nowhere tells that sources were not read.
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 8);
    assert_eq!(ids(&shelf, shelf.reach(&bob).await).await.0, 0);
    let exists =
        "exists (select from public.readers r where r.source_id = sources.id and r.user_id = (select auth.uid()))";
    shelf.policies(exists, FOLLOWS).await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 8);
    // One part of an `and` is enough.
    shelf.policies(&format!("name < 'source 1' and id in ({READERS})"), FOLLOWS).await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 8);
    // What is about the owner is asked of the table.
    shelf.policies(&format!("owner_id = (select auth.uid()) or id in ({READERS})"), FOLLOWS).await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 12);
    assert_eq!(ids(&shelf, shelf.reach(&bob).await).await, (200, 2_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_on_sources_that_decides_by_something_else_is_left_to_postgres() {
    let shelf = Shelf::filled().await;
    readers(&shelf).await;
    let alice = shelf.user(ALICE).await;
    shelf
        .database
        .execute(
            "create function public.may_read(source uuid) returns boolean language sql stable as
        $$ select exists (select from public.readers r where r.source_id = source and r.user_id = auth.uid()) $$",
        )
        .await;
    for (policy, seen) in [
        ("public.may_read(id)".to_owned(), 7),
        (format!("not (id in ({READERS}))"), 393),
        (format!("owner_id in (select '{BOB}'::uuid)"), 200),
    ] {
        shelf.policies(&policy, FOLLOWS).await;
        assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, seen, "{policy}");
    }
    // A policy on sources says nothing where chunks have one of their own.
    shelf.policies("false", "source_id in (select r.source_id from public.readers r)").await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_policy_on_sources_counts_at_once() {
    let shelf = Shelf::filled().await;
    readers(&shelf).await;
    let alice = shelf.user(ALICE).await;
    for _ in 0..3 {
        shelf.policies(&format!("id in ({READERS})"), FOLLOWS).await;
        assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 8);
        shelf.policies("owner_id = (select auth.uid())", FOLLOWS).await;
        assert_eq!(ids(&shelf, shelf.reach(&alice).await).await, (4, 40));
    }
    // A policy means the table that it was made with, whatever that is called now.
    shelf.policies(&format!("id in ({READERS})"), FOLLOWS).await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 8);
    shelf
        .database
        .execute(
            "alter table public.readers rename to those_who_read; create table public.readers (source_id uuid, user_id uuid);
             grant select on public.readers to authenticated;",
        )
        .await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 8);
    shelf.database.execute("alter table ai.sources disable row level security").await;
    assert_eq!(ids(&shelf, shelf.reach(&alice).await).await.0, 400);
}

/// A rough answer, where so many chunks are enough.
async fn rough(shelf: &Shelf, principal: &Arc<Principal>, enough: fn(u64) -> u32) -> Reach {
    let request = ReachRequest {
        principal,
        key: CallerKey::new(principal, None),
        knowledge_bases: &[BASE],
        most_chunks: 100_000,
        most_of_all: 100_000,
        counted_sources: 10,
        limits: AppLimits { max_bytes: 1 << 20, deadline: Duration::from_secs(10) },
    };
    shelf.state.caller_db.rough_reach(request, enough).await.unwrap().reach
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rough_answer_estimates_chunks_and_names_few_sources() {
    let shelf = Shelf::filled().await;
    let (alice, bob, service) = (shelf.user(ALICE).await, shelf.user(BOB).await, shelf.service().await);
    let nobody = shelf.user(Uuid::from_u128(0xdead)).await;
    // The second time the statement is run while the policies are read.
    for _ in 0..2 {
        assert_eq!(ids(&shelf, rough(&shelf, &alice, |_| 500).await).await, (4, 40));
        assert_eq!(ids(&shelf, rough(&shelf, &bob, |all| u32::try_from(all).unwrap()).await).await, (200, 2_000));
        assert_eq!(rough(&shelf, &bob, |_| 500).await, Reach::Many);
        assert_eq!(rough(&shelf, &service, |_| 500).await, Reach::All { chunks: 4_000 });
        assert_eq!(ids(&shelf, rough(&shelf, &nobody, |_| 500).await).await, (0, 0));
    }
    // A table that names a source many times.
    readers(&shelf).await;
    shelf.database.execute("insert into public.readers select r.* from public.readers r, generate_series(1, 99)").await;
    shelf.policies(&format!("id in ({READERS})"), FOLLOWS).await;
    assert_eq!(ids(&shelf, rough(&shelf, &alice, |_| 500).await).await.0, 8);
    shelf.policies("true", "true").await;
    assert_eq!(rough(&shelf, &alice, |_| 500).await, Reach::All { chunks: 4_000 });
    shelf.policies("", "id is not null").await;
    assert_eq!(rough(&shelf, &alice, |_| 500).await, Reach::Unknown);
}
