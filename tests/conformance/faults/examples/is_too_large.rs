//! Larger than its project allows.

use behalf_faults::Plugin;

struct Fault;

impl Plugin for Fault {}

behalf_faults::export!(Fault);
