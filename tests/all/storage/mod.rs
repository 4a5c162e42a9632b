//! `/storage/v1`, over real HTTP.

mod back_ends;
mod sweeping;
