//! Keeps every promise.

use behalf_faults::Plugin;

struct Sound;

impl Plugin for Sound {}

behalf_faults::export!(Sound);
