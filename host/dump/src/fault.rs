//! What can be wrong with a line of a dump.

use thiserror::Error;

use super::copy::CopyError;

/// What is wrong with a line.
#[derive(Debug, Error)]
pub enum Fault {
    /// A row cannot be read.
    #[error(transparent)]
    Row(CopyError),
    /// A row has more or fewer values than there are columns.
    #[error("the row has {found} values for {expected} columns")]
    Fields {
        /// Its values.
        found: usize,
        /// The columns.
        expected: usize,
    },
    /// A value that is needed is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A value is not of its kind.
    #[error("{0} is not {1}")]
    Value(&'static str, &'static str),
    /// The list of columns names one twice.
    #[error("the column {0} is listed twice")]
    Twice(String),
    /// Rows stand in another form than COPY's own.
    #[error("the rows of {0} are not in the form that pg_dump writes; dump with pg_dump --data-only --schema={schema}", schema = schema(.0))]
    Form(&'static str),
    /// Rows stand in statements.
    #[error("the rows of {0} are INSERT statements; dump without --inserts: pg_dump --data-only --schema={schema}", schema = schema(.0))]
    Inserts(&'static str),
    /// Rows do not begin in a line of their own.
    #[error("something follows COPY in its line")]
    AfterCopy,
    /// Backslashes in texts would be escapes.
    #[error("the dump was made with standard_conforming_strings off; set it on and dump again")]
    OldStrings,
    /// The file is no text.
    #[error("this is an archive; make SQL of it with pg_restore --file=dump.sql, or dump with --format=plain")]
    Archive,
    /// The file is no text either.
    #[error("this file is compressed; unpack it first")]
    Compressed,
    /// The file ends too early.
    #[error("the dump ends inside of a statement")]
    Unfinished,
    /// The same among rows.
    #[error("the dump ends inside of rows")]
    UnfinishedRows,
    /// No row is so long.
    #[error("the line is too long")]
    Long,
}

/// The schema of a table that is named in full.
fn schema(table: &str) -> &str {
    table.split('.').next().unwrap_or(table)
}
