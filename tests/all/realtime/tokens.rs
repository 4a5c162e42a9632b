//! Tokens of open sockets: they expire, are replaced, and let nobody into channels of others.

use behalf_identity::{TokenRequest, mint_token};
use behalf_tests::app::{anon_key, token};
use behalf_tests::realtime::key_of;
use behalf_tests::{ALICE, BOB, FromHost, RealtimeSocket, SECRET, User, Vsn};
use serde_json::{Value, json};
use uuid::Uuid;

use super::bed::{admit, expel, private, public, start};

/// A token that is valid for so many seconds.
fn for_seconds(user: Uuid, ttl_seconds: i64) -> String {
    mint_token(SECRET, &TokenRequest { ttl_seconds, ..TokenRequest::for_user(&user.to_string()) }).unwrap()
}

/// Another token of the same user: it says another time.
fn another(user: Uuid) -> String {
    for_seconds(user, 7_200)
}

/// The reason with which a channel was closed, and the reference of its join.
async fn shut_down(socket: &mut RealtimeSocket) -> (String, Value) {
    let system = socket.event("system").await;
    assert_eq!(
        (&system.payload["status"], &system.payload["extension"]),
        (&json!("error"), &json!("system")),
        "{system:?}"
    );
    let closed = socket.event("phx_close").await;
    assert_eq!(closed.topic, system.topic);
    (system.payload["message"].as_str().unwrap().to_owned(), closed.reference)
}

fn broadcasts(messages: &[FromHost]) -> usize {
    messages.iter().filter(|message| message.event == "broadcast").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_closes_its_channel_and_no_other() {
    let app = start(&[("jwt_clock_skew_seconds", "0")]).await;
    admit(&app, ALICE, "room", true).await;
    for vsn in Vsn::BOTH {
        let mut socket = RealtimeSocket::connect(&app, &User::Is(ALICE), vsn).await;
        let short = for_seconds(ALICE, 4);
        let answer = socket.join("room", json!({"config": private(), "access_token": short})).await;
        assert_eq!(answer["status"], "ok", "{answer}");
        let other = socket.joined("other", public()).await;
        let (why, _) = shut_down(&mut socket).await;
        assert!(why.starts_with("Token has expired ") && why.ends_with(" seconds ago"), "{why}");
        let mut alice = RealtimeSocket::connect(&app, &User::Is(ALICE), vsn).await;
        let alices = alice.joined("room", private()).await;
        let sent = alice.broadcast(&alices, "room", "e", json!({})).await;
        alice.reply_to(&sent).await;
        let sent = socket.broadcast(&other, "other", "e", json!({})).await;
        assert_eq!(socket.reply_to(&sent).await.payload["status"], "ok");
        assert_eq!(broadcasts(&socket.until_now().await), 0);
        let reason = socket.refused("room", json!({"config": private(), "access_token": short})).await;
        assert_eq!(reason, "InvalidJWTToken: Token has expired");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_keeps_the_channel_open() {
    let app = start(&[("jwt_clock_skew_seconds", "0")]).await;
    admit(&app, ALICE, "room", true).await;
    let mut socket = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    let short = for_seconds(ALICE, 4);
    let answer = socket.join("room", json!({"config": private(), "access_token": short})).await;
    assert_eq!(answer["status"], "ok", "{answer}");
    let join_ref = json!("1");
    socket.refresh(&join_ref, "room", &token(ALICE)).await;
    let mut old = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    let answer = old.join("room", json!({"config": private(), "access_token": short})).await;
    assert_eq!(answer["status"], "ok", "{answer}");
    // The same token is over here, and not there.
    shut_down(&mut old).await;
    let sent = socket.broadcast(&join_ref, "room", "e", json!({})).await;
    assert_eq!(socket.reply_to(&sent).await.payload["status"], "ok");
    assert!(socket.until_now().await.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_token_closes_the_channel_that_it_was_sent_to() {
    let app = start(&[]).await;
    admit(&app, ALICE, "room", true).await;
    let forged =
        mint_token("another-secret-that-is-long-enough-for-hs256", &TokenRequest::for_user(&ALICE.to_string()))
            .unwrap();
    for (bad, says) in [
        (forged, "Failed to validate JWT signature"),
        ("x.y.z".to_owned(), "The token provided is not a valid JWT"),
        (String::new(), "The token provided is not a valid JWT"),
        (for_seconds(ALICE, -3_600), "Token has expired"),
    ] {
        let mut socket = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
        let (join_ref, other) = (socket.joined("room", private()).await, socket.joined("other", public()).await);
        socket.refresh(&join_ref, "room", &bad).await;
        // What follows is judged by that token, and the channel is closed by then.
        let sent = socket.broadcast(&join_ref, "room", "e", json!({})).await;
        assert_eq!(socket.reply_to(&sent).await.payload["response"]["reason"], "unmatched topic");
        assert_eq!(shut_down(&mut socket).await, (says.to_owned(), join_ref), "{bad}");
        let sent = socket.broadcast(&other, "other", "e", json!({})).await;
        assert_eq!(socket.reply_to(&sent).await.payload["status"], "ok");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_was_lost_closes_the_channel_at_the_next_token() {
    let app = start(&[]).await;
    admit(&app, ALICE, "room", true).await;
    let mut socket = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
    let join_ref = socket.joined("room", private()).await;
    expel(&app, "room").await;
    // Tokens that change nothing ask nobody.
    for same in [token(ALICE), "sb_publishable_x".to_owned()] {
        socket.refresh(&join_ref, "room", &same).await;
    }
    assert!(socket.until_now().await.is_empty());
    socket.refresh(&join_ref, "room", &another(ALICE)).await;
    let (why, closed) = shut_down(&mut socket).await;
    assert_eq!(why, "You do not have permissions to read from this Channel topic: room");
    assert_eq!(closed, join_ref);
    let reason = socket.refused("room", json!({"config": private()})).await;
    assert_eq!(reason, "Unauthorized: You do not have permissions to read from this Channel topic: room");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_speak_that_was_lost_counts_from_the_next_token() {
    let app = start(&[]).await;
    admit(&app, ALICE, "room", true).await;
    admit(&app, BOB, "room", false).await;
    let mut socket = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
    let join_ref = socket.joined("room", private()).await;
    socket.refresh(&join_ref, "room", &token(BOB)).await;
    // The channel is the other user's now, who may only hear.
    let sent = socket.broadcast(&join_ref, "room", "e", json!({})).await;
    assert_eq!(socket.reply_to(&sent).await.payload["status"], "error");
    app.database.execute("update public.members set may_write = true").await;
    socket.refresh(&join_ref, "room", &another(BOB)).await;
    let sent = socket.broadcast(&join_ref, "room", "e", json!({})).await;
    assert_eq!(socket.reply_to(&sent).await.payload["status"], "ok");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_user_keeps_only_what_that_user_may_read() {
    let app = start(&[]).await;
    admit(&app, ALICE, "room", true).await;
    let mut socket = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
    let (secret, open) = (socket.joined("room", private()).await, socket.joined("open", public()).await);
    for (join_ref, topic) in [(&secret, "room"), (&open, "open")] {
        socket.refresh(join_ref, topic, &token(BOB)).await;
    }
    assert_eq!(shut_down(&mut socket).await.1, secret);
    let sent = socket.broadcast(&open, "open", "e", json!({})).await;
    assert_eq!(socket.reply_to(&sent).await.payload["status"], "ok");
    // Without a user there is no way back either.
    let mut socket = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
    let secret = socket.joined("room", private()).await;
    socket.refresh(&secret, "room", &anon_key()).await;
    assert_eq!(shut_down(&mut socket).await.1, secret);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_user_tracked_is_taken_back_when_another_follows() {
    let app = start(&[]).await;
    let config = |key: &str| json!({"presence": {"enabled": true, "key": key}});
    let mut socket = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    let join_ref = socket.joined("room", config("me")).await;
    let mut other = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    other.joined("room", config("other")).await;
    let track = json!({"type": "presence", "event": "track", "payload": {}});
    socket.push(&join_ref, "realtime:room", "presence", track).await;
    assert!(other.event("presence_diff").await.payload["joins"]["me"].is_object());
    // Who joined before they signed in stays.
    socket.refresh(&join_ref, "room", &token(ALICE)).await;
    socket.heartbeat().await;
    let sent = socket.broadcast(&join_ref, "room", "e", json!({})).await;
    let heard = other.event("broadcast").await;
    assert_ne!(heard.reference, sent);
    assert!(other.until_now().await.iter().all(|message| message.event != "presence_diff"));
    socket.refresh(&join_ref, "room", &token(BOB)).await;
    assert!(other.event("presence_diff").await.payload["leaves"]["me"].is_object());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_channel_of_another_is_closed_by_every_spelling() {
    let app = start(&[]).await;
    admit(&app, ALICE, "room", true).await;
    let mut bob = RealtimeSocket::connect(&app, &User::Is(BOB), Vsn::Two).await;
    for topic in [
        "room",
        "ROOM",
        " room",
        "room ",
        "realtime:room",
        "room:",
        ":room",
        "room\u{200b}",
        "room/../room",
        "%72oom",
        "room%",
        "r\u{00f6}om",
        "room' or true --",
        "*",
        "room\n",
        "room,other",
        "{room}",
        "room\\",
    ] {
        for config in [private(), json!({"private": "true"}), json!({"private": true, "presence": {"enabled": true}})] {
            let reason = bob.refused(topic, json!({ "config": config })).await;
            assert!(reason.starts_with("Unauthorized: You do not have permissions to read"), "{topic}: {reason}");
        }
    }
    assert!(bob.refused("room\u{0}", json!({"config": private()})).await.starts_with("TopicNameInvalid"));
    // A token in the join counts, and not the socket's.
    let as_alice = json!({"config": private(), "access_token": token(ALICE)});
    assert_eq!(bob.join("room", as_alice).await["status"], "ok");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_without_a_token_has_that_of_the_address() {
    let app = start(&[]).await;
    admit(&app, ALICE, "room", true).await;
    for (key, status) in
        [(key_of(&User::Is(ALICE)), "ok"), (key_of(&User::Anon), "error"), (key_of(&User::Service), "ok")]
    {
        for payload in [
            json!({"config": private()}),
            json!({"config": private(), "access_token": null}),
            json!({"config": private(), "access_token": "sb_publishable_x"}),
        ] {
            let mut socket = RealtimeSocket::open(&app, &format!("apikey={key}&vsn=2.0.0"), Vsn::Two).await.unwrap();
            assert_eq!(socket.join("room", payload.clone()).await["status"], status, "{payload}");
        }
    }
    app.stop().await;
}
