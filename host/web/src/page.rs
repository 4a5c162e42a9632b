//! Pages of lists, by `limit` and `offset`.

/// The part of a list to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The most rows to return, at least one.
    pub limit: i64,
    /// The number of rows to skip.
    pub offset: i64,
}

impl Page {
    /// Reads the two query parameters. Numbers out of range are moved to the nearest bound, as the platform does.
    pub fn new(limit: Option<i64>, offset: Option<i64>, default: i64, most: i64) -> Self {
        Self { limit: limit.unwrap_or(default).clamp(1, most), offset: offset.unwrap_or(0).max(0) }
    }
}
