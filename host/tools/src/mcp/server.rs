//! The settings of an MCP server, checked and ready to be used.

use std::time::Duration;

use behalf_contracts::{Rule, RuleError, read_rules};
use behalf_sandbox::origin;
use http::{HeaderMap, Uri};
use serde_json::{Map, Value};

use super::error::McpServerError;
use crate::outgoing::{Identity, READ_ONLY, read_declared, read_headers, read_identity};
use crate::store::McpServerRow;

/// Seconds that a call may take where the settings name no time; the platform's bound.
const DEFAULT_SECONDS: f64 = 30.0;
/// The seconds that the settings may name.
const SECONDS: std::ops::RangeInclusive<f64> = 1.0..=300.0;
/// Characters of an address.
const MAX_ADDRESS: usize = 2_048;
/// Characters of a name. The names of its tools begin with it and may have 64.
const MAX_NAME: usize = 32;

/// What an operator sets for a server's tool: `config.approval`, `config.read_only` and `config.config_override` of the server are for all of its
/// tools, those in `config.tools.<name>` for the tool that the server calls so. Forced arguments of both count, and so do all rules.
#[derive(Clone, Debug)]
pub(super) struct ToolOverrides {
    /// `never`, `writes` or `always`.
    pub(super) approval: String,
    /// Whether the server is believed when it says that the tool only reads.
    pub(super) read_only_declared: bool,
    /// Arguments that replace the caller's.
    pub(super) forced_arguments: Map<String, Value>,
    /// Calls that are not made.
    pub(super) rules: Vec<Rule>,
}

/// An MCP server with its settings.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) uri: Uri,
    /// The origin that assertions are for.
    pub(super) origin: String,
    pub(super) headers: HeaderMap,
    pub(super) identity: Identity,
    pub(super) timeout: Duration,
    config: Value,
}

impl Server {
    /// Reads and checks a row.
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
        check_overrides(&row.config)?;
        for settings in row.config.get("tools").and_then(Value::as_object).into_iter().flat_map(|tools| tools.values())
        {
            check_overrides(settings)?;
        }
        if row.config.get("tools").is_some_and(|tools| !tools.is_object()) {
            return Err(McpServerError::Overrides);
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

    /// The operator's overrides for the tool that this server calls `remote`: those of all tools, and over them those of this one.
    pub(super) fn overrides(&self, remote: &str) -> Result<ToolOverrides, RuleError> {
        let own = self.config.get("tools").and_then(|tools| tools.get(remote));
        let approval = own.and_then(|own| own.get("approval")).or_else(|| self.config.get("approval"));
        let mut fields = config_override(Some(&self.config));
        for (name, value) in config_override(own) {
            match (fields.get_mut(&name), value) {
                (Some(Value::Array(all)), Value::Array(more)) if name == RULES => all.extend(more),
                (_, value) => drop(fields.insert(name, value)),
            }
        }
        let rules = fields.remove(RULES).map(|rules| read_rules(&rules)).transpose()?.unwrap_or_default();
        let approval = approval.and_then(Value::as_str).unwrap_or("never").to_owned();
        let word = own.filter(|own| own.get(READ_ONLY).is_some()).unwrap_or(&self.config);
        let read_only_declared = read_declared(word).unwrap_or(false);
        Ok(ToolOverrides { approval, read_only_declared, forced_arguments: fields, rules })
    }
}

/// The key of `config_override` that holds rules; every other key is an argument to force.
const RULES: &str = "rules";

/// The object `config_override` of the settings of a server or of one of its tools.
fn config_override(settings: Option<&Value>) -> Map<String, Value> {
    let fields = settings.and_then(|settings| settings.get("config_override")).and_then(Value::as_object);
    fields.cloned().unwrap_or_default()
}

/// Checks the overrides in the settings of a server or of one of its tools.
fn check_overrides(settings: &Value) -> Result<(), McpServerError> {
    let given = |name: &str| settings.get(name).filter(|value| !value.is_null());
    if given("approval").is_some_and(|word| !["never", "writes", "always"].map(Value::from).contains(word)) {
        return Err(McpServerError::Approval);
    }
    read_declared(settings)?;
    match given("config_override") {
        None => Ok(()),
        Some(Value::Object(fields)) => {
            fields.get(RULES).map(read_rules).transpose()?;
            Ok(())
        }
        Some(_) => Err(McpServerError::Overrides),
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
    fn overrides_of_one_tool_add_to_those_of_all() {
        let config = json!({
            "approval": "writes",
            "config_override": { "region": "eu", "rules": ["query CONTAINS secret"] },
            "tools": { "drop": { "approval": "always", "config_override": { "region": "us", "rules": ["all IN true"] } } },
        });
        let server = server(config).expect("a server");
        let seen = |remote: &str| {
            let overrides = server.overrides(remote).expect("readable rules");
            (overrides.approval, Value::Object(overrides.forced_arguments), overrides.rules.len())
        };
        assert_eq!(seen("list"), ("writes".to_owned(), json!({ "region": "eu" }), 1));
        assert_eq!(seen("drop"), ("always".to_owned(), json!({ "region": "us" }), 2));
    }

    #[test]
    fn a_server_is_believed_where_the_operator_says_so() {
        let declared = |config| {
            let server = server(config).expect("a server");
            ["list", "drop"].map(|tool| server.overrides(tool).expect("readable rules").read_only_declared)
        };
        assert_eq!(declared(json!({})), [false, false]);
        assert_eq!(declared(json!({ "read_only": "declared" })), [true, true]);
        assert_eq!(declared(json!({ "tools": { "list": { "read_only": "declared" } } })), [true, false]);
        assert_eq!(
            declared(json!({ "read_only": "declared", "tools": { "drop": { "read_only": null } } })),
            [true, false]
        );
    }

    #[test]
    fn settings_of_the_wrong_form_are_refused() {
        for bad in [
            json!({ "approval": "sometimes" }),
            json!({ "config_override": [] }),
            json!({ "config_override": { "rules": ["x LIKE y"] } }),
            json!({ "tools": [] }),
            json!({ "tools": { "drop": { "approval": true } } }),
            json!({ "read_only": true }),
            json!({ "tools": { "drop": { "read_only": "yes" } } }),
        ] {
            assert!(server(bad.clone()).is_err(), "{bad}");
        }
    }
}
