//! The statements on the tables of the feature, a file for each.

pub(crate) mod buckets;
pub(crate) mod imported;
pub(crate) mod list;
pub(crate) mod objects;
mod statement;
pub(crate) mod uploads;
pub(crate) mod visible;

pub(crate) use statement::ActAs;
