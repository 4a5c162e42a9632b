//! `/storage/v1`, over real HTTP.

mod clients;
mod docs;
