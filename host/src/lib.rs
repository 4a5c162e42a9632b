//! Behalf.
