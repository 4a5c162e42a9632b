//! Every frame of both protocols, and frames that are none.

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::decode;
use super::encode::{self, Outgoing};
use super::*;
use crate::channel::{Encoded, Frame};
use crate::event::{Broadcast, PresenceDiff, PresenceMeta, PresenceState};
use crate::room::Room;

fn read(text: &str, version: Version) -> Result<Incoming, decode::NotAMessage> {
    decode::text(&Bytes::copy_from_slice(text.as_bytes()), version)
}

fn content(incoming: &Incoming) -> String {
    match &incoming.content {
        Content::Json(json) => String::from_utf8_lossy(json).into_owned(),
        other => format!("{other:?}"),
    }
}

fn text_of(frame: &Frame) -> Value {
    match frame {
        Frame::Text(bytes) => serde_json::from_slice(bytes).expect("JSON"),
        Frame::Binary(_) => panic!("a binary frame"),
    }
}

fn binary_frame(kind: u8, names: &[&[u8]], other: &[u8], payload: &[u8]) -> Bytes {
    let lengths = names.iter().map(|name| u8::try_from(name.len()).expect("a short name"));
    let mut frame: Vec<u8> = std::iter::once(kind).chain(lengths).collect();
    frame.extend_from_slice(other);
    frame.extend(names.iter().copied().flatten());
    frame.extend_from_slice(payload);
    frame.into()
}

#[test]
fn a_message_means_the_same_in_both_versions() {
    let old = read(
        r#"{"topic":"realtime:a","event":"phx_join","payload":{"config": {}},"ref":"1","join_ref":"1"}"#,
        Version::One,
    );
    let new = read(r#"["1","1","realtime:a","phx_join",{"config": {}}]"#, Version::Two);
    for message in [old, new] {
        let message = message.expect("a message");
        assert_eq!((&*message.topic, &*message.event), ("realtime:a", "phx_join"));
        assert_eq!((message.join_ref.as_json(), message.reference.as_json()), ("\"1\"", "\"1\""));
        assert_eq!(content(&message), r#"{"config": {}}"#);
    }
}

#[test]
fn what_is_missing_is_null_and_what_follows_is_ignored() {
    let message = read(r#"{"topic":"phoenix","event":"heartbeat","ref":7,"x":1}"#, Version::One).expect("a message");
    assert!(message.join_ref.is_null() && message.reference.as_json() == "7" && content(&message) == "{}");
    let message = read(r#"[null,"2","phoenix","heartbeat",null,1,{"x":[]}]"#, Version::Two).expect("a message");
    assert!(message.join_ref.is_null() && content(&message) == "{}");
    let message = read(r#"[ null , "2" , "caf\u00e9" , "e" , [1, 2] ]"#, Version::Two).expect("a message");
    assert_eq!((&*message.topic, content(&message)), ("café", "[1, 2]".to_owned()));
}

#[test]
fn frames_that_are_no_messages_are_told_apart_from_messages() {
    for bad in [
        "",
        "{",
        "[]",
        "null",
        "1",
        r#"["1","1","t","e"]"#,
        r#"["1","1",1,"e",{}]"#,
        r#"["1","1","t",null,{}]"#,
        r#"[{},"1","t","e",{}]"#,
        r#"["1",[],"t","e",{}]"#,
        r#"["1","1","t","e",{}] x"#,
        r#"["1","1","t","e",{}"#,
        r#"["1","1","t","e",{"a":}]"#,
        r#"{"topic":"t","event":"e"}"#,
        &format!(r#"["{}","1","t","e",{{}}]"#, "x".repeat(MAX_NAME)),
    ] {
        assert!(read(bad, Version::Two).is_err(), "{bad}");
    }
    for bad in [
        "",
        "[]",
        "{}",
        r#"["t","e",{},"1","1"]"#,
        r#"{"topic":"t"}"#,
        r#"{"topic":1,"event":"e"}"#,
        r#"{"topic":"t","topic":"u","event":"e"}"#,
    ] {
        assert!(read(bad, Version::One).is_err(), "{bad}");
    }
    assert!(decode::text(&Bytes::from_static(b"[\"1\",\"1\",\"\xff\",\"e\",{}]"), Version::Two).is_err(), "no UTF-8");
}

#[test]
fn a_binary_broadcast_is_read_with_its_names() {
    let names: [&[u8]; 5] = [b"10", b"1", b"realtime:top", b"user-event", b"{}"];
    let message = decode::binary(&binary_frame(3, &names, &[1], br#" {"a": "b"} "#)).expect("a message");
    assert_eq!((&*message.topic, &*message.event), ("realtime:top", "broadcast"));
    assert_eq!((message.join_ref.as_json(), message.reference.as_json()), ("\"10\"", "\"1\""));
    let Content::Broadcast { event, payload: Some(Payload::Json(json)) } = message.content else { panic!("no JSON") };
    assert_eq!((&*event, &json[..]), ("user-event", &br#"{"a": "b"}"#[..]));
    let message = decode::binary(&binary_frame(3, &names, &[0], &[0, 255])).expect("a message");
    let Content::Broadcast { payload: Some(Payload::Binary(bytes)), .. } = message.content else { panic!("no bytes") };
    assert_eq!(bytes[..], [0, 255]);
    let message = decode::binary(&binary_frame(0, &[b"", b"2", b"t", b"e"], &[], b"123")).expect("a message");
    assert!(&*message.event == "e" && matches!(message.content, Content::Other));
}

#[test]
fn a_payload_that_only_says_that_it_is_json_is_passed_to_nobody() {
    let names: [&[u8]; 5] = [b"1", b"1", b"t", b"e", b""];
    for bad in [&b"{"[..], b"", b"1}", b"\"\xff\"", b"\"\\ud800\"", &[b'['; 500]] {
        let message = decode::binary(&binary_frame(3, &names, &[1], bad)).expect("a message");
        assert!(matches!(message.content, Content::Broadcast { payload: None, .. }), "{bad:?}");
    }
    let sent = |json: &str| decode::broadcast(&Bytes::copy_from_slice(json.as_bytes()));
    assert!(matches!(sent(r#"{"event":"e","payload":"\ud800"}"#), Some((_, None))));
    assert!(matches!(sent(r#"{"type":"broadcast","event":"e","payload":{"a":1}}"#), Some((_, Some(Payload::Json(_))))));
    assert!(matches!(sent(r#"{"event":"e"}"#), Some((_, Some(Payload::Json(json)))) if &json[..] == b"{}"));
    assert!(sent(r#"{"payload":{}}"#).is_none() && sent("[]").is_none() && sent(r#"{"event":1}"#).is_none());
}

#[test]
fn binary_frames_that_end_too_soon_are_none() {
    let names: [&[u8]; 5] = [b"10", b"1", b"topic", b"event", b"{}"];
    let whole = binary_frame(3, &names, &[0], b"");
    for length in 0..whole.len() {
        assert!(decode::binary(&whole.slice(..length)).is_err(), "{length}");
    }
    assert!(decode::binary(&whole).is_ok());
    for kind in [1, 2, 4, 5, 255] {
        assert!(decode::binary(&binary_frame(kind, &names, &[0], b"")).is_err(), "{kind}");
    }
    assert!(decode::binary(&binary_frame(3, &[b"1", b"1", b"\xff", b"e", b""], &[0], b"")).is_err(), "no UTF-8");
}

#[test]
fn random_bytes_are_read_without_a_panic() {
    // xorshift64 from a fixed start, so that a failure can be repeated.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let words =
        ["\"", "[", "]", "{", "}", ",", ":", "null", "\\u", "d800", "\\", "1e999", "topic", "event", "\u{0}", "é"];
    for _ in 0..50_000 {
        let length = random(40);
        let bytes: Bytes = (0..length).map(|_| u8::try_from(random(256)).expect("a byte")).collect::<Vec<_>>().into();
        drop(decode::binary(&bytes));
        let mut kinds = bytes.to_vec();
        if let Some(kind) = kinds.first_mut() {
            *kind = if random(2) == 0 { 0 } else { 3 };
        }
        drop(decode::binary(&kinds.into()));
        let text: String = (0..random(20)).map(|_| words[random(words.len())]).collect();
        for version in [Version::One, Version::Two] {
            drop(decode::text(&bytes, version));
            drop(read(&text, version));
        }
        let text = Bytes::from(text);
        drop(decode::broadcast(&text));
        drop(decode::presence(&text));
        drop(decode::access_token(&text));
        drop(decode::json(&text));
        drop(join::read(&text));
    }
}

#[test]
fn replies_and_messages_have_the_form_of_their_version() {
    let (reference, join_ref) = (Ref::of_text("2"), Ref::of_text("1"));
    let to = Outgoing { join_ref: &join_ref, reference: &reference, topic: "realtime:a\"b", event: "phx_reply" };
    assert_eq!(
        text_of(&encode::reply(Version::One, &to, true, "{}")),
        json!({"event": "phx_reply", "payload": {"status": "ok", "response": {}}, "ref": "2", "topic": "realtime:a\"b"})
    );
    assert_eq!(
        text_of(&encode::reply(Version::Two, &to, false, &encode::reason("no \"right\""))),
        json!(["1", "2", "realtime:a\"b", "phx_reply", {"status": "error", "response": {"reason": "no \"right\""}}])
    );
    let system: Value = serde_json::from_str(&encode::system("system", false, "a\n", "room\"")).expect("JSON");
    assert_eq!(system, json!({"extension": "system", "status": "error", "message": "a\n", "channel": "room\""}));
    let change: Value = serde_json::from_str(&encode::change(&[1, -2], r#"{"type":"INSERT"}"#)).expect("JSON");
    assert_eq!(change, json!({"ids": [1, -2], "data": {"type": "INSERT"}}));
}

fn broadcast(payload: Payload, meta: Option<&'static str>) -> Broadcast {
    let meta = meta.map(|meta| Bytes::from_static(meta.as_bytes()));
    Broadcast { room: Room::new("a\",\"broadcast\",{", false), event: "e\"".into(), payload, meta }
}

#[test]
fn a_broadcast_says_the_same_in_both_versions_and_bytes_only_in_the_second() {
    let message = broadcast(Payload::Json(Bytes::from_static(br#"{"n":1.0, "n":2}"#)), Some(r#"{"id":"x"}"#));
    let encoded = encode::broadcast(&message, true);
    let topic = "realtime:a\",\"broadcast\",{";
    let payload = json!({"type": "broadcast", "event": "e\"", "payload": {"n": 2}, "meta": {"id": "x"}});
    assert_eq!(text_of(&encoded.v2), json!([null, null, topic, "broadcast", payload]));
    let old: Value = serde_json::from_slice(encoded.v1.as_ref().expect("a text")).expect("JSON");
    assert_eq!(old, json!({"topic": topic, "event": "broadcast", "payload": payload, "ref": null}));
    let Frame::Text(frame) = &encoded.v2 else { panic!("no text") };
    assert!(String::from_utf8_lossy(frame).contains(r#"{"n":1.0, "n":2}"#), "passed on as it was sent");
    assert!(encode::broadcast(&message, false).v1.is_none());

    let encoded =
        encode::broadcast(&broadcast(Payload::Binary(Bytes::from_static(&[1, 0, 255])), Some(r#"{"id":"x"}"#)), true);
    assert!(encoded.v1.is_none(), "a client of the first version would break");
    let Frame::Binary(frame) = &encoded.v2 else { panic!("no bytes") };
    let names = format!("{topic}e\"{}", r#"{"id":"x"}"#);
    let head = [4, u8::try_from(topic.len()).expect("short"), 2, 10, 0];
    assert_eq!(frame[..], [&head[..], names.as_bytes(), &[1, 0, 255]].concat());
}

#[test]
fn the_hosts_own_part_of_a_message_is_found_and_no_senders() {
    let meta = |encoded: &Encoded| encode::meta_of(encoded).map(<[u8]>::to_vec);
    let json = || Payload::Json(Bytes::from_static(br#"{"meta":{"id":"forged"}}"#));
    let found = meta(&encode::broadcast(&broadcast(json(), Some(r#"{"id":"x"}"#)), false)).expect("a part");
    assert!(String::from_utf8_lossy(&found).contains(r#""id":"x""#));
    assert_eq!(meta(&encode::broadcast(&broadcast(json(), None), false)), None);
    let bytes = || Payload::Binary(Bytes::from_static(b"123"));
    assert_eq!(meta(&encode::broadcast(&broadcast(bytes(), Some("{1}")), false)), Some(b"{1}".to_vec()));
    assert_eq!(meta(&encode::broadcast(&broadcast(bytes(), None), false)), None);
}

#[test]
fn names_longer_than_a_binary_frame_can_say_are_cut_and_break_nothing() {
    let message = Broadcast {
        room: Room::new(&"t".repeat(400), true),
        event: "e".repeat(300).into(),
        payload: Payload::Binary(Bytes::from_static(b"!")),
        meta: Some(Bytes::from("m".repeat(300))),
    };
    let Frame::Binary(frame) = encode::broadcast(&message, false).v2 else { panic!("no bytes") };
    assert_eq!(frame.len(), 5 + 255 + 255 + 1);
    assert_eq!(frame[..5], [4, 255, 255, 0, 0]);
}

#[test]
fn presences_are_listed_by_key_and_the_hosts_reference_counts() {
    let meta = |phx_ref: &str, meta: &str| PresenceMeta {
        phx_ref: phx_ref.into(),
        meta: Arc::from(RawValue::from_string(meta.to_owned()).expect("JSON")),
    };
    let map = vec![
        ("a\"".into(), vec![meta("1", r#"{"n": {"m": 1}}"#), meta("2", "{ }")]),
        ("b".into(), vec![meta("3", r#"{"phx_ref":"forged"}"#)]),
    ];
    let state: Value = serde_json::from_str(&encode::presence_state(&PresenceState(map.clone()))).expect("JSON");
    assert_eq!(
        state,
        json!({"a\"": {"metas": [{"n": {"m": 1}, "phx_ref": "1"}, {"phx_ref": "2"}]}, "b": {"metas": [{"phx_ref": "3"}]}})
    );
    assert_eq!(encode::presence_state(&PresenceState::default()), "{}");
    let diff = PresenceDiff { joins: map, leaves: Vec::new() };
    let encoded = encode::presence_diff(&Room::new("r", false), &diff, true);
    assert_eq!(
        text_of(&encoded.v2),
        json!([null, null, "realtime:r", "presence_diff", {"joins": state, "leaves": {}}])
    );
    let old: Value = serde_json::from_slice(&encoded.v1.expect("a text")).expect("JSON");
    assert_eq!(old["payload"]["joins"], state);
}

#[test]
fn versions_are_those_that_clients_ask_for() {
    for (vsn, version) in [
        (None, Some(Version::One)),
        (Some("1.0.0"), Some(Version::One)),
        (Some("2.0.0"), Some(Version::Two)),
        (Some("3.0.0"), None),
        (Some("2"), None),
        (Some("x"), None),
    ] {
        assert_eq!(Version::of(vsn), version, "{vsn:?}");
    }
}
