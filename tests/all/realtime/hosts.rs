//! Several hosts on one database: what is sent at one is heard at all, once and in order, whatever happens to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use behalf_config::environment;
use behalf_local_postgres::{LocalOptions, LocalPostgres};
use behalf_tests::database::run;
use behalf_tests::{
    ALICE, App, BOB, HostProcess, KillableServer, Options, RealtimeSocket, TestDatabase, User, Vsn, eventually,
};
use futures::future::join_all;
use serde_json::{Value, json};

use super::bed::{admit, private, public, start};

/// Hosts that are on the list.
const HOSTS: &str = "select count(*) from behalf.realtime_hosts";

/// Settings of hosts whose callers may send as fast as they can.
const FAST: [(&str, &str); 2] = [("realtime_messages", "0"), ("realtime_presences", "0")];

/// So many hosts on one database, whose private channels are for their members.
async fn hosts(count: usize) -> Vec<App> {
    let mut all = vec![start(&FAST).await];
    while all.len() < count {
        all.push(beside(&all[0]).await);
    }
    all
}

/// Another host on the same database.
async fn beside(host: &App) -> App {
    on(&host.database).await
}

async fn on(database: &TestDatabase) -> App {
    // After an outage, what was kept comes at once: more than waits for a socket otherwise.
    let waiting = [("realtime_max_waiting_bytes", "100000000")];
    let settings = FAST.iter().chain(&waiting).map(|(name, value)| (*name, (*value).to_owned())).collect();
    App::on(database.clone(), Options { settings }).await
}

/// A socket that has joined, and the reference of its join.
async fn member(host: &App, user: &User, topic: &str, config: Value) -> (RealtimeSocket, Value) {
    let mut socket = RealtimeSocket::connect(host, user, Vsn::Two).await;
    let join_ref = socket.joined(topic, config).await;
    (socket, join_ref)
}

/// Sends, and waits until the host has taken it.
async fn say(socket: &mut RealtimeSocket, join_ref: &Value, topic: &str, payload: Value) {
    let sent = socket.broadcast(join_ref, topic, "e", payload).await;
    let reply = socket.reply_to(&sent).await;
    assert_eq!(reply.payload["status"], "ok", "{}", reply.payload);
}

/// Payloads of broadcasts up to the first that has `end`, which is not among them.
async fn heard_until(socket: &mut RealtimeSocket, end: &Value) -> Vec<Value> {
    let mut heard = Vec::new();
    loop {
        let payload = socket.event("broadcast").await.payload["payload"].take();
        if payload["end"] == *end {
            return heard;
        }
        heard.push(payload);
    }
}

/// Numbers of payloads.
fn numbers(payloads: &[Value]) -> Vec<i64> {
    payloads.iter().map(|payload| payload["n"].as_i64().unwrap_or_else(|| panic!("{payload}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_send_at_three_hosts_is_heard_at_all_of_them_once_and_in_order() {
    const EACH: i64 = 150;
    let all = hosts(3).await;
    let mut hearers = Vec::new();
    for host in &all {
        hearers.push(member(host, &User::Is(ALICE), "room", public()).await.0);
    }
    let mut senders = Vec::new();
    for (name, host) in all.iter().cycle().take(6).enumerate() {
        senders.push((name, member(host, &User::Is(BOB), "room", public()).await));
    }
    let sending = senders.into_iter().map(async |(name, (mut socket, join_ref))| {
        for n in 0..EACH {
            // Not each is waited for: several are under way at once.
            socket.broadcast(&join_ref, "room", "e", json!({"from": name, "n": n})).await;
        }
        socket.heartbeat().await;
        say(&mut socket, &join_ref, "room", json!({"from": name, "n": EACH})).await;
        socket
    });
    // Their sockets stay open.
    let _senders = join_all(sending).await;
    for hearer in &mut hearers {
        let mut of_each = BTreeMap::<i64, Vec<i64>>::new();
        while of_each.values().filter(|numbers| numbers.last() == Some(&EACH)).count() < 6 {
            let payload = hearer.event("broadcast").await.payload["payload"].take();
            of_each.entry(payload["from"].as_i64().unwrap()).or_default().push(payload["n"].as_i64().unwrap());
        }
        let complete: Vec<i64> = (0..=EACH).collect();
        assert!(of_each.values().all(|numbers| *numbers == complete), "{of_each:?}");
        assert!(hearer.until_now().await.is_empty(), "nothing comes twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_alone_writes_nothing_for_others() {
    let host = start(&[]).await;
    let (mut one, join_ref) = member(&host, &User::Is(ALICE), "room", public()).await;
    let (mut two, _) = member(&host, &User::Is(BOB), "room", public()).await;
    for n in 0..10 {
        say(&mut one, &join_ref, "room", json!({ "n": n })).await;
        assert_eq!(two.event("broadcast").await.payload["payload"]["n"], n);
    }
    let written: i64 = host
        .database
        .value("select last_value from behalf.realtime_bus_seq_seq where is_called union all select 0 limit 1")
        .await;
    assert_eq!(written, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_messages_whose_transactions_commit_out_of_order_are_heard_once_at_every_host() {
    let all = hosts(2).await;
    let database = &all[0].database;
    let mut hearers = Vec::new();
    for host in &all {
        admit(host, ALICE, "room", true).await;
        hearers.push(member(host, &User::Is(ALICE), "room", private()).await.0);
    }
    let send = |n: i64| format!("select realtime.send('{{\"n\": {n}}}', 'e', 'room', true)");
    let (mut early, mut late) = (database.owner().await, database.owner().await);
    run(&mut early, &format!("begin; {}; {}", send(1), send(2))).await;
    run(&mut late, &send(3)).await;
    for hearer in &mut hearers {
        assert_eq!(hearer.event("broadcast").await.payload["payload"]["n"], 3);
    }
    // What another transaction of the same time never commits is heard by nobody.
    let mut never = database.owner().await;
    run(&mut never, &format!("begin; {}", send(100))).await;
    run(&mut late, &send(4)).await;
    for hearer in &mut hearers {
        assert_eq!(hearer.event("broadcast").await.payload["payload"]["n"], 4);
    }
    run(&mut early, "commit").await;
    run(&mut never, "rollback").await;
    for hearer in &mut hearers {
        for n in [1, 2] {
            assert_eq!(hearer.event("broadcast").await.payload["payload"]["n"], n);
        }
    }
    run(&mut late, "select realtime.send('{\"end\": 1}', 'e', 'room', true)").await;
    for hearer in &mut hearers {
        assert!(heard_until(hearer, &json!(1)).await.is_empty());
        assert!(hearer.until_now().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_whose_connections_end_cost_no_message() {
    const LISTENERS: &str =
        "from pg_stat_activity where datname = current_database() and query like 'LISTEN%behalf_realtime%'";
    let all = hosts(2).await;
    let database = &all[0].database;
    let (mut one, join_ref) = member(&all[0], &User::Is(ALICE), "room", public()).await;
    let (mut two, _) = member(&all[1], &User::Is(BOB), "room", public()).await;
    let listen = format!("select count(*) {LISTENERS}");
    for round in 0..3 {
        eventually("both hosts listen", async || database.value::<i64>(&listen).await == 2).await;
        let ended: i64 = database.value(&format!("select count(pg_terminate_backend(pid)) {LISTENERS}")).await;
        assert_eq!(ended, 2);
        for n in 0..10 {
            say(&mut one, &join_ref, "room", json!({ "n": round * 10 + n })).await;
        }
        say(&mut one, &join_ref, "room", json!({ "end": round })).await;
        let expected: Vec<i64> = (round * 10..round * 10 + 10).collect();
        assert_eq!(numbers(&heard_until(&mut two, &json!(round)).await), expected);
    }
    assert!(two.until_now().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_reach_the_other_hosts_whole() {
    let all = hosts(2).await;
    let (mut one, join_ref) = member(&all[0], &User::Is(ALICE), "room", public()).await;
    let (mut two, _) = member(&all[1], &User::Is(BOB), "room", public()).await;
    for size in [1_000, 200_000, 1_000_000] {
        let numbers: Vec<String> = (0..size / 4).map(|n| format!("{:04}", n % 10_000)).collect();
        let text = numbers.concat();
        for _ in 0..3 {
            say(&mut one, &join_ref, "room", json!({ "text": text })).await;
            assert_eq!(two.event("broadcast").await.payload["payload"]["text"], text);
        }
        let stored = format!("select realtime.send(jsonb_build_object('text', '{text}'), 'e', 'room', false)");
        all[0].database.execute(&stored).await;
        for hearer in [&mut one, &mut two] {
            assert_eq!(hearer.event("broadcast").await.payload["payload"]["text"], text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_message_does_not_reach_the_public_room_of_its_topic_at_another_host() {
    let all = hosts(2).await;
    admit(&all[0], ALICE, "room", true).await;
    let (mut inside, inside_ref) = member(&all[0], &User::Is(ALICE), "room", private()).await;
    let (mut outside, outside_ref) = member(&all[0], &User::Is(BOB), "room", public()).await;
    let (mut hears_inside, _) = member(&all[1], &User::Is(ALICE), "room", private()).await;
    let (mut hears_outside, _) = member(&all[1], &User::Is(BOB), "room", public()).await;
    say(&mut inside, &inside_ref, "room", json!({"n": 1})).await;
    say(&mut outside, &outside_ref, "room", json!({"n": 2})).await;
    for (n, is_private) in [(3, true), (4, false)] {
        let stored = format!("select realtime.send('{{\"n\": {n}}}', 'e', 'room', {is_private})");
        all[0].database.execute(&stored).await;
    }
    say(&mut inside, &inside_ref, "room", json!({"end": true})).await;
    say(&mut outside, &outside_ref, "room", json!({"end": true})).await;
    for (hearer, mut expected) in [(&mut hears_inside, vec![1, 3]), (&mut hears_outside, vec![2, 4])] {
        // Broadcasts and stored messages come on two ways.
        let mut heard = numbers(&heard_until(hearer, &json!(true)).await);
        while heard.len() < expected.len() {
            heard.push(hearer.event("broadcast").await.payload["payload"]["n"].as_i64().unwrap());
        }
        heard.sort_unstable();
        expected.sort_unstable();
        assert_eq!(heard, expected);
        assert!(hearer.until_now().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_starts_hears_everything_that_is_sent_after_its_first_join() {
    let first = start(&FAST).await;
    let (mut sender, join_ref) = member(&first, &User::Is(ALICE), "room", public()).await;
    let (taken, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let sending = async {
        while !stop.load(Ordering::SeqCst) {
            let n = taken.load(Ordering::SeqCst) + 1;
            say(&mut sender, &join_ref, "room", json!({ "n": n })).await;
            taken.store(n, Ordering::SeqCst);
            // Who joined first reads last: what waits until then must fit.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        say(&mut sender, &join_ref, "room", json!({"end": true})).await;
    };
    let starting = async {
        let mut heard = Vec::new();
        for _ in 0..3 {
            let host = beside(&first).await;
            let (hearer, _) = member(&host, &User::Is(BOB), "room", public()).await;
            let joined_at = taken.load(Ordering::SeqCst);
            eventually("more is sent", async || taken.load(Ordering::SeqCst) > joined_at + 20).await;
            heard.push((host, hearer, joined_at));
        }
        stop.store(true, Ordering::SeqCst);
        heard
    };
    let ((), heard) = futures::join!(sending, starting);
    let last = taken.load(Ordering::SeqCst);
    for (_host, mut hearer, joined_at) in heard {
        let numbers = numbers(&heard_until(&mut hearer, &json!(true)).await);
        // The one that was on its way at the join may be among them.
        let first = *numbers.first().unwrap();
        assert!(u64::try_from(first).unwrap() <= joined_at + 2, "from {first}; joined at {joined_at}");
        assert_eq!(numbers, (first..=i64::try_from(last).unwrap()).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_taken_for_dead_registers_again_and_both_hear_each_other() {
    let all = hosts(2).await;
    let database = &all[0].database;
    let (mut one, one_ref) = member(&all[0], &User::Is(ALICE), "room", public()).await;
    let (mut two, two_ref) = member(&all[1], &User::Is(BOB), "room", public()).await;
    let registered: Vec<String> = hosts_of(database).await;
    for _ in 0..2 {
        database.execute("delete from behalf.realtime_hosts").await;
        eventually("both are on the list again", async || hosts_of(database).await == registered).await;
        // Each looked perhaps while the other was not on the list. Who joins now misses nothing any more, at either of them.
        let (mut late_two, _) = member(&all[1], &User::Is(BOB), "room", public()).await;
        let (mut late_one, _) = member(&all[0], &User::Is(BOB), "room", public()).await;
        say(&mut one, &one_ref, "room", json!({"late": 1})).await;
        assert_eq!(late_two.event("broadcast").await.payload["payload"]["late"], 1);
        say(&mut two, &two_ref, "room", json!({"late": 2})).await;
        assert_eq!(late_one.event("broadcast").await.payload["payload"]["late"], 1);
        assert_eq!(late_one.event("broadcast").await.payload["payload"]["late"], 2);
        say(&mut one, &one_ref, "room", json!({"end": 1})).await;
        heard_until(&mut two, &json!(1)).await;
        say(&mut two, &two_ref, "room", json!({"end": 2})).await;
        heard_until(&mut one, &json!(2)).await;
    }
}

/// Ids of the hosts that are on the list.
async fn hosts_of(database: &TestDatabase) -> Vec<String> {
    database.value("select coalesce(array_agg(host::text order by host), '{}') from behalf.realtime_hosts").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_leaves_the_list_at_once() {
    let mut all = hosts(2).await;
    assert_eq!(all[0].database.value::<i64>(HOSTS).await, 2);
    let database = all.remove(1).stop().await;
    assert_eq!(database.value::<i64>(HOSTS).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_messages_are_kept_up_to_a_bound_and_then_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = |port| LocalOptions {
        dir: folder.path().join("postgres"),
        bin_dir: environment("BEHALF_POSTGRES_BIN").map(PathBuf::from),
        port,
        settings: Vec::new(),
    };
    let local = LocalPostgres::start(&options(None)).await.unwrap();
    let port = local.port();
    let database = TestDatabase::create_on(&local.owner_url()).await;
    let all = [on(&database).await, on(&database).await];
    let (mut one, join_ref) = member(&all[0], &User::Is(ALICE), "room", public()).await;
    let (mut two, _) = member(&all[1], &User::Is(BOB), "room", public()).await;
    say(&mut one, &join_ref, "room", json!({"end": 0})).await;
    heard_until(&mut two, &json!(0)).await;
    local.stop().await.unwrap();
    let large = "x".repeat(900_000);
    let mut taken = 0;
    let refused = loop {
        let sent = one.broadcast(&join_ref, "room", "e", json!({"n": taken, "text": large})).await;
        let reply = one.reply_to(&sent).await.payload;
        if reply["status"] != "ok" {
            break reply;
        }
        taken += 1;
        assert!(taken < 100, "more is kept than memory should hold");
    };
    assert!(taken > 3, "{taken} were kept");
    assert_eq!(refused["status"], "error");
    let again = LocalPostgres::start(&options(Some(port))).await.unwrap();
    eventually("messages are taken again", async || {
        let sent = one.broadcast(&join_ref, "room", "e", json!({"end": 1})).await;
        one.reply_to(&sent).await.payload["status"] == "ok"
    })
    .await;
    assert_eq!(numbers(&heard_until(&mut two, &json!(1)).await), (0..taken).collect::<Vec<_>>());
    drop(all);
    again.discard().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_costs_no_stored_message_and_hosts_hear_each_other_again() {
    let mut server = KillableServer::start().await;
    let database = TestDatabase::create_on(&server.owner_url()).await;
    let all = [on(&database).await, on(&database).await];
    let mut members = Vec::new();
    for host in &all {
        members.push(member(host, &User::Is(ALICE), "room", public()).await);
    }
    for round in 0..2 {
        // The last are stored and perhaps not read when it dies.
        for n in 0..20 {
            let stored = format!("select realtime.send('{{\"n\": {n}}}', 'e', 'room', false)");
            database.execute(&stored).await;
        }
        server = server.kill().await;
        eventually("the hosts are registered", async || {
            let url = database.owner_url();
            let Ok(mut conn) = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await else { return false };
            let marks = "select count(*) from behalf.realtime_presence where key = ''";
            sqlx::query_scalar::<_, i64>(marks).fetch_one(&mut conn).await.is_ok_and(|count| count == 2)
        })
        .await;
        database.execute(&format!("select realtime.send('{{\"end\": {round}}}', 'e', 'room', false)")).await;
        for (socket, _) in &mut members {
            assert_eq!(numbers(&heard_until(socket, &json!(round)).await), (0..20).collect::<Vec<_>>());
        }
        for from in 0..2 {
            let (end, (socket, join_ref)) = (json!(format!("{round} from {from}")), &mut members[from]);
            say(socket, join_ref, "room", json!({ "end": end })).await;
            heard_until(&mut members[1 - from].0, &end).await;
        }
    }
    drop(all);
    server.discard().await;
}

async fn hearer(url: &str, since: u128) -> RealtimeSocket {
    let mut socket = RealtimeSocket::at(url, &User::Is(ALICE), Vsn::Two).await;
    let replay = json!({"private": true, "broadcast": {"replay": {"since": since, "limit": 25}}});
    socket.joined("room", replay).await;
    socket
}

/// Now, with a second to spare, in milliseconds since 1970.
fn a_moment_ago() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() - 1_000
}

#[tokio::test(flavor = "multi_thread")]
async fn no_stored_message_is_lost_to_a_client_whose_host_is_killed_again_and_again() {
    const KILLS: usize = 20;
    let stays = start(&[]).await;
    admit(&stays, ALICE, "room", true).await;
    let (sent, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let sending = async {
        let mut owner = stays.database.owner().await;
        while !stop.load(Ordering::SeqCst) {
            let n = sent.load(Ordering::SeqCst) + 1;
            run(&mut owner, &format!("select realtime.send('{{\"n\": {n}}}', 'e', 'room', true)")).await;
            sent.store(n, Ordering::SeqCst);
            // Joins at a new host wait for six seconds after another was killed, and 25 messages at most are replayed.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let more = async || {
        let before = sent.load(Ordering::SeqCst);
        eventually("more is sent", async || sent.load(Ordering::SeqCst) > before + 1).await;
    };
    let hearing = async {
        let mut all = BTreeSet::new();
        let mut since = a_moment_ago();
        for _ in 0..KILLS {
            // The client is at the host that stays until there is another again.
            let (mut here, next) = (hearer(&stays.url, since).await, HostProcess::start(&stays.database, &[]));
            let mut dies = next.await;
            since = a_moment_ago();
            all.extend(here.until_now().await.iter().filter_map(|message| message.payload["payload"]["n"].as_i64()));
            drop(here);
            let mut there = hearer(&dies.url.clone(), since).await;
            let killing = async {
                more().await;
                // Not all that it hears: the client is there, and has heard the last ones or not.
                since = a_moment_ago();
                dies.kill();
            };
            let (_, ()) = futures::join!(there.closed(), killing);
            all.extend(there.kept().iter().filter_map(|message| message.payload["payload"]["n"].as_i64()));
        }
        let mut last = hearer(&stays.url, since).await;
        stop.store(true, Ordering::SeqCst);
        let count = i64::try_from(sent.load(Ordering::SeqCst)).unwrap();
        while !all.contains(&count) {
            all.extend(last.event("broadcast").await.payload["payload"]["n"].as_i64());
        }
        all
    };
    let ((), heard) = futures::join!(sending, hearing);
    let count = i64::try_from(sent.load(Ordering::SeqCst)).unwrap();
    let lost: Vec<i64> = (1..=count).filter(|n| !heard.contains(n)).collect();
    assert!(lost.iter().all(|n| *n > count - 2), "{lost:?} of {count} were lost");
    eventually("dead hosts are not on the list", async || stays.database.value::<i64>(HOSTS).await == 1).await;
}
