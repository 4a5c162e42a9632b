//! The list of `pg_catalog` functions that a statement may call.

use std::collections::HashSet;
use std::sync::LazyLock;

/// The reviewed list. Its head gives the criteria.
pub(super) const LIST: &str = include_str!("functions.txt");

static ALLOWED: LazyLock<HashSet<&'static str>> = LazyLock::new(|| names().collect());

/// The names on the list, in its order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Whether the function of this name in `pg_catalog` may be called.
pub(super) fn is_allowed(name: &str) -> bool {
    ALLOWED.contains(name)
}
