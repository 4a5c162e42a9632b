//! Components in OCI registries, laid out as the CNCF's Wasm working group has it: what `push` and `pull` share. What a
//! registry sends is a stranger's: bounded, compared with its digest, and printed without what could steer a terminal.

mod credentials;
mod fault;
mod layout;
mod reference;
mod registry;

pub(super) use credentials::RegistryArgs;
pub(super) use layout::{Artifact, GRANTS, SIGNATURE};
pub(super) use reference::{digest_of, parse_reference, repository_name};
pub(super) use registry::Registry;
