//! Texts as the numbers of their tokens.

use tokenizers::Tokenizer;

use super::model::POSITIONS;
use crate::Cause;

/// The longest part of a text that is looked at for its vector. The first [`POSITIONS`] tokens of prose are a tenth of it; it
/// bounds the work on texts that have none, such as spaces.
const MAX_BYTES: usize = 32 * 1024;

/// Cuts texts into tokens, as the model was trained with them.
#[derive(Debug)]
pub(super) struct Words(Tokenizer);

impl Words {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Cause> {
        let unreadable = || Cause::new("the tokenizer cannot be read");
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|_| unreadable())?;
        // The file asks for texts of 128 tokens, filled up and cut.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|_| unreadable())?;
        Ok(Self(tokenizer))
    }

    /// The tokens of the beginning of a text, with the marks around them: at most [`POSITIONS`].
    pub(super) fn numbers(&self, text: &str) -> Result<Vec<u32>, Cause> {
        let mut end = text.len().min(MAX_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let encoding = self.0.encode_fast(text.get(..end).unwrap_or_default(), true).map_err(|_| cannot())?;
        let mut numbers = encoding.get_ids().to_vec();
        if let Some(last) = numbers.last().copied().filter(|_| numbers.len() > POSITIONS) {
            numbers.truncate(POSITIONS - 1);
            // The mark of the end.
            numbers.push(last);
        }
        Ok(numbers)
    }

    /// How many tokens a text has, without marks.
    pub(super) fn count(&self, text: &str) -> Result<usize, Cause> {
        Ok(self.0.encode_fast(text, false).map_err(|_| cannot())?.len())
    }
}

fn cannot() -> Cause {
    Cause::new("a text cannot be cut into tokens")
}
