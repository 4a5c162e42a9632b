//! What one socket, one caller and the host are bounded to.

use std::time::Duration;

use behalf_tests::realtime::key_of;
use behalf_tests::{ALICE, App, BOB, RealtimeSocket, User, Vsn, eventually};
use futures::StreamExt as _;
use serde_json::json;

use super::bed::{admit, private, public, start};

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_too_often_is_disconnected() {
    let app = start(&[("realtime_joins", "3"), ("realtime_channels", "0")]).await;
    let mut socket = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    for n in 0..50 {
        socket.push(&json!(null), &format!("realtime:{n}"), "phx_join", json!({"config": public()})).await;
    }
    assert_eq!(socket.closed().await, (1008, "too many joins per second".to_owned()));
    let replies = socket.kept();
    let reason = &replies.last().unwrap().payload["response"]["reason"];
    assert_eq!(reason, "ClientJoinRateLimitReached: Too many joins per second");
    assert!(replies.iter().any(|reply| reply.payload["status"] == "ok"));
    app.stop().await;
}

/// A thousand joins of private channels at once, each of which asks the policies.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_joins_of_one_user_at_once_hold_up_nobody_else() {
    const SOCKETS: usize = 20;
    const JOINS: usize = 50;
    let app = start(&[("realtime_joins", "0"), ("realtime_channels", "0")]).await;
    admit(&app, ALICE, "of alice", true).await;
    let connect = |_| RealtimeSocket::connect(&app, &User::Is(BOB), Vsn::Two);
    let mut sockets = futures::future::join_all((0..SOCKETS).map(connect)).await;
    let flood = sockets.iter_mut().map(async |socket| {
        for n in 0..JOINS {
            socket.push(&json!(null), &format!("realtime:{n}"), "phx_join", json!({"config": private()})).await;
        }
    });
    let others = async {
        let mut alice = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
        alice.joined("of alice", private()).await;
        for _ in 0..20 {
            let answer = app.get(&User::Is(ALICE), "/rest/v1/members?select=topic").await;
            assert_eq!((answer.status, answer.json), (200, json!([{"topic": "of alice"}])));
        }
    };
    tokio::join!(futures::future::join_all(flood), others);
    for socket in &mut sockets {
        for _ in 0..JOINS {
            let reply = socket.event("phx_reply").await;
            assert_eq!(reply.payload["status"], "error", "{:?}", reply.payload);
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_has_so_many_channels() {
    let app = start(&[("realtime_channels", "3")]).await;
    let mut socket = RealtimeSocket::connect(&app, &User::Anon, Vsn::One).await;
    for n in 0..3 {
        socket.joined(&n.to_string(), public()).await;
    }
    let reason = socket.refused("4", json!({"config": public()})).await;
    assert_eq!(reason, "ChannelRateLimitReached: Too many channels");
    socket.joined("1", public()).await;
    let left = socket.push(&json!(null), "realtime:2", "phx_leave", json!({})).await;
    socket.reply_to(&left).await;
    socket.joined("4", public()).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_and_a_host_have_so_many_sockets_and_get_them_back() {
    let app = start(&[("realtime_sockets", "5"), ("realtime_sockets_user", "2")]).await;
    let open = async |user: &User| {
        let query = format!("apikey={}&vsn=2.0.0", key_of(user));
        RealtimeSocket::open(&app, &query, Vsn::Two).await
    };
    let (alice, bob) = (User::Is(ALICE), User::Is(BOB));
    let first = open(&alice).await.unwrap();
    let _second = open(&alice).await.unwrap();
    assert_eq!(open(&alice).await.err(), Some(429));
    let _bobs = [open(&bob).await.unwrap(), open(&bob).await.unwrap()];
    let _anons = open(&User::Anon).await.unwrap();
    assert_eq!(open(&User::Service).await.err(), Some(503), "the host has all that it may have");
    drop(first);
    eventually("a place is free", async || open(&alice).await.is_ok()).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_loses_the_channel() {
    let app = start(&[("realtime_messages", "5"), ("realtime_presences", "3")]).await;
    let mut socket = RealtimeSocket::connect(&app, &User::Is(ALICE), Vsn::Two).await;
    let join_ref = socket.joined("room", json!({})).await;
    for _ in 0..50 {
        socket.broadcast(&join_ref, "room", "e", json!({})).await;
    }
    let system = socket.event("system").await;
    assert_eq!(system.payload["message"], "Too many messages per second");
    assert_eq!(socket.event("phx_close").await.reference, join_ref);

    let mut socket = RealtimeSocket::connect(&app, &User::Is(BOB), Vsn::Two).await;
    let join_ref = socket.joined("room", json!({})).await;
    for n in 0..50 {
        let track = json!({"type": "presence", "event": "track", "payload": {"n": n}});
        socket.push(&join_ref, "realtime:room", "presence", track).await;
    }
    assert_eq!(socket.event("system").await.payload["message"], "Too many presence messages per second");
    socket.event("phx_close").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_refused_and_a_frame_closes_the_socket() {
    let app = start(&[("realtime_max_message_bytes", "2000")]).await;
    let mut socket = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    let join_ref = socket.joined("room", public()).await;
    for (size, status) in [(1_900, "ok"), (2_100, "error")] {
        let sent = socket.broadcast(&join_ref, "room", "e", json!("x".repeat(size))).await;
        assert_eq!(socket.reply_to(&sent).await.payload["status"], status);
    }
    let sent = socket.broadcast(&join_ref, "room", &"e".repeat(256), json!({})).await;
    assert_eq!(socket.reply_to(&sent).await.payload["status"], "error");
    socket.broadcast(&join_ref, "room", "e", json!("x".repeat(200_000))).await;
    assert_eq!(socket.closed().await.0, 1009);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_does_not_read_is_cut_off_and_holds_up_nobody() {
    let app = start(&[
        ("realtime_messages", "0"),
        ("realtime_max_message_bytes", "100000"),
        ("realtime_max_waiting_bytes", "500000"),
    ])
    .await;
    let mut idle = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    idle.joined("room", public()).await;
    let _idle = idle.stop_reading();
    let mut hearer = RealtimeSocket::connect(&app, &User::Anon, Vsn::One).await;
    hearer.joined("room", public()).await;
    let mut sender = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
    let join_ref = sender.joined("room", public()).await;
    let text = "x".repeat(90_000);
    // Far more than the buffers of a connection and what may wait for it.
    for n in 0..300 {
        let sent = sender.broadcast(&join_ref, "room", "e", json!({"n": n, "text": text})).await;
        assert_eq!(sender.reply_to(&sent).await.payload["status"], "ok");
        assert_eq!(hearer.event("broadcast").await.payload["payload"]["n"], n);
    }
    let cut = "behalf_realtime_slow_sockets_total 1";
    eventually("the socket is cut off", async || metrics(&app).await.contains(cut)).await;
    app.stop().await;
}

async fn metrics(app: &App) -> String {
    app.get(&User::Service, "/metrics").await.text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_sends_its_clients_away() {
    let app = start(&[]).await;
    let mut sockets = Vec::new();
    for _ in 0..40 {
        let mut socket = RealtimeSocket::connect(&app, &User::Anon, Vsn::Two).await;
        socket.joined("room", public()).await;
        sockets.push(socket);
    }
    let stopped = tokio::spawn(app.stop());
    for socket in &mut sockets {
        assert_eq!(socket.closed().await, (1012, "the server restarts".to_owned()));
    }
    stopped.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_clients_come_back_at_once_and_all_join() {
    const CLIENTS: usize = 2_000;
    let (soft, hard) = rlimit::getrlimit(rlimit::Resource::NOFILE).unwrap();
    rlimit::setrlimit(rlimit::Resource::NOFILE, hard.min(soft.max(20_000)), hard).unwrap();
    let app = start(&[
        ("realtime_joins", "0"),
        ("realtime_sockets_user", "0"),
        ("rate_limit_anon", "0"),
        ("rate_limit_project", "0"),
    ])
    .await;
    for round in 0..2 {
        let app = &app;
        let clients = futures::stream::iter(0..CLIENTS).map(|n| async move {
            let mut socket = RealtimeSocket::connect(app, &User::Anon, Vsn::BOTH[n % 2]).await;
            socket.joined(&format!("room {}", n % 10), public()).await;
            socket
        });
        let mut sockets: Vec<_> = clients.buffer_unordered(200).collect().await;
        assert_eq!(sockets.len(), CLIENTS);
        let answer = app
            .post(
                &User::Service,
                "/realtime/v1/api/broadcast",
                json!({"messages": (0..10).map(|n| {
                json!({"topic": format!("room {n}"), "event": "e", "payload": {"round": round}})
            }).collect::<Vec<_>>()}),
            )
            .await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        for socket in &mut sockets {
            assert_eq!(socket.event("broadcast").await.payload["payload"]["round"], round);
        }
        drop(sockets);
    }
    eventually("all are gone", async || metrics(&app).await.contains("behalf_realtime_sockets 0")).await;
    tokio::time::timeout(Duration::from_mins(1), app.stop()).await.unwrap();
}
