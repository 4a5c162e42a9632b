//! How many letters are sent, to whom and on whose behalf, and that none is lost.

use behalf_tests::{Answer, App, Mailbox, User};
use reqwest::Method;
use serde_json::json;

use super::codes::{ADA, EVE, PASSWORD, ask, assert_code, member, sign_up, verify};

#[tokio::test]
async fn letters_have_a_pause_and_a_number_in_an_hour() {
    let mailbox = Mailbox::new();
    let limited = [("auth_letters_per_hour", "3"), ("auth_letters_per_client", "0")];
    let app = mailbox.app(&[("auth_letter_pause_seconds", "60"), limited[0], limited[1]]).await;
    ask(&app, "/auth/v1/otp", ADA).await;
    let response =
        app.request(&User::Anon, Method::POST, "/auth/v1/otp").json(&json!({ "email": ADA })).send().await.unwrap();
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let refused = Answer::of(response).await;
    assert_code(&refused, 429, "over_email_send_rate_limit");
    let text = format!("For security purposes, you can only request this after {wait} seconds.");
    assert_eq!(refused.json["msg"], text);
    assert!((50..=60).contains(&wait));
    // Who proved to read the letters need not wait for the next.
    assert_eq!(verify(&app, "email", ADA, &mailbox.letter(ADA, 1).await.code()).await.status, 200);
    ask(&app, "/auth/v1/recover", ADA).await;
    ask(&app, "/auth/v1/recover", EVE).await;
    let host = App::on(app.database.clone(), mailbox.options(&limited)).await;
    let full = host.post(&User::Anon, "/auth/v1/recover", json!({ "email": "z@people.example" })).await;
    assert_code(&full, 429, "over_email_send_rate_limit");
    assert_eq!(full.json["msg"], "email rate limit exceeded");
}

#[tokio::test]
async fn of_requests_at_the_same_moment_one_sends_a_letter() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[("auth_letter_pause_seconds", "60")]).await;
    let asked = (0..6).map(|_| app.post(&User::Anon, "/auth/v1/otp", json!({ "email": ADA })));
    let answers = futures::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 429)));
    mailbox.letter(ADA, 1).await;
    assert_eq!(mailbox.all().len(), 1);
}

/// Asks for a letter as the client of this address, behind a proxy that the host trusts.
async fn ask_from(app: &App, client: &str, path: &str, email: &str) -> Answer {
    let request = app.request(&User::Anon, Method::POST, path).header("x-forwarded-for", client);
    Answer::of(request.json(&json!({ "email": email, "password": PASSWORD })).send().await.unwrap()).await
}

#[tokio::test]
async fn one_client_does_not_use_up_the_letters_of_all() {
    let mailbox = Mailbox::new();
    let settings = [("trusted_proxies", "127.0.0.1/32"), ("auth_letters_per_hour", "6")];
    let one = mailbox.app(&settings).await;
    let two = App::on(one.database.clone(), mailbox.options(&settings)).await;
    let (greedy, others) = ("203.0.113.7", ["203.0.113.8", "203.0.113.9"]);
    // A third of all, on all hosts together and whatever it asks for.
    assert_eq!(ask_from(&one, greedy, "/auth/v1/otp", "a@people.example").await.status, 200);
    assert_eq!(ask_from(&two, greedy, "/auth/v1/signup", "b@people.example").await.status, 200);
    for (host, path) in [(&one, "/auth/v1/recover"), (&two, "/auth/v1/otp"), (&one, "/auth/v1/signup")] {
        let request = host.request(&User::Anon, Method::POST, path).header("x-forwarded-for", greedy);
        let body = json!({ "email": "c@people.example", "password": PASSWORD });
        let response = request.json(&body).send().await.unwrap();
        assert!(response.headers().contains_key("retry-after"), "{path}");
        assert_code(&Answer::of(response).await, 429, "over_email_send_rate_limit");
    }
    for (client, number) in others.iter().flat_map(|client| [(client, 1), (client, 2)]) {
        let email = format!("{number}.{client}@people.example");
        assert_eq!(ask_from(&two, client, "/auth/v1/otp", &email).await.status, 200, "{client}");
    }
    let full = ask_from(&one, "203.0.113.10", "/auth/v1/otp", "d@people.example").await;
    assert_code(&full, 429, "over_email_send_rate_limit");
    // An hour later the client may ask again.
    one.database.execute("update auth.behalf_letters set sent_at = sent_at - interval '61 minutes'").await;
    assert_eq!(ask_from(&one, greedy, "/auth/v1/otp", "e@people.example").await.status, 200);
}

#[tokio::test]
async fn a_signed_in_user_has_the_same_share_of_letters() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[("auth_letters_per_client", "3")]).await;
    let caller = User::Token(member(&app, &mailbox, ADA).await);
    assert_eq!(app.get(&caller, "/auth/v1/reauthenticate").await.status, 200);
    // The new and the present address get one each, which is one too many.
    let change = json!({ "email": "new@people.example" });
    let refused = app.send(&caller, Method::PUT, "/auth/v1/user", change.clone()).await;
    assert_code(&refused, 429, "over_email_send_rate_limit");
    let user = app.get(&caller, "/auth/v1/user").await;
    assert!(user.json["new_email"].is_null(), "{}", user.text);
    // The service role has no share: it is the app itself.
    let invited = app.post(&User::Service, "/auth/v1/invite", json!({ "email": EVE })).await;
    assert_eq!(invited.status, 200, "{}", invited.text);
    app.database.execute("delete from auth.behalf_letters").await;
    assert_eq!(app.send(&caller, Method::PUT, "/auth/v1/user", change).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_at_the_same_moment_do_not_wait_for_each_other_in_a_circle() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let caller = User::Token(member(&app, &mailbox, ADA).await);
    sign_up(&app, EVE).await;
    // A row of an hour ago, which nobody may wait for either.
    app.database.execute("update auth.behalf_letters set sent_at = sent_at - interval '2 hours'").await;
    for _ in 0..4 {
        let asked = |path: &'static str, email: &'static str| {
            let (app, body) = (&app, json!({ "email": email, "password": PASSWORD, "type": "email_change" }));
            async move { app.post(&User::Anon, path, body).await }
        };
        let anybody = ["/auth/v1/signup", "/auth/v1/otp", "/auth/v1/recover", "/auth/v1/resend"]
            .into_iter()
            .flat_map(|path| [asked(path, ADA), asked(path, EVE)]);
        let owner = async {
            let change = json!({ "email": "new@people.example" });
            [
                app.get(&caller, "/auth/v1/reauthenticate").await,
                app.send(&caller, Method::PUT, "/auth/v1/user", change).await,
                app.get(&caller, "/auth/v1/reauthenticate").await,
            ]
        };
        let admin = async {
            [
                app.post(&User::Service, "/auth/v1/invite", json!({ "email": EVE })).await,
                app.post(&User::Service, "/auth/v1/admin/generate_link", json!({ "type": "magiclink", "email": ADA }))
                    .await,
            ]
        };
        let (anybody, owner, admin) = futures::join!(futures::future::join_all(anybody), owner, admin);
        for answer in anybody.iter().chain(&owner).chain(&admin) {
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
    }
    // One of the account, and of each turn the sign-up, the code, the recovery and the invitation.
    mailbox.letter(EVE, 17).await;
    assert_eq!(mailbox.to(EVE).len(), 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_during_the_commit_does_not_take_the_letter_with_it() {
    let mailbox = Mailbox::new();
    let app = mailbox.app(&[]).await;
    let caller = User::Token(member(&app, &mailbox, ADA).await);
    // The commit waits for a lock that this test holds.
    app.database
        .execute(
            "create table public.gate (); grant all on public.gate to public;
             create function public.pass() returns trigger language plpgsql security definer set search_path = '' as
                 $$ begin lock table public.gate in share mode; return null; end $$;
             create constraint trigger pass after insert or update on auth.users deferrable initially deferred
                 for each row execute function public.pass();",
        )
        .await;
    let commits = "select count(*) from pg_stat_activity where datname = current_database()
        and query ilike 'commit%' and wait_event_type = 'Lock'";
    let sign_up = json!({ "email": EVE, "password": PASSWORD });
    let change = json!({ "email": "new@people.example" });
    for (caller, method, path, body, to, number) in [
        (&User::Anon, Method::POST, "/auth/v1/signup", sign_up, EVE, 1),
        (&caller, Method::PUT, "/auth/v1/user", change, "new@people.example", 1),
        (&caller, Method::GET, "/auth/v1/reauthenticate", json!({}), ADA, 3),
    ] {
        let mut gate = app.database.owner().await;
        sqlx::raw_sql("begin; lock table public.gate in access exclusive mode").execute(&mut gate).await.unwrap();
        let request = app.request(caller, method, path).json(&body);
        let client = tokio::spawn(request.send());
        behalf_tests::eventually("the commit waits", async || app.database.value::<i64>(commits).await == 1).await;
        client.abort();
        assert!(client.await.is_err(), "{path}: the client went away");
        // Meanwhile the host notices.
        for _ in 0..20 {
            assert_eq!(app.database.value::<i64>(commits).await, 1, "{path}");
        }
        sqlx::raw_sql("commit").execute(&mut gate).await.unwrap();
        mailbox.letter(to, number).await;
    }
}
