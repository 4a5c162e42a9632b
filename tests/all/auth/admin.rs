//! Users, as the service role manages them.

use behalf_tests::{ALICE, Answer, App, Mailbox, User, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::people::{
    ENDED, Held, LIVE, PASSWORD, assert_refused, faces, host, refresh, sign_in, sign_up, try_sign_in, try_sign_up,
};

const ADA: &str = "ada@people.example";
const EVE: &str = "eve@people.example";
const USERS: &str = "/auth/v1/admin/users";
/// A bcrypt hash of [`PASSWORD`].
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuug6dzmmIEjLQndadNHMt1mzEehHgI/Ua";

async fn create(app: &App, body: Value) -> Value {
    let answer = app.post(&User::Service, USERS, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

async fn change(app: &App, user: &Value, body: Value) -> Answer {
    app.send(&User::Service, Method::PUT, &path(user), body).await
}

async fn delete(app: &App, user: &Value, body: Value) -> Answer {
    app.send(&User::Service, Method::DELETE, &path(user), body).await
}

fn path(user: &Value) -> String {
    let id = user["id"].as_str().or(user.as_str()).unwrap_or_else(|| panic!("no user: {user}"));
    format!("{USERS}/{id}")
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_made_read_changed_and_deleted() {
    let app = host(&[]).await;
    let made = create(
        &app,
        json!({
            "email": "Ada@People.Example", "password": PASSWORD, "email_confirm": true, "phone": "+49 170 1234567",
            "user_metadata": { "name": "Ada" }, "app_metadata": { "plan": "free" },
        }),
    )
    .await;
    assert_eq!(
        (&made["email"], &made["phone"], &made["role"]),
        (&json!(ADA), &json!("491701234567"), &json!("authenticated"))
    );
    assert!(made["email_confirmed_at"].is_string() && made["phone_confirmed_at"].is_null(), "{made}");
    assert_eq!(made["app_metadata"], json!({ "provider": "email", "providers": ["email", "phone"], "plan": "free" }));
    assert_eq!(made["identities"].as_array().unwrap().len(), 2, "{made}");
    let held = sign_in(&app, ADA).await;

    let body = json!({ "app_metadata": { "plan": "pro", "provider": null }, "user_metadata": { "name": null, "town": "Paris" } });
    let changed = change(&app, &made, body).await;
    assert_eq!(
        changed.json["app_metadata"],
        json!({ "providers": ["email", "phone"], "plan": "pro" }),
        "{}",
        changed.text
    );
    assert_eq!(changed.json["user_metadata"]["town"], "Paris", "{}", changed.text);
    assert!(changed.json["user_metadata"]["name"].is_null(), "{}", changed.text);
    assert_eq!(refresh(&app, &held).await.claims()["app_metadata"]["plan"], "pro");

    let shown = app.get(&User::Service, &path(&made)).await;
    assert_eq!(shown.json, app.get(&held.caller(), "/auth/v1/user").await.json, "{}", shown.text);
    let gone = delete(&app, &made, json!({})).await;
    assert_eq!((gone.status, gone.text.as_str()), (200, "{}"));
    assert_refused(&app.get(&User::Service, &path(&made)).await, 404, "user_not_found");
    assert_refused(&try_sign_in(&app, ADA, PASSWORD).await, 400, "invalid_credentials");
    assert_refused(&app.get(&User::Service, &format!("{USERS}/no-id")).await, 404, "validation_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_service_role_manages_users() {
    let app = host(&[]).await;
    let held = sign_up(&app, ADA).await;
    let user = format!("{USERS}/{}", held.user);
    for caller in [User::Anon, held.caller(), User::ServiceFor(ALICE)] {
        for (method, path) in [
            (Method::GET, USERS.to_owned()),
            (Method::POST, USERS.to_owned()),
            (Method::GET, user.clone()),
            (Method::PUT, user.clone()),
            (Method::DELETE, user.clone()),
            (Method::GET, format!("{user}/factors")),
            (Method::POST, "/auth/v1/admin/generate_link".to_owned()),
            (Method::POST, "/auth/v1/invite".to_owned()),
        ] {
            let answer = app.send(&caller, method.clone(), &path, json!({ "email": EVE, "password": PASSWORD })).await;
            // Who shows no token at all is asked for one.
            let wanted = if matches!(caller, User::Anon) { 401 } else { 403 };
            assert_eq!(answer.status, wanted, "{caller:?} {method} {path}: {}", answer.text);
        }
    }
    let nobody = app.get(&User::Nobody, USERS).await;
    assert_eq!(nobody.status, 401, "{}", nobody.text);
    assert_eq!(app.database.value::<i64>("select count(*) from auth.users").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_listed_page_by_page() {
    let app = host(&[]).await;
    for number in 0..5 {
        create(&app, json!({ "email": format!("user-{number}@people.example"), "user_metadata": { "full_name": format!("U {number}") } })).await;
    }
    let page = app.request(&User::Service, Method::GET, &format!("{USERS}?page=2&per_page=2")).send().await.unwrap();
    let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
    let (total, links) = (header("x-total-count"), header("link"));
    assert_eq!(total, "5");
    assert!(links.contains(&format!("<{USERS}?page=3&per_page=2>; rel=\"next\"")), "{links}");
    assert!(links.contains(&format!("<{USERS}?page=3&per_page=2>; rel=\"last\"")), "{links}");
    let page = Answer::of(page).await;
    let emails: Vec<_> =
        page.json["users"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect();
    assert_eq!(emails, ["user-2@people.example", "user-1@people.example"], "newest first");
    assert_eq!(page.json["aud"], "authenticated");
    let last = app.request(&User::Service, Method::GET, &format!("{USERS}?page=3&per_page=2")).send().await.unwrap();
    assert!(!last.headers()["link"].to_str().unwrap().contains("next"));

    let count = async |query: &str| {
        let answer = app.get(&User::Service, &format!("{USERS}?{query}")).await;
        answer.json["users"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).len()
    };
    assert_eq!(count("filter=user-3").await, 1);
    assert_eq!(count("filter=u%203").await, 1, "the name, in any case");
    assert_eq!(count("filter=%25").await, 0, "a sign of patterns is itself");
    assert_eq!(count("sort=created_at+asc&per_page=1").await, 1);
    for bad in ["page=x", "per_page=-1", "sort=email"] {
        assert_refused(&app.get(&User::Service, &format!("{USERS}?{bad}")).await, 400, "validation_failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_gets_neither_a_role_of_a_key_nor_the_address_of_another() {
    let app = host(&[]).await;
    let ada = create(&app, json!({ "email": ADA, "password": PASSWORD, "email_confirm": true })).await;
    for role in ["service_role", "anon", "supabase_auth_admin", "postgres"] {
        assert_refused(&change(&app, &ada, json!({ "role": role })).await, 400, "validation_failed");
        let made = app.post(&User::Service, USERS, json!({ "email": EVE, "role": role })).await;
        assert_refused(&made, 400, "validation_failed");
    }
    assert_eq!(change(&app, &ada, json!({ "role": "authenticated" })).await.status, 200);
    let eve = create(&app, json!({ "email": EVE, "phone": "4915112345678" })).await;
    assert_refused(&change(&app, &eve, json!({ "email": ADA.to_uppercase() })).await, 422, "email_exists");
    assert_refused(&app.post(&User::Service, USERS, json!({ "email": ADA })).await, 422, "email_exists");
    assert_refused(&change(&app, &ada, json!({ "phone": "4915112345678" })).await, 422, "phone_exists");
    assert_refused(&app.post(&User::Service, USERS, json!({ "phone": "4915112345678" })).await, 422, "phone_exists");
    assert_refused(
        &app.post(&User::Service, USERS, json!({ "email": "x@y.example", "id": ada["id"] })).await,
        422,
        "user_already_exists",
    );
    assert_refused(&app.post(&User::Service, USERS, json!({})).await, 400, "validation_failed");
    assert_eq!(sign_in(&app, ADA).await.claims()["role"], "authenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_ends_every_face_until_it_is_lifted() {
    let app = host(&[]).await;
    let held = sign_up(&app, ADA).await;
    assert_eq!(faces(&app, &held.caller()).await, LIVE);
    let user = json!(held.user.to_string());
    let banned = change(&app, &user, json!({ "ban_duration": "24h" })).await;
    assert!(banned.json["banned_until"].is_string(), "{}", banned.text);
    eventually("every face refuses the token", async || faces(&app, &held.caller()).await == ENDED).await;
    assert_refused(&try_sign_in(&app, ADA, PASSWORD).await, 400, "user_banned");

    let lifted = change(&app, &user, json!({ "ban_duration": "none" })).await;
    assert!(lifted.json["banned_until"].is_null(), "{}", lifted.text);
    assert_eq!(faces(&app, &sign_in(&app, ADA).await.caller()).await, LIVE);
    assert_refused(&change(&app, &user, json!({ "ban_duration": "soon" })).await, 400, "validation_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_acts_under_a_delegation_of_a_banned_or_deleted_user() {
    for end in [json!({ "ban_duration": "24h" }), Value::Null] {
        let app = host(&[]).await;
        let held = sign_up(&app, ADA).await;
        let agent = app.agent(&["echo"]).await;
        let made = app.post(&held.caller(), "/api/delegations", json!({ "agent_id": agent })).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let service = User::Token(made.json["token"].as_str().unwrap().to_owned());
        let run = format!("/api/agents/{agent}/run");
        assert_eq!(app.post(&service, &run, json!({ "message": "hello" })).await.status, 200);
        let user = json!(held.user.to_string());
        let done = if end.is_null() { delete(&app, &user, json!({})).await } else { change(&app, &user, end).await };
        assert_eq!(done.status, 200, "{}", done.text);
        let refused = app.post(&service, &run, json!({ "message": "hello" })).await;
        assert!(matches!(refused.status, 401 | 403), "{}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_leaves_nothing_or_an_empty_row() {
    let app = host(&[]).await;
    for soft in [false, true] {
        let held = sign_up(&app, ADA).await;
        let user = json!(held.user.to_string());
        let answer = delete(&app, &user, json!({ "should_soft_delete": soft })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        eventually("every face refuses the token", async || faces(&app, &held.caller()).await == ENDED).await;
        assert_refused(&try_sign_in(&app, ADA, PASSWORD).await, 400, "invalid_credentials");
        let left = format!("select count(*) from auth.users where id = '{}'", held.user);
        assert_eq!(app.database.value::<i64>(&left).await, i64::from(soft));
        let rows = "select count(*) from auth.users u left join auth.identities i on i.user_id = u.id
             where to_jsonb(u)::text || coalesce(to_jsonb(i)::text, '') like '%ada@%'";
        assert_eq!(app.database.value::<i64>(rows).await, 0);
    }
    let sessions = "select count(*) from auth.sessions";
    assert_eq!(app.database.value::<i64>(sessions).await, 0);
    assert_eq!(try_sign_up(&app, ADA).await.status, 200, "the address is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_the_app_refers_to_is_not_deleted_by_half() {
    let app = host(&[]).await;
    app.database.execute("create table public.profiles (id uuid primary key references auth.users (id))").await;
    let held = sign_up(&app, ADA).await;
    app.database.execute("insert into public.profiles select id from auth.users").await;
    let user = json!(held.user.to_string());
    assert_refused(&delete(&app, &user, json!({})).await, 409, "conflict");
    assert_eq!(app.get(&held.caller(), "/auth/v1/user").await.status, 200, "nothing of it was done");
    assert_eq!(delete(&app, &user, json!({ "should_soft_delete": true })).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_all_sessions_and_has_to_be_strong() {
    let app = host(&[]).await;
    let held = sign_up(&app, ADA).await;
    let user = json!(held.user.to_string());
    assert_refused(&change(&app, &user, json!({ "password": "short" })).await, 422, "weak_password");
    assert_eq!(change(&app, &user, json!({ "password": "another-Horse-8-battery" })).await.status, 200);
    eventually("every face refuses the token", async || faces(&app, &held.caller()).await == ENDED).await;
    assert_refused(&try_sign_in(&app, ADA, PASSWORD).await, 400, "invalid_credentials");
    assert_eq!(try_sign_in(&app, ADA, "another-Horse-8-battery").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_from_elsewhere_signs_in_and_is_replaced() {
    let app = host(&[]).await;
    create(&app, json!({ "email": ADA, "password_hash": BCRYPT, "email_confirm": true })).await;
    sign_in(&app, ADA).await;
    eventually("the hash is replaced", async || {
        app.database.value::<String>("select encrypted_password from auth.users").await.starts_with("$argon2id$")
    })
    .await;
    sign_in(&app, ADA).await;
    let plain = app.post(&User::Service, USERS, json!({ "email": EVE, "password_hash": "plain" })).await;
    assert_refused(&plain, 400, "validation_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_link_is_used_once_and_sends_nothing() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    for (kind, body) in [
        ("signup", json!({ "email": "new@people.example", "password": PASSWORD })),
        ("invite", json!({ "email": "invited@people.example", "data": { "team": 7 } })),
        ("magiclink", json!({ "email": "new@people.example" })),
        ("recovery", json!({ "email": "new@people.example" })),
    ] {
        let mut body = body;
        body["type"] = json!(kind);
        let made = app.post(&User::Service, "/auth/v1/admin/generate_link", body.clone()).await;
        assert_eq!((made.status, made.json["verification_type"].as_str()), (200, Some(kind)), "{}", made.text);
        assert_eq!((&made.json["email"], made.json["id"].is_string()), (&body["email"], true), "{}", made.text);
        assert_eq!(made.json["email_otp"].as_str().map(str::len), Some(6));
        let link = made.json["action_link"].as_str().unwrap().parse().unwrap();
        let session = app.follow(&link).await;
        assert_eq!(app.get(&User::Token(session.access_token()), "/auth/v1/user").await.json["email"], body["email"]);
        let again = app.follow(&link).await;
        assert_eq!(again.fragment("error_code").as_deref(), Some("otp_expired"), "{kind}: {}", again.to);
        let by_hash = json!({ "type": kind, "token_hash": made.json["hashed_token"] });
        assert_refused(&app.post(&User::Anon, "/auth/v1/verify", by_hash).await, 403, "otp_expired");
    }
    for (kind, email, status, code) in [
        ("recovery", "nobody@people.example", 404, "user_not_found"),
        ("signup", "new@people.example", 422, "email_exists"),
        ("invite", "new@people.example", 422, "email_exists"),
        ("phone_change", "new@people.example", 400, "validation_failed"),
    ] {
        let body = json!({ "type": kind, "email": email, "password": PASSWORD });
        assert_refused(&app.post(&User::Service, "/auth/v1/admin/generate_link", body).await, status, code);
    }
    // A host that stops has sent every letter that it had to send.
    app.stop().await;
    assert!(mailbox.all().is_empty(), "{:?}", mailbox.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_link_leads_only_where_the_project_allows() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let path = "/auth/v1/admin/generate_link?redirect_to=https%3A%2F%2Fevil.example";
    let body = json!({ "type": "magiclink", "email": ADA, "redirect_to": "https://evil.example" });
    let made = app.post(&User::Service, path, body).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert!(!made.text.contains("evil"), "{}", made.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_addresses_confirm_a_change_by_generated_links() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    create(&app, json!({ "email": ADA, "password": PASSWORD, "email_confirm": true })).await;
    create(&app, json!({ "email": EVE })).await;
    let body = |kind: &str, new: &str| json!({ "type": kind, "email": ADA, "new_email": new });
    let taken = app.post(&User::Service, "/auth/v1/admin/generate_link", body("email_change_new", EVE)).await;
    assert_refused(&taken, 422, "email_exists");
    let mut links = Vec::new();
    for kind in ["email_change_current", "email_change_new"] {
        let made = app.post(&User::Service, "/auth/v1/admin/generate_link", body(kind, "ada@new.example")).await;
        assert_eq!(made.status, 200, "{}", made.text);
        links.push(made.json["action_link"].as_str().unwrap().parse::<reqwest::Url>().unwrap());
    }
    let changed = "select count(*) from auth.users where email = 'ada@new.example'";
    for (followed, link) in (0..).zip(&links) {
        assert_eq!(app.database.value::<i64>(changed).await, 0, "{followed} of two links");
        app.follow(link).await;
    }
    assert_eq!(app.database.value::<i64>(changed).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_a_letter_and_takes_the_password_of_a_stranger_away() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    // Somebody signs up with an address that is not theirs, and waits for its owner to confirm it.
    let squatted = app.post(&User::Anon, "/auth/v1/signup", json!({ "email": ADA, "password": PASSWORD })).await;
    assert_eq!(squatted.status, 200, "{}", squatted.text);
    let invited = app.post(&User::Service, "/auth/v1/invite", json!({ "email": ADA, "data": { "team": 7 } })).await;
    assert!(invited.json["invited_at"].is_string(), "{}", invited.text);
    let letter = mailbox.letter(ADA, 2).await;
    assert_eq!(letter.parameter("type"), "invite");
    let session = app.follow(&letter.link()).await;
    assert_eq!(session.fragment("type").as_deref(), Some("invite"), "{}", session.to);
    assert_refused(&try_sign_in(&app, ADA, PASSWORD).await, 400, "invalid_credentials");
    assert_refused(&app.post(&User::Service, "/auth/v1/invite", json!({ "email": ADA })).await, 422, "email_exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_factor_is_deleted_and_lowers_its_sessions() {
    let app = host(&[]).await;
    let held = sign_up(&app, ADA).await;
    app.database
        .execute(&format!(
            "insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, created_at, updated_at, secret)
             values ('11111111-1111-4111-8111-111111111111', '{0}', 'phone', 'totp', 'verified', now(), now(), 'x');
             update auth.sessions set aal = 'aal2', factor_id = '11111111-1111-4111-8111-111111111111' where user_id = '{0}'",
            held.user
        ))
        .await;
    let factors = format!("{USERS}/{}/factors", held.user);
    let listed = app.get(&User::Service, &factors).await;
    assert_eq!(listed.json[0]["friendly_name"], "phone", "{}", listed.text);
    assert!(!listed.text.contains("secret"), "{}", listed.text);
    let factor = format!("{factors}/11111111-1111-4111-8111-111111111111");
    let renamed = app.send(&User::Service, Method::PUT, &factor, json!({ "friendly_name": "old phone" })).await;
    assert_eq!(renamed.json["friendly_name"], "old phone", "{}", renamed.text);
    let gone = app.send(&User::Service, Method::DELETE, &factor, json!({})).await;
    assert_eq!((gone.status, gone.json["factor_type"].as_str()), (200, Some("totp")), "{}", gone.text);
    assert_eq!(refresh(&app, &held).await.claims()["aal"], "aal1");
    assert_refused(&app.send(&User::Service, Method::DELETE, &factor, json!({})).await, 404, "mfa_factor_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_in_the_audit_log_without_addresses_secrets_and_metadata() {
    let app = host(&[]).await;
    let made = create(&app, json!({ "email": ADA, "password": PASSWORD, "user_metadata": { "town": "Paris" } })).await;
    change(&app, &made, json!({ "ban_duration": "1h", "email": EVE, "app_metadata": { "plan": "gold" } })).await;
    delete(&app, &made, json!({})).await;
    let actions = "select string_agg(action, ' ' order by id) from ai.audit_events where actor = 'service_role' and user_id is null";
    assert_eq!(app.database.value::<String>(actions).await, "user.created user.changed user.deleted");
    let object = format!("select count(*) from ai.audit_events where object = 'user:{}'", made["id"].as_str().unwrap());
    assert_eq!(app.database.value::<i64>(&object).await, 3);
    let rows: String = app.database.value("select string_agg(to_jsonb(e)::text, ' ') from ai.audit_events e").await;
    for secret in ["people.example", PASSWORD, "argon2", "Paris", "gold"] {
        assert!(!rows.contains(secret), "{secret}: {rows}");
    }
    assert!(rows.contains("ban_duration") && rows.contains("banned_until"), "{rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_leaves_nothing_and_no_event() {
    let app = host(&[]).await;
    create(&app, json!({ "email": EVE })).await;
    app.database
        .execute(
            "create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
             create constraint trigger refuse after insert on auth.users deferrable initially deferred
                for each row execute function public.refuse()",
        )
        .await;
    let refused = app.post(&User::Service, USERS, json!({ "email": ADA })).await;
    assert_eq!(refused.status, 500, "{}", refused.text);
    assert_eq!(app.database.value::<i64>("select count(*) from auth.users").await, 1);
    assert_eq!(app.database.value::<i64>("select count(*) from ai.audit_events where action like 'user.%'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_waits_for_the_commit_gets_no_right_of_the_host() {
    let app = host(&[]).await;
    app.database
        .execute(
            "create table public.seen (who text); grant insert on public.seen to public;
             create function public.note() returns trigger language plpgsql as $$
                begin insert into public.seen values (current_user); return null; end $$;
             create constraint trigger note after insert on auth.users deferrable initially deferred
                for each row execute function public.note()",
        )
        .await;
    create(&app, json!({ "email": ADA })).await;
    assert_eq!(app.database.value::<String>("select who from public.seen").await, "supabase_auth_admin");
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_are_unlinked_where_the_project_allows_and_never_the_last() {
    let app = host(&[]).await;
    let held = sign_up(&app, ADA).await;
    let unlink = async |app: &App, held: &Held, id: &str| {
        app.send(&held.caller(), Method::DELETE, &format!("/auth/v1/user/identities/{id}"), json!({})).await
    };
    assert_refused(&unlink(&app, &held, "x").await, 404, "manual_linking_disabled");

    let app = host(&[("auth_manual_linking", "true")]).await;
    let held = sign_up(&app, ADA).await;
    let own: String = app.database.value("select id::text from auth.identities").await;
    assert_refused(&unlink(&app, &held, &own).await, 422, "single_identity_not_deletable");
    app.database
        .execute(&format!(
            "insert into auth.identities (id, provider_id, user_id, identity_data, provider, created_at)
             values ('22222222-2222-4222-8222-222222222222', 'g-1', '{}',
                '{{\"sub\": \"g-1\", \"email\": \"ada@g.example\", \"email_verified\": true}}', 'google', now())",
            held.user
        ))
        .await;
    let eve = sign_up(&app, EVE).await;
    assert_refused(
        &unlink(&app, &eve, "22222222-2222-4222-8222-222222222222").await,
        422,
        "single_identity_not_deletable",
    );
    assert_refused(&unlink(&app, &held, "33333333-3333-4333-8333-333333333333").await, 422, "identity_not_found");
    // Of two requests for the last two, one is refused.
    let both =
        futures::future::join(unlink(&app, &held, &own), unlink(&app, &held, "22222222-2222-4222-8222-222222222222"))
            .await;
    let mut statuses = [both.0.status, both.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422], "{} {}", both.0.text, both.1.text);
    let user = app.get(&held.caller(), "/auth/v1/user").await.json;
    let left = user["identities"].as_array().unwrap();
    assert_eq!(left.len(), 1, "{user}");
    assert_eq!(user["app_metadata"]["providers"], json!([left[0]["provider"]]), "{user}");
    assert_eq!(user["email"], left[0]["identity_data"]["email"], "{user}");
}
