//! The `behalf` program; `behalf --help` lists its commands.

use std::process::ExitCode;

/// A request makes and frees some hundred small values, often on different threads, which this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    behalf::cli::run()
}
