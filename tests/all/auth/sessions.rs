//! Sessions: refreshing, the ends of them, and the claims of their tokens.

use std::time::{Duration, Instant};

use behalf_tests::{App, User, eventually};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::people::{
    BOUND, ENDED, Held, LIVE, PASSWORD, assert_refused, faces, host, host_on, refresh, sign_in, sign_up, try_refresh,
    try_sign_in,
};

const LIVE_TOKENS: &str = "select count(*) from auth.refresh_tokens where not revoked";

/// Waits until every face of these hosts refuses the caller, for no longer than the promise says.
pub(super) async fn refused_everywhere(hosts: &[&App], held: &Held) {
    let since = Instant::now();
    loop {
        let answers = join_all(hosts.iter().map(|host| async { faces(host, &held.caller()).await })).await;
        if answers.iter().all(|answer| *answer == ENDED) {
            return;
        }
        assert!(since.elapsed() < BOUND, "{answers:?} after {:?}", since.elapsed());
    }
}

async fn logout(app: &App, held: &Held, scope: &str) {
    let request = app.request(&held.caller(), Method::POST, &format!("/auth/v1/logout{scope}"));
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (204, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_works_once_and_shortly_after_gives_the_same_answer() {
    let app = host(&[]).await;
    let first = sign_up(&app, "a@example.com").await;
    let second = refresh(&app, &first).await;
    assert_ne!(first.refresh, second.refresh);
    assert_eq!(first.claims()["session_id"], second.claims()["session_id"]);
    assert_eq!(second.claims()["amr"][0]["method"], "password");
    // The answer was lost; and another window, which lags behind two refreshes.
    assert_eq!(refresh(&app, &first).await.refresh, second.refresh);
    let third = refresh(&app, &second).await;
    assert_eq!(refresh(&app, &first).await.refresh, third.refresh);
    assert_eq!(refresh(&app, &second).await.refresh, third.refresh);
    assert_eq!(app.database.value::<i64>(LIVE_TOKENS).await, 1);
    for wrong in ["", "unknown", &"x".repeat(10_000)] {
        let refused = try_refresh(&app, wrong).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
    }
    assert_refused(&try_refresh(&app, "unknown").await, 400, "refresh_token_not_found");
}

/// Lets the time pass in which a refresh token may be used again.
async fn later(app: &App) {
    app.database.execute("update auth.refresh_tokens set updated_at = updated_at - interval '11 seconds'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_hold_a_session_both_lose_it_whoever_came_first() {
    let one = host(&[]).await;
    let two = host_on(&one.database, &[]).await;
    let owner = sign_up(&one, "a@example.com").await;
    let elsewhere = sign_in(&two, "a@example.com").await;
    for thief_is_first in [true, false] {
        let stolen = sign_in(&one, "a@example.com").await;
        let first = refresh(&two, &stolen).await;
        assert_eq!((faces(&one, &first.caller()).await, faces(&two, &stolen.caller()).await), (LIVE, LIVE));
        later(&one).await;
        // The second may be the owner, whose answer was lost. Nobody can tell yet.
        let second = refresh(&one, &stolen).await;
        assert_ne!(first.refresh, second.refresh, "the one of the first is dead, thief or not: {thief_is_first}");
        assert_eq!(faces(&two, &second.caller()).await, LIVE);
        let second = if thief_is_first { second } else { refresh(&two, &second).await };
        assert_refused(&try_refresh(&two, &first.refresh).await, 400, "refresh_token_already_used");
        refused_everywhere(&[&one, &two], &first).await;
        refused_everywhere(&[&one, &two], &second).await;
        for token in [&first.refresh, &second.refresh, &stolen.refresh] {
            assert_refused(&try_refresh(&two, token).await, 400, "refresh_token_not_found");
        }
    }
    assert_eq!(faces(&one, &elsewhere.caller()).await, LIVE, "the user's other sessions go on");
    refresh(&one, &elsewhere).await;
    refresh(&two, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_whose_successor_was_used_ends_its_session_on_every_host() {
    let one = host(&[]).await;
    let two = host_on(&one.database, &[]).await;
    let owner = sign_up(&one, "a@example.com").await;
    let next = refresh(&two, &owner).await;
    let last = refresh(&one, &next).await;
    later(&one).await;
    assert_eq!((faces(&one, &last.caller()).await, faces(&two, &last.caller()).await), (LIVE, LIVE));
    assert_refused(&try_refresh(&one, &owner.refresh).await, 400, "refresh_token_already_used");
    refused_everywhere(&[&one, &two], &last).await;
    assert_refused(&try_refresh(&two, &last.refresh).await, 400, "refresh_token_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_gets_an_answer_keeps_its_session() {
    let one = host(&[]).await;
    let two = host_on(&one.database, &[]).await;
    let held = sign_up(&one, "a@example.com").await;
    refresh(&one, &held).await;
    for _ in 0..3 {
        later(&one).await;
        // It asks several times at once, of both hosts.
        let hosts = [&one, &two].into_iter().cycle().take(8);
        let answers = join_all(hosts.map(|host| refresh(host, &held))).await;
        assert!(answers.iter().all(|answer| answer.refresh == answers[0].refresh), "{answers:?}");
        assert_eq!(one.database.value::<i64>(LIVE_TOKENS).await, 1);
    }
    let at_last = refresh(&two, &held).await;
    assert_eq!(at_last.claims()["session_id"], held.claims()["session_id"]);
    let next = refresh(&one, &at_last).await;
    assert_eq!(faces(&two, &next.caller()).await, LIVE);
    assert_eq!(one.database.value::<i64>("select count(*) from auth.sessions").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_refreshes_at_once_on_two_hosts_make_one_chain() {
    let one = host(&[]).await;
    let two = host_on(&one.database, &[]).await;
    let mut held = sign_up(&one, "a@example.com").await;
    for _ in 0..3 {
        let hosts = [&one, &two].into_iter().cycle().take(12);
        let answers = join_all(hosts.map(|host| refresh(host, &held))).await;
        assert!(answers.iter().all(|answer| answer.refresh == answers[0].refresh), "{answers:?}");
        assert_eq!(one.database.value::<i64>(LIVE_TOKENS).await, 1);
        held = answers[0].clone();
    }
    assert_eq!(one.database.value::<i64>("select count(*) from auth.refresh_tokens").await, 4);
    assert_eq!(faces(&two, &held.caller()).await, LIVE);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_the_tables_cannot_sign_in_and_imported_tokens_work_once() {
    let app = host(&[]).await;
    let alice = sign_up(&app, "a@example.com").await;
    let rows: String = app
        .database
        .value("select string_agg(r::text || s::text, ' ') from auth.refresh_tokens r, auth.sessions s")
        .await;
    assert!(!rows.contains(&alice.refresh), "{rows}");
    let stored: String = app.database.value("select token from auth.refresh_tokens").await;
    let key: String = app.database.value("select refresh_token_hmac_key from auth.sessions").await;
    for token in [stored.as_str(), stored.trim_start_matches("sha256:"), key.as_str()] {
        assert_refused(&try_refresh(&app, token).await, 400, "refresh_token_not_found");
    }
    assert_eq!(app.database.value::<String>("select token from auth.refresh_tokens where not revoked").await, stored);
    // As in a dump of another service: the token itself, and a session without a key.
    app.database
        .execute(&format!(
            "insert into auth.sessions (id, user_id, created_at, updated_at, aal)
                 values ('5e551000-0000-4000-8000-000000000001', '{0}', now(), now(), 'aal1');
             insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, session_id)
                 values ('imported0token', '{0}', false, now(), now(), '5e551000-0000-4000-8000-000000000001')",
            alice.user
        ))
        .await;
    let next = Held::of(&try_refresh(&app, "imported0token").await);
    assert_eq!(next.claims()["session_id"], "5e551000-0000-4000-8000-000000000001");
    assert_eq!(Held::of(&try_refresh(&app, "imported0token").await).refresh, next.refresh);
    let plain = "select count(*) from auth.refresh_tokens where token not like 'sha256:%'";
    assert_eq!(app.database.value::<i64>(plain).await, 0);
    refresh(&app, &next).await;
    app.database.execute("update auth.refresh_tokens set updated_at = now() - interval '1 minute'").await;
    assert_refused(&try_refresh(&app, "imported0token").await, 400, "refresh_token_already_used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_ends_what_its_scope_says_everywhere_within_a_second() {
    let one = host(&[]).await;
    let two = host_on(&one.database, &[]).await;
    let first = sign_up(&one, "a@example.com").await;
    let (second, third) = (sign_in(&one, "a@example.com").await, sign_in(&two, "a@example.com").await);
    let other = sign_up(&two, "b@example.com").await;
    for held in [&first, &second, &third, &other] {
        assert_eq!((faces(&one, &held.caller()).await, faces(&two, &held.caller()).await), (LIVE, LIVE));
    }
    logout(&one, &first, "?scope=local").await;
    refused_everywhere(&[&one, &two], &first).await;
    assert_refused(&one.get(&first.caller(), "/auth/v1/user").await, 403, "session_not_found");
    assert_refused(&try_refresh(&two, &first.refresh).await, 400, "refresh_token_not_found");
    assert_eq!(faces(&two, &second.caller()).await, LIVE);
    logout(&two, &second, "?scope=others").await;
    refused_everywhere(&[&one, &two], &third).await;
    assert_eq!(faces(&one, &second.caller()).await, LIVE);
    logout(&one, &second, "").await;
    refused_everywhere(&[&one, &two], &second).await;
    assert_eq!(faces(&one, &other.caller()).await, LIVE, "nobody else is signed out");
    let refused = one.request(&other.caller(), Method::POST, "/auth/v1/logout?scope=all").send().await.unwrap();
    assert_eq!(refused.status(), 400);
    let refused = one.request(&User::Anon, Method::POST, "/auth/v1/logout").send().await.unwrap();
    assert_eq!(refused.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_of_the_app_ends_sessions_as_the_host_does() {
    let app = host(&[]).await;
    let (alice, bob) = (sign_up(&app, "a@example.com").await, sign_up(&app, "b@example.com").await);
    assert_eq!((faces(&app, &alice.caller()).await, faces(&app, &bob.caller()).await), (LIVE, LIVE));
    app.database.execute(&format!("delete from auth.sessions where user_id = '{}'", alice.user)).await;
    refused_everywhere(&[&app], &alice).await;
    app.database.execute(&format!("delete from auth.users where id = '{}'", bob.user)).await;
    refused_everywhere(&[&app], &bob).await;
    assert_refused(&try_refresh(&app, &bob.refresh).await, 400, "refresh_token_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_lost_its_connection_looks_every_session_up_again() {
    let app = host(&[]).await;
    let alice = sign_up(&app, "a@example.com").await;
    assert_eq!(faces(&app, &alice.caller()).await, LIVE);
    // It ends without a word.
    app.database
        .execute("alter table auth.sessions disable trigger behalf_session_ended; delete from auth.sessions")
        .await;
    assert_eq!(faces(&app, &alice.caller()).await[..3], LIVE[..3], "nobody told the host");
    app.database
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
                  where datname = current_database() and query like 'LISTEN%behalf_session_ended%'",
        )
        .await;
    eventually("the host looks the session up", async || faces(&app, &alice.caller()).await == ENDED).await;
    // It hears of the next one again.
    app.database.execute("alter table auth.sessions enable trigger behalf_session_ended").await;
    let again = sign_in(&app, "a@example.com").await;
    assert_eq!(faces(&app, &again.caller()).await, LIVE);
    let listens = "select count(*) from pg_stat_activity where datname = current_database() and query like 'LISTEN%behalf_session_ended%'";
    eventually("the host listens", async || app.database.value::<i64>(listens).await > 0).await;
    logout(&app, &again, "").await;
    refused_everywhere(&[&app], &again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_user_gets_no_token_and_only_who_knows_the_password_learns_why() {
    let app = host(&[]).await;
    let alice = sign_up(&app, "a@example.com").await;
    app.database.execute("update auth.users set banned_until = now() + interval '1 day'").await;
    assert_refused(&try_refresh(&app, &alice.refresh).await, 400, "user_banned");
    assert_refused(&try_sign_in(&app, "a@example.com", PASSWORD).await, 400, "user_banned");
    assert_refused(&try_sign_in(&app, "a@example.com", "wrong").await, 400, "invalid_credentials");
    app.database.execute("update auth.users set banned_until = now()").await;
    refresh(&app, &alice).await;
    app.database.execute("update auth.users set deleted_at = now()").await;
    assert_refused(&try_sign_in(&app, "a@example.com", PASSWORD).await, 400, "invalid_credentials");
    assert_eq!(try_refresh(&app, &alice.refresh).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_at_the_limits_that_an_operator_set() {
    let app = host(&[("auth_session_seconds", "7200"), ("auth_session_idle_seconds", "600")]).await;
    let alice = sign_up(&app, "a@example.com").await;
    app.database.execute("update auth.sessions set created_at = now() - interval '11 minutes'").await;
    assert_refused(&try_refresh(&app, &alice.refresh).await, 400, "session_expired");
    app.database
        .execute("update auth.sessions set refreshed_at = now() at time zone 'utc' - interval '1 minute'")
        .await;
    let alice = refresh(&app, &alice).await;
    app.database.execute("update auth.sessions set created_at = now() - interval '3 hours'").await;
    assert_refused(&try_refresh(&app, &alice.refresh).await, 400, "session_expired");
    let short = host(&[("auth_session_seconds", "5"), ("auth_jwt_expiry_seconds", "600")]).await;
    let bob = sign_up(&short, "b@example.com").await;
    let claims = bob.claims();
    assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 6, "no token outlives its session");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_hash_is_replaced_when_its_user_signs_in() {
    let app = host(&[]).await;
    // A published vector of bcrypt: "U*U".
    let before = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    app.database
        .execute(&format!(
            "insert into auth.users (id, email, email_confirmed_at, encrypted_password)
             values (gen_random_uuid(), 'a@example.com', now(), '{before}')"
        ))
        .await;
    assert_refused(&try_sign_in(&app, "a@example.com", "U*V").await, 400, "invalid_credentials");
    let stored = "select encrypted_password from auth.users";
    assert_eq!(app.database.value::<String>(stored).await, before);
    let signed_in = try_sign_in(&app, "A@example.com", "U*U").await;
    Held::of(&signed_in);
    assert_eq!(signed_in.json["weak_password"]["reasons"], json!(["length"]), "{}", signed_in.text);
    assert!(app.database.value::<String>(stored).await.starts_with("$argon2id$"));
    Held::of(&try_sign_in(&app, "a@example.com", "U*U").await);
}

/// A hook that does what `user_metadata` asks for.
const HOOK: &str = "
    create function public.hook(event jsonb) returns jsonb language plpgsql as $$
        declare claims jsonb := event -> 'claims';
        begin
            case claims -> 'user_metadata' ->> 'wish'
                when 'refuse' then return '{\"error\": {\"http_code\": 403, \"message\": \"not today\"}}';
                when 'sleep' then perform pg_sleep(20);
                when 'raise' then raise exception 'a secret of the app';
                when 'service' then claims := jsonb_set(claims, '{role}', '\"service_role\"');
                when 'other' then claims := jsonb_set(claims, '{sub}', '\"6f9619ff-8b86-4011-b42d-00cf4fc964ff\"');
                when 'less' then claims := claims - 'session_id';
                else claims := claims || jsonb_build_object('team', 'red', 'method', event ->> 'authentication_method');
            end case;
            return jsonb_build_object('claims', claims);
        end $$;
    revoke execute on function public.hook(jsonb) from public, anon, authenticated;
    grant execute on function public.hook(jsonb) to supabase_auth_admin;
    grant usage on schema public to supabase_auth_admin;";

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_changes_claims_and_cannot_raise_anybody() {
    let app = host(&[("auth_token_hook", "public.hook")]).await;
    app.database.execute(HOOK).await;
    let alice = sign_up(&app, "a@example.com").await;
    assert_eq!((&alice.claims()["team"], &alice.claims()["method"]), (&json!("red"), &json!("password")));
    let next = refresh(&app, &alice).await;
    assert_eq!(next.claims()["method"], "token_refresh");
    let query = json!({ "query": "select auth.jwt() ->> 'team' as team" });
    let team = app.call(&next.caller(), "database_query", query).await;
    assert_eq!(team.result()[0]["team"], "red");
    for (wish, status) in
        [("refuse", 403), ("raise", 500), ("service", 500), ("other", 500), ("less", 500), ("sleep", 422)]
    {
        let set = format!("update auth.users set raw_user_meta_data = '{{\"wish\": \"{wish}\"}}'");
        app.database.execute(&set).await;
        let since = Instant::now();
        let refused = try_sign_in(&app, "a@example.com", PASSWORD).await;
        assert_eq!(refused.status, status, "{wish}: {}", refused.text);
        assert!(!refused.text.contains("a secret of the app"), "{}", refused.text);
        assert!(since.elapsed() < Duration::from_secs(10), "{wish}: {:?}", since.elapsed());
        assert_eq!(try_refresh(&app, &next.refresh).await.status, status, "{wish}");
    }
    // Nothing of these tries is left, and the token that was refused still works.
    assert_eq!(app.database.value::<i64>("select count(*) from auth.sessions").await, 1);
    app.database.execute("update auth.users set raw_user_meta_data = '{}'").await;
    assert_eq!(refresh(&app, &next).await.claims()["team"], Value::from("red"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_signs_nobody_in_refuses_ended_sessions_too() {
    let one = host(&[]).await;
    let off = host_on(&one.database, &[("auth", "off")]).await;
    let held = sign_up(&one, "a@example.com").await;
    let other = sign_in(&one, "a@example.com").await;
    let reads = async |held: &Held| off.get(&held.caller(), "/api/tools").await.status;
    assert_eq!((reads(&held).await, reads(&other).await), (200, 200));
    logout(&one, &held, "?scope=local").await;
    eventually("the host without sign-in refuses", async || reads(&held).await == 401).await;
    assert_eq!(reads(&other).await, 200);
    // One that it sees only after the end.
    let third = sign_in(&one, "a@example.com").await;
    logout(&one, &third, "?scope=local").await;
    assert_eq!(reads(&third).await, 401);
}

/// The entries of the log of users, oldest first, as `action` and `log_type`.
async fn entries(app: &App) -> Vec<String> {
    let all = "select coalesce(string_agg((payload ->> 'action') || ' ' || (payload ->> 'log_type'), ',' order by created_at), '')
               from auth.audit_log_entries";
    let all: String = app.database.value(all).await;
    all.split(',').map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_do_is_in_the_log_that_gotrue_s_tools_read() {
    let app = host(&[]).await;
    let held = sign_up(&app, "a@example.com").await;
    let next = refresh(&app, &held).await;
    let body = json!({ "data": { "name": "Ada" }, "password": "another-Horse-8-battery" });
    let changed = app.send(&next.caller(), Method::PUT, "/auth/v1/user", body).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    logout(&app, &next, "").await;
    let path = format!("/auth/v1/admin/users/{}", held.user);
    assert_eq!(app.send(&User::Service, Method::DELETE, &path, json!({})).await.status, 200);
    assert_eq!(
        entries(&app).await,
        [
            "user_signedup team",
            "login account",
            "token_refreshed token",
            "user_updated_password user",
            "user_modified user",
            "logout account",
            "user_deleted team"
        ]
    );
    let of_user = format!(
        "select count(*) from auth.audit_log_entries where payload ->> 'actor_id' = '{}'
         and payload ->> 'actor_username' = 'a@example.com' and ip_address = '127.0.0.1'",
        held.user
    );
    assert_eq!(app.database.value::<i64>(&of_user).await, 6);
    let of_admin = format!(
        "select count(*) from auth.audit_log_entries where payload ->> 'actor_username' = 'service_role'
         and payload -> 'traits' ->> 'user_id' = '{}'",
        held.user
    );
    assert_eq!(app.database.value::<i64>(&of_admin).await, 1);
    let secrets = "select count(*) from auth.audit_log_entries where payload::text ~ 'battery|argon2|sha256'";
    assert_eq!(app.database.value::<i64>(secrets).await, 0);
    // What fails leaves no entry.
    assert_refused(&try_sign_in(&app, "a@example.com", PASSWORD).await, 400, "invalid_credentials");
    assert_eq!(entries(&app).await.len(), 7);
}

/// Clients show and read these words.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_accepted_is_refused_in_gotrues_words() {
    let app = host(&[]).await;
    let eve = sign_up(&app, "eve@example.com").await;
    let User::Token(good) = eve.caller() else { panic!("a session has a token") };
    let (signed, _) = good.rsplit_once('.').unwrap();
    for bad in ["garbage".to_owned(), format!("{signed}.AAAA"), format!("{signed}.not_base64_!")] {
        let answer = app.get(&User::Token(bad.clone()), "/auth/v1/user").await;
        assert_refused(&answer, 403, "bad_jwt");
        assert!(answer.text.contains("invalid JWT: unable to parse or verify signature, "), "{bad}: {}", answer.text);
    }
}
