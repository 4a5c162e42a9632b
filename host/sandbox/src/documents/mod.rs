//! Reads users' documents: a component of the host's own turns a file into pages, in a sandbox with nothing but that file in it.
//!
//! Documents are the most hostile input there is, and their formats are the hardest to read, so the component is treated as if it were
//! hostile itself: it can reach one open file, and everything that it takes or hands over is bounded and checked here.
//!
//! `failure`, `limits`, `page` and `work` are below `state` and `wasi`; `reader` is above them.

mod bindings;
mod failure;
mod limits;
mod page;
mod reader;
mod state;
#[cfg(test)]
mod tests;
mod wasi;
mod work;

pub use failure::{ReadFailure, ReaderError, Refusal};
pub use limits::DocumentLimits;
pub use page::{Page, Summary};
pub use reader::{DocumentOptions, DocumentReader};
