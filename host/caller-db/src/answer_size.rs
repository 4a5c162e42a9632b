//! How much memory an answer takes until its guest has it.

use behalf_pgwire::Answer;

use super::value::Value;

/// The most bytes that an answer takes while it goes to its guest: as it came, as values, converted, and as the guest has it.
pub(super) fn bytes_to_read(answer: &Answer) -> usize {
    const COPIES: usize = 4;
    /// A value in the host, twice, and in the guest.
    const VALUE: usize = 2 * size_of::<Value>() + 32;
    const ROW: usize = 128;
    let text: usize = answer.rows.iter().map(|row| row.buffer().len()).sum();
    let values = answer.rows.len().saturating_mul(answer.columns.len());
    let columns: usize = answer.columns.iter().map(|column| column.name.len() + ROW).sum();
    [text.saturating_mul(COPIES), values.saturating_mul(VALUE), answer.rows.len().saturating_mul(ROW), columns]
        .into_iter()
        .fold(0, usize::saturating_add)
}
