//! Rows of plain SQL dumps, as `pg_dump` writes them: read line by line, without a database. Knows no feature and no table; whoever
//! imports says which tables it wants ([`WantedTable`]). Users of an app wrote some of what a dump holds, so texts and bodies of
//! functions are followed to their ends and not looked into.

mod copy;
mod dump;
mod fault;
mod statement;
mod values;

pub use copy::CopyError;
pub use dump::{Block, Dump, DumpError, Row, WantedTable};
pub use fault::Fault;
pub use values::Values;
