//! `behalf auth import`: users of another project's dump.

use std::fmt::Write as _;
use std::path::PathBuf;

use behalf_tests::projects::behalf_with;
use behalf_tests::{App, eventually};
use tempfile::TempDir;

use super::people::{PASSWORD, host, sign_in, sign_up, try_sign_in};

/// A bcrypt hash of [`PASSWORD`].
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuug6dzmmIEjLQndadNHMt1mzEehHgI/Ua";
const ADA: &str = "ada@people.example";
const ADA_ID: &str = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa";
const EVE_ID: &str = "eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee";
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// What the command said.
struct Said {
    ok: bool,
    out: String,
    err: String,
}

async fn import(app: &App, dump: &str, more: &[&str]) -> Said {
    let folder = TempDir::new().unwrap();
    let file: PathBuf = folder.path().join("dump.sql");
    std::fs::write(&file, dump).unwrap();
    let settings = [("host_database_url", app.database.host_url())];
    let mut arguments = vec!["auth", "import", file.to_str().unwrap()];
    arguments.extend(more);
    let printed = behalf_with(&settings, &arguments).await;
    Said { ok: printed.ok, out: printed.out, err: printed.err }
}

async fn count(app: &App, table: &str) -> i64 {
    app.database.value(&format!("select count(*) from {table}")).await
}

/// A dump as `pg_dump` writes it: identities stand before users, and columns that this host does not know among the others.
fn dump() -> String {
    let mut dump =
        "\\restrict abc\n--\n-- PostgreSQL database dump\n--\n\nSET standard_conforming_strings = on;\n\n".to_owned();
    dump += "CREATE FUNCTION public.f() RETURNS void AS $$\nCOPY auth.users (id) FROM stdin;\n$$ LANGUAGE sql;\n\n";
    dump += "COPY public.notes (body) FROM stdin;\nCOPY auth.users (id) FROM stdin;\n\\.\n\n";
    dump += "COPY auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at, id) FROM stdin;\n";
    writeln!(
        dump,
        "{ADA_ID}\t{ADA_ID}\t{{\"sub\": \"{ADA_ID}\", \"email\": \"{ADA}\"}}\temail\t\\N\t2024-01-02 03:04:05.678+00\t\\N\t1aaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa\n\\.\n"
    )
    .unwrap();
    dump += "COPY auth.mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret, phone) FROM stdin;\n";
    writeln!(
        dump,
        "2aaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa\t{ADA_ID}\tphone\ttotp\tverified\t2024-01-02 03:04:05+00\t2024-01-02 03:04:05+00\t{SECRET}\t\\N\n\
         3aaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa\t{ADA_ID}\tsms\tphone\tverified\t2024-01-02 03:04:05+00\t2024-01-02 03:04:05+00\t\\N\t4917\n\\.\n"
    )
    .unwrap();
    dump += "COPY auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, recovery_token, raw_app_meta_data, raw_user_meta_data, created_at, banned_until, is_anonymous, favourite) FROM stdin;\n";
    writeln!(
        dump,
        "00000000-0000-0000-0000-000000000000\t{ADA_ID}\tauthenticated\tauthenticated\tAda@People.example\t{BCRYPT}\t2024-01-02 03:04:05.678+00\tstolen\t\
         {{\"provider\": \"email\"}}\t{{\"motto\": \"a\\\\tb \\\\\\\\ \\\\\"c\\\\\"\", \"n\": 12345678901234567890}}\t2024-01-02 03:04:05.678+00\t\\N\tf\tblue\n\
         \\N\t{EVE_ID}\tauthenticated\tservice_role\teve@people.example\t\t\\N\t\t\\N\t\\N\t\\N\t\\N\tf\t\\N\n\\.\n"
    )
    .unwrap();
    dump + "\\unrestrict abc\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_users_sign_in_and_their_hashes_are_replaced() {
    let app = host(&[]).await;
    let said = import(&app, &dump(), &[]).await;
    assert!(said.ok, "{}{}", said.out, said.err);
    assert!(said.out.contains("users: 1 added, 0 kept, 1 left out"), "{}", said.out);
    assert!(
        said.out.contains("identities: 1 added") && said.out.contains("second factors: 1 added, 0 kept, 1 left out"),
        "{}",
        said.out
    );
    assert!(said.err.contains(EVE_ID) && said.err.contains("role") && said.err.contains("favourite"), "{}", said.err);
    assert!(!said.err.contains('@') && !said.out.contains('@'), "{}{}", said.out, said.err);

    let held = sign_in(&app, ADA).await;
    assert_eq!(held.user.to_string(), ADA_ID);
    let user = app.get(&held.caller(), "/auth/v1/user").await.json;
    assert_eq!(user["user_metadata"]["motto"], "a\tb \\ \"c\"", "{user}");
    assert!(user["created_at"].as_str().unwrap().starts_with("2024-01-02T03:04:05.678"), "{user}");
    assert_eq!(user["factors"][0]["status"], "verified", "{user}");
    let number = "select raw_user_meta_data ->> 'n' from auth.users";
    assert_eq!(app.database.value::<String>(number).await, "12345678901234567890");
    assert_eq!(app.database.value::<String>("select recovery_token from auth.users").await, "");
    eventually("the hash is replaced", async || {
        app.database.value::<String>("select encrypted_password from auth.users").await.starts_with("$argon2id$")
    })
    .await;
    assert_eq!(try_sign_in(&app, ADA, PASSWORD).await.status, 200);
    assert_eq!(try_sign_in(&app, ADA, "wrong-Horse-7-battery").await.status, 400);
    assert_eq!(
        app.database.value::<String>("select actor from ai.audit_events where action = 'users.imported'").await,
        "host"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_here_already_stays_as_they_are() {
    let app = host(&[]).await;
    assert!(import(&app, &dump(), &[]).await.ok);
    let before: String = app.database.value("select md5(string_agg(to_jsonb(u)::text, '')) from auth.users u").await;
    // The dump gives the account another way in.
    let evil = dump()
        .replace(&format!("{ADA_ID}\t{ADA_ID}\t"), &format!("of-eve\t{ADA_ID}\t"))
        .replace("\temail\t", "\tgoogle\t");
    let evil = evil.replace("1aaaaaaa", "4aaaaaaa").replace("2aaaaaaa", "5aaaaaaa");
    let said = import(&app, &evil, &[]).await;
    assert!(said.ok && said.out.contains("users: 0 added, 1 kept, 1 left out"), "{}{}", said.out, said.err);
    assert!(
        said.out.contains("identities: 0 added, 1 kept") && said.out.contains("second factors: 0 added, 1 kept"),
        "{}",
        said.out
    );
    assert_eq!((count(&app, "auth.identities").await, count(&app, "auth.mfa_factors").await), (1, 1));
    let after: String = app.database.value("select md5(string_agg(to_jsonb(u)::text, '')) from auth.users u").await;
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_left_out() {
    let app = host(&[]).await;
    let held = sign_up(&app, ADA).await;
    let said = import(&app, &dump(), &[]).await;
    assert!(said.ok && said.out.contains("users: 0 added, 0 kept, 2 left out"), "{}{}", said.out, said.err);
    assert!(said.err.contains("another user has its address"), "{}", said.err);
    assert_eq!(app.get(&held.caller(), "/auth/v1/user").await.status, 200);
    assert_eq!(count(&app, "auth.mfa_factors").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_and_a_broken_dump_change_nothing() {
    let app = host(&[]).await;
    let tried = import(&app, &dump(), &["--dry-run"]).await;
    assert!(
        tried.ok && tried.out.contains("users: 1 added") && tried.out.contains("nothing was changed"),
        "{}",
        tried.out
    );
    assert_eq!(count(&app, "auth.users").await, 0);
    let whole = dump();
    let users = whole.find("COPY auth.users (instance_id").unwrap();
    let line = whole[..users].lines().count() + 3;
    for (broken, told) in [
        (
            whole.replace(&format!("\\N\t{EVE_ID}"), &format!("\\N\t{EVE_ID}\textra")),
            format!("line {line}: the row has"),
        ),
        (whole.replace(EVE_ID, "not-a-uuid"), format!("line {line}: id is not a uuid")),
        (
            whole.replace("03:04:05.678+00\t\\N\tf\tblue", "03:04:99+00\t\\N\tf\tblue"),
            format!("line {}: created_at", line - 1),
        ),
        (whole[..users + whole[users..].find("\\.\n").unwrap()].to_owned(), "the dump ends inside of rows".to_owned()),
        ("INSERT INTO auth.users (id) VALUES ('x');\n".to_owned(), "pg_dump --data-only --schema=auth".to_owned()),
        ("PGDMP\n".to_owned(), "pg_restore".to_owned()),
        ("SELECT 1;\n".to_owned(), "no rows of auth.users".to_owned()),
    ] {
        let said = import(&app, &broken, &[]).await;
        assert!(!said.ok && said.err.contains(&told), "{told}: {}{}", said.out, said.err);
        assert!(said.err.contains("nothing was changed"), "{}", said.err);
        for table in ["auth.users", "auth.identities", "auth.mfa_factors"] {
            assert_eq!(count(&app, table).await, 0, "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_of_the_app_wrote_is_no_row_of_users() {
    let app = host(&[]).await;
    let forged = format!("COPY auth.users (id, email) FROM stdin;\n{EVE_ID}\teve@people.example\n\\.\n");
    let dump = format!("INSERT INTO public.notes (body) VALUES ('it''s mine\n;{forged}');\n") + &dump();
    let said = import(&app, &dump, &[]).await;
    assert!(said.ok && said.out.contains("users: 1 added"), "{}{}", said.out, said.err);
    let eve = format!("select count(*) from auth.users where id = '{EVE_ID}'");
    assert_eq!(app.database.value::<i64>(&eve).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_users_are_added_and_the_apps_triggers_run_for_each() {
    let app = host(&[]).await;
    app.database
        .execute(
            "create table public.profiles (id uuid primary key references auth.users (id));
             create function public.profile() returns trigger language plpgsql security definer set search_path = '' as $$
                begin insert into public.profiles (id) values (new.id); return new; end $$;
             create trigger profile after insert on auth.users for each row execute function public.profile()",
        )
        .await;
    let mut dump = "COPY auth.users (id, email) FROM stdin;\n".to_owned();
    for number in 0..1_203_u32 {
        writeln!(dump, "{}\tu{number}@people.example", uuid::Uuid::from_u128(u128::from(number) + 1)).unwrap();
    }
    let said = import(&app, &(dump + "\\.\n"), &[]).await;
    assert!(said.ok && said.out.contains("users: 1203 added, 0 kept, 0 left out"), "{}{}", said.out, said.err);
    assert_eq!(count(&app, "public.profiles").await, 1_203);
}
