//! The permissions that an operator gives one plugin. Each grant's own type lies in the folder of its capability.

use behalf_problem::{Kind, Problem};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use crate::capabilities::database::grant::{DatabaseAccess, DatabaseGrants};
pub use crate::capabilities::files::grant::{FilesGrants, Workspace};
pub use crate::capabilities::http::grant::{HttpGrants, HttpIdentity};
pub use crate::capabilities::http::secret::{HttpSecrets, SecretGrant, is_framing_header};
pub use crate::capabilities::knowledge::grant::KnowledgeGrants;
pub use crate::capabilities::kv::grant::{KvAccess, KvGrants, KvOwner};
pub use crate::capabilities::memory::grant::MemoryAccess;
pub use crate::capabilities::storage::grant::{StorageAccess, StorageGrants};
pub use crate::limits::LimitGrants;

/// The permissions that an operator gives one plugin. Absent means denied. The JSON form is the one of `POST /api/plugins`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// The project's database, as the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseGrants>,
    /// Search in knowledge bases, as the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<KnowledgeGrants>,
    /// What agents remember of their users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryAccess>,
    /// A store of the plugin's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv: Option<KvGrants>,
    /// The app's buckets and objects, as the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageGrants>,
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
        /// The interface that it would have to import.
        interface: &'static str,
    },
    /// Something this host does not have.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A schema that is not among the exposed ones.
    #[error("schema {0:?} is not one that this host exposes; expose it in the settings, or leave it out of the grant")]
    Schema(String),
    /// A table named without its schema where several are granted.
    #[error("table {0:?} needs its schema, as in \"public.{0}\"")]
    Table(String),
    /// A host pattern that cannot match anything.
    #[error("host {0:?} is not of the form host, host:port or *.domain")]
    Host(String),
    /// A secret that no request could carry, or that would go to a host that is not granted.
    #[error("secret {name:?}: {reason}")]
    Secret {
        /// Its name.
        name: String,
        /// What is wrong, and how to fix it.
        reason: &'static str,
    },
    /// A name that no knowledge base can have.
    #[error("knowledge base {0:?} is no name: it has 1 to 200 bytes, and no zero byte")]
    KnowledgeBase(String),
    /// A prefix that is no folder of a bucket.
    #[error("prefix {0:?} is no folder: it ends with a slash, and has no empty part, no `.` and no `..`")]
    Prefix(String),
}

impl Problem for GrantError {
    fn kind(&self) -> Kind {
        match self {
            Self::Form(_) => Kind::BadRequest,
            _ => Kind::Unprocessable,
        }
    }
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

    /// The knowledge grant, unless it lists no base.
    pub fn knowledge(&self) -> Option<&KnowledgeGrants> {
        self.knowledge.as_ref().filter(|grant| !grant.knowledge_bases.is_empty())
    }

    /// How much of the memories is granted.
    pub fn memory(&self) -> MemoryAccess {
        self.memory.unwrap_or(MemoryAccess::None)
    }

    /// The grant of a store, unless it says `none`.
    pub fn kv(&self) -> Option<&KvGrants> {
        self.kv.as_ref().filter(|grant| grant.access != KvAccess::None)
    }

    /// The storage grant, unless it says `none` or lists no bucket.
    pub fn storage(&self) -> Option<&StorageGrants> {
        self.storage.as_ref().filter(|grant| grant.access != StorageAccess::None && !grant.buckets.is_empty())
    }

    /// The HTTP grant, unless it lists no host.
    pub fn http(&self) -> Option<&HttpGrants> {
        self.http.as_ref().filter(|grant| !grant.hosts.is_empty())
    }

    /// The secrets that the host adds to requests to granted hosts.
    pub fn secrets(&self) -> &[SecretGrant] {
        self.http().map_or(&[], |grant| &grant.secrets)
    }

    /// The files grant, unless it says `none`.
    pub fn files(&self) -> Option<&FilesGrants> {
        self.files.as_ref().filter(|grant| grant.workspace != Workspace::None)
    }
}

/// Whether `other` holds every item of `mine`.
pub(crate) fn subset<T: PartialEq>(mine: &[T], other: &[T]) -> bool {
    mine.iter().all(|one| other.contains(one))
}
