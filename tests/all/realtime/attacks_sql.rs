//! Attacks on private channels with SQL: of users with a session of their own, of tools, and through functions over `/rest/v1`.

use behalf_identity::Role;
use behalf_tests::database::run;
use behalf_tests::{ALICE, App, BOB, TestDatabase, User, guests, write_grants};
use serde_json::json;
use sqlx::Connection;

use super::sql_caller::{ALL, Who, ask, begin, refusal, rights};

const OWN: &str =
    "create policy own on realtime.messages for all to authenticated using (topic = 'user:' || (select auth.uid()))";

const MESSAGES: &str = "select count(*) from realtime.messages";

const TRIAL: &str = "select behalf_realtime.trial_rows('user:victim', (now() at time zone 'utc')::timestamp)";

const CALLERS: [Who; 3] = [(Role::Anon, None), (Role::Authenticated, Some(ALICE)), (Role::Service, None)];

fn alice() -> Who {
    (Role::Authenticated, Some(ALICE))
}

/// They are written with the rights of the table's owner, to any channel: whoever could keep them could speak everywhere.
#[tokio::test]
async fn rows_that_try_a_policy_are_never_committed() {
    let database = TestDatabase::create().await;
    database
        .execute(
            "insert into behalf.realtime_hosts values (gen_random_uuid());
             create policy may_update on realtime.messages for update using (true) with check (true);
             create policy may_read on realtime.messages for select using (true)",
        )
        .await;
    for who in CALLERS {
        for rest in [
            "commit",
            "set constraints all deferred; commit",
            "set constraints all immediate",
            "savepoint a; release a; commit",
            "update realtime.messages set id = gen_random_uuid(), event = 'e', payload = '{}'; commit",
            "savepoint a; select behalf_realtime.trial_rows('b', (now() at time zone 'utc')::timestamp); rollback to a; commit",
            "select realtime.send('{}', 'e', 'x'); commit",
        ] {
            let mut conn = begin(&database, who).await;
            run(&mut conn, TRIAL).await;
            let refused = refusal(&mut conn, rest).await;
            assert!(refused.contains("cannot be committed"), "{who:?} {rest}: {refused}");
        }
        // In a block that hides the error.
        let mut conn = begin(&database, who).await;
        run(&mut conn, "savepoint a").await;
        run(&mut conn, TRIAL).await;
        refusal(&mut conn, "set constraints all immediate").await;
        run(&mut conn, "rollback to a; commit").await;
    }
    assert_eq!(database.value::<i64>(MESSAGES).await, 0);
    assert_eq!(database.value::<i64>("select count(*) from behalf.realtime_outbox").await, 0);
}

/// A row of one's own with such an id is no way around it either.
#[tokio::test]
async fn a_message_with_the_id_of_such_a_row_is_refused() {
    let database = TestDatabase::create().await;
    database.execute(OWN).await;
    for id in ["be4a1f00-0000-8000-8000-000000000000", "be4a1f00-0000-8000-8000-ffffffffffff"] {
        let mut conn = begin(&database, alice()).await;
        let own = format!(
            "insert into realtime.messages (id, topic, extension) values ('{id}', 'user:{ALICE}', 'broadcast')"
        );
        run(&mut conn, &own).await;
        assert!(refusal(&mut conn, "commit").await.contains("cannot be committed"));
    }
    assert_eq!(database.value::<i64>(MESSAGES).await, 0);
}

/// Without the trigger that refuses them, the function writes none.
#[tokio::test]
async fn where_such_rows_could_be_committed_none_is_written() {
    let database = TestDatabase::create().await;
    database.execute(OWN).await;
    for (broken, mended) in [
        (
            "alter table realtime.messages disable trigger behalf_refuses_trial_row",
            "alter table realtime.messages enable trigger behalf_refuses_trial_row",
        ),
        ("drop trigger behalf_refuses_trial_row on realtime.messages", "select behalf.share_realtime()"),
    ] {
        database.execute(broken).await;
        for who in CALLERS {
            let refused = refusal(&mut begin(&database, who).await, TRIAL).await;
            assert!(refused.contains("no trigger"), "{refused}");
        }
        let answer = rights(&database, alice(), &format!("user:{ALICE}")).await;
        assert!(!answer.0 && !answer.2 && answer.4.as_deref() == Some("BHRT2"), "{answer:?}");
        database.execute(mended).await;
        assert_eq!(rights(&database, alice(), &format!("user:{ALICE}")).await, ALL);
    }
    assert_eq!(database.value::<i64>(MESSAGES).await, 0);
}

#[tokio::test]
async fn nobody_but_the_host_reads_or_writes_what_hosts_tell_each_other() {
    let database = TestDatabase::create().await;
    let tables = [
        "realtime_hosts",
        "realtime_bus",
        "realtime_outbox",
        "realtime_presence",
        "realtime_replication",
        "realtime_tables",
    ];
    for who in CALLERS {
        let mut statements = vec![
            "select behalf.stored_messages(array[gen_random_uuid()], array[now()::timestamp])".to_owned(),
            "select behalf.keep_messages(0, true)".to_owned(),
            "select behalf.message_stored()".to_owned(),
            "select behalf.share_realtime()".to_owned(),
            "drop trigger behalf_refuses_trial_row on realtime.messages".to_owned(),
            "alter table realtime.messages disable trigger all".to_owned(),
            "set local session_replication_role = replica".to_owned(),
            "delete from realtime.messages".to_owned(),
            "truncate realtime.messages".to_owned(),
            "select * from realtime.messages_default".to_owned(),
        ];
        for table in tables {
            statements.extend([
                format!("select * from behalf.{table}"),
                format!("insert into behalf.{table} default values"),
                format!("update behalf.{table} set ctid = ctid"),
                format!("delete from behalf.{table}"),
            ]);
        }
        for statement in statements {
            let mut conn = begin(&database, who).await;
            let refused = refusal(&mut conn, &statement).await;
            let is_refused = ["permission denied", "must be owner", "cannot assign to system column"];
            assert!(is_refused.iter().any(|said| refused.contains(said)), "{who:?} {statement}: {refused}");
            conn.close().await.unwrap();
        }
    }
}

/// The one thing that callers may set says which topic is asked about, and lasts for a transaction.
#[tokio::test]
async fn setting_the_topic_sets_nothing_else() {
    let database = TestDatabase::create().await;
    let mut conn = begin(&database, alice()).await;
    run(&mut conn, "select behalf_realtime.set_topic('x'', role = ''service_role')").await;
    let now: (String, String, String) = sqlx::query_as(
        "select current_user::text, current_setting('request.jwt.claims'), current_setting('realtime.topic')",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!((now.0.as_str(), now.2.as_str()), ("authenticated", "x', role = 'service_role"));
    assert!(now.1.contains(&ALICE.to_string()));
    run(&mut conn, "commit").await;
    let after: Option<String> = sqlx::query_scalar("select nullif(current_setting('realtime.topic', true), '')")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(after, None);
}

#[tokio::test]
async fn no_spelling_of_a_topic_is_another_users() {
    let database = TestDatabase::create().await;
    database.execute(OWN).await;
    let (hers, his) = (format!("user:{ALICE}"), format!("user:{BOB}"));
    assert_eq!(rights(&database, alice(), &hers).await, ALL);
    for topic in [
        his.clone(),
        hers.to_uppercase(),
        format!("{hers} "),
        format!(" {hers}"),
        format!("{hers}\t"),
        format!("{hers}\n"),
        format!("realtime:{hers}"),
        format!("realtime:realtime:{hers}"),
        hers.replace(':', "\u{ff1a}"),
        hers.replace('u', "\u{1d62}"),
        hers.replace('e', "e\u{301}"),
        hers.replace('-', "\u{2010}"),
        format!("{hers}\u{200b}"),
        format!("\u{feff}{hers}"),
        format!("{hers}/../{his}"),
        format!("{hers},{his}"),
        format!("{hers}' or 'a' = 'a"),
        format!("%{ALICE}"),
        "user:%".to_owned(),
        "*".to_owned(),
        "x".repeat(100_000),
        String::new(),
    ] {
        let answer = rights(&database, alice(), &topic).await;
        assert!(!(answer.0 || answer.1 || answer.2 || answer.3), "{topic:?}: {answer:?}");
    }
    let mut conn = begin(&database, alice()).await;
    let zero =
        sqlx::query("select * from behalf_realtime.rights($1)").bind(format!("{hers}\0")).fetch_one(&mut conn).await;
    assert!(zero.is_err(), "no text has a NUL character");
    let mut conn = begin(&database, alice()).await;
    assert_eq!(ask(&mut conn, &hers).await, ALL);
}

/// A tool, a function over `/rest/v1` and a trigger all send as the caller.
#[tokio::test(flavor = "multi_thread")]
async fn tools_and_functions_send_where_the_policy_lets_their_caller() {
    let app = App::start().await;
    app.install(guests::PROBE, &write_grants()).await;
    app.database
        .execute(
            "create function public.tell(room text, body jsonb) returns void language plpgsql as
                 $$ begin perform realtime.send(body, 'told', room); end $$;
             create table public.posts (room text);
             alter table public.posts enable row level security;
             create policy anybody on public.posts to authenticated using (true) with check (true);
             grant select, insert on public.posts to authenticated;
             create function public.posted() returns trigger language plpgsql as
                 $$ begin perform realtime.send('{}', 'posted', new.room); return new; end $$;
             create trigger posted after insert on public.posts for each row execute function public.posted()",
        )
        .await;
    app.database.execute(OWN).await;
    let (hers, his) = (format!("user:{ALICE}"), format!("user:{BOB}"));
    let alice = User::Is(ALICE);
    let mut stored = 0;
    for (room, arrives) in [(&his, false), (&hers, true)] {
        let tell = format!("select public.tell('{room}', '{{}}')");
        let told = app.sql(&alice, &tell).await;
        assert_eq!(told.status, 200, "{}", told.text);
        assert!(told.result()["error"].is_null(), "{}", told.text);
        let called = app.post(&alice, "/rest/v1/rpc/tell", json!({"room": room, "body": {}})).await;
        assert_eq!(called.status, 204, "{}", called.text);
        let posted = app.post(&alice, "/rest/v1/posts", json!({"room": room})).await;
        assert_eq!(posted.status, 201, "the row is stored, whether or not anybody could be told: {}", posted.text);
        stored += if arrives { 3 } else { 0 };
        assert_eq!(
            app.database.value::<i64>(&format!("{MESSAGES} where event in ('told', 'posted')")).await,
            stored,
            "{room}"
        );
    }
    assert_eq!(app.database.value::<i64>(&format!("{MESSAGES} where topic = '{his}'")).await, 0);
}

/// The schema is not theirs: a policy that trusts the topic of the question would show every message to whoever sets it.
#[tokio::test(flavor = "multi_thread")]
async fn tools_and_requests_do_not_reach_messages_themselves() {
    let app = App::start().await;
    app.install(guests::PROBE, &write_grants()).await;
    app.database
        .execute(&format!(
            "create policy by_question on realtime.messages for select to authenticated using (realtime.topic() = 'user:' || (select auth.uid()));
             select realtime.send('{{\"secret\": 1}}', 'e', 'user:{BOB}')"
        ))
        .await;
    for sql in [
        "select * from realtime.messages".to_owned(),
        format!("select realtime.send('{{}}', 'e', 'user:{BOB}')"),
        "insert into realtime.messages (topic, extension) values ('a', 'broadcast')".to_owned(),
        format!("select behalf_realtime.set_topic('user:{ALICE}')"),
        format!("select * from behalf_realtime.rights('user:{BOB}')"),
        TRIAL.to_owned(),
        "select * from behalf.realtime_outbox".to_owned(),
        "select pg_notify('behalf_realtime', '')".to_owned(),
    ] {
        let answer = app.sql(&User::Is(ALICE), &sql).await;
        let code = answer.json["result"]["error"]["code"].as_str();
        assert!(answer.status != 200 || matches!(code, Some("not_granted" | "refused")), "{sql}: {}", answer.text);
    }
    for schema in ["realtime", "behalf_realtime", "behalf"] {
        let request =
            app.request(&User::Is(ALICE), reqwest::Method::GET, "/rest/v1/messages").header("accept-profile", schema);
        assert_eq!(request.send().await.unwrap().status(), 406, "{schema}");
        let call =
            app.request(&User::Is(ALICE), reqwest::Method::POST, "/rest/v1/rpc/send").header("content-profile", schema);
        let called = call.json(&json!({"payload": {}, "event": "e", "topic": "t"})).send().await.unwrap();
        assert_eq!(called.status(), 406, "{schema}");
    }
    assert_eq!(app.database.value::<i64>(MESSAGES).await, 1);
}

/// Whoever can write SQL reads with the policies as well, and those of the app decide what that shows.
#[tokio::test]
async fn messages_of_others_are_hidden_from_sessions_of_users() {
    let database = TestDatabase::create().await;
    database.execute(OWN).await;
    database
        .execute(&format!(
            "select realtime.send('{{}}', 'e', 'user:{BOB}'); select realtime.send('{{}}', 'e', 'user:{ALICE}')"
        ))
        .await;
    let mut conn = begin(&database, alice()).await;
    run(&mut conn, &format!("select behalf_realtime.set_topic('user:{BOB}')")).await;
    let seen: String =
        sqlx::query_scalar("select string_agg(topic, ',') from realtime.messages").fetch_one(&mut conn).await.unwrap();
    assert_eq!(seen, format!("user:{ALICE}"));
    run(&mut conn, "update realtime.messages set topic = topic").await;
    let moved = refusal(&mut conn, &format!("update realtime.messages set topic = 'user:{BOB}'")).await;
    assert!(moved.contains("row-level security"), "{moved}");
}
