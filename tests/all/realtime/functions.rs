//! The schema `realtime` as apps know it: its table and functions, the tables of days, and how messages reach the hosts.

use behalf_caller_db::doctor::{Scope, examine, examine_catalog};
use behalf_host_db::{LoginNames, MigrateOptions};
use behalf_identity::Role;
use behalf_pgwire::Target;
use behalf_telemetry::Level;
use behalf_tests::database::run;
use behalf_tests::{ALICE, App, BOB, Options, TestDatabase, eventually};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::sql_caller::{ALL, begin, rights};

const COLUMNS: &str = "topic text not null, extension text not null, payload jsonb, event text, private boolean, \
    updated_at timestamp without time zone not null, inserted_at timestamp without time zone not null, id uuid not null, \
    binary_payload bytea";

const READ_COLUMNS: &str = "
    select string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end), ', '
                      order by a.attnum)
    from pg_attribute a where a.attrelid = 'realtime.messages'::regclass and a.attnum > 0 and not a.attisdropped";

/// A host has been seen, so messages are told.
const A_HOST: &str = "insert into behalf.realtime_hosts values (gen_random_uuid())";

const SENT: &str =
    "select coalesce(string_agg(topic || ' ' || event || ' ' || (payload - 'id')::text, '; ' order by inserted_at), 'none')
     from realtime.messages";

const DAYS: &str = "select coalesce(string_agg(c.relname, ',' order by c.relname), '')
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'realtime.messages'::regclass";

async fn value<T>(conn: &mut PgConnection, sql: &str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(conn).await.unwrap()
}

/// The name of the table of a day, so many days from now.
async fn day(database: &TestDatabase, from_now: i32) -> String {
    let name = format!("select 'messages_' || to_char((now() at time zone 'utc')::date + {from_now}, 'YYYY_MM_DD')");
    database.value(&name).await
}

#[tokio::test]
async fn the_table_of_messages_is_supabases() {
    let database = TestDatabase::create().await;
    assert_eq!(database.value::<String>(READ_COLUMNS).await, COLUMNS);
    let form = "select c.relkind = 'p' and c.relrowsecurity and c.relowner = 'supabase_realtime_admin'::regrole
            and pg_get_partkeydef(c.oid) = 'RANGE (inserted_at)'
            and to_regclass('realtime.messages_inserted_at_topic_index') is not null
        from pg_class c where c.oid = 'realtime.messages'::regclass";
    assert!(database.value::<bool>(form).await);
    let grants = "select string_agg(r.name || ':' || p.name, ',' order by r.name, p.name)
        from unnest(array['anon', 'authenticated', 'service_role']) r (name),
            unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p (name)
        where has_table_privilege(r.name, 'realtime.messages', p.name)";
    let expected =
        ["anon", "authenticated", "service_role"].map(|role| format!("{role}:insert,{role}:select,{role}:update"));
    assert_eq!(database.value::<String>(grants).await, expected.join(","));
    // The tables of days are reached through the whole alone, where its policies hold.
    let direct = "select count(*) from pg_inherits i, unnest(array['anon', 'authenticated', 'service_role']) r (name)
        where i.inhparent = 'realtime.messages'::regclass and has_any_column_privilege(r.name, i.inhrelid, 'select, insert, update')";
    assert_eq!(database.value::<i64>(direct).await, 0);
}

#[tokio::test]
async fn messages_are_sent_with_the_names_and_defaults_of_supabase() {
    let database = TestDatabase::create().await;
    database
        .execute(
            "select realtime.send(payload => '{\"a\": 1}', event => 'first', topic => 'room', private => false);
             select realtime.send('{\"id\": \"mine\"}', 'second', 'room');
             select realtime.send_binary(payload => '\\x00ff', event => 'bytes', topic => 'room', private => true);
             select realtime.broadcast_changes(topic_name => 'room', event_name => 'third', operation => 'INSERT', table_name => 't',
                 table_schema => 's', new => row(1), old => null, level => 'ROW')",
        )
        .await;
    let of = async |event: &str| {
        let read = format!(
            "select concat_ws(' ', topic, extension, private, coalesce((payload ->> 'id') = id::text, payload is null), binary_payload)
             from realtime.messages where event = '{event}'"
        );
        database.value::<String>(&read).await
    };
    assert_eq!(of("first").await, "room broadcast f t");
    assert_eq!(of("second").await, "room broadcast t f");
    assert_eq!(of("bytes").await, "room broadcast t t \\x00ff");
    assert_eq!(of("third").await, "room broadcast t t");
    assert_eq!(database.value::<Option<String>>("select realtime.topic()").await, None);
}

/// No change of a row may fail because nobody could be told of it.
#[tokio::test]
async fn a_message_that_cannot_be_stored_is_a_warning() {
    let database = TestDatabase::create().await;
    database
        .execute(
            "begin;
             select realtime.send('\"no object\"', 'e', 'room');
             select realtime.send('{}', 'e', null);
             select realtime.send(null, 'e', 'room');
             select realtime.send_binary('\\x00', 'e', null);
             create table public.kept (id integer);
             commit",
        )
        .await;
    assert_eq!(database.value::<i64>("select count(*) from realtime.messages where payload is not null").await, 0);
    assert_eq!(database.value::<i64>("select count(*) from public.kept").await, 0);
}

#[tokio::test]
async fn policies_decide_who_sends_and_the_service_role_may() {
    let database = TestDatabase::create().await;
    database
        .execute(
            "create policy own on realtime.messages for insert to authenticated with check (
                 topic = 'user:' || (select auth.uid()) and topic = realtime.topic())",
        )
        .await;
    let send = format!("select realtime.send('{{}}', 'e', 'user:{ALICE}')");
    for (who, stored) in [
        ((Role::Anon, None), 0),
        ((Role::Authenticated, Some(BOB)), 0),
        ((Role::Authenticated, Some(ALICE)), 1),
        ((Role::Service, None), 2),
    ] {
        let mut conn = begin(&database, who).await;
        run(&mut conn, &send).await;
        run(&mut conn, "commit").await;
        assert_eq!(database.value::<i64>("select count(*) from realtime.messages").await, stored, "{who:?}");
    }
}

#[tokio::test]
async fn triggers_of_the_app_send_as_whoever_changed_the_row() {
    let database = TestDatabase::create().await;
    database
        .execute(
            "create table public.things (id integer primary key, owner_id uuid, title text);
             grant select, insert, update, delete on public.things to authenticated;
             create function public.told() returns trigger language plpgsql as $$
             begin
                 perform realtime.broadcast_changes('thing:' || coalesce(new.id, old.id), tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
                 return null;
             end $$;
             create trigger told after insert or update or delete on public.things for each row execute function public.told();
             create policy things on realtime.messages for insert to authenticated with check (topic = 'thing:1')",
        )
        .await;
    let mut conn = begin(&database, (Role::Authenticated, Some(ALICE))).await;
    run(
        &mut conn,
        "insert into public.things values (1, null, 'a'), (2, null, 'b'); update public.things set title = 'c'; delete from public.things;
         commit",
    )
    .await;
    let changes = "select string_agg(concat_ws(' ', topic, event, payload ->> 'operation', payload ->> 'schema', payload ->> 'table',
            payload -> 'old_record' ->> 'title', '>', payload -> 'record' ->> 'title'), '; ' order by inserted_at) from realtime.messages";
    let expected = "thing:1 INSERT INSERT public things > a; thing:1 UPDATE UPDATE public things a > c; \
        thing:1 DELETE DELETE public things c >";
    assert_eq!(database.value::<String>(changes).await, expected);
    let statement = "select realtime.broadcast_changes('t', 'e', 'INSERT', 't', 's', null, null, 'STATEMENT')";
    let other = "select realtime.broadcast_changes('t', 'e', 'TRUNCATE', 't', 's', null, null)";
    for (sql, said) in [(statement, "for each row"), (other, "Unexpected operation type: TRUNCATE")] {
        let refused = super::sql_caller::refusal(&mut database.owner().await, sql).await;
        assert!(refused.contains(said), "{refused}");
    }
}

/// Also on a server that the app runs in another time zone.
#[tokio::test]
async fn messages_of_one_transaction_have_times_in_their_order_and_in_utc() {
    let database = TestDatabase::create().await;
    database
        .execute(
            "set timezone = 'Pacific/Kiritimati';
             begin;
             select realtime.send(jsonb_build_object('n', n), 'e', 'room') from generate_series(1, 50) n order by n;
             commit",
        )
        .await;
    let order = "select string_agg(payload ->> 'n', ',' order by inserted_at) = (select string_agg(n::text, ',' order by n) from generate_series(1, 50) n)
            and count(distinct inserted_at) = 50
            and bool_and(inserted_at between (now() at time zone 'utc') - interval '5 minutes' and now() at time zone 'utc')
        from realtime.messages";
    assert!(database.value::<bool>(order).await);
}

#[tokio::test]
async fn days_are_made_ahead_and_a_message_of_any_other_is_stored_too() {
    let database = TestDatabase::create().await;
    let mut expected: Vec<String> = Vec::new();
    for n in 0..=3 {
        expected.push(day(&database, n).await);
    }
    expected.push("messages_default".to_owned());
    assert_eq!(database.value::<String>(DAYS).await, expected.join(","));
    // Whoever had no host for days: today's table is missing.
    let today = &expected[0];
    database
        .execute(&format!("drop table realtime.{today}; {A_HOST}; select realtime.send('{{}}', 'e', 'room')"))
        .await;
    let place = "select tableoid::regclass::text from realtime.messages";
    assert_eq!(database.value::<String>(place).await, "realtime.messages_default");
    assert_eq!(database.value::<String>("select behalf.keep_messages(3, true)").await, "made");
    assert_eq!(database.value::<String>("select behalf.keep_messages(3, true)").await, "nothing");
    assert_eq!(database.value::<String>(place).await, format!("realtime.{today}"));
    // It was told when it was sent, and is not told again. Later ones are.
    assert_eq!(database.value::<i64>("select count(*) from behalf.realtime_outbox").await, 1);
    database.execute("select realtime.send('{}', 'e', 'room')").await;
    assert_eq!(database.value::<i64>("select count(*) from behalf.realtime_outbox").await, 2);
}

#[tokio::test]
async fn messages_are_kept_for_the_days_that_were_set_and_for_one_at_least() {
    let database = TestDatabase::create().await;
    let names = [day(&database, -1).await, day(&database, -2).await, day(&database, -5).await];
    for (n, name) in [(-1, &names[0]), (-2, &names[1]), (-5, &names[2])] {
        database
            .execute(&format!(
                "create table realtime.{name} partition of realtime.messages
                     for values from ('{0}') to ('{1}')",
                database.value::<String>(&format!("select ((now() at time zone 'utc')::date + {n})::text")).await,
                database.value::<String>(&format!("select ((now() at time zone 'utc')::date + {n} + 1)::text")).await,
            ))
            .await;
    }
    database
        .execute(
            "insert into realtime.messages (topic, extension, inserted_at) values ('old', 'broadcast', '2020-01-01')",
        )
        .await;
    let keep = async |days: i32| {
        let mut done = String::new();
        while done != "nothing" {
            done = database.value(&format!("select behalf.keep_messages({days}, true)")).await;
            assert_ne!(done, "refused");
        }
        let days: String = database.value(DAYS).await;
        names.each_ref().map(|name| days.contains(name.as_str()))
    };
    assert_eq!(keep(3).await, [true, true, false]);
    assert_eq!(database.value::<i64>("select count(*) from realtime.messages where topic = 'old'").await, 0);
    assert_eq!(keep(0).await, [true, false, false]);
}

#[tokio::test]
async fn a_table_of_messages_that_is_in_use_is_dropped_later() {
    let database = TestDatabase::create().await;
    let old = day(&database, -9).await;
    let bounds: String = database
        .value("select format('from (%L) to (%L)', (now() at time zone 'utc')::date - 9, (now() at time zone 'utc')::date - 8)")
        .await;
    database.execute(&format!("create table realtime.{old} partition of realtime.messages for values {bounds}")).await;
    let mut reader = database.owner().await;
    run(&mut reader, "begin; select count(*) from realtime.messages").await;
    assert_eq!(database.value::<String>("select behalf.keep_messages(3, true)").await, "refused");
    run(&mut reader, "commit").await;
    assert_eq!(database.value::<String>("select behalf.keep_messages(3, true)").await, "dropped");
}

/// The host does it by itself: whichever notices first.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_makes_the_tables_of_days() {
    let database = TestDatabase::create().await;
    let tomorrow = day(&database, 1).await;
    database.execute(&format!("drop table realtime.{tomorrow}")).await;
    let _app = App::on(database.clone(), Options::default()).await;
    eventually("tomorrow has its table", async || database.value::<String>(DAYS).await.contains(&tomorrow)).await;
}

#[tokio::test]
async fn messages_are_told_only_where_a_host_was_seen_and_only_broadcasts() {
    let database = TestDatabase::create().await;
    let told = async || database.value::<i64>("select count(*) from behalf.realtime_outbox").await;
    database.execute("select realtime.send('{}', 'e', 'room')").await;
    assert_eq!(told().await, 0, "nobody would ever read it");
    database
        .execute("insert into behalf.realtime_hosts values (gen_random_uuid(), now() - interval '11 minutes')")
        .await;
    database.execute("select realtime.send('{}', 'e', 'room')").await;
    assert_eq!(told().await, 0);
    database.execute(A_HOST).await;
    database.execute("insert into realtime.messages (topic, extension) values ('room', 'presence')").await;
    assert_eq!(told().await, 0);
    database.execute("select realtime.send('{}', 'e', 'room'); insert into realtime.messages (topic, extension) values ('a', 'broadcast')").await;
    assert_eq!(told().await, 2);
    let read = "select string_agg(m.topic, ',') from behalf.stored_messages(
            (select array_agg(o.id order by o.seq) from behalf.realtime_outbox o),
            (select array_agg(o.inserted_at order by o.seq) from behalf.realtime_outbox o)) m";
    let mut host = database.login(&database.logins.host()).await;
    assert_eq!(value::<String>(&mut host, read).await, "room,a");
}

/// The later of two transactions commits first: a reader that remembered a number or a time would miss the other.
#[tokio::test]
async fn messages_of_transactions_that_commit_in_another_order_are_each_read_once() {
    let database = TestDatabase::create().await;
    database.execute(A_HOST).await;
    let mut host = database.login(&database.logins.host()).await;
    let mut seen: String = value(&mut host, "select pg_current_snapshot()::text").await;
    let mut read = async || {
        run(&mut host, "begin isolation level repeatable read").await;
        let new = format!(
            "select coalesce(string_agg(m.event, ',' order by o.seq), '') from behalf.realtime_outbox o
               cross join lateral behalf.stored_messages(array[o.id], array[o.inserted_at]) m
             where o.xid >= pg_snapshot_xmax('{seen}') or o.xid = any (array(select pg_snapshot_xip('{seen}')))"
        );
        let events: String = value(&mut host, &new).await;
        seen = value(&mut host, "select pg_current_snapshot()::text").await;
        run(&mut host, "commit").await;
        events
    };
    let (mut first, mut second) = (database.owner().await, database.owner().await);
    run(&mut first, "begin; select realtime.send('{}', 'first', 'room')").await;
    run(&mut second, "begin; select realtime.send('{}', 'second', 'room'); commit").await;
    assert_eq!(read().await, "second");
    assert_eq!(read().await, "");
    run(&mut second, "begin; select realtime.send('{}', 'third', 'room'); savepoint a; select realtime.send('{}', 'undone', 'room'); rollback to a").await;
    run(&mut first, "select realtime.send('{}', 'again', 'room'); commit").await;
    assert_eq!(read().await, "first,again");
    run(&mut second, "commit").await;
    assert_eq!(read().await, "third");
    assert_eq!(read().await, "");
}

/// As a Supabase project has it, but for functions that nothing here uses.
const UPSTREAM: &str = "
    create schema realtime;
    create type realtime.action as enum ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'ERROR');
    create table realtime.subscription (id bigint generated always as identity primary key, entity regclass);
    create table realtime.messages (topic text not null, extension text not null, payload jsonb, event text,
        private boolean default false, updated_at timestamp not null default now(), inserted_at timestamp not null default now(),
        id uuid not null default gen_random_uuid(), primary key (id, inserted_at)) partition by range (inserted_at);
    alter table realtime.messages enable row level security;
    grant usage on schema realtime to public;
    grant select, insert, update on realtime.messages to public;
    create function realtime.topic() returns text language sql stable as
        $$ select nullif(current_setting('realtime.topic', true), '') $$;
    create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void language plpgsql as $$
    begin
        insert into realtime.messages (payload, event, topic, private, extension) values (payload, event, topic, private, 'broadcast');
    end $$;
    create policy kept on realtime.messages for select using (realtime.topic() = 'theirs');
    create publication supabase_realtime;
    create table public.followed (id integer primary key);
    alter publication supabase_realtime add table public.followed;
    do $$ begin execute format('create table realtime.%I partition of realtime.messages for values from (%L) to (%L)',
        'messages_' || to_char((now() at time zone 'utc')::date, 'YYYY_MM_DD'), (now() at time zone 'utc')::date, (now() at time zone 'utc')::date + 1); end $$;
    insert into realtime.messages (topic, extension, inserted_at) values ('before', 'broadcast', now() at time zone 'utc')";

/// Everything of the schema but the host's triggers, the column of the newest form, and the tables of days.
const CONTENT: &str = "
    select string_agg(t.line, chr(10) order by t.line) from (
        select concat_ws(' ', c.relname, c.relkind, c.relowner::regrole, c.relacl, c.relrowsecurity) as line from pg_class c
        where c.relnamespace = 'realtime'::regnamespace and c.relkind in ('r', 'p', 'S') and c.relname !~ '^messages_'
        union all
        select concat_ws(' ', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
        from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where c.relnamespace = 'realtime'::regnamespace and c.relkind in ('r', 'p') and c.relname !~ '^messages_' and a.attnum > 0
          and a.attname <> 'binary_payload'
        union all
        select concat_ws(' ', pg_get_functiondef(p.oid), p.proowner::regrole, p.proacl) from pg_proc p where p.pronamespace = 'realtime'::regnamespace
        union all
        select concat_ws(' ', t.typname, t.typacl) from pg_type t where t.typnamespace = 'realtime'::regnamespace and t.typtype = 'e'
        union all
        select concat_ws(' ', p.polname, p.polcmd, p.polroles::text, pg_get_expr(p.polqual, p.polrelid)) from pg_policy p
        where p.polrelid = 'realtime.messages'::regclass
        union all
        select concat_ws(' ', p.pubname, p.tablename) from pg_publication_tables p
        union all
        select concat_ws(' ', m.topic, m.extension) from realtime.messages m where m.topic = 'before') t";

#[tokio::test]
async fn a_database_that_has_supabases_schema_keeps_all_of_it_and_its_messages_are_told() {
    // The roles that databases share are there then.
    drop(TestDatabase::create().await);
    let database = TestDatabase::with_own_logins().await;
    database.execute(UPSTREAM).await;
    let before: String = database.value(CONTENT).await;
    for _ in 0..2 {
        database.migrate(&MigrateOptions::default()).await.unwrap();
        assert_eq!(database.value::<String>(CONTENT).await, before);
    }
    let decided = "select value from behalf.decisions where name = 'realtime_tables'";
    assert_eq!(database.value::<String>(decided).await, "shared");
    assert!(!database.value::<String>(DAYS).await.contains("default"), "its own server would stumble over it");
    assert!(database.value::<String>(DAYS).await.contains(&day(&database, 3).await));
    database.execute(&format!("{A_HOST}; select realtime.send('{{}}', 'e', 'theirs')")).await;
    assert_eq!(database.value::<i64>("select count(*) from behalf.realtime_outbox").await, 1);
    let (alice, read) = ((Role::Authenticated, Some(ALICE)), (true, false, true, false, None, None));
    assert_eq!(rights(&database, alice, "theirs").await, read);
    // Where channels are served elsewhere, the tables of days are made and dropped there.
    let old = format!("realtime.{}", day(&database, -9).await);
    let bounds: String = database
        .value("select format('from (%L) to (%L)', (now() at time zone 'utc')::date - 9, (now() at time zone 'utc')::date - 8)")
        .await;
    database.execute(&format!("create table {old} partition of realtime.messages for values {bounds}")).await;
    assert_eq!(database.value::<String>("select behalf.keep_messages(3, false)").await, "nothing");
    assert_eq!(database.value::<String>("select behalf.keep_messages(3, true)").await, "dropped");
}

#[tokio::test]
async fn a_table_of_another_form_is_left_alone_and_no_private_channel_is_open() {
    drop(TestDatabase::create().await);
    let database = TestDatabase::with_own_logins().await;
    database
        .execute(
            "create schema realtime; create table realtime.messages (id bigint primary key, body text);
             grant usage on schema realtime to public; grant all on realtime.messages to public; insert into realtime.messages values (1, 'mine')",
        )
        .await;
    database.migrate(&MigrateOptions::default()).await.unwrap();
    assert_eq!(
        database.value::<String>("select value from behalf.decisions where name = 'realtime_tables'").await,
        "theirs"
    );
    let untouched = "select (select count(*) from pg_trigger where tgrelid = 'realtime.messages'::regclass) = 0
        and (select count(*) from pg_proc where pronamespace = 'realtime'::regnamespace) = 0
        and (select string_agg(body, ',') from realtime.messages) = 'mine'";
    assert!(database.value::<bool>(untouched).await);
    let answer = rights(&database, (Role::Service, None), "room").await;
    assert!(!(answer.0 || answer.1 || answer.2 || answer.3) && answer.4.is_some(), "{answer:?}");
    assert_eq!(database.value::<String>("select behalf.keep_messages(3, true)").await, "nothing");
}

#[tokio::test]
async fn an_empty_schema_of_that_name_gets_the_tables() {
    drop(TestDatabase::create().await);
    let database = TestDatabase::with_own_logins().await;
    database.execute("create schema realtime; create table realtime.other (id integer)").await;
    database.migrate(&MigrateOptions::default()).await.unwrap();
    assert_eq!(
        database.value::<String>("select value from behalf.decisions where name = 'realtime_tables'").await,
        "ours"
    );
    assert_eq!(database.value::<String>(READ_COLUMNS).await, COLUMNS);
}

/// On a server where the owner of the database is no superuser, as on most that others run: with the role that Supabase has, and
/// where that role is somebody else's.
#[tokio::test]
async fn an_owner_who_is_no_superuser_migrates_and_writes_policies() {
    drop(TestDatabase::create().await);
    for shares_role in [true, false] {
        let mut database = TestDatabase::with_own_logins().await;
        let owner = format!("owner_{}", Uuid::new_v4().simple());
        let also = if shares_role { ", supabase_realtime_admin" } else { "" };
        let mut superuser = database.owner().await;
        run(
            &mut superuser,
            &format!(
                "create role {owner} login createrole password 'owner-of-tests';
                 grant anon, authenticated, service_role, supabase_auth_admin, supabase_storage_admin{also} to {owner} with admin option;
                 alter database {} owner to {owner};
                 alter schema public owner to {owner};
                 create extension vector",
                database.name
            ),
        )
        .await;
        database.log_in_as(&owner, "owner-of-tests");
        database.migrate(&MigrateOptions::default()).await.unwrap();
        let expected = if shares_role { "supabase_realtime_admin" } else { owner.as_str() };
        let tables = "select string_agg(distinct c.relowner::regrole::text, ',') from pg_class c
            where c.relnamespace = 'realtime'::regnamespace and c.relkind in ('r', 'p')";
        assert_eq!(database.value::<String>(tables).await, expected);
        database
            .execute(&format!(
                "create policy own on realtime.messages for all to authenticated using (topic = 'mine'); {A_HOST};
                 create table public.followed (id integer); alter publication supabase_realtime add table public.followed;
                 select realtime.send('{{}}', 'e', 'mine')"
            ))
            .await;
        database.migrate(&MigrateOptions::default()).await.unwrap();
        let alice = (Role::Authenticated, Some(ALICE));
        assert_eq!(rights(&database, alice, "mine").await, ALL);
        assert_eq!(database.value::<i64>("select count(*) from behalf.realtime_outbox").await, 1);
        assert_eq!(database.value::<String>("select behalf.keep_messages(3, true)").await, "nothing");
        let tomorrow = day(&database, 1).await;
        database.execute(&format!("drop table realtime.{tomorrow}")).await;
        let mut host = database.login(&database.logins.host()).await;
        assert_eq!(value::<String>(&mut host, "select behalf.keep_messages(3, true)").await, "made");
        let mut conn = begin(&database, alice).await;
        run(&mut conn, "select realtime.send('{}', 'hers', 'mine'); commit").await;
        assert!(database.value::<String>(SENT).await.ends_with("mine hers {}"));
        // In other databases of this server it would be a login that becomes the roles of callers.
        run(&mut superuser, &format!("alter role {owner} nologin")).await;
    }
}

#[tokio::test]
async fn doctor_finds_channels_that_no_policy_guards_and_days_without_a_table() {
    let database = TestDatabase::create().await;
    let scope = Scope {
        schemas: vec!["public".to_owned()],
        host_login: database.logins.host(),
        logins: LoginNames::default(),
        connections: 8,
        try_policies: false,
    };
    let mut conn = database.owner().await;
    let mut found = async |change: &str| {
        let mut tx = conn.begin().await.unwrap();
        run(&mut tx, change).await;
        let findings = examine_catalog(&mut tx, &scope).await;
        tx.rollback().await.unwrap();
        let ours = findings.into_iter().filter(|one| one.check.starts_with("realtime-") && one.level > Level::Ok);
        ours.map(|one| format!("{} {:?} {}", one.check, one.level, one.found)).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(found("select 1").await, "");
    for (change, said) in [
        ("alter table realtime.messages disable row level security", "realtime-messages Error"),
        ("drop trigger behalf_refuses_trial_row on realtime.messages", "private channels are closed"),
        (
            "create policy a on realtime.messages using (true)",
            "lets everybody receive and send in every private channel",
        ),
        ("create policy a on realtime.messages for select to anon using (true)", "lets everybody receive"),
        (
            "create policy a on realtime.messages for insert to authenticated with check (extension in ('broadcast', 'presence'))",
            "lets every user send",
        ),
        (
            "do $$ begin execute 'drop table realtime.messages_' || to_char((now() at time zone 'utc')::date + 1, 'YYYY_MM_DD'); end $$",
            "realtime-days Warning",
        ),
    ] {
        let findings = found(change).await;
        assert!(findings.contains(said), "{change}: {findings}");
    }
    for fine in [
        "create policy a on realtime.messages for select to authenticated using (realtime.topic() = 'news')",
        "create policy a on realtime.messages for select to anon using (topic like 'public:%')",
        "create policy a on realtime.messages for select to authenticated using (exists (select from public.notes))",
        "create policy a on realtime.messages using (false)",
        "create policy a on realtime.messages using (true); comment on policy a on realtime.messages is 'behalf: reviewed'",
        "create policy a on realtime.messages as restrictive using (true)",
        "create policy a on realtime.messages for update using (true)",
    ] {
        assert_eq!(found(fine).await, "", "{fine}");
    }
}

/// What no look at a policy's text finds: it lets everybody in by a function.
#[tokio::test]
async fn doctor_asks_for_a_channel_that_nobody_made() {
    let database = TestDatabase::create().await;
    let scope = Scope {
        schemas: vec!["public".to_owned()],
        host_login: database.logins.host(),
        logins: LoginNames::default(),
        connections: 8,
        try_policies: true,
    };
    let tools = Target::parse(&database.tool_url()).unwrap();
    let found = async || {
        let findings = examine(&database.owner_url(), Some(&tools), &scope).await;
        let trial = findings.into_iter().find(|one| one.check == "channel-trial").unwrap();
        (trial.level, trial.found)
    };
    assert_eq!(found().await.0, Level::Ok);
    let may = "create function public.may(topic text) returns boolean language sql stable as $$ select (select auth.role()) = 'authenticated' $$;
        create policy users on realtime.messages for select to anon, authenticated using (public.may(topic))";
    database.execute(may).await;
    let (level, said) = found().await;
    assert_eq!(level, Level::Warning);
    assert!(said.ends_with("a user who does not exist may receive"), "{said}");
    database.execute("comment on policy users on realtime.messages is 'behalf: reviewed'").await;
    assert_eq!(found().await.0, Level::Ok);
    assert_eq!(database.value::<i64>("select count(*) from realtime.messages").await, 0);
}
