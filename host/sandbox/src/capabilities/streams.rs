//! Streams that charge what they keep to the call's memory.

use bytes::Bytes;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::pipe::{ClosedInputStream, ClosedOutputStream};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

use crate::memory::{Charge, Memory, OverMemory};

/// Bytes that a stream of a file or of an answer has read and the guest has not taken: WASI reads no more at once.
const READ_AHEAD: usize = 64 * 1024;

/// Puts the memory in front of a stream that the host keeps until somebody takes it.
pub(crate) fn charged_output(
    table: &mut ResourceTable,
    stream: &Resource<DynOutputStream>,
    memory: Memory,
) -> wasmtime::Result<()> {
    let place = table.get_mut(stream)?;
    let inner = std::mem::replace(place, Box::new(ClosedOutputStream));
    *place = Box::new(ChargedOutput { inner, memory });
    Ok(())
}

/// Charges what a stream reads ahead, until the stream is dropped.
pub(crate) fn charged_input(
    table: &mut ResourceTable,
    stream: &Resource<DynInputStream>,
    memory: &Memory,
) -> wasmtime::Result<()> {
    let charge = memory.charge(READ_AHEAD)?;
    let place = table.get_mut(stream)?;
    let inner = std::mem::replace(place, Box::new(ClosedInputStream));
    *place = Box::new(ChargedInput { inner, _charge: charge });
    Ok(())
}

/// Ends the guest, whose write does not fit.
pub(crate) fn over(error: OverMemory) -> StreamError {
    StreamError::Trap(error.into())
}

struct ChargedOutput {
    inner: DynOutputStream,
    memory: Memory,
}

#[async_trait]
impl Pollable for ChargedOutput {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl OutputStream for ChargedOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let bytes = self.memory.hold(bytes).map_err(over)?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        let bytes = self.memory.hold(bytes).map_err(over)?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

struct ChargedInput {
    inner: DynInputStream,
    _charge: Charge,
}

#[async_trait]
impl Pollable for ChargedInput {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl InputStream for ChargedInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.read(size)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.inner.blocking_read(size).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
