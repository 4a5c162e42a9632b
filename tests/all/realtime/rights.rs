//! Who may use a private channel: what the app's policies on `realtime.messages` say, of every kind.

use behalf_identity::Role;
use behalf_tests::database::run;
use behalf_tests::{ALICE, BOB, TestDatabase};

use super::sql_caller::{ALL, Answer, NONE, Who, ask, begin, refusal, rights};

const ANON: Who = (Role::Anon, None);
const SERVICE: Who = (Role::Service, None);

fn is(user: uuid::Uuid) -> Who {
    (Role::Authenticated, Some(user))
}

async fn with(policies: &str) -> TestDatabase {
    let database = TestDatabase::create().await;
    database.execute(policies).await;
    database
}

/// Rights to `(receive, send)` broadcasts and to `(see, be in)` presence.
fn may(broadcast: (bool, bool), presence: (bool, bool)) -> Answer {
    (broadcast.0, broadcast.1, presence.0, presence.1, None, None)
}

#[tokio::test]
async fn without_a_policy_only_the_service_role_has_a_right() {
    let database = TestDatabase::create().await;
    for who in [ANON, is(ALICE)] {
        assert_eq!(rights(&database, who, "room").await, NONE, "{who:?}");
    }
    assert_eq!(rights(&database, SERVICE, "room").await, ALL);
}

#[tokio::test]
async fn a_policy_gives_the_right_of_its_kind_for_its_extension() {
    let database = with(
        "create table public.member (user_id uuid, room text);
         create policy receive on realtime.messages for select to authenticated using (
             realtime.topic() = 'broadcast' and extension = 'broadcast');
         create policy send on realtime.messages for insert to authenticated with check (
             realtime.topic() = 'send' and realtime.messages.extension = 'broadcast');
         create policy see on realtime.messages for select to authenticated using (topic = 'presence' and extension in ('presence'));
         create policy be on realtime.messages for insert to authenticated with check (topic = 'be' and extension = 'presence');
         create policy all_of on realtime.messages for all to anon using (topic = 'open') with check (topic = 'open' and private)",
    )
    .await;
    for (topic, expected) in [
        ("broadcast", may((true, false), (false, false))),
        ("send", may((false, true), (false, false))),
        ("presence", may((false, false), (true, false))),
        ("be", may((false, false), (false, true))),
        ("open", NONE),
        ("other", NONE),
    ] {
        assert_eq!(rights(&database, is(ALICE), topic).await, expected, "{topic}");
    }
    assert_eq!(rights(&database, ANON, "open").await, ALL);
    assert_eq!(rights(&database, ANON, "broadcast").await, NONE);
}

/// As the documentation of Supabase has it: who is in a table of members.
#[tokio::test]
async fn a_policy_asks_the_apps_own_tables_for_the_caller() {
    let database = with(&format!(
        "create table public.members (user_id uuid, room text);
         alter table public.members enable row level security;
         create policy own on public.members to authenticated using (user_id = (select auth.uid()));
         grant select on public.members to authenticated;
         insert into public.members values ('{ALICE}', 'kitchen'), ('{BOB}', 'garden');
         create policy members on realtime.messages for all to authenticated using (
             exists (select from public.members m where m.user_id = (select auth.uid()) and m.room = (select realtime.topic())))"
    ))
    .await;
    assert_eq!(rights(&database, is(ALICE), "kitchen").await, ALL);
    assert_eq!(rights(&database, is(ALICE), "garden").await, NONE);
    assert_eq!(rights(&database, is(BOB), "garden").await, ALL);
    // A right that was taken is gone at the next question.
    database.execute("delete from public.members where room = 'garden'").await;
    assert_eq!(rights(&database, is(BOB), "garden").await, NONE);
}

#[tokio::test]
async fn a_policy_sees_a_row_like_that_of_a_message() {
    let database = with(
        "create policy of_row on realtime.messages for all to authenticated using (
             topic = 'room' and topic = realtime.topic() and extension in ('broadcast', 'presence') and private
             and payload is null and event is null and binary_payload is null and id is not null
             and inserted_at between (now() at time zone 'utc') - interval '1 minute' and (now() at time zone 'utc') + interval '1 minute'
             and updated_at = inserted_at)",
    )
    .await;
    assert_eq!(rights(&database, is(ALICE), "room").await, ALL);
}

#[tokio::test]
async fn a_restrictive_policy_takes_away() {
    let database = with(
        "create policy everybody on realtime.messages for all to authenticated using (true) with check (true);
         create policy no_secret on realtime.messages as restrictive for all to authenticated using (topic <> 'secret');
         create policy no_presence on realtime.messages as restrictive for select to authenticated using (extension <> 'presence')",
    )
    .await;
    assert_eq!(rights(&database, is(ALICE), "room").await, may((true, true), (false, true)));
    assert_eq!(rights(&database, is(ALICE), "secret").await, NONE);
}

/// A topic that the policy cannot read must not take the connection down, and gives no right.
#[tokio::test]
async fn a_policy_that_fails_gives_no_right_and_its_code_is_told() {
    let database = with(
        "create policy of_user on realtime.messages for all to authenticated using ((realtime.topic())::uuid = (select auth.uid()));
         create function public.refuse(topic text) returns boolean language plpgsql as
             $$ begin if topic = 'bad' then raise exception 'no' using errcode = 'BHRT1'; end if; return topic = 'good'; end $$;
         create policy raising on realtime.messages for all to anon using (public.refuse(topic)) with check (public.refuse(topic))",
    )
    .await;
    let failed = (false, false, false, false, Some("22P02".to_owned()), Some("22P02".to_owned()));
    assert_eq!(rights(&database, is(ALICE), "no uuid").await, failed);
    assert_eq!(rights(&database, is(ALICE), &ALICE.to_string()).await, ALL);
    assert_eq!(rights(&database, is(ALICE), &BOB.to_string()).await, NONE);
    assert_eq!(rights(&database, ANON, "good").await, ALL);
    // Also with the very code by which the question ends what it tried.
    assert_eq!(rights(&database, ANON, "bad").await, NONE);
}

#[tokio::test]
async fn a_policy_that_waits_is_stopped() {
    let database = with(
        "create function public.slow() returns boolean language plpgsql security definer as
             $$ begin perform pg_sleep(30); return true; exception when others then return true; end $$;
         create policy slow on realtime.messages for select to authenticated using (public.slow())",
    )
    .await;
    let mut conn = begin(&database, is(ALICE)).await;
    run(&mut conn, "set local statement_timeout = '300ms'").await;
    let refused = refusal(&mut conn, "select * from behalf_realtime.rights('room')").await;
    assert!(refused.contains("statement timeout"), "{refused}");
}

#[tokio::test]
async fn nothing_of_a_question_is_left_whatever_policies_and_triggers_do() {
    let database = with(
        "create table public.asked (topic text);
         create function public.note(topic text) returns boolean language plpgsql security definer as
             $$ begin insert into public.asked values (topic); return true; end $$;
         create function public.copy_message() returns trigger language plpgsql security definer as
             $$ begin insert into public.asked values ('copied ' || new.topic); return null; end $$;
         create policy noting on realtime.messages for all to authenticated using (public.note(topic));
         create trigger copies after insert on realtime.messages for each row execute function public.copy_message();
         insert into behalf.realtime_hosts values (gen_random_uuid())",
    )
    .await;
    let mut conn = begin(&database, is(ALICE)).await;
    assert_eq!(ask(&mut conn, "room").await, ALL);
    // As the host does before it rolls back; and here even a commit is possible.
    run(&mut conn, "set constraints all immediate; commit").await;
    for table in ["public.asked", "realtime.messages", "behalf.realtime_outbox"] {
        assert_eq!(database.value::<i64>(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn questions_within_savepoints_and_within_policies_are_answered() {
    let database = with(
        "create function public.may(topic text) returns boolean language plpgsql as $$
         begin
             if topic = 'outer' then
                 return (select r.read_broadcast and not r.write_presence from behalf_realtime.rights('inner') r);
             end if;
             return topic = 'inner';
         end $$;
         create policy receive on realtime.messages for select to authenticated using (public.may(topic))",
    )
    .await;
    let receive = may((true, false), (true, false));
    let mut conn = begin(&database, is(ALICE)).await;
    run(&mut conn, "savepoint a").await;
    assert_eq!(ask(&mut conn, "outer").await, receive);
    run(&mut conn, "rollback to a; savepoint b").await;
    assert_eq!(ask(&mut conn, "inner").await, receive);
    run(&mut conn, "release b").await;
    assert_eq!(ask(&mut conn, "other").await, NONE);
    // The rows are refused at once then, instead of at the end.
    run(&mut conn, "set constraints all immediate").await;
    let refused = (false, false, false, false, Some("42501".to_owned()), None);
    assert_eq!(ask(&mut conn, "inner").await, refused);
    run(&mut conn, "set constraints all deferred").await;
    assert_eq!(ask(&mut conn, "inner").await, receive);
    run(&mut conn, "commit").await;
}

#[tokio::test]
async fn a_trigger_of_the_app_that_drops_or_refuses_a_row_takes_the_right_to_send() {
    let database = with(
        "create policy everybody on realtime.messages for all to authenticated using (true) with check (true);
         create function public.guard() returns trigger language plpgsql as $$
         begin
             if current_user = 'authenticated' and new.topic = 'dropped' then return null; end if;
             if current_user = 'authenticated' and new.topic = 'refused' then raise exception 'not here'; end if;
             return new;
         end $$;
         create trigger guard before insert on realtime.messages for each row execute function public.guard()",
    )
    .await;
    assert_eq!(rights(&database, is(ALICE), "room").await, ALL);
    assert_eq!(rights(&database, is(ALICE), "dropped").await, may((true, false), (true, false)));
    let refused = (true, false, true, false, None, Some("P0001".to_owned()));
    assert_eq!(rights(&database, is(ALICE), "refused").await, refused);
}

/// What a topic is called in the question is what policies hear, whatever the session said before.
#[tokio::test]
async fn the_topic_of_the_question_is_the_one_that_policies_hear() {
    let database =
        with("create policy own on realtime.messages for all to authenticated using (realtime.topic() = 'mine')").await;
    let mut conn = begin(&database, is(ALICE)).await;
    run(&mut conn, "set local realtime.topic = 'mine'").await;
    assert_eq!(ask(&mut conn, "yours").await, NONE);
    assert_eq!(ask(&mut conn, "mine").await, ALL);
}
