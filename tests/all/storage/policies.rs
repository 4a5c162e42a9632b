//! Two users, every operation, under each kind of policy that Supabase Storage's own tests know, in
//! `tests/golden/storage_policies.txt`; and what SQL cannot do beside `/storage/v1`.
//!
//! After a change: `UPDATE_GOLDEN=1 ./dev test -E 'test(/^storage::policies::/)'`, then read `git diff tests/golden`. A 200 in the
//! column of the stranger is what to look at first.

use std::fmt::Write as _;

use behalf_config::environment;
use behalf_tests::{ALICE, Answer, App, BOB, User, guests};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::bed::{bucket, bucket_of, upload, upload_of};
use super::operations::{Operation, run};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/storage_policies.txt");

/// The kinds: their name, table, command and condition. `{me}` is alice. Where Supabase's write out the owner, `auth.uid()` says it of both
/// users.
pub(super) const KINDS: [(&str, &str, &str, &str); 13] = [
    ("read_only_all_buckets", "buckets", "select", "using (owner = auth.uid())"),
    ("read_only_all_objects", "objects", "select", "using (owner = auth.uid())"),
    ("insert_only_all_objects", "objects", "insert", "with check (auth.uid() = '{me}')"),
    ("insert_only_all_buckets", "buckets", "insert", "with check (auth.uid() = '{me}')"),
    ("update_only_all_objects", "objects", "update", "using (owner = auth.uid())"),
    ("update_only_all_buckets", "buckets", "update", "using (owner = auth.uid())"),
    ("delete_only_all_buckets", "buckets", "delete", "using (owner = auth.uid())"),
    ("delete_only_all_objects", "objects", "delete", "using (owner = auth.uid())"),
    ("insert_with_metadata_check", "objects", "insert", "with check (user_metadata ->> 'department' = 'engineering')"),
    ("insert_only_images", "objects", "insert", "with check (metadata ->> 'mimetype' like 'image/%')"),
    ("insert_max_size_limit", "objects", "insert", "with check ((metadata ->> 'contentLength')::int <= 100000)"),
    (
        "read_only_list_objects",
        "objects",
        "select",
        "using (storage.allow_only_operation('object.list') and owner = auth.uid())",
    ),
    (
        "read_list_or_get_objects",
        "objects",
        "select",
        "using (storage.allow_any_operation(array['object.list', 'storage.object.get_authenticated']) and owner = auth.uid())",
    ),
];

/// The rights that operations need together, beside each kind alone.
const TOGETHER: [(&str, &[&str]); 5] = [
    ("no policy", &[]),
    ("read and insert", &["read_only_all_objects", "insert_only_all_objects"]),
    ("read and update", &["read_only_all_objects", "update_only_all_objects"]),
    ("read, insert and update", &["read_only_all_objects", "insert_only_all_objects", "update_only_all_objects"]),
    ("read and delete", &["read_only_all_objects", "delete_only_all_objects"]),
];

/// Makes the policies of these kinds.
pub(super) async fn allow(app: &App, kinds: &[&str]) {
    for kind in kinds {
        let (name, table, command, condition) = KINDS.iter().find(|(name, ..)| name == kind).unwrap();
        let condition = condition.replace("{me}", &ALICE.to_string());
        let policy = format!("create policy {name} on storage.{table} for {command} to authenticated {condition}");
        app.database.execute(&policy).await;
    }
}

/// Drops the policies of these kinds.
pub(super) async fn disallow(app: &App, kinds: &[&str]) {
    for kind in kinds {
        let (name, table, ..) = KINDS.iter().find(|(name, ..)| name == kind).unwrap();
        app.database.execute(&format!("drop policy {name} on storage.{table}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_under_every_kind_of_policy_answers_as_it_is_written_down() {
    let app = App::start().await;
    let alone: Vec<(&str, Vec<&str>)> = KINDS.iter().map(|(name, ..)| (*name, vec![*name])).collect();
    let together = TOGETHER.iter().map(|(name, kinds)| (*name, kinds.to_vec()));
    let users = [("owner", User::Is(ALICE)), ("stranger", User::Is(BOB))];
    let mut table = format!("{:<28} {:<18} {:<26} {}\n", "", "", "owner", "stranger");
    let mut count = 0;
    for (name, kinds) in alone.into_iter().chain(together) {
        allow(&app, &kinds).await;
        for operation in Operation::ALL {
            let operation_name = format!("{operation:?}");
            let mut line = format!("{name:<28} {operation_name:<18}");
            for (_, user) in &users {
                count += 1;
                let (bucket, object) = (format!("b{count}"), "object.txt");
                bucket_of(&app, &bucket, ALICE).await;
                if operation.needs_object() {
                    upload_of(&app, &bucket, object, ALICE).await;
                }
                let answer = run(&app, user, operation, &bucket, object).await;
                let seen = match (&answer.json["code"], answer.json.as_array()) {
                    (Value::String(code), _) => format!(" {code}"),
                    // Of an address that was not signed, the row says so.
                    (_, Some(rows)) if rows.iter().all(|row| row["error"].is_string()) => " none".to_owned(),
                    (_, Some(_)) => " some".to_owned(),
                    _ if answer.json["objects"].is_array() => {
                        format!(" {}", if answer.json["objects"] == json!([]) { "none" } else { "some" })
                    }
                    _ => String::new(),
                };
                let cell = format!("{}{seen}", answer.status);
                write!(line, " {cell:<26}").unwrap();
            }
            table += line.trim_end();
            table.push('\n');
        }
        disallow(&app, &kinds).await;
    }
    if environment("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &table).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    let difference: Vec<_> = table.lines().filter(|line| !golden.lines().any(|same| same == *line)).collect();
    assert!(golden == table, "tests/golden/storage_policies.txt differs:\n{}", difference.join("\n"));
}

/// Everything is allowed: whatever is refused now is refused by the tables themselves.
const OPEN: &str = "
    create policy everything on storage.objects to public using (true) with check (true);
    create policy everything on storage.buckets to public using (true) with check (true);";

/// A host whose tables are open, with a secret of bob's and an object of alice's.
async fn open_host() -> App {
    let app = App::start().await;
    app.database.execute(OPEN).await;
    app.install(guests::PROBE, &json!({"database": {"access": "write", "schemas": ["storage"]}})).await;
    bucket(&app, "files").await;
    upload_of(&app, "files", "secret", BOB).await;
    let mine = upload(&app, &User::Is(ALICE), "files", "mine", &[]).await;
    assert_eq!(mine.status, 200, "{}", mine.text);
    app
}

/// A write to a table of storage through `/rest/v1`.
async fn rest(app: &App, user: &User, method: Method, path: &str, body: Value) -> Answer {
    let request = app.request(user, method, &format!("/rest/v1/{path}")).header("content-profile", "storage");
    Answer::of(request.json(&body).send().await.unwrap()).await
}

/// Bytes that a row names.
const NAMED: &str = "select count(*) from behalf.blobs where object_id is not null and released_at is null";

#[tokio::test(flavor = "multi_thread")]
async fn sql_of_callers_names_no_bytes_and_deletes_no_rows() {
    let app = open_host().await;
    let version: String = app.database.value("select version from storage.objects where name = 'secret'").await;
    // Bytes that somebody is uploading.
    let unnamed = "12345678-1234-4234-8234-123456789012";
    let begun = format!("insert into behalf.blobs (id, bucket_id, name) values ('{unnamed}', 'files', 'of somebody')");
    app.database.execute(&begun).await;
    for user in [User::Is(ALICE), User::Anon, User::Service] {
        for foreign in [version.as_str(), unnamed, "1", "", &version.to_uppercase(), &format!("{{{version}}}")] {
            let new = json!({"bucket_id": "files", "name": "stolen", "version": foreign});
            for refused in [
                rest(&app, &user, Method::POST, "objects", new).await,
                rest(&app, &user, Method::PATCH, "objects?name=eq.mine", json!({ "version": foreign })).await,
            ] {
                assert_eq!(refused.json["code"], "42501", "{user:?} {foreign}: {}", refused.text);
            }
        }
        for table in ["objects?name=eq.mine", "buckets?id=eq.files"] {
            let refused = rest(&app, &user, Method::DELETE, table, json!({})).await;
            assert_eq!(refused.json["code"], "42501", "{user:?} {table}: {}", refused.text);
            assert!(refused.text.contains("Use the Storage API"), "{}", refused.text);
        }
    }
    for sql in [
        format!("insert into storage.objects (bucket_id, name, version) values ('files', 'stolen', '{version}')"),
        format!("update storage.objects set version = '{unnamed}' where name = 'mine'"),
        format!("update storage.objects set id = gen_random_uuid(), version = '{version}' where name = 'mine'"),
        "update storage.objects set version = (select o.version from storage.objects o where o.name = 'secret')
             where name = 'mine'"
            .to_owned(),
        "delete from storage.objects where name = 'mine'".to_owned(),
        "insert into storage.objects (bucket_id, name) values ('files', 'by-tool')".to_owned(),
    ] {
        app.sql(&User::Is(ALICE), &sql).await;
    }
    // The last one, to show that tools get so far.
    let names: String = app.database.value("select string_agg(name, ',' order by name) from storage.objects").await;
    assert_eq!(names, "by-tool,mine,secret");
    assert_eq!(app.database.value::<i64>(NAMED).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_may_be_without_bytes_let_go_of_its_own_and_move_with_them() {
    let app = open_host().await;
    let alice = User::Is(ALICE);
    let plain = rest(&app, &alice, Method::POST, "objects", json!({"bucket_id": "files", "name": "empty"})).await;
    assert_eq!(plain.status, 201, "{}", plain.text);
    let get = async |name: &str| app.get(&alice, &format!("/storage/v1/object/files/{name}")).await;
    assert_eq!((get("empty").await.status, get("mine").await.text.as_str()), (400, "hello"));
    let other_id = "12345678-1234-4234-8234-123456789012";
    let moved = json!({"name": "moved", "id": other_id});
    assert_eq!(rest(&app, &alice, Method::PATCH, "objects?name=eq.mine", moved).await.status, 204);
    assert_eq!(get("moved").await.text, "hello");
    let follows = format!("select count(*) from behalf.blobs where object_id = '{other_id}'");
    assert_eq!(app.database.value::<i64>(&follows).await, 1);
    let let_go = rest(&app, &alice, Method::PATCH, "objects?name=eq.moved", json!({"version": null})).await;
    assert_eq!(let_go.status, 204, "{}", let_go.text);
    assert_eq!(app.database.value::<i64>(NAMED).await, 1);
    assert_eq!(get("moved").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_bucket_is_nobodys() {
    let app = App::start().await;
    app.database.execute(OPEN).await;
    for statement in [
        "insert into storage.buckets (id, name) values ('sources', 'a')",
        "insert into storage.buckets (id, name) values ('a', 'sources')",
    ] {
        let refused = sqlx::raw_sql(statement).execute(&mut app.database.owner().await).await;
        assert!(refused.is_err(), "{statement}: not even the owner of the database makes it by mistake");
    }
    // As if there were one all the same.
    app.database
        .execute(
            "alter table storage.buckets drop constraint behalf_platform_bucket_check;
             insert into storage.buckets (id, name) values ('sources', 'sources')",
        )
        .await;
    let secret = "insert into storage.objects (bucket_id, name) values ('sources', 'secret')";
    let refused = sqlx::raw_sql(secret).execute(&mut app.database.owner().await).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("behalf_platform_object_check")));
    let alice = User::Is(ALICE);
    for (path, profile) in [("objects", "storage"), ("buckets", "storage")] {
        let request = app.request(&alice, Method::GET, &format!("/rest/v1/{path}")).header("accept-profile", profile);
        let seen = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((seen.status, &seen.json), (200, &json!([])), "{path}: {}", seen.text);
        let request = app.request(&alice, Method::POST, &format!("/rest/v1/{path}")).header("content-profile", profile);
        let body = match path {
            "objects" => json!({"bucket_id": "sources", "name": "mine"}),
            _ => json!({"id": "sources", "name": "more"}),
        };
        let made = Answer::of(request.json(&body).send().await.unwrap()).await;
        let code = if path == "objects" { "23514" } else { "42501" };
        assert_eq!(made.json["code"], code, "{path}: {}", made.text);
    }
    // The host itself finds nothing either.
    app.database.execute("alter table storage.objects drop constraint behalf_platform_object_check").await;
    app.database.execute(secret).await;
    for operation in Operation::ALL {
        if matches!(operation, Operation::BucketCreate | Operation::BucketList) {
            continue;
        }
        for user in [&alice, &User::Service, &User::Anon] {
            let answer = run(&app, user, operation, "sources", "secret").await;
            assert!((400..500).contains(&answer.status), "{operation:?} {user:?}: {} {}", answer.status, answer.text);
        }
    }
    assert_eq!(app.database.value::<i64>("select count(*) from storage.objects where bucket_id = 'sources'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tools_login_reaches_rows_and_nothing_else_of_storage() {
    let app = App::start().await;
    app.database.execute(OPEN).await;
    bucket(&app, "files").await;
    for login in ["behalf_tool_anon", "behalf_tool_authenticated", "behalf_tool_service"] {
        let mut conn = app.database.login(login).await;
        let role = login.trim_start_matches("behalf_tool_").replace("service", "service_role");
        sqlx::raw_sql(AssertSqlSafe(format!("set role {role}"))).execute(&mut conn).await.unwrap();
        sqlx::raw_sql("select from storage.objects; select from storage.buckets").execute(&mut conn).await.unwrap();
        for statement in [
            "select from behalf.blobs",
            "update behalf.blobs set object_id = null",
            "select from storage.behalf_uploads",
            "delete from storage.behalf_uploads",
            "truncate storage.objects",
            "truncate storage.objects, storage.buckets cascade",
            "alter table storage.objects disable trigger all",
            "alter table storage.objects disable row level security",
            "alter table storage.objects drop constraint behalf_platform_object_check",
            "create policy mine on storage.objects using (true)",
            "create table storage.mine (id integer)",
            "create trigger mine before insert on storage.objects for each row execute function storage.protect_delete()",
            "create table public.mine (id uuid references storage.objects (id))",
            "set role supabase_storage_admin",
            "select behalf.share_storage('behalf_tool_anon')",
            "select storage.can_insert_object('files', 'a', null, null)",
        ] {
            let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut conn).await;
            assert!(done.is_err(), "{login}: {statement}");
        }
    }
    // The role of objects reaches nothing of the host's.
    let mut host = app.database.login("behalf_host").await;
    sqlx::raw_sql("set role supabase_storage_admin").execute(&mut host).await.unwrap();
    for table in ["ai.agents", "ai.tool_calls", "public.notes", "behalf.blobs", "behalf.deleted_users", "auth.users"] {
        let read = sqlx::raw_sql(AssertSqlSafe(format!("select from {table}"))).execute(&mut host).await;
        assert!(read.is_err(), "{table}");
    }
}
