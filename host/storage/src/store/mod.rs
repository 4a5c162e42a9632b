//! The statements on the tables of the feature, a file for each.

mod buckets;
mod list;
mod objects;
mod uploads;
