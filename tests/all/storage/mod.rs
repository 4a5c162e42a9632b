//! `/storage/v1`, over real HTTP.

mod attacks;
mod bodies;
mod forms;
mod object_bed;
mod objects;
mod ranges;
