//! The words of a query, and the query of Postgres's text search that is made of them.

/// How many words and phrases of a query count.
pub(super) const MAX_TERMS: usize = 16;

/// How many of them are read: words without a meaning of their own are left out later.
const MAX_PIECES: usize = 64;

/// A word, or an exact phrase that stood in double quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) is_phrase: bool,
}

/// Cuts a text into words and phrases. A quote without a second one is a space.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let parts: Vec<&str> = text.split('"').collect();
    let closed = parts.len() - usize::from(parts.len().is_multiple_of(2));
    for (index, part) in parts.iter().enumerate() {
        if index % 2 == 1 && index < closed {
            if !part.trim().is_empty() {
                pieces.push(Piece { text: part.trim().to_owned(), is_phrase: true });
            }
        } else {
            pieces.extend(part.split_whitespace().map(|word| Piece { text: word.to_owned(), is_phrase: false }));
        }
    }
    pieces.truncate(MAX_PIECES);
    pieces
}

/// What to search for, in the form of Postgres's `tsquery`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    /// What each term adds to the score of a chunk.
    pub(super) each: Vec<String>,
    /// What a chunk must match: all phrases, or any word where there is no phrase.
    pub(super) all: String,
}

impl Terms {
    /// Puts together what Postgres made of the pieces: an empty text is a word that does not count.
    pub(super) fn new<'a>(made: impl Iterator<Item = (&'a str, bool)>) -> Self {
        let mut terms: Vec<(&str, bool)> = Vec::new();
        for (text, is_phrase) in made {
            if !text.is_empty() && !terms.iter().any(|(known, _)| *known == text) {
                terms.push((text, is_phrase));
            }
        }
        // All phrases count, since a chunk must have them.
        terms.sort_by_key(|(_, is_phrase)| !is_phrase);
        terms.truncate(MAX_TERMS);
        let phrases = terms.iter().filter(|(_, is_phrase)| *is_phrase).count();
        let (wanted, glue) = if phrases > 0 { (phrases, " & ") } else { (terms.len(), " | ") };
        let all = terms.iter().take(wanted).map(|(text, _)| format!("({text})")).collect::<Vec<_>>().join(glue);
        Self { each: terms.into_iter().map(|(text, _)| text.to_owned()).collect(), all }
    }

    /// Whether nothing is searched for.
    pub(super) fn is_empty(&self) -> bool {
        self.each.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_stand_in_quotes() {
        let piece = |text: &str, is_phrase| Piece { text: text.to_owned(), is_phrase };
        assert_eq!(
            pieces("find \"exact phrase\" now"),
            [piece("find", false), piece("exact phrase", true), piece("now", false)]
        );
        assert_eq!(pieces("\"a\"\"b c\""), [piece("a", true), piece("b c", true)]);
        assert_eq!(pieces("an \"open quote"), [piece("an", false), piece("open", false), piece("quote", false)]);
        assert_eq!(pieces("\"a\" \"b"), [piece("a", true), piece("b", false)]);
        assert_eq!(pieces(" \"\" \" \" "), []);
        assert_eq!(pieces(&"x ".repeat(500)).len(), MAX_PIECES);
    }

    #[test]
    fn any_word_matches_and_every_phrase_must() {
        let words = Terms::new([("'a'", false), ("", false), ("'b'", false), ("'a'", false)].into_iter());
        assert_eq!(words.all, "('a') | ('b')");
        assert_eq!(words.each, ["'a'", "'b'"]);
        let phrases = Terms::new([("'a'", false), ("'b' <-> 'c'", true), ("'d'", true)].into_iter());
        assert_eq!(phrases.all, "('b' <-> 'c') & ('d')");
        assert_eq!(phrases.each, ["'b' <-> 'c'", "'d'", "'a'"]);
        assert!(Terms::new([("", false)].into_iter()).is_empty());
        let many: Vec<String> = (0..40).map(|n| format!("'w{n}'")).collect();
        assert_eq!(Terms::new(many.iter().map(|text| (text.as_str(), false))).each.len(), MAX_TERMS);
    }
}
