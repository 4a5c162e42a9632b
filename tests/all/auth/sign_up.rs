//! Signing up, and what an account is to the app's database.

use std::time::Duration;

use behalf_tests::tenants::with_claims;
use behalf_tests::{ALICE, App, Options, TestDatabase, User, eventually, guests};
use reqwest::Method;
use serde_json::{Value, json};

use super::people::{
    Held, LIVE, PASSWORD, assert_refused, faces, host, settings, sign_in, sign_up, try_sign_in, try_sign_up,
};

const USERS: &str = "select count(*) from auth.users";

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_up_gives_a_session_that_every_face_takes() {
    let app = host(&[]).await;
    let alice = sign_up(&app, "Alice@Example.com").await;
    assert_eq!(faces(&app, &alice.caller()).await, LIVE);
    let claims = alice.claims();
    assert_eq!(claims["sub"], alice.user.to_string());
    assert_eq!(claims["iss"], format!("{}/auth/v1", app.url));
    for (name, expected) in [
        ("aud", json!("authenticated")),
        ("role", json!("authenticated")),
        ("email", json!("alice@example.com")),
        ("phone", json!("")),
        ("aal", json!("aal1")),
        ("is_anonymous", json!(false)),
        ("app_metadata", json!({"provider": "email", "providers": ["email"]})),
    ] {
        assert_eq!(claims[name], expected, "{name}: {claims}");
    }
    assert_eq!(claims["amr"][0]["method"], "password");
    assert!(claims["session_id"].is_string() && claims["exp"].as_i64() > claims["iat"].as_i64(), "{claims}");
    let user = app.get(&alice.caller(), "/auth/v1/user").await.json;
    assert_eq!((&user["email"], &user["role"]), (&json!("alice@example.com"), &json!("authenticated")));
    assert_eq!(user["identities"][0]["provider"], "email");
    assert!(user["email_confirmed_at"].is_string() && user["last_sign_in_at"].is_string(), "{user}");
    let stored: String = app.database.value("select encrypted_password from auth.users").await;
    assert!(stored.starts_with("$argon2id$"), "{stored}");
    // The token is the user to the app's policies too.
    let who = app.call(&alice.caller(), "database_query", json!({ "query": "select auth.uid() as me" })).await;
    assert_eq!(who.result()[0]["me"], alice.user.to_string());
    assert_refused(&try_sign_up(&app, "ALICE@example.com").await, 422, "user_already_exists");
    assert_eq!(app.database.value::<i64>(USERS).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_says_of_themselves_raises_nobody() {
    let app = host(&[]).await;
    let body = json!({
        "email": "eve@example.com", "password": PASSWORD, "role": "service_role", "aud": "other", "id": ALICE,
        "app_metadata": {"role": "admin"}, "is_super_admin": true, "email_confirm": true, "banned_until": "none",
        "data": {"role": "service_role", "app_metadata": {"role": "admin"}, "sub": ALICE, "name": "Eve"},
    });
    let eve = Held::of(&app.post(&User::Anon, "/auth/v1/signup", body).await);
    assert_ne!(eve.user, ALICE);
    let claims = eve.claims();
    assert_eq!((&claims["role"], &claims["aud"]), (&json!("authenticated"), &json!("authenticated")), "{claims}");
    assert_eq!(claims["app_metadata"], json!({"provider": "email", "providers": ["email"]}));
    assert_eq!(claims["user_metadata"]["name"], "Eve");
    assert_eq!(app.get(&eve.caller(), "/api/plugins").await.status, 403);
    let role: String = app.database.value("select role from auth.users").await;
    assert_eq!(role, "authenticated");
    // Nor does a row that somebody made the service role's own.
    app.database.execute("update auth.users set role = 'service_role'").await;
    assert_eq!(try_sign_in(&app, "eve@example.com", PASSWORD).await.status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_password_is_refused_with_reasons_in_the_form_that_the_client_reads() {
    let app = host(&[("auth_password_classes", "upper,digit")]).await;
    let weak = json!({ "email": "a@example.com", "password": "short" });
    let old = app.post(&User::Anon, "/auth/v1/signup", weak.clone()).await;
    assert_refused(&old, 422, "weak_password");
    assert_eq!(old.json["weak_password"]["reasons"], json!(["length", "characters"]), "{}", old.text);
    let request = app.request(&User::Anon, Method::POST, "/auth/v1/signup");
    let request = request.header("x-supabase-api-version", "2024-01-01").json(&weak).send().await.unwrap();
    assert_eq!(request.headers()["x-supabase-api-version"], "2024-01-01");
    let new: Value = request.json().await.unwrap();
    assert_eq!((&new["code"], &new["weak_password"]), (&json!("weak_password"), &old.json["weak_password"]), "{new}");
    for (body, code) in [
        (json!({ "email": "a@example.com" }), "validation_failed"),
        (json!({ "email": "no address", "password": PASSWORD }), "validation_failed"),
        (json!({ "email": "a@example.com", "password": "X1".repeat(50) }), "validation_failed"),
        (json!({ "email": "a@example.com", "phone": "1", "password": PASSWORD }), "validation_failed"),
        (json!({ "phone": "4912345", "password": PASSWORD }), "phone_provider_disabled"),
        (json!({ "email": "a@example.com", "password": PASSWORD, "data": "text" }), "validation_failed"),
        (
            json!({ "email": "a@example.com", "password": PASSWORD, "data": {"a": "x".repeat(9_000)} }),
            "validation_failed",
        ),
    ] {
        assert_refused(&app.post(&User::Anon, "/auth/v1/signup", body).await, 400, code);
    }
    assert_eq!(app.database.value::<i64>(USERS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_common_password_is_refused_unless_the_operator_accepts_it() {
    let common = json!({ "email": "a@example.com", "password": "password123" });
    let strict = host(&[]).await;
    let refused = strict.post(&User::Anon, "/auth/v1/signup", common.clone()).await;
    assert_refused(&refused, 422, "weak_password");
    assert_eq!(refused.json["weak_password"]["reasons"], json!(["pwned"]), "{}", refused.text);
    let lenient = host(&[("auth_password_common", "true"), ("auth_autoconfirm", "true")]).await;
    let accepted = lenient.post(&User::Anon, "/auth/v1/signup", common).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    let signed_in = try_sign_in(&lenient, "a@example.com", "password123").await;
    assert_eq!((signed_in.status, &signed_in.json["weak_password"]), (200, &Value::Null), "{}", signed_in.text);
    let own = json!({ "email": "the.own.address@example.com", "password": "the.own.address" });
    assert_refused(&lenient.post(&User::Anon, "/auth/v1/signup", own).await, 422, "weak_password");
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_users_and_strangers_sign_up_where_an_operator_lets_them() {
    let app = host(&[]).await;
    let nobody = json!({ "data": {"color": "red"}, "gotrue_meta_security": {} });
    let refused = app.post(&User::Anon, "/auth/v1/signup", nobody.clone()).await;
    assert_refused(&refused, 422, "anonymous_provider_disabled");
    let app = host(&[("auth_anonymous", "true")]).await;
    let anonymous = Held::of(&app.post(&User::Anon, "/auth/v1/signup", nobody).await);
    let claims = anonymous.claims();
    assert_eq!((&claims["is_anonymous"], &claims["role"]), (&json!(true), &json!("authenticated")), "{claims}");
    assert_eq!((&claims["amr"][0]["method"], &claims["email"]), (&json!("anonymous"), &json!("")), "{claims}");
    assert_eq!(claims["user_metadata"], json!({"color": "red"}));
    assert_eq!(faces(&app, &anonymous.caller()).await, LIVE);
    let closed = host(&[("auth_signup", "false"), ("auth_anonymous", "true")]).await;
    assert_refused(&try_sign_up(&closed, "a@example.com").await, 422, "signup_disabled");
    assert_refused(&closed.post(&User::Anon, "/auth/v1/signup", json!({})).await, 422, "signup_disabled");
    let settings = closed.get(&User::Nobody, "/auth/v1/settings").await.json;
    assert_eq!((&settings["disable_signup"], &settings["external"]["anonymous_users"]), (&json!(true), &json!(true)));
    assert_eq!(closed.get(&User::Nobody, "/auth/v1/health").await.status, 200);
    assert_eq!(closed.get(&User::Nobody, "/auth/v1/.well-known/jwks.json").await.json, json!({"keys": []}));
}

/// The pattern of the platform's documentation: a profile for each user, made by a trigger.
const PROFILES: &str = "
    create table public.profiles (id uuid primary key references auth.users on delete cascade, name text not null);
    create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
        begin
            insert into public.profiles (id, name) values (new.id, new.raw_user_meta_data ->> 'name');
            return new;
        end $$;
    create trigger on_auth_user_created after insert on auth.users for each row execute procedure public.handle_new_user();
    create function public.color() returns trigger language plpgsql as $$
        begin
            new.raw_app_meta_data := new.raw_app_meta_data || '{\"color\": \"red\"}';
            return new;
        end $$;
    create trigger color before insert on auth.users for each row execute procedure public.color();";

#[tokio::test(flavor = "multi_thread")]
async fn the_apps_triggers_and_foreign_keys_work_on_users() {
    let app = host(&[]).await;
    app.database.execute(PROFILES).await;
    let body = json!({ "email": "a@example.com", "password": PASSWORD, "data": {"name": "Alice"} });
    let alice = Held::of(&app.post(&User::Anon, "/auth/v1/signup", body).await);
    assert_eq!(alice.claims()["app_metadata"]["color"], "red", "what a trigger writes is in the first token");
    let name = format!("select name from public.profiles where id = '{}'", alice.user);
    assert_eq!(app.database.value::<String>(&name).await, "Alice");
    // A trigger that refuses undoes the sign-up.
    let refused = try_sign_up(&app, "b@example.com").await;
    assert_refused(&refused, 500, "unexpected_failure");
    assert!(!refused.text.contains("profiles"), "{}", refused.text);
    assert_eq!(app.database.value::<i64>(USERS).await, 1);
    app.database.execute("delete from auth.users").await;
    assert_eq!(app.database.value::<i64>("select count(*) from public.profiles").await, 0);
    let stranger = "insert into public.profiles values (gen_random_uuid(), 'x')";
    assert!(sqlx::raw_sql(stranger).execute(&mut app.database.owner().await).await.is_err(), "no such user");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_owner_of_the_database_reads_users_with_sql() {
    let app = host(&[]).await;
    let alice = sign_up(&app, "alice@example.com").await;
    app.install(guests::PROBE, &json!({"database": {"access": "write", "schemas": ["public"]}})).await;
    let tables = ["users", "identities", "sessions", "refresh_tokens", "mfa_factors", "one_time_tokens", "flow_state"];
    for table in tables {
        for caller in [alice.caller(), User::Service, User::Anon] {
            let read = app.sql(&caller, &format!("select * from auth.{table}")).await;
            let code = read.json["result"]["error"]["code"].as_str();
            assert!(read.status != 200 || code == Some("not_granted"), "{caller:?} {table}: {}", read.text);
            let request = app.request(&caller, Method::GET, &format!("/rest/v1/{table}"));
            let read = request.header("accept-profile", "auth").send().await.unwrap();
            assert_eq!(read.status(), 406, "{caller:?} {table}");
        }
        for login in ["behalf_host", "behalf_tool_anon", "behalf_tool_authenticated", "behalf_tool_service"] {
            let mut conn = app.database.login(login).await;
            for (role, statement) in [
                ("", "select from"),
                ("set role authenticated;", "select from"),
                ("set role service_role;", "delete from"),
            ] {
                let sql = format!("{role} {statement} auth.{table}");
                let read = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await;
                assert!(
                    read.is_err_and(|error| error.to_string().contains("permission denied")),
                    "{login} {role} {table}"
                );
            }
        }
    }
    for login in ["behalf_tool_anon", "behalf_tool_authenticated", "behalf_tool_service"] {
        let mut conn = app.database.login(login).await;
        assert!(sqlx::raw_sql("set role supabase_auth_admin").execute(&mut conn).await.is_err(), "{login}");
    }
    // The role of users reaches nothing of the host's.
    let mut host = app.database.login("behalf_host").await;
    sqlx::raw_sql("set role supabase_auth_admin").execute(&mut host).await.unwrap();
    for table in ["ai.agents", "ai.tool_calls", "public.notes", "behalf.deleted_users"] {
        let read = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("select from {table}"))).execute(&mut host).await;
        assert!(read.is_err(), "{table}");
    }
    // What every migration does again gives nobody more, and takes nothing from the host.
    app.database.execute("select behalf.share_auth('behalf_host')").await;
    sign_in(&app, "alice@example.com").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_dropped_leaves_nothing() {
    let app = host(&[]).await;
    app.database
        .execute(
            "create function public.slow() returns trigger language plpgsql security definer as
                 $$ begin perform pg_sleep(1); return new; end $$;
             create trigger slow after insert on auth.users for each row execute function public.slow()",
        )
        .await;
    let request = app.request(&User::Anon, Method::POST, "/auth/v1/signup").timeout(Duration::from_millis(300));
    let body = json!({ "email": "a@example.com", "password": PASSWORD });
    assert!(request.json(&body).send().await.is_err());
    let busy = "select count(*) from pg_stat_activity where datname = current_database() and state <> 'idle'
        and usename = 'behalf_host' and query not like 'LISTEN%'";
    eventually("the statement ends", async || app.database.value::<i64>(busy).await == 0).await;
    for table in ["users", "identities", "sessions", "refresh_tokens"] {
        assert_eq!(app.database.value::<i64>(&format!("select count(*) from auth.{table}")).await, 0, "{table}");
    }
    sign_up(&app, "a@example.com").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_exists_looks_like_a_new_one() {
    let letters = tempfile::tempdir().unwrap();
    let folder = letters.path().display().to_string();
    let confirming =
        [("auth_autoconfirm", "false"), ("auth_mail_folder", folder.as_str()), ("auth_letter_pause_seconds", "0")];
    let app = host(&confirming).await;
    let new = try_sign_up(&app, "new@example.com").await;
    assert_eq!(new.status, 200, "{}", new.text);
    assert!(new.json["id"].is_string() && new.json["access_token"].is_null(), "{}", new.text);
    assert_refused(&try_sign_in(&app, "new@example.com", PASSWORD).await, 400, "email_not_confirmed");
    assert_refused(&try_sign_in(&app, "new@example.com", "another").await, 400, "invalid_credentials");
    assert_refused(&try_sign_in(&app, "nobody@example.com", "another").await, 400, "invalid_credentials");
    app.database
        .execute("insert into auth.users (id, email, email_confirmed_at, role) values (gen_random_uuid(), 'old@example.com', now(), 'editor')")
        .await;
    for known in ["old@example.com", "new@example.com"] {
        let again = try_sign_up(&app, known).await;
        assert_eq!(again.status, 200, "{}", again.text);
        assert_eq!(shape(&again.json), shape(&new.json), "{} {}", again.text, new.text);
        assert_eq!(again.json["email"], known);
        let real = format!("select id::text from auth.users where email = '{known}'");
        assert_ne!(again.json["id"], app.database.value::<String>(&real).await, "it tells nothing of the account");
    }
    assert_eq!(app.database.value::<i64>(USERS).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_up_first_with_an_address_of_somebody_else_does_not_get_in_with_their_password() {
    let letters = tempfile::tempdir().unwrap();
    let folder = letters.path().display().to_string();
    let confirming =
        [("auth_autoconfirm", "false"), ("auth_mail_folder", folder.as_str()), ("auth_letter_pause_seconds", "0")];
    let app = host(&confirming).await;
    let confirm = "update auth.users set email_confirmed_at = now()";
    // The same person, twice.
    for _ in 0..2 {
        assert_eq!(try_sign_up(&app, "a@example.com").await.status, 200);
    }
    app.database.execute(confirm).await;
    sign_in(&app, "a@example.com").await;
    // A stranger first, and then the owner of the address.
    for password in ["the-Strangers-7-password", PASSWORD] {
        let body = json!({ "email": "b@example.com", "password": password });
        assert_eq!(app.post(&User::Anon, "/auth/v1/signup", body).await.status, 200);
    }
    app.database.execute(confirm).await;
    for password in ["the-Strangers-7-password", PASSWORD] {
        assert_refused(&try_sign_in(&app, "b@example.com", password).await, 400, "invalid_credentials");
    }
}

/// Names and types of a value, without the texts.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        // A time that is finer than those of the database would tell as well.
        Value::String(text) if text.ends_with('Z') && text.contains(':') => json!(text.len() <= 27),
        Value::String(text) => json!(if text.is_empty() { "" } else { "text" }),
        Value::Number(_) => json!("number"),
        other => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_another_service_it_is_off() {
    let app = host(&[("auth", "https://x.example/auth/v1")]).await;
    let refused = try_sign_up(&app, "a@example.com").await;
    assert_refused(&refused, 404, "not_found");
    assert!(refused.text.contains("https://x.example/auth/v1"), "{}", refused.text);
    // Tokens of the other service name sessions that this host does not know.
    let token = with_claims(ALICE, &json!({"session_id": uuid::Uuid::new_v4()}));
    assert_eq!(app.get(&token, "/api/tools").await.status, 200);
    // So do those of a service that signs with the same secret, beside users of this host.
    let app = host(&[]).await;
    sign_up(&app, "a@example.com").await;
    for session in [json!(uuid::Uuid::new_v4()), json!("its own form")] {
        let token = with_claims(ALICE, &json!({ "session_id": session }));
        assert_eq!(app.get(&token, "/api/tools").await.status, 200, "{session}");
    }
    let database = TestDatabase::with_users_of_its_own().await;
    let asked = settings(&[("auth", "on")]);
    let started = behalf::app::App::build(behalf_tests::app::settings(&database, asked), None).await;
    let error = started.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("auth.users") && error.contains("BEHALF_AUTH"), "{error}");
    for more in [vec![("auth", "off".to_owned())], Vec::new()] {
        let off = App::on(database.clone(), Options { settings: more }).await;
        assert_refused(&try_sign_up(&off, "a@example.com").await, 404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_with_saml_is_refused_as_where_it_is_switched_off() {
    let app = host(&[]).await;
    let answer = app.post(&User::Anon, "/auth/v1/sso", json!({ "domain": "company.example" })).await;
    assert_refused(&answer, 404, "saml_provider_disabled");
    assert!(answer.text.contains("SAML 2.0 is disabled"), "{}", answer.text);
}
