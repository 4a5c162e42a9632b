//! What a `phx_join` asks for. Upstream takes defaults where a value has the wrong type; here such a join is refused, because a
//! channel that was meant to be private would become public.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::MAX_NAME;
use crate::channel::Wanted;

/// Subscriptions to changes of one channel. Clients make one for each listener.
const MAX_CHANGES: usize = 100;

/// A subscription to changes as it was sent, and what it means; nothing where it names neither a schema nor a table.
pub(crate) type AskedChange = (Map<String, Value>, Option<Wanted>);

/// A join.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that clients know by its name")]
pub(crate) struct Join {
    /// The token that the channel is joined with; none is the socket's.
    pub(crate) token: Option<String>,
    /// Whether policies decide.
    pub(crate) is_private: bool,
    /// Whether broadcasts are answered.
    pub(crate) ack: bool,
    /// Whether the channel hears its own broadcasts.
    pub(crate) to_self: bool,
    /// Whether to say when stored messages are read.
    pub(crate) says_ready: bool,
    /// What to replay.
    pub(crate) replay: Option<Replay>,
    /// Whether the channel hears who is there; none where the client does not say.
    pub(crate) presence: Option<bool>,
    /// The key of its presence.
    pub(crate) presence_key: Box<str>,
    /// Subscriptions to changes of tables: as they were sent, and what they mean.
    pub(crate) changes: Vec<AskedChange>,
}

/// What to replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replay {
    /// Since when, in milliseconds since 1970; none is no whole number.
    pub(crate) since: Option<i64>,
    /// How many messages at most.
    pub(crate) limit: Option<i64>,
}

/// Replayed where the client does not say, as upstream.
const REPLAYED: i64 = 25;

/// Reads the payload of a join. An error is the reason for the client.
pub(crate) fn read(content: &[u8]) -> Result<Join, String> {
    let Ok(Value::Object(payload)) = serde_json::from_slice(content) else {
        return Err(invalid("", "a map"));
    };
    let empty = Map::new();
    let config = map(&payload, "config", "config")?.unwrap_or(&empty);
    let broadcast = map(config, "broadcast", "config.broadcast")?.unwrap_or(&empty);
    let presence = map(config, "presence", "config.presence")?.unwrap_or(&empty);
    Ok(Join {
        token: token(&payload)?,
        is_private: flag(config, "private", "config.private")?.unwrap_or(false),
        ack: flag(broadcast, "ack", "config.broadcast.ack")?.unwrap_or(false),
        to_self: flag(broadcast, "self", "config.broadcast.self")?.unwrap_or(false),
        says_ready: flag(broadcast, "replication_ready", "config.broadcast.replication_ready")?.unwrap_or(false),
        replay: map(broadcast, "replay", "config.broadcast.replay")?.map(|replay| Replay {
            since: replay.get("since").and_then(Value::as_i64),
            limit: replay.get("limit").filter(|limit| !limit.is_null()).map_or(Some(REPLAYED), Value::as_i64),
        }),
        presence: flag(presence, "enabled", "config.presence.enabled")?,
        presence_key: presence_key(presence)?,
        changes: changes(config)?,
    })
}

fn invalid(path: &str, expected: &str) -> String {
    let path = if path.is_empty() { String::new() } else { format!("{path} ") };
    format!("InvalidJoinPayload: {path}unable to parse, expected {expected}")
}

fn map<'a>(parent: &'a Map<String, Value>, name: &str, path: &str) -> Result<Option<&'a Map<String, Value>>, String> {
    match parent.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(_) => Err(invalid(path, "a map")),
    }
}

/// A truth value, also as text.
fn flag(parent: &Map<String, Value>, name: &str, path: &str) -> Result<Option<bool>, String> {
    match parent.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => Err(invalid(path, "boolean")),
    }
}

fn string(parent: &Map<String, Value>, name: &str, path: &str) -> Result<Option<String>, String> {
    match parent.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(invalid(path, "string")),
    }
}

/// The token. Keys that begin with `sb_` are no tokens of users: the socket's token counts then, as upstream.
fn token(payload: &Map<String, Value>) -> Result<Option<String>, String> {
    let access = string(payload, "access_token", "access_token")?;
    let user = string(payload, "user_token", "user_token")?;
    if access.as_ref().or(user.as_ref()).is_some_and(|token| token.starts_with("sb_")) {
        return Ok(None);
    }
    Ok(user.or(access))
}

fn presence_key(presence: &Map<String, Value>) -> Result<Box<str>, String> {
    let key = match presence.get("key") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(key)) => key.clone(),
        Some(Value::Number(key)) => key.to_string(),
        Some(_) => return Err(invalid("config.presence.key", "string")),
    };
    if key.len() > MAX_NAME || key.contains('\0') {
        return Err(invalid("config.presence.key", "at most 255 bytes without NUL"));
    }
    Ok(if key.is_empty() { Uuid::now_v7().to_string().into() } else { key.into() })
}

fn changes(config: &Map<String, Value>) -> Result<Vec<AskedChange>, String> {
    let path = "config.postgres_changes";
    let list = match config.get("postgres_changes") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(invalid(path, "an array of maps")),
    };
    if list.len() > MAX_CHANGES {
        return Err(invalid(path, "at most 100 subscriptions"));
    }
    let sent = list.iter().filter(|one| !one.is_null()).map(|one| {
        let one = one.as_object().ok_or_else(|| invalid(path, "an array of maps"))?;
        let field = |name: &str| string(one, name, &format!("{path}.{name}"));
        let (event, schema, table, filter) = (field("event")?, field("schema")?, field("table")?, field("filter")?);
        // Upstream's defaults; without schema and table there is nothing to subscribe to.
        let schema = schema.or_else(|| table.as_ref().map(|_| "public".to_owned()));
        let wanted = schema.map(|schema| Wanted {
            event: event.unwrap_or_else(|| "*".to_owned()),
            schema,
            table: table.filter(|table| table != "*"),
            filter: filter.filter(|filter| !filter.is_empty()),
            select: one.get("select").cloned(),
        });
        Ok((one.clone(), wanted))
    });
    sent.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Join, String> {
        super::read(json.as_bytes())
    }

    #[test]
    fn truth_values_may_be_texts_and_everything_has_a_default() {
        let join = read(r#"{"config":{"private":"TRUE","broadcast":{"ack":true,"self":"false"},"presence":{"enabled":"True","key":"k"}}}"#)
            .expect("a join");
        assert!(
            join.is_private && join.ack && !join.to_self && join.presence == Some(true) && &*join.presence_key == "k"
        );
        let join = read(r#"{"config":null}"#).expect("a join");
        assert!(!join.is_private && !join.ack && join.presence.is_none() && !join.presence_key.is_empty());
        assert!(join.changes.is_empty() && join.token.is_none() && join.replay.is_none());
    }

    #[test]
    fn a_value_of_another_type_is_refused_and_never_a_default() {
        for (json, says) in [
            (r#"{"config":{"private":"yes"}}"#, "config.private unable to parse, expected boolean"),
            (r#"{"config":{"private":1}}"#, "config.private unable to parse, expected boolean"),
            (r#"{"config":"x"}"#, "config unable to parse, expected a map"),
            (r#"{"config":{"broadcast":[]}}"#, "config.broadcast unable to parse, expected a map"),
            (r#"{"config":{"presence":{"key":{}}}}"#, "config.presence.key"),
            (r#"{"config":{"postgres_changes":{}}}"#, "expected an array of maps"),
            (r#"{"config":{"postgres_changes":[{"table":1}]}}"#, "config.postgres_changes.table"),
            (r#"{"access_token":1}"#, "access_token unable to parse, expected string"),
            ("[]", "expected a map"),
            ("1", "expected a map"),
        ] {
            let reason = read(json).expect_err(json);
            assert!(reason.starts_with("InvalidJoinPayload: ") && reason.contains(says), "{json}: {reason}");
        }
    }

    #[test]
    fn subscriptions_keep_their_order_and_what_was_sent() {
        let join = read(
            r#"{"config":{"postgres_changes":[{"event":"INSERT","schema":"public","table":"a","filter":"id=eq.1"},null,
                {"event":"*","table":"b"},{"schema":"*","table":"*"},{"event":"UPDATE"}]}}"#,
        )
        .expect("a join");
        let meant: Vec<_> = join.changes.iter().map(|(_, wanted)| wanted.clone()).collect();
        let wanted = |event: &str, schema: &str, table: Option<&str>, filter: Option<&str>| {
            Some(Wanted {
                event: event.to_owned(),
                schema: schema.to_owned(),
                table: table.map(str::to_owned),
                filter: filter.map(str::to_owned),
                select: None,
            })
        };
        assert_eq!(
            meant,
            [
                wanted("INSERT", "public", Some("a"), Some("id=eq.1")),
                wanted("*", "public", Some("b"), None),
                wanted("*", "*", None, None),
                None,
            ]
        );
        assert_eq!(join.changes[1].0.get("schema"), None);
    }

    #[test]
    fn keys_are_no_tokens_and_replays_have_numbers() {
        assert_eq!(read(r#"{"access_token":"sb_publishable_x"}"#).expect("a join").token, None);
        assert_eq!(read(r#"{"access_token":"a","user_token":"b"}"#).expect("a join").token.as_deref(), Some("b"));
        let replay =
            |json: &str| read(&format!(r#"{{"config":{{"broadcast":{{"replay":{json}}}}}}}"#)).expect("a join").replay;
        assert_eq!(replay(r#"{"since":5}"#), Some(Replay { since: Some(5), limit: Some(25) }));
        assert_eq!(replay(r#"{"since":"5","limit":"x"}"#), Some(Replay { since: None, limit: None }));
        assert_eq!(replay("null"), None);
    }
}
