//! Who is in a room: on one host and on several, and when one of them dies.

use std::collections::BTreeMap;

use behalf_tests::{
    ALICE, App, BOB, FromHost, HostProcess, KillableServer, Options, RealtimeSocket, TestDatabase, User, Vsn,
    eventually,
};
use futures::future::join_all;
use serde_json::{Value, json};

use super::bed::{admit, start};

/// Keys, and what is tracked under each by reference.
type Present = BTreeMap<String, BTreeMap<String, Value>>;

/// What tests call a private and a public room.
const ROOM: &str = "room";

/// A host whose callers may change what they track as often as they like.
async fn host() -> App {
    start(&[("realtime_presences", "0"), ("realtime_joins", "0"), ("realtime_sockets_user", "0")]).await
}

/// Another host on the same database.
async fn beside(host: &App) -> App {
    on(&host.database).await
}

async fn on(database: &TestDatabase) -> App {
    let names = ["realtime_presences", "realtime_joins", "realtime_sockets_user"];
    App::on(database.clone(), Options { settings: names.map(|name| (name, "0".to_owned())).to_vec() }).await
}

/// A client that knows who is there as its messages tell it.
struct Client {
    socket: RealtimeSocket,
    join_ref: Value,
    present: Present,
}

/// The metas of a message, by key and reference.
fn metas(map: &Value) -> impl Iterator<Item = (&String, &str, &Value)> {
    let keys = map.as_object().unwrap_or_else(|| panic!("{map}"));
    keys.iter().flat_map(|(key, value)| {
        let metas = value["metas"].as_array().unwrap_or_else(|| panic!("{value}"));
        metas.iter().map(move |meta| (key, meta["phx_ref"].as_str().unwrap_or_else(|| panic!("{meta}")), meta))
    })
}

impl Client {
    /// Joins with this key, and hears who is there.
    async fn enter(mut socket: RealtimeSocket, key: &str, is_private: bool) -> Self {
        let config = json!({"private": is_private, "presence": {"key": key, "enabled": true}});
        let join_ref = socket.joined(ROOM, config).await;
        let state = socket.event("presence_state").await.payload;
        // What came before the state is older than it.
        let earlier = socket.kept();
        assert!(earlier.iter().all(|message| matches!(&*message.event, "presence_diff" | "system")), "{earlier:?}");
        let mut present = Present::new();
        for (key, reference, meta) in metas(&state) {
            assert!(present.entry(key.clone()).or_default().insert(reference.to_owned(), meta.clone()).is_none());
        }
        Self { socket, join_ref, present }
    }

    async fn at(host: &App, user: &User, key: &str) -> Self {
        Self::enter(RealtimeSocket::connect(host, user, Vsn::Two).await, key, false).await
    }

    /// Tracks; the reply.
    async fn try_track(&mut self, meta: Value) -> Value {
        let payload = json!({"type": "presence", "event": "track", "payload": meta});
        let sent = self.socket.push(&self.join_ref, &format!("realtime:{ROOM}"), "presence", payload).await;
        self.socket.reply_to(&sent).await.payload
    }

    async fn track(&mut self, meta: Value) {
        let reply = self.try_track(meta).await;
        assert_eq!(reply["status"], "ok", "{reply}");
    }

    async fn untrack(&mut self) {
        let payload = json!({"type": "presence", "event": "untrack"});
        let sent = self.socket.push(&self.join_ref, &format!("realtime:{ROOM}"), "presence", payload).await;
        assert_eq!(self.socket.reply_to(&sent).await.payload["status"], "ok");
    }

    /// The next diff, which has to fit to what is known: nobody comes who is there, and nobody goes who is not.
    async fn diff(&mut self) -> Value {
        let diff = self.socket.event("presence_diff").await;
        self.apply(&diff);
        diff.payload
    }

    fn apply(&mut self, diff: &FromHost) {
        let diff = &diff.payload;
        for (key, reference, meta) in metas(&diff["joins"]) {
            let of_key = self.present.entry(key.clone()).or_default();
            assert!(of_key.insert(reference.to_owned(), meta.clone()).is_none(), "{key} comes twice: {diff}");
        }
        for (key, reference, _) in metas(&diff["leaves"]) {
            let of_key = self.present.get_mut(key).unwrap_or_else(|| panic!("{key} is not there: {diff}"));
            assert!(of_key.remove(reference).is_some(), "{key} goes twice: {diff}");
            if of_key.is_empty() {
                self.present.remove(key);
            }
        }
    }

    /// Hears diffs until this is so.
    async fn until(&mut self, mut is_so: impl FnMut(&Present) -> bool) {
        while !is_so(&self.present) {
            self.diff().await;
        }
    }

    /// What has come until now changes what is known.
    async fn catch_up(&mut self) {
        for message in self.socket.until_now().await {
            if message.event == "presence_diff" {
                self.apply(&message);
            }
        }
    }
}

/// How many metas each key has.
fn counts(present: &Present) -> Vec<(&str, usize)> {
    present.iter().map(|(key, metas)| (key.as_str(), metas.len())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tracks_is_told_to_all_and_a_second_track_replaces_the_first() {
    let one = host().await;
    let two = beside(&one).await;
    for (here, there) in [(&one, &one), (&one, &two), (&two, &one)] {
        let mut alice = Client::at(here, &User::Is(ALICE), "alice").await;
        let mut bob = Client::at(there, &User::Is(BOB), "bob").await;
        assert!(alice.present.is_empty() && bob.present.is_empty(), "{:?}", bob.present);
        alice.track(json!({"status": "online", "n": 1})).await;
        let first = bob.diff().await;
        let meta = &first["joins"]["alice"]["metas"][0];
        assert_eq!((&meta["status"], &first["leaves"]), (&json!("online"), &json!({})), "{first}");
        alice.track(json!({"status": "away"})).await;
        let second = bob.diff().await;
        let again = &second["joins"]["alice"]["metas"][0];
        assert_eq!((&again["status"], &again["phx_ref_prev"]), (&json!("away"), &meta["phx_ref"]), "{second}");
        assert_eq!(second["leaves"]["alice"]["metas"][0]["phx_ref"], meta["phx_ref"], "{second}");
        // The same again is nothing new.
        alice.track(json!({"status": "away"})).await;
        alice.untrack().await;
        let third = bob.diff().await;
        assert_eq!((&third["joins"], counts(&bob.present)), (&json!({}), vec![]), "{third}");
        let mut late = Client::at(there, &User::Is(BOB), "late").await;
        assert!(late.present.is_empty());
        alice.track(json!({"back": true})).await;
        late.until(|present| counts(present) == [("alice", 1)]).await;
        let later = Client::at(there, &User::Is(BOB), "later").await;
        assert_eq!(later.present, late.present);
        // Its socket ends without a word.
        drop(alice);
        late.until(Present::is_empty).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_can_be_shared_and_nobody_ends_the_presence_of_another() {
    let one = host().await;
    let two = beside(&one).await;
    let mut alice = Client::at(&one, &User::Is(ALICE), "shared").await;
    let mut mallory = Client::at(&two, &User::Is(BOB), "shared").await;
    let mut watches = Client::at(&one, &User::Anon, "watches").await;
    alice.track(json!({"who": "alice", "phx_ref": "forged", "phx_ref_prev": "forged"})).await;
    mallory.until(|present| counts(present) == [("shared", 1)]).await;
    let reference = mallory.present["shared"].keys().next().unwrap().clone();
    assert_ne!(reference, "forged");
    assert_eq!(mallory.present["shared"][&reference], json!({"who": "alice", "phx_ref": reference}));
    // Nothing of what it says can name the other's.
    mallory.untrack().await;
    mallory.track(json!({"who": "mallory", "phx_ref": reference})).await;
    watches.until(|present| counts(present) == [("shared", 2)]).await;
    mallory.untrack().await;
    drop(mallory);
    watches.until(|present| counts(present) == [("shared", 1)]).await;
    assert_eq!(watches.present["shared"][&reference]["who"], "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn presences_of_a_private_room_are_not_told_in_the_public_one() {
    let one = host().await;
    let two = beside(&one).await;
    admit(&one, ALICE, ROOM, true).await;
    let connect = async |host: &App, user| RealtimeSocket::connect(host, &User::Is(user), Vsn::Two).await;
    let mut inside = Client::enter(connect(&one, ALICE).await, "inside", true).await;
    let mut outside = Client::enter(connect(&one, BOB).await, "outside", false).await;
    inside.track(json!({})).await;
    outside.track(json!({})).await;
    for host in [&one, &two] {
        let mut hears_inside = Client::enter(connect(host, ALICE).await, "x", true).await;
        let mut hears_outside = Client::enter(connect(host, BOB).await, "x", false).await;
        hears_inside.until(|present| counts(present) == [("inside", 1)]).await;
        hears_outside.until(|present| counts(present) == [("outside", 1)]).await;
        for client in [&mut hears_inside, &mut hears_outside] {
            let known = client.present.clone();
            client.catch_up().await;
            assert_eq!(client.present, known);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tracked_is_bounded_and_may_be_anything_that_json_allows() {
    let one = host().await;
    let two = beside(&one).await;
    let mut alice = Client::at(&one, &User::Is(ALICE), "alice").await;
    let too_large = alice.try_track(json!({"text": "x".repeat(20_000)})).await;
    assert_eq!(too_large["status"], "error", "{too_large}");
    let fits = json!({"text": "x".repeat(10_000), "n": 1e300, "nested": {"a": [null, "\u{1f600}"]}, "": ""});
    alice.track(fits.clone()).await;
    let mut bob = Client::at(&two, &User::Is(BOB), "bob").await;
    bob.until(|present| counts(present) == [("alice", 1)]).await;
    let told = bob.present["alice"].values().next().unwrap();
    assert!(fits.as_object().unwrap().iter().all(|(name, value)| told[name] == *value), "{told}");
}

/// Diffs are told some milliseconds apart, so one of a room that was left may be due when the next client is in.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_all_left_tells_nothing_of_them_to_who_enters_at_once() {
    let host = host().await;
    let topic = format!("realtime:{ROOM}");
    for _ in 0..10 {
        let next = RealtimeSocket::connect(&host, &User::Is(BOB), Vsn::Two).await;
        let mut first = Client::at(&host, &User::Is(ALICE), "first").await;
        first.track(json!({})).await;
        let left = first.socket.push(&first.join_ref, &topic, "phx_leave", json!({})).await;
        first.socket.reply_to(&left).await;
        let mut next = Client::enter(next, "next", false).await;
        next.track(json!({})).await;
        next.until(|present| counts(present) == [("next", 1)]).await;
        // What was due would have come by now.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        next.catch_up().await;
        let left = next.socket.push(&next.join_ref, &topic, "phx_leave", json!({})).await;
        next.socket.reply_to(&left).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_enters_while_others_come_and_go_misses_nothing_and_hears_nothing_twice() {
    const COME_AND_GO: usize = 6;
    const ENTER: usize = 12;
    let one = host().await;
    let hosts = [&one, &beside(&one).await];
    let coming_and_going = (0..COME_AND_GO).map(async |number| {
        let host = hosts[number % 2];
        for n in 0..15 {
            let mut client = Client::at(host, &User::Is(ALICE), &format!("comes {number}")).await;
            client.track(json!({ "n": n })).await;
            match n % 3 {
                0 => client.untrack().await,
                1 => client.track(json!({"n": n, "again": true})).await,
                // It goes with its socket.
                _ => {}
            }
        }
        let mut stays = Client::at(host, &User::Is(ALICE), &format!("stays {number}")).await;
        stays.track(json!({ "number": number })).await;
        stays
    });
    let entering = (0..ENTER).map(async |number| {
        tokio::time::sleep(std::time::Duration::from_millis(15 * number as u64)).await;
        Client::at(hosts[number % 2], &User::Is(BOB), "enters").await
    });
    let (mut stay, mut entered) = futures::join!(join_all(coming_and_going), join_all(entering));
    let all = |present: &Present| {
        present.len() == COME_AND_GO && present.iter().all(|(key, metas)| key.starts_with("stays") && metas.len() == 1)
    };
    for client in entered.iter_mut().chain(&mut stay) {
        client.until(all).await;
    }
    let mut known: Vec<_> = entered.iter().chain(&stay).map(|client| client.present.clone()).collect();
    known.dedup();
    assert_eq!(known.len(), 1, "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_at_a_host_that_is_killed_goes_and_is_there_once_when_they_come_back_elsewhere() {
    const STORED: &str = "select count(*) from behalf.realtime_presence where key <> ''";
    let stays = host().await;
    let other = beside(&stays).await;
    let mut dies = HostProcess::start(&stays.database, &[]).await;
    let at = async |url: &str, key: &str| {
        Client::enter(RealtimeSocket::at(url, &User::Is(BOB), Vsn::Two).await, key, false).await
    };
    let mut watches =
        [Client::at(&stays, &User::Is(ALICE), "w1").await, Client::at(&other, &User::Is(ALICE), "w2").await];
    let mut lost = at(&dies.url, "lost").await;
    let mut returns = at(&dies.url, "returns").await;
    lost.track(json!({"at": "the host that dies"})).await;
    returns.track(json!({"at": "the host that dies"})).await;
    for client in &mut watches {
        client.until(|present| counts(present) == [("lost", 1), ("returns", 1)]).await;
    }
    dies.kill();
    let mut returned = at(&stays.url, "returns").await;
    returned.track(json!({"at": "the host that stays"})).await;
    for client in &mut watches {
        client
            .until(|present| {
                let is_back =
                    |metas: &BTreeMap<String, Value>| metas.values().all(|meta| meta["at"] == "the host that stays");
                counts(present) == [("returns", 1)] && is_back(&present["returns"])
            })
            .await;
    }
    for host in [&stays, &other] {
        let late = Client::at(host, &User::Is(ALICE), "late").await;
        assert_eq!(late.present, watches[0].present);
    }
    eventually("the table is right", async || stays.database.value::<i64>(STORED).await == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_were_taken_for_dead_and_a_database_that_crashes_lose_no_presence() {
    let mut server = KillableServer::start().await;
    let database = TestDatabase::create_on(&server.owner_url()).await;
    let hosts = [on(&database).await, on(&database).await];
    let mut tracked = Vec::new();
    for (host, key) in hosts.iter().zip(["one", "two"]) {
        let mut client = Client::at(host, &User::Is(ALICE), key).await;
        client.track(json!({ "key": key })).await;
        tracked.push(client);
    }
    let both = [("one", 1), ("two", 1)];
    for client in &mut tracked {
        client.until(|present| counts(present) == both).await;
    }
    for _ in 0..2 {
        database.execute("delete from behalf.realtime_hosts; delete from behalf.realtime_presence").await;
        are_everywhere(&database, &hosts, &both).await;
        server = server.kill().await;
        are_everywhere(&database, &hosts, &both).await;
    }
    // Those who were there before may have seen others go and come, and end with the same.
    for client in &mut tracked {
        eventually("all are there", async || {
            client.catch_up().await;
            counts(&client.present) == both
        })
        .await;
    }
    drop(hosts);
    server.discard().await;
}

/// Waits until the table has these presences again, and whoever enters sees them at every host.
async fn are_everywhere(database: &TestDatabase, hosts: &[App], expected: &[(&str, usize)]) {
    let count = i64::try_from(expected.len()).unwrap();
    eventually("they are stored", async || {
        let Ok(mut conn) = <sqlx::PgConnection as sqlx::Connection>::connect(&database.owner_url()).await else {
            return false;
        };
        let stored = "select count(*) from behalf.realtime_presence p join behalf.realtime_hosts h using (host) where p.key <> ''";
        sqlx::query_scalar::<_, i64>(stored).fetch_one(&mut conn).await.is_ok_and(|stored| stored == count)
    })
    .await;
    for host in hosts {
        eventually("they are told to who enters", async || {
            let late = Client::at(host, &User::Is(BOB), "late").await;
            counts(&late.present) == expected
        })
        .await;
    }
}
