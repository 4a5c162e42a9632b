//! What can be wrong with a line of a dump.

use thiserror::Error;

use super::copy::CopyError;

/// What is wrong with a line.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Row(CopyError),
    #[error("the row has {found} values for {expected} columns")]
    Fields { found: usize, expected: usize },
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is not {1}")]
    Value(&'static str, &'static str),
    #[error("the column {0} is listed twice")]
    Twice(String),
    #[error("the rows of {0} are not in the form that pg_dump writes; dump with pg_dump --data-only --schema=auth")]
    Form(&'static str),
    #[error("the rows of {0} are INSERT statements; dump without --inserts: pg_dump --data-only --schema=auth")]
    Inserts(&'static str),
    #[error("something follows COPY in its line")]
    AfterCopy,
    #[error("the dump was made with standard_conforming_strings off; set it on and dump again")]
    OldStrings,
    #[error("this is an archive; make SQL of it with pg_restore --file=dump.sql, or dump with --format=plain")]
    Archive,
    #[error("this file is compressed; unpack it first")]
    Compressed,
    #[error("the dump ends inside of a statement")]
    Unfinished,
    #[error("the dump ends inside of rows")]
    UnfinishedRows,
    #[error("the line is too long")]
    Long,
}
