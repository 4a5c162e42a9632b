//! Reduces a text to comparable words.

use std::collections::BTreeSet;

/// Words that are too common to distinguish tools.
const STOP_WORDS: [&str; 60] = [
    "a", "all", "an", "and", "any", "are", "as", "at", "be", "by", "can", "could", "did", "do", "does", "for", "from",
    "get", "give", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "me", "my", "of", "on", "one",
    "or", "our", "please", "should", "show", "that", "the", "their", "there", "these", "this", "to", "tool", "use",
    "used", "was", "we", "were", "what", "when", "where", "which", "who", "with", "you", "your",
];

/// A message may be long; its first words are enough.
const MAX_WORDS: usize = 500;

/// The distinct words of `text`, lower-cased, without endings and stop words. `snake_case` and `camelCase` are split.
pub(super) fn words(text: &str) -> BTreeSet<String> {
    let mut spaced = String::with_capacity(text.len());
    let mut after_lower = false;
    for c in text.chars() {
        if after_lower && c.is_uppercase() {
            spaced.push(' ');
        }
        after_lower = c.is_lowercase();
        spaced.push(if c.is_alphanumeric() { c } else { ' ' });
    }
    spaced
        .split_whitespace()
        .take(MAX_WORDS)
        .map(str::to_lowercase)
        .filter(|word| STOP_WORDS.binary_search(&word.as_str()).is_err())
        .map(|word| stem(&word).to_owned())
        .collect()
}

/// Drops common endings, so that words of a message match those of a tool: notes/note, listed/list.
fn stem(word: &str) -> &str {
    for (ending, keep) in [("ies", 3), ("ing", 4), ("ed", 4), ("es", 4), ("s", 3), ("e", 4), ("y", 3)] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.chars().count() >= keep
            && !stem.ends_with('s')
        {
            return stem;
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted_for_the_search() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn words_that_mean_the_same_are_the_same() {
        assert_eq!(words("Listing the NOTES"), words("list_note"));
        assert_eq!(words("listNotes"), words("list notes"));
        assert_eq!(words("companies"), words("company"));
        assert_eq!(words("invoices"), words("invoice"));
        assert_ne!(words("note"), words("norm"));
        assert!(words("what is the …?").is_empty());
    }
}
