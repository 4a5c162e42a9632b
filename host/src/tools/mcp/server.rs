use std::time::Duration;

use http::{HeaderMap, Uri};
use serde_json::{Map, Value};

use super::Say;
use super::manage::McpServerError;
use crate::db::McpServerRow;
use crate::sandbox::origin;
use crate::tools::outgoing::{Identity, read_headers, read_identity};
use crate::tools::rules::read_rules;

/// How long a call, or asking for the tools, may take; the platform's bound.
const DEFAULT_SECONDS: f64 = 30.0;
/// What an operator may set instead for calls.
const SECONDS: std::ops::RangeInclusive<f64> = 1.0..=300.0;
/// Characters of an address.
const MAX_ADDRESS: usize = 2_048;
/// Characters of a name; a tool's name, which begins with it, may have 64.
const MAX_NAME: usize = 32;

/// A server ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) uri: Uri,
    /// Whom an assertion is for.
    pub(super) origin: String,
    pub(super) headers: HeaderMap,
    pub(super) identity: Identity,
    pub(super) timeout: Duration,
    config: Value,
}

impl Server {
    /// Reads and checks a stored or sent row.
    pub(super) fn read(row: &McpServerRow) -> Result<Self, McpServerError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let begins_well = row.name.starts_with(|first: char| first.is_ascii_alphanumeric());
        if row.name.len() > MAX_NAME || !begins_well || !row.name.bytes().all(plain) {
            return Err(McpServerError::Name);
        }
        if row.transport != "http" {
            return Err(McpServerError::Transport);
        }
        if !row.config.is_object() {
            return Err(McpServerError::Config);
        }
        let seconds = row.config.get("timeout_seconds").filter(|value| !value.is_null());
        let seconds = seconds.map_or(Some(DEFAULT_SECONDS), Value::as_f64);
        let seconds = seconds.filter(|seconds| SECONDS.contains(seconds)).ok_or(McpServerError::Timeout)?;
        let uri: Uri = Some(&row.url)
            .filter(|url| url.len() <= MAX_ADDRESS)
            .and_then(|url| url.parse().ok())
            .ok_or(McpServerError::Address)?;
        check_say(&row.config)?;
        for said in row.config.get("tools").and_then(Value::as_object).into_iter().flat_map(|tools| tools.values()) {
            check_say(said)?;
        }
        if row.config.get("tools").is_some_and(|tools| !tools.is_object()) {
            return Err(McpServerError::Say);
        }
        Ok(Self {
            config: row.config.clone(),
            name: row.name.clone(),
            origin: origin(&uri).map_err(|_| McpServerError::Address)?,
            uri,
            headers: read_headers(Some(&row.headers))?,
            identity: read_identity(&row.config)?,
            timeout: Duration::from_secs_f64(seconds),
        })
    }

    /// What the operator says of the tool that this server calls `remote`. Forced arguments of both places count, and so do all rules.
    pub(super) fn say(&self, remote: &str) -> Say {
        let own = self.config.get("tools").and_then(|tools| tools.get(remote));
        let approval = own.and_then(|own| own.get("approval")).or_else(|| self.config.get("approval"));
        let mut fields = overrides(Some(&self.config));
        for (name, value) in overrides(own) {
            match (fields.get_mut(&name), value) {
                (Some(Value::Array(all)), Value::Array(more)) if name == RULES => all.extend(more),
                (_, value) => drop(fields.insert(name, value)),
            }
        }
        Say {
            approval: approval.and_then(Value::as_str).unwrap_or("never").to_owned(),
            config_override: Value::Object(fields),
        }
    }
}

const RULES: &str = "rules";

fn overrides(place: Option<&Value>) -> Map<String, Value> {
    place.and_then(|place| place.get("config_override")).and_then(Value::as_object).cloned().unwrap_or_default()
}

fn check_say(place: &Value) -> Result<(), McpServerError> {
    let given = |name: &str| place.get(name).filter(|value| !value.is_null());
    if given("approval").is_some_and(|word| !["never", "writes", "always"].map(Value::from).contains(word)) {
        return Err(McpServerError::Approval);
    }
    match given("config_override") {
        None => Ok(()),
        Some(Value::Object(fields)) => {
            fields.get(RULES).map(read_rules).transpose()?;
            Ok(())
        }
        Some(_) => Err(McpServerError::Say),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn server(config: Value) -> Result<Server, McpServerError> {
        Server::read(&McpServerRow {
            id: uuid::Uuid::nil(),
            agent_id: uuid::Uuid::nil(),
            name: "crm".to_owned(),
            url: "https://mcp.example.com/mcp".to_owned(),
            transport: "http".to_owned(),
            headers: json!({}),
            config,
            enabled: true,
            created_at: String::new(),
            updated_at: String::new(),
        })
    }

    #[test]
    fn what_is_said_of_one_tool_adds_to_what_is_said_of_all() {
        let config = json!({
            "approval": "writes",
            "config_override": { "region": "eu", "rules": ["query CONTAINS secret"] },
            "tools": { "drop": { "approval": "always", "config_override": { "region": "us", "rules": ["all IN true"] } } },
        });
        let server = server(config).expect("a server");
        let all = Say {
            approval: "writes".to_owned(),
            config_override: json!({ "region": "eu", "rules": ["query CONTAINS secret"] }),
        };
        assert_eq!(server.say("list"), all);
        let own = server.say("drop");
        assert_eq!(own.approval, "always");
        assert_eq!(own.config_override, json!({ "region": "us", "rules": ["query CONTAINS secret", "all IN true"] }));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for bad in [
            json!({ "approval": "sometimes" }),
            json!({ "config_override": [] }),
            json!({ "config_override": { "rules": ["x LIKE y"] } }),
            json!({ "tools": [] }),
            json!({ "tools": { "drop": { "approval": true } } }),
        ] {
            assert!(server(bad.clone()).is_err(), "{bad}");
        }
    }
}
