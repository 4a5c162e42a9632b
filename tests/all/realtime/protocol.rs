//! The frames of both versions of the protocol, as clients see them.

use behalf_identity::{TokenRequest, mint_token};
use behalf_tests::realtime::key_of;
use behalf_tests::{ALICE, App, RealtimeSocket, SECRET, User, Vsn};
use reqwest::Method;
use serde_json::{Value, json};

use super::bed::{public, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_each_version_joins_speaks_and_leaves() {
    let app = start(&[]).await;
    for vsn in Vsn::BOTH {
        for user in [User::Anon, User::Is(ALICE), User::Service] {
            let mut socket = RealtimeSocket::connect(&app, &user, vsn).await;
            socket.heartbeat().await;
            let answer = socket.join("room", json!({"config": public()})).await;
            assert_eq!(answer, json!({"status": "ok", "response": {"postgres_changes": []}}), "{vsn:?} {user:?}");
            let join_ref = json!("2");
            let sent = socket.broadcast(&join_ref, "room", "hello", json!({"n": 1})).await;
            let ack = socket.reply_to(&sent).await;
            assert_eq!(ack.payload, json!({"status": "ok", "response": {}}));
            let left = socket.push(&join_ref, "realtime:room", "phx_leave", json!({})).await;
            let (reply, closed) = (socket.next().await, socket.next().await);
            assert_eq!((&reply.reference, &reply.payload["status"]), (&left, &json!("ok")));
            assert_eq!(
                (closed.event.as_str(), &closed.reference, &closed.payload),
                ("phx_close", &join_ref, &json!({}))
            );
            for message in [&ack, &reply, &closed] {
                assert_eq!(message.topic, "realtime:room");
                assert_eq!(message.join_ref, if vsn == Vsn::Two { join_ref.clone() } else { Value::Null });
            }
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_is_the_first_where_the_address_does_not_say() {
    let app = start(&[]).await;
    let key = key_of(&User::Anon);
    let mut socket =
        RealtimeSocket::open(&app, &format!("apikey={key}&eventsPerSecond=10&log_level=info"), Vsn::One).await.unwrap();
    socket.joined("room", public()).await;
    assert_eq!(RealtimeSocket::open(&app, &format!("apikey={key}&vsn=3.0.0"), Vsn::Two).await.err(), Some(400));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_verified_callers_get_a_socket() {
    let app = start(&[]).await;
    let token = |request: TokenRequest, secret: &str| mint_token(secret, &request).unwrap();
    let alice = || TokenRequest::for_user(&ALICE.to_string());
    let forged = token(alice(), "another-secret-that-is-long-enough-for-hs256");
    let expired = token(TokenRequest { ttl_seconds: -3_600, ..alice() }, SECRET);
    for (query, status) in [
        (String::new(), 401),
        ("apikey=".to_owned(), 401),
        ("apikey=x".to_owned(), 401),
        (format!("apikey={forged}"), 401),
        (format!("apikey={expired}"), 401),
        (format!("apikey={}&apikey=x", key_of(&User::Anon)), 400),
    ] {
        assert_eq!(RealtimeSocket::open(&app, &query, Vsn::One).await.err(), Some(status), "{query}");
    }
    let plain = app.get(&User::Anon, "/realtime/v1/websocket").await;
    assert_eq!(plain.status, 400, "{}", plain.text);
    let acting = app.get(&User::ServiceFor(ALICE), "/realtime/v1/websocket").await;
    assert!(acting.status == 400 && acting.text.contains("acts for nobody else"), "{}", acting.text);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_join_on_a_topic_takes_the_place_of_the_first() {
    let app = start(&[]).await;
    for vsn in Vsn::BOTH {
        let mut socket = RealtimeSocket::connect(&app, &User::Anon, vsn).await;
        let mut other = RealtimeSocket::connect(&app, &User::Anon, vsn).await;
        let first = socket.joined("room", public()).await;
        let answer = socket.join("room", json!({"config": public()})).await;
        assert_eq!(answer["status"], "ok");
        let closed = socket.event("phx_close").await;
        assert_eq!(closed.reference, first);
        let theirs = other.joined("room", public()).await;
        let sent = other.broadcast(&theirs, "room", "once", json!({})).await;
        other.reply_to(&sent).await;
        let heard = socket.until_now().await;
        assert_eq!(heard.iter().filter(|message| message.event == "broadcast").count(), 1, "{heard:?}");
        // The client means the first channel, which is closed.
        if vsn == Vsn::Two {
            socket.push(&first, "realtime:room", "phx_leave", json!({})).await;
            assert!(socket.until_now().await.is_empty());
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_no_channel_is_refused_and_what_is_unknown_is_ignored() {
    let app = start(&[]).await;
    for vsn in Vsn::BOTH {
        let mut socket = RealtimeSocket::connect(&app, &User::Anon, vsn).await;
        let unmatched = json!({"status": "error", "response": {"reason": "unmatched topic"}});
        for (topic, event) in
            [("realtime:x", "broadcast"), ("realtime:x", "access_token"), ("phoenix", "x"), ("other", "phx_join")]
        {
            let sent = socket.push(&Value::Null, topic, event, json!({})).await;
            assert_eq!(socket.reply_to(&sent).await.payload, unmatched, "{topic} {event}");
        }
        let left = socket.push(&Value::Null, "realtime:x", "phx_leave", json!({})).await;
        assert_eq!(socket.reply_to(&left).await.payload["status"], "ok");
        let join_ref = socket.joined("room", public()).await;
        for (event, payload) in
            [("x", json!({})), ("access_token", json!({"access_token": null})), ("access_token", json!(1))]
        {
            socket.push(&join_ref, "realtime:room", event, payload).await;
        }
        assert!(socket.until_now().await.is_empty());
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_no_message_closes_the_socket() {
    let app = start(&[]).await;
    for (vsn, frames) in [
        (Vsn::One, [r#"["1","1","phoenix","heartbeat",{}]"#, "x", r#"{"topic":"phoenix"}"#]),
        (Vsn::Two, [r#"{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}"#, "", r#"["1","1","a","b"]"#]),
    ] {
        for frame in frames {
            let mut socket = RealtimeSocket::connect(&app, &User::Anon, vsn).await;
            socket.joined("room", public()).await;
            socket.send_text(frame).await;
            assert_eq!(socket.closed().await.0, 1007, "{frame}");
        }
    }
    for (vsn, bytes) in
        [(Vsn::One, vec![3, 0, 0, 0, 0, 0, 1]), (Vsn::Two, vec![]), (Vsn::Two, vec![3, 255]), (Vsn::Two, vec![9; 20])]
    {
        let mut socket = RealtimeSocket::connect(&app, &User::Anon, vsn).await;
        socket.send_bytes(bytes).await;
        assert_eq!(socket.closed().await.0, 1007);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_cannot_be_read_is_refused_and_never_public_by_mistake() {
    let app = start(&[]).await;
    let mut socket = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    for (topic, payload, says) in [
        ("", json!({}), "TopicNameRequired"),
        (&*"x".repeat(250), json!({}), "TopicNameInvalid"),
        ("room", json!({"config": {"private": "yes"}}), "config.private unable to parse, expected boolean"),
        ("room", json!({"config": []}), "config unable to parse, expected a map"),
        ("room", json!([]), "InvalidJoinPayload"),
        ("room", json!({"config": {"postgres_changes": "x"}}), "expected an array of maps"),
        (
            "room",
            json!({"config": {"broadcast": {"replay": {"since": 1}}}}),
            "Replay is not allowed for public channels",
        ),
        (
            "room",
            json!({"config": {"private": true}}),
            "Unauthorized: You do not have permissions to read from this Channel topic: room",
        ),
        ("room", json!({"access_token": "x"}), "MalformedJWT: The token provided is not a valid JWT"),
    ] {
        let reason = socket.refused(topic, payload).await;
        assert!(reason.contains(says), "{says}: {reason}");
    }
    // All of them left nothing behind.
    socket.joined("room", json!({"private": "False", "broadcast": null, "presence": {"key": null}})).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_to_changes_are_repeated_in_order_also_where_there_are_none() {
    let app = start(&[]).await;
    for vsn in Vsn::BOTH {
        let mut socket = RealtimeSocket::connect(&app, &User::Anon, vsn).await;
        let wanted = json!([
            {"event": "INSERT", "schema": "public", "table": "a", "filter": "id=eq.1"},
            {"event": "*", "schema": "public"},
        ]);
        let answer = socket.join("room", json!({"config": {"postgres_changes": wanted}})).await;
        let listed = answer["response"]["postgres_changes"].as_array().unwrap();
        assert_eq!(listed.len(), 2);
        for (listed, wanted) in listed.iter().zip(wanted.as_array().unwrap()) {
            let mut listed = listed.clone();
            assert!(listed.as_object_mut().unwrap().remove("id").unwrap().is_i64());
            assert_eq!(&listed, wanted);
        }
        // This host has no login that reads changes.
        let system = socket.event("system").await;
        assert_eq!(
            (&system.payload["extension"], &system.payload["status"]),
            (&json!("postgres_changes"), &json!("error"))
        );
        assert_eq!(system.payload["channel"], "room");
        socket.heartbeat().await;
        let sent = socket.broadcast(&Value::Null, "room", "still", json!({})).await;
        socket.heartbeat().await;
        assert!(
            socket.until_now().await.iter().all(|message| message.event != "phx_close" && message.reference != sent)
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_hears_that_stored_messages_are_read_if_it_asks() {
    let app = start(&[]).await;
    let mut socket = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    socket.joined("room", json!({"broadcast": {"replication_ready": true}})).await;
    let system = socket.event("system").await;
    let expected = json!({"extension": "system", "status": "ok", "message": "Replication connection established", "channel": "room"});
    assert_eq!(system.payload, expected);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_told_in_both_versions() {
    let app = start(&[]).await;
    for vsn in Vsn::BOTH {
        let topic = format!("lobby {}", vsn.as_str());
        let config = |key: &str| json!({"presence": {"enabled": true, "key": key}});
        let mut one = RealtimeSocket::connect(&app, &User::Anon, vsn).await;
        let ones = one.joined(&topic, config("one")).await;
        assert_eq!(one.event("presence_state").await.payload, json!({}));
        let tracked = json!({"type": "presence", "event": "TRACK", "payload": {"mood": "good"}});
        let sent = one.push(&ones, &format!("realtime:{topic}"), "presence", tracked).await;
        assert_eq!(one.reply_to(&sent).await.payload["status"], "ok");
        let diff = one.event("presence_diff").await.payload;
        assert_eq!((&diff["joins"]["one"]["metas"][0]["mood"], &diff["leaves"]), (&json!("good"), &json!({})));
        let mut two = RealtimeSocket::connect(&app, &User::Anon, vsn).await;
        two.joined(&topic, config("two")).await;
        let state = two.event("presence_state").await.payload;
        assert_eq!(state["one"]["metas"][0]["mood"], "good");
        assert!(state["one"]["metas"][0]["phx_ref"].is_string());
        let wrong = json!({"type": "presence", "event": "track", "payload": [1]});
        let sent = one.push(&ones, &format!("realtime:{topic}"), "presence", wrong).await;
        assert_eq!(one.reply_to(&sent).await.payload["response"]["reason"], "Presence track payload must be a map");
        drop(one);
        assert!(two.event("presence_diff").await.payload["leaves"]["one"].is_object());
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_channels_are_not_served_every_request_says_so() {
    let app = start(&[("realtime", "off")]).await;
    let key = key_of(&User::Anon);
    assert_eq!(RealtimeSocket::open(&app, &format!("apikey={key}"), Vsn::One).await.err(), Some(404));
    let answer = elsewhere(&app, "/realtime/v1/api/broadcast").await;
    assert!(answer.contains("this host does not serve /realtime/v1"), "{answer}");
    app.stop().await;
}

async fn elsewhere(app: &App, path: &str) -> String {
    let answer = app.send(&User::Anon, Method::POST, path, json!({})).await;
    assert_eq!(answer.status, 404);
    answer.text
}
