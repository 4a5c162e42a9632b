//! `/storage/v1`, over real HTTP.
