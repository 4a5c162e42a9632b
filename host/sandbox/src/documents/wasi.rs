//! The part of WASI that a component imports because its language's runtime does, with nothing behind it: no environment, no
//! arguments, no files, no sockets, no clocks, no input. What is printed is dropped. The one thing there is is a random seed, so that
//! nobody can make a document whose words all fall into one place of a hash table.
//!
//! The host's crate for WASI is not used: it would bring files, sockets and a runtime within reach of a fault, and the functions here
//! need none of them. An import that is not in this file is refused (`reader.rs`).

use uuid::Uuid;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType};

use super::state::DocumentState;
use super::work::Ended;

/// The version that is linked; a component that was built for another version 0.2 fits as well.
const VERSION: &str = "0.2.6";

/// Bytes that a stream takes at once; it drops them.
const TAKEN: u64 = 64 * 1024;

/// A stream or a handle that does nothing. There is no table: every handle means the same.
struct Nothing;
struct Input;
struct Output;
struct Pollable;
struct TerminalInput;
struct TerminalOutput;

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<Nothing>),
    #[component(name = "closed")]
    Closed,
}

type Linked = wasmtime::Result<()>;
type Bytes = (Result<Vec<u8>, StreamError>,);
type Done = (Result<(), StreamError>,);
type Cx<'a> = StoreContextMut<'a, DocumentState>;

/// Adds the interfaces.
pub(super) fn add_to_linker(linker: &mut Linker<DocumentState>) -> Linked {
    io(linker)?;
    streams(&mut interface(linker, "io/streams")?)?;
    cli(linker)?;
    interface(linker, "random/insecure-seed")?
        .func_wrap("insecure-seed", |_: Cx<'_>, (): ()| Ok((Uuid::new_v4().as_u64_pair(),)))?;
    terminals(linker)
}

fn interface<'a>(
    linker: &'a mut Linker<DocumentState>,
    name: &str,
) -> wasmtime::Result<LinkerInstance<'a, DocumentState>> {
    linker.instance(&format!("wasi:{name}@{VERSION}"))
}

/// A type of handles. Dropping one does nothing.
fn handle<T: 'static>(interface: &mut LinkerInstance<'_, DocumentState>, name: &str) -> Linked {
    interface.resource(name, ResourceType::host::<T>(), |_, _| Ok(()))
}

fn io(linker: &mut Linker<DocumentState>) -> Linked {
    handle::<Nothing>(&mut interface(linker, "io/error")?, "error")?;
    let mut poll = interface(linker, "io/poll")?;
    handle::<Pollable>(&mut poll, "pollable")?;
    // Whatever is waited for is there at once, so that nothing can wait without using processor time.
    poll.func_wrap("[method]pollable.ready", |_: Cx<'_>, (_,): (Resource<Pollable>,)| Ok((true,)))?;
    poll.func_wrap("[method]pollable.block", |_: Cx<'_>, (_,): (Resource<Pollable>,)| Ok(()))?;
    poll.func_wrap("poll", |_: Cx<'_>, (all,): (Vec<Resource<Pollable>>,)| {
        Ok(((0..u32::try_from(all.len()).unwrap_or(u32::MAX)).collect::<Vec<_>>(),))
    })
}

fn streams(streams: &mut LinkerInstance<'_, DocumentState>) -> Linked {
    handle::<Input>(streams, "input-stream")?;
    handle::<Output>(streams, "output-stream")?;
    for name in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        streams.func_wrap(name, |_: Cx<'_>, (_, _): (Resource<Input>, u64)| -> wasmtime::Result<Bytes> {
            Ok((Err(StreamError::Closed),))
        })?;
    }
    streams.func_wrap("[method]input-stream.subscribe", |_: Cx<'_>, (_,): (Resource<Input>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    streams.func_wrap("[method]output-stream.subscribe", |_: Cx<'_>, (_,): (Resource<Output>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    streams.func_wrap("[method]output-stream.check-write", |_: Cx<'_>, (_,): (Resource<Output>,)| {
        Ok((Ok::<_, StreamError>(TAKEN),))
    })?;
    for name in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        streams.func_wrap(name, |_: Cx<'_>, (_, _): (Resource<Output>, Vec<u8>)| -> wasmtime::Result<Done> {
            Ok((Ok(()),))
        })?;
    }
    for name in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        streams.func_wrap(name, |_: Cx<'_>, (_,): (Resource<Output>,)| -> wasmtime::Result<Done> { Ok((Ok(()),)) })?;
    }
    Ok(())
}

fn cli(linker: &mut Linker<DocumentState>) -> Linked {
    let mut environment = interface(linker, "cli/environment")?;
    environment.func_wrap("get-environment", |_: Cx<'_>, (): ()| Ok((Vec::<(String, String)>::new(),)))?;
    environment.func_wrap("get-arguments", |_: Cx<'_>, (): ()| Ok((Vec::<String>::new(),)))?;
    environment.func_wrap("initial-cwd", |_: Cx<'_>, (): ()| Ok((None::<String>,)))?;
    // It may end itself; that is no answer.
    interface(linker, "cli/exit")?
        .func_wrap("exit", |_: Cx<'_>, (_,): (Result<(), ()>,)| -> Linked { Err(Ended::Crashed.into()) })?;
    interface(linker, "cli/stdin")?.func_wrap("get-stdin", |_: Cx<'_>, (): ()| Ok((Resource::<Input>::new_own(0),)))?;
    for name in ["stdout", "stderr"] {
        interface(linker, &format!("cli/{name}"))?
            .func_wrap(&format!("get-{name}"), |_: Cx<'_>, (): ()| Ok((Resource::<Output>::new_own(0),)))?;
    }
    Ok(())
}

/// There is no terminal.
fn terminals(linker: &mut Linker<DocumentState>) -> Linked {
    handle::<TerminalInput>(&mut interface(linker, "cli/terminal-input")?, "terminal-input")?;
    handle::<TerminalOutput>(&mut interface(linker, "cli/terminal-output")?, "terminal-output")?;
    interface(linker, "cli/terminal-stdin")?
        .func_wrap("get-terminal-stdin", |_: Cx<'_>, (): ()| Ok((None::<Resource<TerminalInput>>,)))?;
    for name in ["stdout", "stderr"] {
        interface(linker, &format!("cli/terminal-{name}"))?
            .func_wrap(&format!("get-terminal-{name}"), |_: Cx<'_>, (): ()| Ok((None::<Resource<TerminalOutput>>,)))?;
    }
    Ok(())
}
