//! A knowledge base, its sources and its chunks, as clients see them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Who may add sources to a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contributors {
    /// The owner.
    Owner,
    /// Every signed-in user, each their own sources.
    Authenticated,
}

impl Contributors {
    /// The name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Authenticated => "authenticated",
        }
    }
}

/// A knowledge base.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = KnowledgeBase)]
pub(crate) struct Base {
    /// Its id.
    pub(crate) id: Uuid,
    /// Whose it is; the service role's where null.
    pub(crate) owner_id: Option<Uuid>,
    /// Its name.
    pub(crate) name: String,
    /// What it has, for people and models.
    pub(crate) description: Option<String>,
    /// Who may add sources.
    pub(crate) contributors: Contributors,
    /// How its sources are indexed.
    pub(crate) indexing_config: Value,
    /// How it is searched.
    pub(crate) retrieval_config: Value,
    /// When it was made.
    pub(crate) created_at: String,
    /// When it was changed.
    pub(crate) updated_at: String,
}

/// A knowledge base with how far its sources are indexed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = KnowledgeBaseDetails)]
pub(crate) struct BaseDetails {
    #[serde(flatten)]
    pub(crate) base: Base,
    /// How many of its sources, of those that the caller sees, are how far.
    pub(crate) source_counts: SourceCounts,
    /// Which of them are indexed otherwise than the base says now.
    pub(crate) drift: IndexDrift,
    /// Always `ready`: words are indexed with each chunk.
    #[serde(default = "ready")]
    pub(crate) bm25_status: String,
}

fn ready() -> String {
    "ready".to_owned()
}

/// How many sources are how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct SourceCounts {
    /// They can be found.
    pub(crate) indexed: i64,
    /// They could not be indexed.
    pub(crate) failed: i64,
    /// They wait.
    pub(crate) pending: i64,
    /// They are being indexed.
    pub(crate) indexing: i64,
    /// Somebody cancelled them.
    pub(crate) cancelled: i64,
    /// All of them.
    pub(crate) total: i64,
}

/// How the index differs from what the base says now. `reindex` makes it the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct IndexDrift {
    /// Whether any source is indexed otherwise.
    pub(crate) has_drift: bool,
    /// How many are.
    pub(crate) sources: i64,
    /// The members of `indexing_config` that differ.
    pub(crate) fields: Vec<String>,
}

/// How far a source is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IndexStatus {
    /// It waits.
    Pending,
    /// It is being indexed.
    Indexing,
    /// It can be found.
    Indexed,
    /// It could not be indexed; `error_message` says why.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl IndexStatus {
    /// Whether nothing more happens by itself.
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Indexing)
    }
}

/// A source of a base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct IndexedSource {
    /// The id of its place in the base.
    pub(crate) id: Uuid,
    /// The base.
    pub(crate) knowledge_base_id: Uuid,
    /// The source.
    pub(crate) source_id: Uuid,
    /// How far it is.
    pub(crate) index_status: IndexStatus,
    /// When it was indexed last.
    pub(crate) indexed_at: Option<String>,
    /// What indexing counted: `chunks`, `tokens`; while it is under way `done` and `total`.
    pub(crate) stats: Value,
    /// Why it could not be indexed.
    pub(crate) error_message: Option<String>,
    /// How many chunks it has.
    pub(crate) chunk_count: i32,
    /// How far its job is, of 100, where that is known.
    pub(crate) percent: Option<i32>,
    /// Whether it is indexed otherwise than the base says now.
    pub(crate) has_drift: bool,
    /// The job that indexes it, or did so last.
    pub(crate) job_id: Option<Uuid>,
    /// The name of the source, if the caller may read it.
    pub(crate) source_name: Option<String>,
    /// The end of the name of its file.
    pub(crate) file_type: Option<String>,
    /// When the source was added.
    pub(crate) source_created_at: Option<String>,
}

/// An item of a base: a chunk, a document, a section, or what was read out of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = KnowledgeItem)]
pub(crate) struct Item {
    /// Its id.
    pub(crate) id: Uuid,
    /// The source that it is of.
    pub(crate) source_id: Uuid,
    /// Its place in the base.
    pub(crate) indexed_source_id: Option<Uuid>,
    /// Its number in the source, from 0 on.
    pub(crate) chunk_index: i32,
    /// Its text.
    pub(crate) text: String,
    /// The character of the source's text at which it begins.
    pub(crate) start_char: Option<i32>,
    /// The character at which it ends.
    pub(crate) end_char: Option<i32>,
    /// Its tokens.
    pub(crate) tokens: Option<i32>,
    /// What is known of it.
    pub(crate) meta: Value,
}
