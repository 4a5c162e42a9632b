//! `/storage/v1`, over real HTTP.

mod bed;
mod buckets;
mod listing;
mod operations;
mod policies;
mod tables;
mod upstream_cases;
