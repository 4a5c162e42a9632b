//! Components in OCI registries, in the layout of the CNCF's Wasm working group; `push` and `pull` share it. What a registry
//! sends comes from a stranger: it is bounded, compared with its digest, and printed without control characters.

mod credentials;
mod errors;
mod layout;
mod progress;
mod reference;
mod registry;

pub use credentials::RegistryArgs;
pub(crate) use layout::{Artifact, GRANTS, SIGNATURE};
pub(crate) use reference::{digest_of, parse_reference, repository_name};
pub(crate) use registry::Registry;
