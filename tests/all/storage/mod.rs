//! `/storage/v1`, over real HTTP.

mod at_once;
mod attacks;
mod back_ends;
mod bed;
mod bodies;
mod buckets;
mod clients;
mod docs;
mod folders;
mod forms;
mod full_disk;
mod listing;
mod moving;
mod object_bed;
mod objects;
mod operations;
mod policies;
mod ranges;
mod restored;
mod resumable;
mod signed;
mod sweeping;
mod tables;
mod taking_over;
mod tus;
mod upstream_cases;
