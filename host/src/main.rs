//! Behalf.
fn main() {}
