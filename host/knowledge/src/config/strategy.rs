//! How the sources of a base are indexed.

use super::ConfigError;

/// A way to index sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Pieces of so many tokens, each with a vector.
    #[default]
    ChunkEmbed,
    /// One item for each document.
    FullDocument,
    /// The sections of each document, with summaries, from whose titles a model chooses.
    PageIndex,
    /// What a model reads out of each document, as JSON.
    Doc2Json,
}

/// What the platform has beside them.
const GRAPH_INDEX: &str = "graph_index";

/// What a base of it answers.
pub(crate) const NO_GRAPHS: &str =
    "This host does not build graphs of documents; use chunk_embed, full_document, page_index or doc2json";

impl Strategy {
    /// All.
    pub(crate) const ALL: [Self; 4] = [Self::ChunkEmbed, Self::FullDocument, Self::PageIndex, Self::Doc2Json];

    /// The name that clients use.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ChunkEmbed => "chunk_embed",
            Self::FullDocument => "full_document",
            Self::PageIndex => "page_index",
            Self::Doc2Json => "doc2json",
        }
    }

    /// What it does, in one sentence.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::ChunkEmbed => "Cuts documents into pieces along headings and tables, each with a vector.",
            Self::FullDocument => "Keeps each document as one item, with the vector of its beginning.",
            Self::PageIndex => {
                "Keeps the sections of each document with summaries; a chat model chooses among their titles."
            }
            Self::Doc2Json => "Has a chat model read JSON of a given schema out of each document.",
        }
    }

    /// The methods of search that fit, the default first.
    pub(super) fn methods(self) -> &'static [&'static str] {
        match self {
            Self::PageIndex => &["tree_search"],
            _ => &["hybrid", "vector_search", "full_text"],
        }
    }

    /// Whether indexing asks a chat model.
    pub(crate) fn needs_chat_model(self) -> bool {
        matches!(self, Self::PageIndex | Self::Doc2Json)
    }

    /// Whether its items have vectors.
    pub(crate) fn has_vectors(self) -> bool {
        self != Self::PageIndex
    }

    /// The strategy of a name; none where it is not known.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str() == name)
    }

    /// The same for a name that a client sent.
    pub(super) fn asked_for(name: &str) -> Result<Self, ConfigError> {
        if name == GRAPH_INDEX {
            return Err(ConfigError::NotServed(NO_GRAPHS));
        }
        Self::of_name(name).ok_or_else(|| {
            let known = "chunk_embed, full_document, page_index or doc2json";
            ConfigError::Invalid(format!("Unknown indexing strategy; use {known}"))
        })
    }

    /// Whether sources that are indexed so can be searched by this method, in the platform's words.
    pub(crate) fn allows(self, method: &str) -> Result<(), String> {
        if self.methods().contains(&method) {
            return Ok(());
        }
        let strategy = self.as_str();
        Err(format!("Retrieval method '{method}' is not compatible with indexing strategy '{strategy}'"))
    }
}
