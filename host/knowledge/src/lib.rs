//! Knowledge bases: their indexes, and search as the caller.
