//! WASI's `lite` profile, which every guest may use: clocks, random numbers, captured output.

pub(crate) mod lite;
mod stdio;

use wasmtime::component::Linker;

use super::capability::{Capability, Holds};
use crate::options::{SandboxError, SandboxOptions};

/// WASI without its HTTP. It carries no power: its context has no environment, no sockets and no folders.
#[derive(Debug)]
pub(crate) struct Wasi;

impl Capability for Wasi {
    type Ctx = ();
    type Granted = ();

    fn open(_options: &SandboxOptions) -> Result<Self, SandboxError> {
        Ok(Self)
    }

    fn link_wasi<T: Holds<Self>>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
        wasmtime_wasi::p2::add_to_linker_async(linker)
    }
}
