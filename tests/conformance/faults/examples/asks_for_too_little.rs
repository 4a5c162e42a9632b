//! Its project grants nothing, and it imports the database.

use behalf_faults::Plugin;

struct Fault;

impl Plugin for Fault {}

behalf_faults::export!(Fault);
