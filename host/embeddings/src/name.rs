//! Names of models: the prefix chooses who makes the vectors, the rest is that party's own name of the model.

use crate::EmbeddingError;

/// The name of the model that runs in this process.
pub const LOCAL: &str = "local/all-MiniLM-L6-v2";

/// Longest name. Those of servers are much shorter; a longer one is a mistake, or an attack on a log.
const MAX_NAME_BYTES: usize = 200;

/// A parsed name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModelName<'a> {
    /// The model in this process.
    Local,
    /// A server's model, with the server's own name for it.
    Served(Family, &'a str),
}

/// The protocol of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    OpenAi,
    Ollama,
}

impl<'a> ModelName<'a> {
    /// Parses a name. Each model has exactly one, because vectors of different models must never be compared.
    pub(crate) fn parse(name: &'a str) -> Result<Self, EmbeddingError> {
        if name == LOCAL {
            return Ok(Self::Local);
        }
        let (family, model) = match name.split_once('/') {
            Some(("openai", model)) => (Family::OpenAi, model),
            Some(("ollama", model)) => (Family::Ollama, model),
            _ => return Err(EmbeddingError::UnknownModel),
        };
        if is_plain(name, model) { Ok(Self::Served(family, model)) } else { Err(EmbeddingError::UnknownModel) }
    }
}

fn is_plain(name: &str, model: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && model.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '@')
        && model.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/@+".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_chooses_who_answers() {
        assert_eq!(ModelName::parse("local/all-MiniLM-L6-v2"), Ok(ModelName::Local));
        for (name, family, model) in [
            ("openai/text-embedding-3-small", Family::OpenAi, "text-embedding-3-small"),
            ("openai/BAAI/bge-m3", Family::OpenAi, "BAAI/bge-m3"),
            ("ollama/nomic-embed-text:v1.5", Family::Ollama, "nomic-embed-text:v1.5"),
        ] {
            assert_eq!(ModelName::parse(name), Ok(ModelName::Served(family, model)), "{name}");
        }
    }

    #[test]
    fn other_names_are_unknown() {
        let long = format!("openai/{}", "a".repeat(201));
        for name in ["", "openai/", "local/other", "text-embedding-3-small", "gemini/m", "openai/a b", "a\nb", &long] {
            assert_eq!(ModelName::parse(name), Err(EmbeddingError::UnknownModel), "{name}");
        }
    }
}
