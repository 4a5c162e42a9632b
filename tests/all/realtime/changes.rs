//! Changes of tables: each subscriber hears of the rows that it could read itself, and of no others.

use behalf_caller_db::VisibleTable;
use behalf_host_db::HostDb;
use behalf_identity::Role;
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_tests::{
    ALICE, App, BOB, FromHost, HostProcess, Options, RealtimeSocket, TestDatabase, User, Vsn, eventually,
};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Rows of owners, rows of everybody, and rows of groups.
const TABLES: &str = "
create table public.tasks (id int primary key, owner_id uuid not null, title text, secret text, done boolean not null default false);
alter table public.tasks enable row level security;
create policy owner on public.tasks to authenticated using (owner_id = (select auth.uid()));
grant select on public.tasks to anon, authenticated, service_role;
create table public.news (id int primary key, title text, mood text, size numeric, at timestamptz, tags text[], extra jsonb, raw bytea);
grant select on public.news to anon, authenticated;
create table public.members (user_id uuid, room int, primary key (user_id, room));
create table public.posts (room int, n int, body text, primary key (room, n));
alter table public.posts enable row level security;
grant select on public.members, public.posts to authenticated;
create policy member on public.posts to authenticated using (exists (
    select from public.members m where m.room = posts.room and m.user_id = (select auth.uid())));
comment on table public.news is 'behalf: reviewed';
comment on table public.members is 'behalf: reviewed';
alter publication supabase_realtime add table public.tasks, public.news, public.posts;";

/// The settings of a host that reads changes.
fn settings(database: &TestDatabase, more: &[(&'static str, &str)]) -> Options {
    let mut settings = vec![("replication_database_url", database.replication_url())];
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Options { settings }
}

async fn database() -> TestDatabase {
    let database = TestDatabase::create().await;
    database.execute(TABLES).await;
    database
}

async fn start() -> App {
    let database = database().await;
    let options = settings(&database, &[]);
    App::on(database, options).await
}

/// A subscription to a table.
fn wants(event: &str, table: &str, filter: Option<&str>) -> Value {
    match filter {
        None => json!({"event": event, "schema": "public", "table": table}),
        Some(filter) => json!({"event": event, "schema": "public", "table": table, "filter": filter}),
    }
}

/// A socket that hears of these changes. It is subscribed when this returns.
async fn subscriber(url: &str, user: &User, changes: &[Value]) -> RealtimeSocket {
    let mut socket = RealtimeSocket::at(url, user, Vsn::Two).await;
    subscribe(&mut socket, "changes", changes).await;
    socket
}

async fn subscribe(socket: &mut RealtimeSocket, topic: &str, changes: &[Value]) -> Value {
    let join_ref = socket.joined(topic, json!({ "postgres_changes": changes })).await;
    let said = system(socket).await;
    assert_eq!((&said["status"], &said["message"]), (&json!("ok"), &json!("Subscribed to PostgreSQL")), "{said}");
    join_ref
}

/// The next `system` message about changes.
async fn system(socket: &mut RealtimeSocket) -> Value {
    loop {
        let message = socket.event("system").await;
        if message.payload["extension"] == "postgres_changes" {
            return message.payload;
        }
    }
}

/// Why there are no changes for this subscription.
async fn refused(app: &App, user: &User, changes: &[Value]) -> String {
    let mut socket = RealtimeSocket::connect(app, user, Vsn::Two).await;
    socket.joined("changes", json!({ "postgres_changes": changes })).await;
    let said = system(&mut socket).await;
    assert_eq!(said["status"], "error", "{said}");
    said["message"].as_str().unwrap().to_owned()
}

/// The next change.
async fn change(socket: &mut RealtimeSocket) -> Value {
    let FromHost { mut payload, .. } = socket.event("postgres_changes").await;
    payload["data"].take()
}

/// The kind of a change and the key of its row.
fn short(change: &Value) -> (String, Value) {
    let record = if change["type"] == "DELETE" { &change["old_record"] } else { &change["record"] };
    (change["type"].as_str().unwrap_or_else(|| panic!("{change}")).to_owned(), record["id"].clone())
}

/// Kinds and keys up to the row whose key is `last`.
async fn until(socket: &mut RealtimeSocket, last: i64) -> Vec<(String, Value)> {
    let mut heard = Vec::new();
    loop {
        heard.push(short(&change(socket).await));
        if heard.last().is_some_and(|(_, id)| *id == json!(last)) {
            return heard;
        }
    }
}

fn kinds(expected: &[(&str, i64)]) -> Vec<(String, Value)> {
    expected.iter().map(|(kind, id)| ((*kind).to_owned(), json!(id))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_hears_of_the_rows_that_they_could_read_and_of_no_others() {
    let app = start().await;
    let all = [wants("*", "tasks", None)];
    let mut alice = subscriber(&app.url, &User::Is(ALICE), &all).await;
    let mut bob = subscriber(&app.url, &User::Is(BOB), &all).await;
    let mut anon = subscriber(&app.url, &User::Anon, &all).await;
    let mut service = subscriber(&app.url, &User::Service, &all).await;
    app.database
        .execute(&format!(
            "insert into tasks values (1, '{ALICE}', 'hers'), (2, '{BOB}', 'his');
             update tasks set title = 'hers too' where id = 1;
             update tasks set title = 'his too' where id = 2;"
        ))
        .await;
    app.database.execute("update tasks set done = true; delete from tasks where id = 2").await;
    app.database.execute(&format!("insert into tasks values (8, '{ALICE}'), (9, '{BOB}')")).await;
    let (insert, update, delete) = ("INSERT", "UPDATE", "DELETE");
    // Both updates of row 2 happened before the row was looked for; it was gone in time for none or both of them.
    let hers = until(&mut alice, 8).await;
    assert_eq!(hers, kinds(&[(insert, 1), (update, 1), (update, 1), (delete, 2), (insert, 8)]));
    let his = until(&mut bob, 9).await;
    assert!(his.iter().all(|(_, id)| *id == json!(2) || *id == json!(9)), "{his:?}");
    assert!(his.contains(&("DELETE".to_owned(), json!(2))), "{his:?}");
    let nobodys = until(&mut anon, 2).await;
    assert_eq!(nobodys, kinds(&[(delete, 2)]), "policies show an anonymous caller nothing, and judge no deletion");
    let of_service = until(&mut service, 9).await;
    assert_eq!(of_service.len(), 9, "{of_service:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_has_the_form_of_supabases() {
    let app = start().await;
    let mut socket = subscriber(&app.url, &User::Anon, &[wants("*", "news", None)]).await;
    let mut first = RealtimeSocket::connect(&app, &User::Anon, Vsn::One).await;
    subscribe(&mut first, "changes", &[wants("INSERT", "news", None)]).await;
    app.database
        .execute(
            r#"insert into news values (1, 'a "b"', null, 1.50, '2026-11-23 10:00:00.5+01', '{x,"y z"}', '{"a": [1]}', '\x0102')"#,
        )
        .await;
    let mut made = change(&mut socket).await;
    let time = made["commit_timestamp"].take();
    let time = time.as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
    let column = |name: &str, kind: &str| json!({"name": name, "type": kind});
    assert_eq!(
        made,
        json!({
            "schema": "public", "table": "news", "type": "INSERT", "commit_timestamp": null, "errors": null,
            "columns": [column("id", "int4"), column("title", "text"), column("mood", "text"), column("size", "numeric"),
                column("at", "timestamptz"), column("tags", "_text"), column("extra", "jsonb"), column("raw", "bytea")],
            "record": {"id": 1, "title": "a \"b\"", "mood": null, "size": 1.5, "at": "2026-11-23T09:00:00.5+00:00",
                "tags": ["x", "y z"], "extra": {"a": [1]}, "raw": "0102"},
        })
    );
    assert_eq!(short(&change(&mut first).await), ("INSERT".to_owned(), json!(1)));
    app.database.execute("update news set mood = 'fine'; delete from news").await;
    let updated = change(&mut socket).await;
    assert_eq!((&updated["record"]["mood"], &updated["old_record"]), (&json!("fine"), &json!({"id": 1})));
    let deleted = change(&mut socket).await;
    assert_eq!((&deleted["old_record"], deleted.get("record")), (&json!({"id": 1}), None));
    app.database.execute("alter table news replica identity full; insert into news (id, title) values (2, 'a')").await;
    app.database.execute("update news set title = 'b'; delete from news").await;
    change(&mut socket).await;
    let updated = change(&mut socket).await;
    assert_eq!((&updated["record"]["title"], &updated["old_record"]["title"]), (&json!("b"), &json!("a")));
    assert_eq!(change(&mut socket).await["old_record"]["title"], "b");
    app.stop().await;
}

/// So a change of one user's row costs one question, however many users follow the table.
#[tokio::test(flavor = "multi_thread")]
async fn owners_are_found_in_the_policies_of_a_new_database() {
    let database = database().await;
    let host = HostDb::connect(&database.host_url(), 2).await.unwrap();
    let owners = async |table: &str| {
        let oid = database.value::<i64>(&format!("select '{table}'::regclass::oid::bigint")).await;
        let table = VisibleTable::read(&host, u32::try_from(oid).unwrap()).await.unwrap().unwrap();
        table
            .owners(Role::Authenticated)
            .map(|places| places.iter().map(|place| table.columns[*place].name.clone()).collect::<Vec<_>>())
    };
    assert_eq!(owners("public.tasks").await, Some(vec!["owner_id".to_owned()]));
    assert_eq!(owners("public.posts").await, None, "members of its room see a row");
    database.execute("alter table public.tasks alter column owner_id drop not null; alter table public.tasks add column other text; create policy more on public.tasks to authenticated using (other = auth.uid()::text)").await;
    assert_eq!(owners("public.tasks").await, None, "texts can be equal in more ways");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_shows_rows_to_others_counts_from_the_next_change() {
    let app = start().await;
    app.database
        .execute(
            "create table public.letters (id int primary key, sender uuid, receiver uuid);
             alter table public.letters enable row level security;
             create policy of_two on public.letters for select to authenticated
                 using (sender = auth.uid() or (select auth.uid()) = receiver);
             grant select on public.letters to authenticated;
             alter publication supabase_realtime add table public.letters;",
        )
        .await;
    let wanted = [wants("INSERT", "letters", None)];
    let mut alice = subscriber(&app.url, &User::Is(ALICE), &wanted).await;
    let mut bob = subscriber(&app.url, &User::Is(BOB), &wanted).await;
    let insert = async |id: i64, sender: &str, receiver: &str| {
        app.database.execute(&format!("insert into letters values ({id}, {sender}, {receiver})")).await;
    };
    let (a, b) = (format!("'{ALICE}'"), format!("'{BOB}'"));
    insert(1, &a, "null").await;
    insert(2, &b, "null").await;
    insert(3, "null", "null").await;
    insert(4, &a, &b).await;
    assert_eq!(until(&mut alice, 4).await, kinds(&[("INSERT", 1), ("INSERT", 4)]));
    assert_eq!(until(&mut bob, 4).await, kinds(&[("INSERT", 2), ("INSERT", 4)]));

    app.database.execute("create policy open on public.letters for select to authenticated using (id > 5)").await;
    insert(5, &a, "null").await;
    insert(6, "null", "null").await;
    assert_eq!(until(&mut bob, 6).await, kinds(&[("INSERT", 6)]));
    assert_eq!(until(&mut alice, 6).await, kinds(&[("INSERT", 5), ("INSERT", 6)]));

    app.database.execute("create policy narrow on public.letters as restrictive using (receiver = auth.uid())").await;
    insert(7, &b, "null").await;
    insert(8, "null", &b).await;
    insert(9, &b, &a).await;
    insert(10, &a, &b).await;
    assert_eq!(until(&mut bob, 10).await, kinds(&[("INSERT", 8), ("INSERT", 10)]));
    assert_eq!(until(&mut alice, 9).await, kinds(&[("INSERT", 9)]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_selected_columns_and_the_key_are_told() {
    let app = start().await;
    let with = |select: Value| json!({"event": "*", "schema": "public", "table": "news", "select": select});
    let mut socket = subscriber(&app.url, &User::Anon, &[with(json!(["title", "mood"])), with(json!([]))]).await;
    app.database
        .execute("alter table news replica identity full; insert into news (id, title, size) values (1, 'a', 2)")
        .await;
    let mut heard = [change(&mut socket).await, change(&mut socket).await];
    heard.sort_by_key(|change| change["columns"].as_array().map(Vec::len));
    let [selected, whole] = heard;
    let names = |change: &Value| -> Vec<String> {
        change["columns"].as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&selected), ["id", "title", "mood"]);
    assert_eq!(selected["record"], json!({"id": 1, "title": "a", "mood": null}));
    assert_eq!((names(&whole).len(), &whole["record"]["size"]), (8, &json!(2)));
    app.database.execute("update news set size = 3; delete from news").await;
    for _ in 0..2 {
        let (one, other) = (change(&mut socket).await, change(&mut socket).await);
        let of_few = if names(&one).len() == 3 { one } else { other };
        assert_eq!(of_few["old_record"], json!({"id": 1, "title": "a", "mood": null}), "{of_few}");
    }
    for (wanted, says) in [
        (with(json!("title")), "expected a list of column name strings"),
        (with(json!(["nothing"])), "invalid column for select nothing"),
        (json!({"event": "*", "schema": "public", "select": ["id"]}), "not supported for wildcard subscriptions"),
    ] {
        let said = refused(&app, &User::Anon, std::slice::from_ref(&wanted)).await;
        assert!(said.contains(says), "{wanted}: {said}");
    }
    app.database
        .execute(
            "create table public.parts (id int primary key, open text, secret text);
             revoke select on public.parts from anon;
             grant select (id, open) on public.parts to anon;
             alter publication supabase_realtime add table public.parts;",
        )
        .await;
    let secret = json!({"event": "*", "schema": "public", "table": "parts", "select": ["id", "secret"]});
    let said = refused(&app, &User::Anon, &[secret]).await;
    assert!(
        said.contains("invalid column for select secret") && said.contains(r#"select: ["id", "secret"]"#),
        "{said}"
    );
    app.stop().await;
}

/// A commit is in the log before sessions see it; here it waits for a standby that does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_when_sessions_see_it_and_not_when_the_log_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = LocalOptions {
        dir: folder.path().join("postgres"),
        bin_dir: behalf_config::environment("BEHALF_POSTGRES_BIN").map(PathBuf::from),
        port: None,
        settings: vec![("synchronous_commit".to_owned(), "local".to_owned())],
    };
    let local = LocalPostgres::start(&options).await.unwrap();
    let database = TestDatabase::create_on(&local.owner_url()).await;
    database.execute(TABLES).await;
    let options = settings(&database, &[]);
    let app = App::on(database, options).await;
    let mut alice = subscriber(&app.url, &User::Is(ALICE), &[wants("INSERT", "tasks", None)]).await;
    app.database.execute("alter system set synchronous_standby_names = 'nobody'").await;
    app.database.execute("select pg_reload_conf()").await;
    let insert = |id: i64| format!("insert into tasks (id, owner_id) values ({id}, '{ALICE}')");
    let waiting = async {
        app.database.execute(&format!("set synchronous_commit = on; {}", insert(1))).await;
    };
    let others = async {
        const WAITS: &str = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
        eventually("a commit waits", async || app.database.value::<i64>(WAITS).await == 1).await;
        app.database.execute(&insert(2)).await;
        // The log has both, and whoever was asked now would not see the first one.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(alice.until_now().await.iter().all(|message| message.event != "postgres_changes"));
        app.database.execute("alter system reset synchronous_standby_names").await;
        app.database.execute("select pg_reload_conf()").await;
    };
    tokio::join!(waiting, others);
    assert_eq!(until(&mut alice, 2).await, kinds(&[("INSERT", 1), ("INSERT", 2)]));
    app.stop().await;
    local.discard().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_counts_as_it_is_when_the_row_is_judged() {
    let app = start().await;
    let everything = [json!({"event": "*", "schema": "public"})];
    let mut alice = subscriber(&app.url, &User::Is(ALICE), &everything).await;
    let mut bob = subscriber(&app.url, &User::Is(BOB), &everything).await;
    app.database
        .execute(&format!(
            "insert into members values ('{ALICE}', 1), ('{BOB}', 2);
             insert into posts values (1, 1, 'to her room'), (2, 1, 'to his room')"
        ))
        .await;
    let hers = change(&mut alice).await;
    assert_eq!(hers["record"], json!({"room": 1, "n": 1, "body": "to her room"}));
    assert_eq!(change(&mut bob).await["record"]["room"], 2);
    app.database.execute(&format!("delete from members where user_id = '{ALICE}'")).await;
    app.database.execute("update posts set body = 'secret' where room = 1").await;
    app.database.execute("insert into news (id) values (1)").await;
    let next = change(&mut alice).await;
    assert_eq!(next["table"], "news", "whoever left hears no more: {next}");
    app.stop().await;
}

/// Filters of the table of news, and the ids of the rows that each lets through.
const FILTERS: [(&str, &[i64]); 20] = [
    ("title=eq.b", &[2]),
    ("title=neq.b", &[1, 3]),
    ("title=lt.b", &[1]),
    ("title=lte.b", &[1, 2]),
    ("title=gt.b", &[3]),
    ("title=gte.b", &[2, 3]),
    ("title=in.(a,\"c\")", &[1, 3]),
    ("title=like.b%", &[2]),
    ("title=ilike.B%", &[2]),
    ("title=match.^b$", &[2]),
    ("title=imatch.^B", &[2]),
    ("title=isdistinct.b", &[1, 3, 4]),
    ("title=is.null", &[4]),
    ("title=not.eq.b", &[1, 3]),
    ("title=not.is.null", &[1, 2, 3]),
    ("size=gt.9", &[1, 3]),
    ("size=lte.9", &[2]),
    ("at=gte.2026-06-01", &[2]),
    ("id=gt.1,title=eq.b", &[2]),
    ("tags=eq.{x}", &[2]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_operator_of_filters_decides_as_the_server_would() {
    let app = start().await;
    let wanted: Vec<Value> = FILTERS.iter().map(|(filter, _)| wants("INSERT", "news", Some(filter))).collect();
    let mut socket = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    let answer = socket.join("changes", json!({"config": {"postgres_changes": wanted}})).await;
    let listed = answer["response"]["postgres_changes"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let ids: Vec<Value> = listed.iter().map(|one| one["id"].clone()).collect();
    assert_eq!(system(&mut socket).await["status"], "ok");
    let rows = "insert into news (id, title, size, at, tags) values
        (1, 'a', 10, '2026-05-31', '{y}'), (2, 'b', 9.0, '2026-06-01 00:00+00', '{x}'), (3, 'c', 100, null, null), (4, null, null, null, null)";
    app.database.execute(rows).await;
    for row in 1..=4 {
        let message = socket.event("postgres_changes").await.payload;
        assert_eq!(message["data"]["record"]["id"], row, "{message}");
        for (id, (filter, rows)) in ids.iter().zip(&FILTERS) {
            let is_heard = message["ids"].as_array().unwrap().contains(id);
            assert_eq!(is_heard, rows.contains(&row), "{filter} of row {row}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_filter_becomes_sql() {
    let app = start().await;
    let hostile = [
        "title=eq.x'); drop table news; --",
        "title=in.(x'); drop table news; --)",
        "title=like.x' or '1'='1",
        "title=eq.$1::text[]",
        "title=neq.x\\'; drop table news; --",
        "size=not.eq.1,title=eq.a\" = \"a",
    ];
    let wanted: Vec<Value> = hostile.iter().map(|filter| wants("INSERT", "news", Some(filter))).collect();
    let mut socket = subscriber(&app.url, &User::Anon, &wanted).await;
    app.database.execute("insert into news (id, title) values (1, 'x'), (2, 'y')").await;
    let heard = socket.event("postgres_changes").await.payload;
    assert_eq!((&heard["ids"], &heard["data"]["record"]["id"]), (&json!([5]), &json!(1)), "it is only different");
    for (filter, says) in [
        ("nothing=eq.1", "invalid column for filter nothing"),
        ("id=eq.1 or 1=1", "cannot be compared with int4"),
        ("size=gt.large", "cannot be compared with numeric"),
        ("title=match.(", "cannot be compared with text"),
        ("size=like.1%", "requires a text-compatible column type, got numeric"),
        ("title=is.true", "requires a boolean column, got text"),
        ("title=between.1", "Error parsing `filter` params"),
        ("title\"; drop table news; --=eq.1", "invalid column for filter"),
    ] {
        let said = refused(&app, &User::Anon, &[wants("*", "news", Some(filter))]).await;
        assert!(said.contains(says), "{filter}: {said}");
        if !says.starts_with("Error") {
            assert!(said.starts_with("Unable to subscribe to changes with given parameters. "), "{said}");
        }
    }
    for table in ["members", "nothing", "tasks; drop table news"] {
        let said = refused(&app, &User::Anon, &[wants("*", table, None)]).await;
        assert!(said.contains("Please check Realtime is enabled for the given connect parameters"), "{said}");
    }
    app.database.execute("insert into news (id, title) values (3, 'still here')").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_values_that_no_policy_judged_are_told_to_nobody() {
    let app = start().await;
    app.database.execute("alter table tasks replica identity full").await;
    let hers = [wants("*", "tasks", None), wants("*", "news", None)];
    let mut alice = subscriber(&app.url, &User::Is(ALICE), &hers).await;
    let filter = Some("secret=like.a%");
    let mut bob =
        subscriber(&app.url, &User::Is(BOB), &[wants("DELETE", "tasks", filter), wants("*", "news", None)]).await;
    app.database.execute(&format!("insert into tasks values (1, '{BOB}', 'his', 'a secret')")).await;
    // A row is judged as it is then: what follows waits until this was done.
    app.database.execute("insert into news (id) values (9)").await;
    assert_eq!(change(&mut alice).await["table"], "news");
    assert_eq!(change(&mut bob).await["table"], "news");
    app.database.execute(&format!("update tasks set owner_id = '{ALICE}', secret = null")).await;
    let given = change(&mut alice).await;
    assert_eq!(short(&given), ("UPDATE".to_owned(), json!(1)));
    assert_eq!(given["old_record"], json!({"id": 1}), "she could not read the row as it was");
    app.database.execute("update tasks set secret = 'another'").await;
    assert_eq!(short(&change(&mut alice).await).0, "UPDATE");
    app.database.execute("delete from tasks; insert into news (id) values (1)").await;
    assert_eq!(change(&mut alice).await["old_record"], json!({"id": 1}));
    let next = change(&mut bob).await;
    assert_eq!(next["table"], "news", "a filter tells nothing of values that nobody judged: {next}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_fails_or_sleeps_costs_its_own_subscriber_and_nobody_else() {
    let app = start().await;
    app.database
        .execute(&format!(
            "create function public.judge(owner uuid) returns boolean language plpgsql stable as $$
             begin
                 if auth.uid() = '{ALICE}' then raise exception 'no'; end if;
                 if auth.uid() = '00000000-0000-0000-0000-000000000007' then perform pg_sleep(60); end if;
                 return owner = auth.uid();
             end $$;
             grant execute on function public.judge to authenticated;
             grant execute on function pg_catalog.pg_sleep(double precision) to authenticated;
             drop policy owner on tasks;
             create policy judge on tasks to authenticated using (public.judge(owner_id));"
        ))
        .await;
    let all = [wants("*", "tasks", None)];
    let mut alice = subscriber(&app.url, &User::Is(ALICE), &all).await;
    let mut slow = subscriber(&app.url, &User::Is("00000000-0000-0000-0000-000000000007".parse().unwrap()), &all).await;
    let mut bob = subscriber(&app.url, &User::Is(BOB), &all).await;
    for id in 1..=20 {
        app.database.execute(&format!("insert into tasks values ({id}, '{BOB}')")).await;
    }
    assert_eq!(until(&mut bob, 20).await.len(), 20);
    let said = system(&mut alice).await;
    assert!(said["message"].as_str().unwrap().contains("a policy or a filter on a table"), "{said}");
    let said = system(&mut slow).await;
    assert!(said["message"].as_str().unwrap().contains("took too long"), "{said}");
    for socket in [&mut alice, &mut slow] {
        let heard = socket.until_now().await;
        assert!(heard.iter().all(|message| message.event != "postgres_changes"), "{heard:?}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_revoked_counts_from_the_next_change() {
    let app = start().await;
    let mut alice =
        subscriber(&app.url, &User::Is(ALICE), &[wants("*", "tasks", None), wants("*", "news", None)]).await;
    app.database.execute(&format!("insert into tasks values (1, '{ALICE}', 'a', 'b')")).await;
    assert_eq!(change(&mut alice).await["record"]["secret"], "b");
    app.database
        .execute("revoke select on tasks from authenticated; grant select (id, title) on tasks to authenticated")
        .await;
    app.database.execute("update tasks set title = 'c'").await;
    // The policy reads a column that the caller need not be able to read.
    let heard = change(&mut alice).await;
    assert_eq!(heard["record"], json!({"id": 1, "title": "c"}));
    let columns: Vec<&Value> = heard["columns"].as_array().unwrap().iter().map(|column| &column["name"]).collect();
    assert_eq!(columns, [&json!("id"), &json!("title")]);
    app.database.execute("revoke select (id) on tasks from authenticated").await;
    app.database.execute("update tasks set title = 'd'").await;
    app.database.execute("insert into news (id) values (1)").await;
    let next = change(&mut alice).await;
    assert_eq!(next["table"], "news", "without its key no row is told: {next}");
    let said = system(&mut alice).await;
    assert!(said["message"].as_str().unwrap().contains("your role may not read a table"), "{said}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_are_withheld_where_the_operator_wants_that() {
    let database = database().await;
    let options = settings(&database, &[("realtime_withhold_deletes", "true")]);
    let app = App::on(database, options).await;
    let mut socket = subscriber(&app.url, &User::Anon, &[wants("*", "news", None)]).await;
    app.database.execute("insert into news (id) values (1); delete from news; insert into news (id) values (2)").await;
    assert_eq!(until(&mut socket, 2).await, kinds(&[("INSERT", 1), ("INSERT", 2)]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_change_is_told_without_its_large_values() {
    let app = start().await;
    let mut socket = subscriber(&app.url, &User::Anon, &[wants("*", "news", None)]).await;
    app.database.execute("insert into news (id, title, mood) values (1, repeat('x', 2000000), 'fine')").await;
    let heard = change(&mut socket).await;
    assert_eq!(heard["errors"], json!(["Error 413: Payload Too Large"]));
    assert_eq!((heard["record"].get("title"), &heard["record"]["mood"]), (None, &json!("fine")));
    // A value that is stored apart and did not change is not in the log; with the whole row as identity it is.
    app.database
        .execute("update news set title = (select string_agg(md5(n::text), '') from generate_series(1, 2000) n)")
        .await;
    change(&mut socket).await;
    app.database.execute("update news set mood = 'other'").await;
    let heard = change(&mut socket).await;
    assert_eq!((heard["record"].get("title"), &heard["record"]["mood"]), (None, &json!("other")));
    app.database.execute("alter table news replica identity full").await;
    app.database.execute("update news set mood = 'third'").await;
    assert_eq!(change(&mut socket).await["record"]["title"].as_str().unwrap().len(), 64_000);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_at_every_host_hear_every_change_once_and_another_host_reads_when_one_is_killed() {
    let database = database().await;
    let mut process = HostProcess::start(&database, &[("replication_database_url", database.replication_url())]).await;
    let all = [wants("*", "news", None), wants("*", "tasks", None)];
    // The first who subscribes makes its host read the log.
    let _first = subscriber(&process.url, &User::Anon, &all).await;
    let options = settings(&database, &[]);
    let app = App::on(database.clone(), options).await;
    let mut alice = subscriber(&app.url, &User::Is(ALICE), &all).await;
    let mut bob = subscriber(&app.url, &User::Is(BOB), &all).await;
    for id in 1..=50 {
        database.execute(&format!("insert into news (id) values ({id})")).await;
    }
    database.execute(&format!("insert into tasks values (51, '{ALICE}'), (52, '{BOB}')")).await;
    let numbers = |last: i64| kinds(&(1..=50).chain([last]).map(|id| ("INSERT", id)).collect::<Vec<_>>());
    assert_eq!(until(&mut alice, 51).await, numbers(51));
    assert_eq!(until(&mut bob, 52).await, numbers(52));
    process.kill();
    for id in 61..=70 {
        database.execute(&format!("insert into news (id) values ({id})")).await;
    }
    assert_eq!(until(&mut alice, 70).await.len(), 10, "nothing is missing, and nothing comes twice");
    let leaders =
        "select count(*) from behalf.realtime_replication where leader in (select host from behalf.realtime_hosts)";
    assert_eq!(database.value::<i64>(leaders).await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_lost_is_said_and_made_anew() {
    let app = start().await;
    let mut socket = subscriber(&app.url, &User::Anon, &[wants("*", "news", None)]).await;
    app.database.execute("insert into news (id) values (1)").await;
    assert_eq!(until(&mut socket, 1).await.len(), 1);
    app.database
        .execute(
            "do $$
             declare s record;
             begin
                 for s in select slot_name, active_pid from pg_replication_slots where database = current_database() loop
                     for n in 1 .. 200 loop
                         begin
                             perform pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = s.slot_name;
                             perform pg_drop_replication_slot(s.slot_name);
                             return;
                         exception when object_in_use then
                             perform pg_sleep(0.01);
                         end;
                     end loop;
                     raise exception 'the slot cannot be dropped';
                 end loop;
             end $$",
        )
        .await;
    let said = system(&mut socket).await;
    assert!(said["message"].as_str().unwrap().contains("Changes were lost"), "{said}");
    eventually("changes are read again", async || {
        app.database
            .value::<bool>(
                "select exists (select from pg_replication_slots where database = current_database() and active)",
            )
            .await
    })
    .await;
    app.database.execute("insert into news (id) values (2)").await;
    assert_eq!(until(&mut socket, 2).await, kinds(&[("INSERT", 2)]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_slot_stays_behind_a_host_that_stops() {
    let app = start().await;
    let slots = "select count(*) from pg_replication_slots where database = current_database()";
    assert_eq!(app.database.value::<i64>(slots).await, 0, "a slot is made for the first subscriber");
    let socket = subscriber(&app.url, &User::Anon, &[wants("*", "news", None)]).await;
    assert_eq!(app.database.value::<i64>(slots).await, 1);
    drop(socket);
    let database = app.stop().await;
    assert_eq!(database.value::<i64>(slots).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_or_a_log_only_changes_of_tables_are_off() {
    let app = App::on(database().await, Options::default()).await;
    let said = refused(&app, &User::Anon, &[wants("*", "news", None)]).await;
    assert_eq!(said, "Changes of tables are not available in this project: it was not set up to read them");
    app.stop().await;

    let folder = tempfile::tempdir().unwrap();
    let options = LocalOptions {
        dir: folder.path().join("postgres"),
        bin_dir: behalf_config::environment("BEHALF_POSTGRES_BIN").map(PathBuf::from),
        port: None,
        settings: vec![("wal_level".to_owned(), "replica".to_owned())],
    };
    let local = LocalPostgres::start(&options).await.unwrap();
    let database = TestDatabase::create_on(&local.owner_url()).await;
    database.execute(TABLES).await;
    let options = settings(&database, &[]);
    let app = App::on(database, options).await;
    let said = refused(&app, &User::Anon, &[wants("*", "news", None)]).await;
    assert!(said.starts_with("Changes of tables are not available: "), "{said}");
    assert!(!said.contains("BEHALF") && !said.contains("wal_level"), "{said}");
    let mut socket = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    let join_ref = socket.joined("room", json!({"broadcast": {"ack": true, "self": true}})).await;
    socket.broadcast(&join_ref, "room", "e", json!({"n": 1})).await;
    assert_eq!(socket.event("broadcast").await.payload["payload"]["n"], 1);
    app.stop().await;
    local.discard().await.unwrap();
}
