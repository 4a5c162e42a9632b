//! A stream into a file that charges the quota, and the call's memory, before it writes.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::super::streams::over;
use super::quota::{Quota, Used};
use crate::memory::Memory;

/// `ENOSPC`, which WASI's own conversion knows.
const NO_SPACE: i32 = 28;
/// With less room than this a stream measures the folder again before it refuses: files may have been removed.
const NEARLY_FULL: u64 = 1024 * 1024;

/// A stream into a file. Before it writes it charges the bytes by which the file gets longer.
pub(super) struct MeteredStream {
    pub(super) inner: DynOutputStream,
    pub(super) file: Arc<File>,
    /// The position of the next byte; none means the end of the file at the time of the write.
    pub(super) position: Option<u64>,
    pub(super) quota: Arc<Quota>,
    pub(super) memory: Memory,
}

impl MeteredStream {
    /// How much longer the file gets.
    fn growth(&self, len: usize) -> StreamResult<u64> {
        let len = len as u64;
        growth(&self.file, self.position, len).map_err(failed)
    }

    fn advance(&mut self, len: usize) {
        self.position = self.position.map(|position| position.saturating_add(len as u64));
    }
}

/// How many bytes a write adds to a file, a gap before it included.
pub(super) fn growth(file: &File, position: Option<u64>, len: u64) -> io::Result<u64> {
    match position {
        Some(position) if len > 0 => Ok(position.saturating_add(len).saturating_sub(file.metadata()?.len())),
        Some(_) => Ok(0),
        None => Ok(len),
    }
}

fn failed(error: io::Error) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}

fn full() -> StreamError {
    failed(io::Error::from_raw_os_error(NO_SPACE))
}

#[async_trait]
impl Pollable for MeteredStream {
    async fn ready(&mut self) {
        self.inner.ready().await;
        if self.quota.left() < NEARLY_FULL {
            self.quota.measure_again().await;
        }
    }
}

#[async_trait]
impl OutputStream for MeteredStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let len = bytes.len();
        let bytes = self.memory.hold(bytes).map_err(over)?;
        self.quota.charge(self.growth(len)?).map_err(|_| full())?;
        self.inner.write(bytes)?;
        self.advance(len);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        let len = bytes.len();
        let more = Used { bytes: self.growth(len)?, ..Used::default() };
        let bytes = self.memory.hold(bytes).map_err(over)?;
        self.quota.reserve(more).await.map_err(|_| full())?;
        self.inner.blocking_write_and_flush(bytes).await?;
        self.advance(len);
        Ok(())
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
