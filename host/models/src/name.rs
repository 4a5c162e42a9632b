//! Model names: the prefix chooses the provider, the rest is the provider's name for the model.

use super::UnknownModel;

/// The built-in model's name.
pub const EXTRACTIVE: &str = "builtin/extractive";

/// Longest name. Those of providers are much shorter; a longer one is a mistake, or an attack on a URL or a log.
const MAX_NAME_BYTES: usize = 200;

/// A parsed model name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ModelName {
    /// The built-in model.
    Extractive,
    /// A provider's model, with the provider's own name for it.
    Provided(Family, String),
}

/// The protocol of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
}

impl Family {
    /// The family of a provider by its name, which is the prefix of its models.
    pub(super) fn of(provider: &str) -> Option<Self> {
        match provider {
            "openai" => Some(Self::OpenAi),
            "anthropic" => Some(Self::Anthropic),
            "gemini" => Some(Self::Gemini),
            "ollama" => Some(Self::Ollama),
            _ => None,
        }
    }
}

impl ModelName {
    /// Parses a name. One without a prefix (`gpt-4o-mini`) belongs to the OpenAI-compatible endpoint.
    pub(super) fn parse(name: &str) -> Result<Self, UnknownModel> {
        if name == EXTRACTIVE {
            return Ok(Self::Extractive);
        }
        let (family, model) = match name.split_once('/') {
            None | Some(("openai", _)) => (Family::OpenAi, name.strip_prefix("openai/").unwrap_or(name)),
            Some(("anthropic", model)) => (Family::Anthropic, model),
            Some(("gemini", model)) => (Family::Gemini, model),
            Some(("ollama", model)) => (Family::Ollama, model),
            Some(_) => return Err(UnknownModel),
        };
        if is_plain(model) { Ok(Self::Provided(family, model.to_owned())) } else { Err(UnknownModel) }
    }
}

/// Whether a name is safe to send: some providers take it as part of a path, and the client library gives `::` a
/// meaning.
fn is_plain(model: &str) -> bool {
    let starts_well = model.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '@');
    starts_well
        && model.len() <= MAX_NAME_BYTES
        && !model.contains("..")
        && !model.contains("::")
        && model.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/@+".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_chooses_who_answers() {
        assert_eq!(ModelName::parse("builtin/extractive"), Ok(ModelName::Extractive));
        for (name, family, model) in [
            ("openai/gpt-4o", Family::OpenAi, "gpt-4o"),
            ("gpt-5.4-mini", Family::OpenAi, "gpt-5.4-mini"),
            ("openai/meta-llama/L-3:free", Family::OpenAi, "meta-llama/L-3:free"),
            ("anthropic/claude-x", Family::Anthropic, "claude-x"),
            ("gemini/flash", Family::Gemini, "flash"),
            ("ollama/qwen3:8b", Family::Ollama, "qwen3:8b"),
        ] {
            assert_eq!(ModelName::parse(name), Ok(ModelName::Provided(family, model.to_owned())), "{name}");
        }
    }

    #[test]
    fn other_names_are_unknown() {
        let long = format!("openai/{}", "a".repeat(201));
        for name in ["", "openai/", "builtin/other", "mystery/m", "gemini/../keys", "openai/a::b", "a b", "a\nb", &long]
        {
            assert_eq!(ModelName::parse(name), Err(UnknownModel), "{name}");
        }
    }
}
