//! `/storage/v1`, over real HTTP.

mod attacks;
mod object_bed;
mod bodies;
mod forms;
mod objects;
mod ranges;
