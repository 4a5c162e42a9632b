//! The tables and functions of the schema `storage`, as apps know them.

use behalf_host_db::MigrateOptions;
use behalf_tests::database::run;
use behalf_tests::{App, TestDatabase, User};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// Columns with their types, as the migrations of Supabase Storage leave them.
const COLUMNS: &str = "\
buckets: allowed_mime_types text[], avif_autodetection boolean, created_at timestamp with time zone, file_size_limit bigint, \
id text not null, name text not null, owner uuid, owner_id text, public boolean, type storage.buckettype not null, \
updated_at timestamp with time zone, versioning_status text not null
objects: archived_at timestamp with time zone, bucket_id text, created_at timestamp with time zone, id uuid not null, \
is_delete_marker boolean not null, is_versioned boolean not null, last_accessed_at timestamp with time zone, metadata jsonb, \
name text, owner uuid, owner_id text, path_tokens text[], updated_at timestamp with time zone, user_metadata jsonb, version text";

const READ_COLUMNS: &str = "
    select string_agg(t.line, chr(10) order by t.line) from (
        select c.relname || ': ' || string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
                                                         case when a.attnotnull then 'not null' end), ', ' order by a.attname) as line
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'storage'::regnamespace and c.relname in ('buckets', 'objects') and c.relkind = 'r'
        group by c.relname) t";

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_are_supabases() {
    let database = TestDatabase::create().await;
    assert_eq!(database.value::<String>(READ_COLUMNS).await, COLUMNS);
    for name in [
        "bname",
        "bucketid_objname",
        "buckets_pkey",
        "idx_objects_bucket_id_name",
        "idx_objects_bucket_id_name_lower",
        "name_prefix_search",
        "objects_pkey",
    ] {
        let there =
            format!("select exists (select from pg_indexes where schemaname = 'storage' and indexname = '{name}')");
        assert!(database.value::<bool>(&there).await, "{name}");
    }
    for name in [
        "enforce_bucket_name_length_trigger",
        "protect_buckets_delete",
        "protect_objects_delete",
        "update_objects_updated_at",
    ] {
        let there = format!("select exists (select from pg_trigger where tgname = '{name}')");
        assert!(database.value::<bool>(&there).await, "{name}");
    }
    let long = "insert into storage.buckets (id, name) values ('a', repeat('a', 101))";
    let refused = sqlx::raw_sql(long).execute(&mut database.owner().await).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("is too long")));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_that_policies_use_say_what_supabases_say() {
    let database = TestDatabase::create().await;
    let mut conn = database.owner().await;
    for (name, folders, file, extension) in [
        ("a/b/c.tar.gz", "a,b", "c.tar.gz", "gz"),
        ("c.txt", "", "c.txt", "txt"),
        ("a/", "a", "", ""),
        ("/a", "", "a", "a"),
        ("a//b", "a,", "b", "b"),
        ("a.b/c", "a.b", "c", "c"),
    ] {
        let read = format!(
            "select array_to_string(storage.foldername('{name}'), ','), storage.filename('{name}'), storage.extension('{name}')"
        );
        let row: (String, String, String) = sqlx::query_as(AssertSqlSafe(read)).fetch_one(&mut conn).await.unwrap();
        assert_eq!(row, (folders.to_owned(), file.to_owned(), extension.to_owned()), "{name}");
    }
    for (operation, expected, only) in [
        ("storage.object.list", "object.list", true),
        ("storage.object.list", "storage.object.list", true),
        ("object.list", "storage.object.list", true),
        ("storage.object.list", "object.list_v2", false),
        ("storage.object.list", "", false),
        ("", "", false),
        ("storage.storage.a", "a", false),
    ] {
        let read = format!(
            "select storage.allow_only_operation('{expected}'), storage.allow_any_operation(array['{expected}', null, '', 'other'])"
        );
        run(&mut conn, &format!("set storage.operation = '{operation}'")).await;
        let row: (bool, bool) = sqlx::query_as(AssertSqlSafe(read)).fetch_one(&mut conn).await.unwrap();
        assert_eq!(row, (only, only), "{operation} {expected}");
    }
    let none = "select storage.allow_only_operation(null), storage.allow_any_operation(null), storage.allow_any_operation('{}')";
    assert_eq!(
        sqlx::query_as::<_, (bool, bool, bool)>(none).fetch_one(&mut conn).await.unwrap(),
        (false, false, false)
    );
    let refused = sqlx::raw_sql("select storage.can_insert_object('none', 'a', null, null)").execute(&mut conn).await;
    assert!(refused.is_err());
    run(&mut conn, "insert into storage.buckets (id, name) values ('files', 'files')").await;
    let probed = sqlx::raw_sql("select storage.can_insert_object('files', 'a', null, null)").execute(&mut conn).await;
    assert!(probed.is_err_and(|error| error.to_string().contains("ROLLBACK")));
    run(&mut conn, "insert into storage.objects (bucket_id, name, metadata) values ('files', 'a', '{\"size\": 7}'), ('files', 'b', '{\"size\": 5}')").await;
    let size: (i64, String) =
        sqlx::query_as("select * from storage.get_size_by_bucket()").fetch_one(&mut conn).await.unwrap();
    assert_eq!(size, (12, "files".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_storage_that_was_there_before_is_left_alone() {
    let database = TestDatabase::with_own_logins().await;
    database
        .execute(
            "create schema storage;
             create table storage.objects (id integer primary key, bucket_id text);
             insert into storage.objects values (1, 'sources');
             create function storage.foldername(name text) returns text language sql as 'select name'",
        )
        .await;
    let before: String = database.value(READ_COLUMNS).await;
    for _ in 0..2 {
        database.migrate(&MigrateOptions::default()).await.unwrap();
        let decided: String = database.value("select value from behalf.decisions where name = 'storage_tables'").await;
        assert_eq!(decided, "theirs");
        assert_eq!(database.value::<String>(READ_COLUMNS).await, before);
        let theirs =
            "select (select count(*) from pg_class where relnamespace = 'storage'::regnamespace and relkind = 'r')
            + (select count(*) from pg_proc where pronamespace = 'storage'::regnamespace)";
        assert_eq!(database.value::<i64>(theirs).await, 2);
        let untouched = "select not relrowsecurity and relacl is null and relowner = current_user::regrole
            from pg_class where oid = 'storage.objects'::regclass";
        assert!(database.value::<bool>(untouched).await);
        let usage = "select nspacl is null from pg_namespace where nspname = 'storage'";
        assert!(database.value::<bool>(usage).await);
    }
}

/// On a server where the owner of the database is no superuser, as on most that others run.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_the_database_makes_policies_and_triggers_of_objects() {
    // The roles that databases share are there then.
    drop(TestDatabase::create().await);
    let mut database = TestDatabase::with_own_logins().await;
    let owner = format!("owner_{}", Uuid::new_v4().simple());
    let mut superuser = database.owner().await;
    run(
        &mut superuser,
        &format!(
            "create role {owner} login createrole password 'owner-of-tests';
             grant anon, authenticated, service_role, supabase_auth_admin, supabase_storage_admin to {owner} with admin option;
             alter database {} owner to {owner};
             alter schema public owner to {owner};
             create extension vector",
            database.name
        ),
    )
    .await;
    database.log_in_as(&owner, "owner-of-tests");
    database.migrate(&MigrateOptions::default()).await.unwrap();
    let mut conn = database.owner().await;
    let is_super: bool = sqlx::query_scalar("select rolsuper from pg_roles where rolname = current_user")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert!(!is_super);
    run(
        &mut conn,
        "create policy own on storage.objects to authenticated using (owner_id = auth.uid()::text);
         create policy own on storage.buckets to authenticated using (owner_id = auth.uid()::text);
         create function public.seen() returns trigger language plpgsql as 'begin return new; end';
         create trigger seen before insert on storage.objects for each row execute function public.seen();
         create trigger seen before insert on storage.buckets for each row execute function public.seen();
         create index mine on storage.objects ((metadata ->> 'mine'));
         insert into storage.buckets (id, name) values ('files', 'files');
         insert into storage.objects (bucket_id, name) values ('files', 'a');
         create table public.pictures (object_id uuid references storage.objects (id));",
    )
    .await;
    // As before at the next migration, and its host becomes the tables' owner.
    database.migrate(&MigrateOptions::default()).await.unwrap();
    let mut host = database.login(&database.logins.host()).await;
    run(&mut host, "set role supabase_storage_admin; select from storage.objects; select from storage.behalf_uploads")
        .await;
    let inherits = "select pg_has_role(current_user, 'supabase_storage_admin', 'USAGE')";
    let mut host = database.login(&database.logins.host()).await;
    assert!(!sqlx::query_scalar::<_, bool>(inherits).fetch_one(&mut host).await.unwrap());
}

/// It has the rights of the tables' owner, so nobody else may call it.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_host_looks_at_objects_without_a_caller() {
    let database = TestDatabase::with_own_logins().await;
    for _ in 0..2 {
        database.migrate(&MigrateOptions::default()).await.unwrap();
        let may = "select string_agg(r.rolname, ',') from pg_roles r where not r.rolsuper and r.rolname <> 'supabase_storage_admin'
            and has_function_privilege(r.oid, 'behalf.look_at_object(text, text)', 'execute')
            -- Other databases of this cluster have other owners, who become the role as this one's does.
            and not pg_has_role(r.oid, 'supabase_storage_admin', 'usage')";
        assert_eq!(database.value::<String>(may).await, database.logins.host());
        let owner = "select proowner::regrole::text || ' ' || prosecdef || ' ' || proconfig::text from pg_proc
            where oid = 'behalf.look_at_object(text, text)'::regprocedure";
        let expected = "supabase_storage_admin true {\"search_path=\\\"\\\"\"}";
        assert_eq!(database.value::<String>(owner).await, expected);
        let rights = "select has_schema_privilege('supabase_storage_admin', 'behalf', 'usage, create')";
        assert!(!database.value::<bool>(rights).await, "the role has rights that it needed for a moment");
    }
    run(
        &mut database.owner().await,
        "insert into storage.buckets (id, name, public) values ('files', 'files', true);
         insert into storage.objects (bucket_id, name) values ('files', 'a')",
    )
    .await;
    let look = "select name from behalf.look_at_object('files', 'a')";
    for login in database.logins.tools() {
        let refused = sqlx::query(look).fetch_one(&mut database.login(&login).await).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("permission denied")), "{login}");
    }
    let mut host = database.login(&database.logins.host()).await;
    assert_eq!(sqlx::query_scalar::<_, String>(look).fetch_one(&mut host).await.unwrap(), "a");
    let direct = sqlx::query("select from storage.objects").fetch_one(&mut host).await;
    assert!(direct.is_err_and(|error| error.to_string().contains("permission denied")));
}

/// The list of all bytes says how many there are, also of those that are about to be deleted.
#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_all_bytes_has_their_size() {
    let app = App::start().await;
    super::bed::bucket(&app, "files").await;
    let written = super::bed::upload(&app, &User::Service, "files", "a", &[]).await;
    assert_eq!(written.status, 200, "{}", written.text);
    let size = "select sum(size)::bigint from behalf.blobs where bucket_id = 'files'";
    assert_eq!(app.database.value::<i64>(size).await, 5);
    // Whatever SQL makes of the row.
    let other = "update storage.objects set metadata = '{\"size\": \"much\"}' where name = 'a'";
    app.database.execute(other).await;
    assert_eq!(app.database.value::<i64>(size).await, 5);
}
