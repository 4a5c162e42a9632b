//! A row as text.

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::DataRowBody;

use super::error::WireError;

/// A row of an answer: its columns as text, `None` for NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRow(Vec<Option<String>>);

impl TextRow {
    /// Reads a row as it came. What is not UTF-8 is replaced.
    pub fn read(row: &DataRowBody) -> Result<Self, WireError> {
        let wrong = || WireError::Protocol("a row cannot be read");
        let (mut columns, mut ranges) = (Vec::with_capacity(8), row.ranges());
        while let Some(range) = ranges.next().map_err(|_| wrong())? {
            let bytes = range.map(|range| row.buffer().get(range).ok_or_else(wrong)).transpose()?;
            columns.push(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
        }
        Ok(Self(columns))
    }

    /// A column as text; `None` where it is NULL or not there.
    pub fn text(&self, column: usize) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }
}
