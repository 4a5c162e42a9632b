//! The statements on the tables of the feature, a file for each.

pub(crate) mod buckets;
pub(crate) mod list;
mod statement;
pub(crate) mod objects;
pub(crate) mod uploads;
pub(crate) mod visible;
