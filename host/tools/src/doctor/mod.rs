//! What `behalf doctor` checks about tools: secrets that tools still carry, the keys that plugins are
//! signed with, and plugins that ask for more than they are granted.

mod requests;
mod secrets;
mod signatures;
mod sources;

pub use requests::examine_requests;
pub use secrets::examine_secrets;
pub use signatures::examine_signatures;
