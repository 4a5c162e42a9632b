//! What `behalf doctor` checks about tools: secrets that tools still carry, and the keys that plugins are signed with.

mod secrets;
mod signatures;
mod sources;

pub use secrets::examine_secrets;
pub use signatures::examine_signatures;
