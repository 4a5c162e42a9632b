//! How long a text is for a model.

use std::fmt::Debug;

/// Counts the tokens of texts.
pub trait TokenCounter: Debug + Send + Sync {
    /// The tokens of `text`, without the marks that a model puts around each text.
    fn count(&self, text: &str) -> usize;

    /// Whether the number is the model's own, and not an estimate.
    fn is_exact(&self) -> bool;
}

/// An estimate for models whose tokenizer is not here.
///
/// Words of an alphabet count a token for each four letters begun, every other letter and each sign one. For English prose
/// this gives more than a tokenizer does, so that what fits by the estimate fits.
#[derive(Clone, Copy, Debug)]
pub struct EstimatedTokens;

/// Letters of a word that count as one token.
const LETTERS_PER_TOKEN: usize = 4;

impl TokenCounter for EstimatedTokens {
    fn count(&self, text: &str) -> usize {
        let (mut tokens, mut letters) = (0_usize, 0_usize);
        for c in text.chars() {
            if c.is_alphanumeric() && u32::from(c) < FIRST_WITHOUT_SPACES {
                letters += 1;
                continue;
            }
            tokens += letters.div_ceil(LETTERS_PER_TOKEN) + usize::from(!c.is_whitespace());
            letters = 0;
        }
        tokens + letters.div_ceil(LETTERS_PER_TOKEN)
    }

    fn is_exact(&self) -> bool {
        false
    }
}

/// From here on are scripts that are written without spaces, such as those of East Asia: a letter is about a token.
const FIRST_WITHOUT_SPACES: u32 = 0x0E00;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_grow_with_words_signs_and_letters_of_other_scripts() {
        let count = |text: &str| EstimatedTokens.count(text);
        assert_eq!(count(""), 0);
        assert_eq!(count("cat"), 1);
        assert_eq!(count("The cat sat."), 4);
        assert_eq!(count("internationalisation"), 5);
        assert_eq!(count("知識庫"), 3);
        assert_eq!(count(" \n\t "), 0);
    }
}
