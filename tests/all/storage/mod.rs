//! `/storage/v1`, over real HTTP.

mod folders;
mod moving;
mod resumable;
mod signed;
mod taking_over;
mod tus;
