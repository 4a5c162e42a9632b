use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::egress::HostPattern;

/// What an operator allows one plugin. Absent means denied. The JSON form is the one of `POST /api/plugins`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// The project's database, as the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseGrants>,
    /// Search in knowledge bases, as the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<KnowledgeGrants>,
    /// Outbound HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpGrants>,
    /// A folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesGrants>,
    /// Bounds other than the host's defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitGrants>,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseGrants {
    /// Reading, or reading and writing.
    pub access: DatabaseAccess,
    /// Schemas it may use; none means no table at all.
    #[serde(default)]
    pub schemas: Vec<String>,
    /// Tables of those schemas, as `table` (of the only schema) or `schema.table`; empty means all.
    #[serde(default)]
    pub tables: Vec<String>,
    /// Rows of one answer.
    #[serde(default = "default_max_rows")]
    pub max_rows: u32,
}

/// How much of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseAccess {
    /// Nothing.
    None,
    /// SELECT.
    Read,
    /// SELECT, INSERT, UPDATE, DELETE, MERGE.
    Write,
}

/// Knowledge bases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeGrants {
    /// By name or id.
    #[serde(default)]
    pub knowledge_bases: Vec<String>,
}

/// Outbound HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpGrants {
    /// `host`, `host:port` or `*.domain`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whether requests carry a signed assertion of who calls.
    #[serde(default)]
    pub identity: HttpIdentity,
}

/// What an outbound request says about the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpIdentity {
    /// Nothing.
    #[default]
    None,
    /// A signed assertion for the host that is called.
    Assertion,
}

/// A folder to work in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesGrants {
    /// Whose folder.
    pub workspace: Workspace,
    /// Bytes it may hold.
    #[serde(default)]
    pub max_bytes: u64,
}

/// How long a folder lives and who shares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Workspace {
    /// No folder.
    None,
    /// Empty at the start of each call, gone at its end.
    Call,
    /// One for each session of an agent.
    Session,
    /// One for each user.
    User,
}

/// Bounds of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitGrants {
    /// Wall-clock milliseconds, host waits included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Bytes of all linear memories together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes of a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
}

/// Why grants cannot be given.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GrantError {
    /// The JSON is not of the documented form.
    #[error("grants: {0}")]
    Form(String),
    /// A grant for an interface that the component does not import: it could never use it.
    #[error("the component does not import {interface}, so it cannot be granted {grant}")]
    NotImported {
        /// Key in the grants.
        grant: &'static str,
        /// What it would have to import.
        interface: &'static str,
    },
    /// Something this host does not have.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A schema that is not among the exposed ones.
    #[error("schema {0:?} is not exposed; add it to BEHALF_EXPOSED_SCHEMAS or leave it out of the grant")]
    Schema(String),
    /// A table named without its schema where several are granted.
    #[error("table {0:?} needs its schema, as in \"public.{0}\"")]
    Table(String),
    /// A host pattern that cannot match anything.
    #[error("host {0:?} is not of the form host, host:port or *.domain")]
    Host(String),
}

impl Grants {
    /// Reads the documented JSON form.
    pub fn from_json(json: serde_json::Value) -> Result<Self, GrantError> {
        serde_json::from_value(json).map_err(|error| GrantError::Form(error.to_string()))
    }

    /// The database grant, unless it says `none`.
    pub fn database(&self) -> Option<&DatabaseGrants> {
        self.database.as_ref().filter(|grant| grant.access != DatabaseAccess::None)
    }

    /// The HTTP grant, unless it lists no host.
    pub fn http(&self) -> Option<&HttpGrants> {
        self.http.as_ref().filter(|grant| !grant.hosts.is_empty())
    }

    /// The files grant, unless it says `none`.
    pub fn files(&self) -> Option<&FilesGrants> {
        self.files.as_ref().filter(|grant| grant.workspace != Workspace::None)
    }

    /// Whether a call can do more than its database transaction: send something, or leave a file for the next call.
    pub fn reach_out(&self) -> bool {
        self.http().is_some() || self.files().is_some_and(|grant| grant.workspace != Workspace::Call)
    }

    /// Whether a component with these imports may be given them on a host that exposes these schemas.
    pub fn check(&self, imports: &[super::ImportedInterface], exposed: &[String]) -> Result<(), GrantError> {
        let needs = |prefix: &str| imports.iter().any(|import| import.name.starts_with(prefix));
        let wanted = [
            (self.database().is_some(), "database", "behalf:tool/database"),
            (self.http().is_some(), "http", "wasi:http/outgoing-handler"),
            (self.files().is_some(), "files", "wasi:filesystem"),
        ];
        for (granted, grant, interface) in wanted {
            if granted && !needs(interface) {
                return Err(GrantError::NotImported { grant, interface });
            }
        }
        if self.knowledge.as_ref().is_some_and(|grant| !grant.knowledge_bases.is_empty()) {
            return Err(GrantError::Unsupported(
                "this host has no knowledge bases yet; leave `knowledge` out of the grants",
            ));
        }
        if self.http().is_some_and(|grant| grant.identity == HttpIdentity::Assertion) {
            return Err(GrantError::Unsupported("this host signs no assertions yet; use \"identity\": \"none\""));
        }
        if let Some(grant) = self.database() {
            if let Some(schema) = grant.schemas.iter().find(|schema| !exposed.contains(schema)) {
                return Err(GrantError::Schema(schema.clone()));
            }
            grant.tables()?;
        }
        for host in self.http().iter().flat_map(|grant| &grant.hosts) {
            if HostPattern::parse(host).is_none() {
                return Err(GrantError::Host(host.clone()));
            }
        }
        Ok(())
    }
}

impl DatabaseGrants {
    /// The tables as schema and name.
    pub fn tables(&self) -> Result<Vec<(String, String)>, GrantError> {
        let split = |table: &String| match (table.split_once('.'), self.schemas.as_slice()) {
            (Some((schema, name)), schemas) if schemas.iter().any(|known| known == schema) => {
                Ok((schema.to_owned(), name.to_owned()))
            }
            (Some((schema, _)), _) => Err(GrantError::Schema(schema.to_owned())),
            (None, [schema]) => Ok((schema.clone(), table.clone())),
            (None, _) => Err(GrantError::Table(table.clone())),
        };
        self.tables.iter().map(split).collect()
    }
}

fn default_max_rows() -> u32 {
    1000
}
