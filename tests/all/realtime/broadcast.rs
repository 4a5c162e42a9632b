//! Messages to everybody in a room: who hears them, and what becomes of their content.

use behalf_tests::{ALICE, Answer, App, BOB, RealtimeSocket, User, Vsn};
use reqwest::Method;
use serde_json::{Value, json};

use super::bed::{admit, private, public, start};

/// What a socket heard of broadcasts until now.
async fn heard(socket: &mut RealtimeSocket) -> Vec<Value> {
    let messages = socket.until_now().await;
    messages.into_iter().filter(|message| message.event == "broadcast").map(|message| message.payload).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn self_and_ack_are_as_the_join_says() {
    let app = start(&[]).await;
    for vsn in Vsn::BOTH {
        for (to_self, ack) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut socket = RealtimeSocket::connect(&app, &User::Anon, vsn).await;
            let join_ref = socket.joined("room", json!({"broadcast": {"self": to_self, "ack": ack}})).await;
            let sent = socket.broadcast(&join_ref, "room", "e", json!({"n": 1})).await;
            let mut messages = socket.until_now().await;
            // Who is there is told to clients of the first version without being asked for.
            messages.retain(|message| message.event != "presence_state");
            let told = messages.iter().filter(|message| message.event == "broadcast").count();
            let acks = messages.iter().filter(|message| message.reference == sent).count();
            assert_eq!((told == 1, acks == 1, messages.len()), (to_self, ack, told + acks), "{vsn:?} {messages:?}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_passed_on_as_it_was_sent_between_all_versions() {
    let app = start(&[]).await;
    for from in Vsn::BOTH {
        let mut sender = RealtimeSocket::connect(&app, &User::Anon, from).await;
        let join_ref = sender.joined("room", public()).await;
        let mut hearers = Vec::new();
        for to in Vsn::BOTH {
            let mut hearer = RealtimeSocket::connect(&app, &User::Is(ALICE), to).await;
            hearer.joined("room", public()).await;
            hearers.push(hearer);
        }
        let payload = json!({"text": "a\"\u{1f600}\n", "nested": [[{"n": 1.5}], null]});
        let sent = sender.broadcast(&join_ref, "room", "an event", payload.clone()).await;
        sender.reply_to(&sent).await;
        for hearer in &mut hearers {
            let message = hearer.event("broadcast").await;
            assert_eq!(message.payload, json!({"type": "broadcast", "event": "an event", "payload": payload}));
            assert_eq!((message.topic.as_str(), &message.reference), ("realtime:room", &Value::Null));
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_reach_clients_of_the_second_version_only() {
    let app = start(&[]).await;
    let mut sender = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    let join_ref = sender.joined("room", public()).await;
    let mut old = RealtimeSocket::connect(&app, &User::Anon, Vsn::One).await;
    let mut new = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    old.joined("room", public()).await;
    new.joined("room", public()).await;
    for (is_json, payload) in [(false, &[0, 1, 255][..]), (true, br#"{"n": 1}"#)] {
        let sent = sender.broadcast_bytes(&join_ref, "room", "e", (is_json, payload)).await;
        assert_eq!(sender.reply_to(&sent).await.payload["status"], "ok");
    }
    let bytes = new.event("broadcast").await;
    assert_eq!((bytes.bytes.as_deref(), &bytes.payload["event"]), (Some(&[0, 1, 255][..]), &json!("e")));
    let as_json = json!({"type": "broadcast", "event": "e", "payload": {"n": 1}});
    assert_eq!(new.event("broadcast").await.payload, as_json);
    assert_eq!(heard(&mut old).await, [as_json]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_others_could_not_read_reaches_nobody() {
    let app = start(&[]).await;
    let mut sender = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    let join_ref = sender.joined("room", public()).await;
    let mut hearer = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    hearer.joined("room", public()).await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (n, payload) in [r#""\ud800""#, r#"{"\udc00":1}"#, &deep].iter().enumerate() {
        let join = join_ref.as_str().unwrap();
        let frame = format!(
            r#"["{join}","bad {n}","realtime:room","broadcast",{{"type":"broadcast","event":"e","payload":{payload}}}]"#
        );
        sender.send_text(&frame).await;
        assert_eq!(sender.reply_to(&json!(format!("bad {n}"))).await.payload["status"], "error");
    }
    for bytes in [&b"{"[..], b"1}", b"\"\xff\""] {
        let sent = sender.broadcast_bytes(&join_ref, "room", "e", (true, bytes)).await;
        assert_eq!(sender.reply_to(&sent).await.payload["status"], "error");
    }
    // What only looks odd is passed on as it is.
    sender.send_text(r#"[null,"odd","realtime:room","broadcast",{"event":"e","payload":{"a":1,"a":2,"meta":{"id":"x"}},"meta":{"replayed":true}}]"#).await;
    assert_eq!(sender.reply_to(&json!("odd")).await.payload["status"], "ok");
    let expected = json!({"type": "broadcast", "event": "e", "payload": {"a": 2, "meta": {"id": "x"}}});
    assert_eq!(heard(&mut hearer).await, [expected], "and nobody can say what only the host says of a message");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_sender_stay_in_order() {
    let app = start(&[("realtime_messages", "0")]).await;
    let mut sender = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
    let join_ref = sender.joined("room", json!({})).await;
    let mut hearer = RealtimeSocket::connect(&app, &User::Is(BOB), Vsn::One).await;
    hearer.joined("room", public()).await;
    for n in 0..500 {
        sender.broadcast(&join_ref, "room", "e", json!({ "n": n })).await;
    }
    for n in 0..500 {
        assert_eq!(hearer.event("broadcast").await.payload["payload"]["n"], n);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_private_and_the_public_channel_of_one_name_are_two() {
    let app = start(&[]).await;
    admit(&app, ALICE, "room", true).await;
    let mut secret = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
    let secrets = secret.joined("room", private()).await;
    let mut open = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    let opens = open.joined("room", public()).await;
    for (socket, join_ref) in [(&mut secret, &secrets), (&mut open, &opens)] {
        let sent = socket.broadcast(join_ref, "room", "e", json!({})).await;
        assert_eq!(socket.reply_to(&sent).await.payload["status"], "ok");
    }
    assert!(heard(&mut secret).await.is_empty() && heard(&mut open).await.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_hear_says_nothing() {
    let app = start(&[]).await;
    admit(&app, ALICE, "room", true).await;
    admit(&app, BOB, "room", false).await;
    let mut alice = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
    let alices = alice.joined("room", private()).await;
    let mut bob = RealtimeSocket::connect(&app, &User::Is(BOB), Vsn::Two).await;
    let bobs = bob.joined("room", private()).await;
    let sent = bob.broadcast(&bobs, "room", "e", json!({})).await;
    let refused = bob.reply_to(&sent).await.payload;
    assert_eq!(refused["status"], "error");
    assert!(refused["response"]["reason"].as_str().unwrap().starts_with("Unauthorized"), "{refused}");
    let sent = alice.broadcast(&alices, "room", "e", json!({})).await;
    assert_eq!(alice.reply_to(&sent).await.payload["status"], "ok");
    assert_eq!(heard(&mut bob).await.len(), 1);
    assert!(heard(&mut alice).await.is_empty());
    app.stop().await;
}

async fn post(app: &App, user: &User, messages: Value) -> Answer {
    app.post(user, "/realtime/v1/api/broadcast", json!({ "messages": messages })).await
}

fn message(topic: &str, n: u32, is_private: bool) -> Value {
    json!({"topic": topic, "event": "e", "payload": {"n": n}, "private": is_private})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sends_what_a_socket_could_send() {
    let app = start(&[]).await;
    admit(&app, ALICE, "room", true).await;
    admit(&app, BOB, "room", false).await;
    let mut secret = RealtimeSocket::connect(&app, &User::Is(BOB), Vsn::Two).await;
    secret.joined("room", private()).await;
    let mut open = RealtimeSocket::connect(&app, &User::Anon, Vsn::One).await;
    open.joined("room", public()).await;

    let answer = post(&app, &User::Anon, json!([message("room", 1, false), message("room", 2, true)])).await;
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    assert_eq!(open.event("broadcast").await.payload["payload"]["n"], 1);
    assert_eq!(post(&app, &User::Is(BOB), json!([message("room", 3, true)])).await.status, 202);
    assert_eq!(post(&app, &User::Is(ALICE), json!([message("room", 4, true)])).await.status, 202);
    let private = secret.event("broadcast").await.payload;
    assert_eq!(private["payload"]["n"], 4, "those that the policies refuse are left out");
    assert!(private["meta"]["id"].is_string(), "{private}");

    let one = "/realtime/v1/api/broadcast/room/events/an%20event";
    assert_eq!(app.post(&User::Anon, one, json!({"n": 5})).await.status, 202);
    let public = open.event("broadcast").await.payload;
    assert_eq!((&public["event"], &public["payload"]["n"]), (&json!("an event"), &json!(5)));
    let refused = app.post(&User::Is(BOB), &format!("{one}?private=true"), json!({"n": 6})).await;
    assert_eq!((refused.status, &refused.json["message"]), (403, &json!("Unauthorized")));
    assert_eq!(app.post(&User::Is(ALICE), &format!("{one}?private=true"), json!({"n": 7})).await.status, 202);
    assert_eq!(secret.event("broadcast").await.payload["payload"]["n"], 7);
    assert!(heard(&mut open).await.is_empty() && heard(&mut secret).await.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_says_what_is_wrong_with_its_messages() {
    let app = start(&[("realtime_messages", "5"), ("realtime_max_message_bytes", "2000")]).await;
    let none = post(&app, &User::Nobody, json!([message("room", 1, false)])).await;
    assert_eq!((none.status, &none.json["message"]), (401, &json!("Unauthorized")));
    let large = json!({"topic": "room", "event": "e", "payload": {"text": "x".repeat(3_000)}});
    let wrong = json!([message("room", 1, false), {"event": 1, "payload": [], "private": "maybe"}, large, 7]);
    let answer = post(&app, &User::Anon, wrong).await;
    assert_eq!(answer.status, 422);
    let expected = json!({"errors": {"messages": [
        {},
        {"topic": ["can't be blank"], "event": ["is invalid"], "payload": ["is invalid"], "private": ["is invalid"]},
        {"payload": ["Payload size exceeds tenant limit"]},
        {"topic": ["can't be blank"], "event": ["can't be blank"], "payload": ["can't be blank"]},
    ]}});
    assert_eq!(answer.json, expected);
    for body in [json!({}), json!({"messages": []})] {
        let answer = app.post(&User::Anon, "/realtime/v1/api/broadcast", body).await;
        assert_eq!((answer.status, answer.json), (422, json!({"errors": {"messages": ["can't be blank"]}})));
    }
    let six: Vec<Value> = (0..6).map(|n| message("room", n, false)).collect();
    let answer = post(&app, &User::Anon, json!(six)).await;
    assert_eq!(
        (answer.status, &answer.json["message"]),
        (429, &json!("Too many messages to broadcast, please reduce the batch size"))
    );
    let typed = app
        .request(&User::Anon, Method::POST, "/realtime/v1/api/broadcast/room/events/e")
        .header("content-type", "text/plain");
    let answer = Answer::of(typed.body("x").send().await.unwrap()).await;
    assert_eq!(
        (answer.status, &answer.json["error"]),
        (415, &json!("Unsupported Media Type. Use application/json or application/octet-stream"))
    );
    let bytes = |size: usize| {
        app.request(&User::Anon, Method::POST, "/realtime/v1/api/broadcast/room/events/e")
            .header("content-type", "application/octet-stream")
            .body(vec![0; size])
    };
    assert_eq!(Answer::of(bytes(3_000_000).send().await.unwrap()).await.status, 413);
    assert_eq!(Answer::of(bytes(3_000).send().await.unwrap()).await.status, 422);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn public_channels_can_be_switched_off() {
    let app = start(&[("realtime_public_channels", "false")]).await;
    admit(&app, ALICE, "room", true).await;
    let mut socket = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
    let reason = socket.refused("room", json!({"config": public()})).await;
    assert_eq!(reason, "PrivateOnly: This project only allows private channels");
    socket.joined("room", private()).await;
    let answer = post(&app, &User::Service, json!([message("room", 1, false)])).await;
    assert_eq!((answer.status, &answer.json["message"]), (403, &json!("This project only allows private channels")));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_messages_are_replayed_once_before_the_live_ones() {
    let app = start(&[]).await;
    admit(&app, ALICE, "room", true).await;
    for n in 0..5 {
        assert_eq!(post(&app, &User::Is(ALICE), json!([message("room", n, true)])).await.status, 202);
    }
    let config = json!({"private": true, "broadcast": {"replay": {"since": 1, "limit": 3}}});
    for vsn in Vsn::BOTH {
        let mut socket = RealtimeSocket::connect(&app, &User::Is(ALICE), vsn).await;
        socket.joined("room", config.clone()).await;
        for n in 2..5 {
            let message = socket.event("broadcast").await.payload;
            assert_eq!((&message["payload"]["n"], &message["meta"]["replayed"]), (&json!(n), &json!(true)));
        }
        assert_eq!(post(&app, &User::Is(ALICE), json!([message("other", 0, true)])).await.status, 202);
        assert!(heard(&mut socket).await.is_empty());
    }
    let mut socket = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
    socket.joined("room", config).await;
    assert_eq!(post(&app, &User::Is(ALICE), json!([message("room", 9, true)])).await.status, 202);
    for n in [2, 3, 4, 9] {
        assert_eq!(socket.event("broadcast").await.payload["payload"]["n"], n);
    }
    app.stop().await;
}
