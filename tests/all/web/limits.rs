//! Rate limits, and limits on runs and streams at the same time.

use behalf_tests::{ALICE, App, BOB, Options, User, guests, write_grants};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

async fn with(settings: &[(&'static str, &str)]) -> App {
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    App::with(Options { settings }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_has_a_bucket_and_strangers_share_one_per_address() {
    let app = with(&[("rate_limit_user", "5"), ("rate_limit_anon", "3")]).await;
    for user in [User::Is(ALICE), User::Is(BOB), User::ServiceFor(uuid::Uuid::from_u128(7))] {
        let mut statuses = Vec::new();
        for _ in 0..6 {
            statuses.push(app.get(&user, "/api/tools").await.status);
        }
        // Requests of the service role count for a user only where it acts for that user.
        assert_eq!(
            statuses.iter().filter(|status| **status == 200).count(),
            if matches!(user, User::ServiceFor(_)) { 6 } else { 5 }
        );
    }
    let refused = app.request(&User::Is(ALICE), Method::GET, "/api/tools").send().await.unwrap();
    let header = |name: &str| refused.headers()[name].to_str().unwrap().parse::<u64>().unwrap();
    assert_eq!((refused.status().as_u16(), header("ratelimit-limit"), header("ratelimit-remaining")), (429, 5, 0));
    assert!((1..=12).contains(&header("retry-after")) && header("ratelimit-reset") == header("retry-after"));
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    // Anonymous callers and invalid tokens share one bucket; a header that names another address changes nothing.
    let mut statuses = Vec::new();
    for n in 0..4 {
        let guess = User::Token(format!("guess-{n}"));
        let request =
            app.request(&guess, Method::GET, "/api/tools").header("x-forwarded-for", format!("203.0.113.{n}"));
        statuses.push(request.send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 429]);
    assert_eq!(app.get(&User::Anon, "/api/tools").await.status, 429);
    for path in ["/healthz", "/metrics", "/readyz"] {
        assert_eq!(app.get(&User::Anon, path).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_who_asks_and_the_project_has_a_bucket_too() {
    let app = with(&[("rate_limit_anon", "1"), ("trusted_proxies", "127.0.0.0/8"), ("rate_limit_project", "4")]).await;
    let ask = async |address: &str| {
        let request = app.request(&User::Anon, Method::GET, "/api/tools").header("x-forwarded-for", address);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask("203.0.113.1").await, ask("203.0.113.2").await, ask("203.0.113.1").await), (200, 200, 429));
    assert_eq!(ask("198.51.100.1, 203.0.113.2").await, 429, "what a client wrote itself counts for nothing");
    let statuses =
        [app.get(&User::Service, "/api/tools").await.status, app.get(&User::Is(BOB), "/api/tools").await.status];
    assert_eq!(statuses, [200, 200]);
    assert_eq!(app.get(&User::Service, "/api/tools").await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_once_are_counted_over_all_hosts() {
    let settings = [("concurrent_runs_user", "2"), ("concurrent_runs_project", "3"), ("rate_limit_runs", "20")];
    let one = with(&settings).await;
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let two = App::on(one.database.clone(), Options { settings }).await;
    one.install(guests::HOSTILE, &json!({"limits": {"timeout_ms": 60_000}})).await;
    let agent = one.agent(&["sleep_forever"]).await;
    behalf_tests::eventually("the second host knows the tool", async || {
        two.get(&User::Is(ALICE), "/api/tools/sleep_forever").await.status == 200
    })
    .await;
    let path = format!("/api/agents/{agent}/run/stream");
    let begin = async |app: &App, user: User| {
        let request = app.request(&user, Method::POST, &path).json(&json!({"message": "/sleep_forever {}"}));
        request.send().await.unwrap()
    };
    let answers = join_all((0..8).map(|n| begin([&one, &two][n % 2], User::Is(ALICE)))).await;
    let count = |status: u16| answers.iter().filter(|response| response.status() == status).count();
    assert_eq!((count(200), count(429)), (2, 6));
    let (bob, full) = (begin(&two, User::Is(BOB)).await, begin(&one, User::Is(BOB)).await);
    assert_eq!((bob.status().as_u16(), full.status().as_u16()), (200, 429));
    assert_eq!(full.headers()["retry-after"], "1");
    one.database.execute("update ai.agent_runs set status = 'cancelled', completed_at = now()").await;
    let again = begin(&one, User::Is(ALICE)).await;
    assert_eq!(again.status(), 200, "a run that is over makes room");
    one.database.execute("update ai.agent_runs set status = 'cancelled', completed_at = now()").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_at_once_are_few_and_closed_ones_make_room() {
    let app = with(&[("concurrent_streams_user", "2"), ("rate_limit_runs", "3")]).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&[]).await;
    let run = app.ask(&User::Is(ALICE), &agent, "hi").await;
    app.database.execute("update ai.agent_runs set status = 'running', lease_until = now() + interval '1 hour'").await;
    let path = format!("/api/agents/runs/{}/events", run.json["run_id"].as_str().unwrap());
    let open = async |user: User| app.request(&user, Method::GET, &path).send().await.unwrap();
    let (first, second) = (open(User::Is(ALICE)).await, open(User::Is(ALICE)).await);
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
    assert_eq!(open(User::Is(ALICE)).await.status(), 429);
    assert_eq!(open(User::Service).await.status(), 200, "the app's back end is nobody's user");
    drop(first);
    behalf_tests::eventually("a closed stream makes room", async || open(User::Is(ALICE)).await.status() == 200).await;
    drop(second);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(app.ask(&User::Is(ALICE), &agent, "hi").await.status);
    }
    assert_eq!(statuses, [200, 200, 429], "three runs in a minute");
}
