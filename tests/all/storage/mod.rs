//! `/storage/v1`, over real HTTP.

mod back_ends;
mod sweeping;
mod bed;
mod buckets;
mod listing;
mod operations;
mod policies;
mod tables;
mod upstream_cases;
mod attacks;
mod bodies;
mod forms;
mod object_bed;
mod objects;
mod ranges;
mod folders;
mod moving;
mod resumable;
mod signed;
mod taking_over;
mod tus;
mod clients;
mod docs;
