//! The `behalf` program; `behalf --help` lists its commands.

use std::process::ExitCode;

/// A request makes and frees some hundred small values, often on different threads. The system's allocator takes twice as long
/// for them, and keeps more of the memory of a burst (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    behalf::cli::run()
}
