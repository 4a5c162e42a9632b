//! Promises about the plugin's own store.

use crate::promise::Promise;

pub(super) const ALL: &[Promise] = &[Promise {
    id: "stores.failed",
    sentence: "A tool does not report success when it could not write to its store.",
    why: "A model believes an answer like \"noted\", and the next call knows nothing of it.",
    how: "The suite repeats successful calls that use the plugin's store: with a store that has no room, and then without the grant to write there. No call may crash, and a tool without `readOnlyHint` must not return the result that it returns when nothing fails.",
    fix: "Check the result of every operation, and return its error.",
}];
