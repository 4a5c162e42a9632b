//! `/api/sources`, over real HTTP: documents that users upload, and the text that is read out of them.

mod attacks;
mod bed;
mod cli;
mod corpus;
pub(crate) mod docs;
mod documents;
mod extraction;
mod failing;
mod hostile;
mod hostile_files;
pub(crate) mod hosts;
mod imports;
mod markdown;
mod owners;
mod policies;
mod recipe;
mod signed;
mod upload;
