//! Requests against a small cache.
