//! Which rows of a table a caller sees, of those whose keys are given. The door for statements that are made of names of the catalogue.
//!
//! Whoever passes changes of rows on reads them where no policy holds. So each row is looked for again as the one who would get it: by
//! its primary key, in that caller's transaction. What the caller may not read at all, or cannot be asked about, is not visible.
//!
//! The statements hold names of schemas, tables, columns, types and operators as the catalogue has them, each quoted, and nothing else
//! that is not constant. Keys and values are parameters.

mod owner;
mod run;
mod statement;
mod table;

pub use run::VisibleError;
pub use statement::Comparison;
pub use table::{BaseType, ColumnRights, VisibleColumn, VisibleTable};
