//! Short documents by chance, each another one and for ever the same.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Words of a document. The local model has about five tokens for four of them, and reads 256 tokens in a chunk: one to three chunks.
const LENGTH: std::ops::RangeInclusive<usize> = 60..=420;
/// Words of a sentence, and sentences of a paragraph.
const SENTENCE: std::ops::RangeInclusive<usize> = 6..=14;
const PARAGRAPH: std::ops::RangeInclusive<usize> = 3..=6;

const WORDS: [&str; 48] = [
    "harbour", "garden", "letter", "winter", "river", "engine", "teacher", "window", "market", "stone", "bridge",
    "number", "a", "the", "of", "and", "in", "with", "after", "before", "every", "some", "little", "old", "quiet",
    "heavy", "green", "early", "carries", "finds", "repairs", "writes", "opens", "counts", "follows", "keeps", "sees",
    "because", "while", "never", "often", "slowly", "again", "beside", "under", "towards", "without", "nobody",
];

/// The document of this number.
pub(super) fn text(seed: u64, number: u32) -> String {
    let mut rng = StdRng::seed_from_u64(seed.rotate_left(32) ^ u64::from(number));
    let (mut rest, mut text) = (rng.random_range(LENGTH), format!("Note {number} begins here."));
    while rest > 0 {
        text.push_str("\n\n");
        for _ in 0..rng.random_range(PARAGRAPH) {
            let words = rng.random_range(SENTENCE);
            let sentence: Vec<&str> = (0..words).map(|_| WORDS[rng.random_range(0..WORDS.len())]).collect();
            text.push_str(&sentence.join(" "));
            text.push_str(". ");
            rest = rest.saturating_sub(words);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_another_one_and_stays_the_same() {
        let texts: std::collections::HashSet<String> = (0..100).map(|number| text(1, number)).collect();
        assert_eq!(texts.len(), 100);
        assert_eq!(text(1, 7), text(1, 7));
        assert_ne!(text(1, 7), text(2, 7));
    }
}
