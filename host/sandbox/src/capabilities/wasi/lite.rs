//! The WASI context of one call.

use std::path::Path;

use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use super::stdio::LogStream;
use crate::memory::Memory;

/// Random bytes that one request of a guest may ask for.
const MAX_RANDOM: u64 = 64 * 1024;

/// The WASI context of one call, made when its guest first asks for it: most guests never do.
pub(crate) struct Lite {
    stdout: LogStream,
    stderr: LogStream,
    made: Option<WasiCtx>,
}

impl Lite {
    pub(crate) fn new(memory: &Memory) -> Self {
        Self { stdout: LogStream::new(memory.clone()), stderr: LogStream::new(memory.clone()), made: None }
    }

    /// The context.
    pub(crate) fn ctx(&mut self) -> &mut WasiCtx {
        self.made.get_or_insert_with(|| builder(&self.stdout, &self.stderr).build())
    }

    /// Gives the guest a folder, as `/`. It must not have asked for the context yet.
    pub(crate) fn open_folder(&mut self, path: &Path, allowed: FsPerms) -> wasmtime::Result<()> {
        let mut builder = builder(&self.stdout, &self.stderr);
        builder.preopened_dir(path, "/", allowed)?;
        self.made = Some(builder.build());
        Ok(())
    }

    /// The text that the guest printed, with the name of each stream.
    pub(crate) fn printed(&self) -> [(&'static str, String); 2] {
        [("stdout", self.stdout.text()), ("stderr", self.stderr.text())]
    }
}

/// Clocks, random numbers, captured output. No environment, no arguments, no sockets, no names, no folders.
fn builder(stdout: &LogStream, stderr: &LogStream) -> WasiCtxBuilder {
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(stdout.clone())
        .stderr(stderr.clone())
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(MAX_RANDOM);
    builder
}
