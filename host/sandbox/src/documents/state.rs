//! The state of one reading, the `T` of its `Store<T>`, and the one interface that it offers: the document.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::bindings::behalf::extraction::document;
use super::limits::{DocumentLimits, DocumentMeter};
use super::page::Page;
use super::work::{Ended, Time};
use crate::epoch_clock::Ticking;
use crate::memory::Memory;

/// Bytes that one call of `read` gives at most, as the WIT says.
const MAX_READ: u32 = 1024 * 1024;

/// The state of one reading. It ends with it.
#[derive(Debug)]
pub(super) struct DocumentState {
    pub(super) meter: DocumentMeter,
    pub(super) memory: Memory,
    pub(super) time: Arc<Time>,
    /// Pages that were handed over.
    pub(super) done: u32,
    /// Bytes of their texts and names.
    pub(super) text_bytes: usize,
    total: Option<u32>,
    file: File,
    size: u64,
    pages: mpsc::Sender<Page>,
    limits: DocumentLimits,
    _ticking: Ticking,
}

impl DocumentState {
    pub(super) fn new(
        file: File,
        pages: mpsc::Sender<Page>,
        time: Arc<Time>,
        limits: DocumentLimits,
        ticking: Ticking,
    ) -> io::Result<Self> {
        let memory = Memory::new(limits.memory_bytes);
        Ok(Self {
            meter: DocumentMeter::new(memory.clone()),
            memory,
            time,
            done: 0,
            text_bytes: 0,
            total: None,
            size: file.metadata()?.len(),
            file,
            pages,
            limits,
            _ticking: ticking,
        })
    }

    fn read_at(&self, offset: u64, length: u32) -> Result<Vec<u8>, Ended> {
        let rest = self.size.saturating_sub(offset).min(length.min(MAX_READ).into());
        let mut bytes = vec![0; usize::try_from(rest).unwrap_or_default()];
        let mut read = 0;
        while let Some(room) = bytes.get_mut(read..).filter(|room| !room.is_empty()) {
            match self.file.read_at(room, offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Ended::File(error)),
            }
        }
        bytes.truncate(read);
        Ok(bytes)
    }

    fn take_page(&mut self, page: document::Page) -> Result<(), Ended> {
        self.time.check()?;
        if self.done >= self.limits.pages {
            return Err(Ended::TooManyPages);
        }
        let page = Page { total: self.total, ..Page::cleaned(self.done + 1, page.name.as_deref(), page.text) };
        let bytes = page.text.len() + page.name.as_ref().map_or(0, String::len);
        self.text_bytes = self.text_bytes.saturating_add(bytes);
        if page.text.len() > self.limits.page_bytes || self.text_bytes > self.limits.text_bytes {
            return Err(Ended::TooMuchText);
        }
        self.done += 1;
        // This thread is the reading's own. While it waits here it uses no processor time.
        futures::executor::block_on(async {
            tokio::select! {
                biased;
                ended = self.time.stopped() => Err(ended),
                sent = self.pages.send(page) => sent.map_err(|_| Ended::Stopped),
            }
        })
    }
}

impl document::Host for DocumentState {
    fn size(&mut self) -> wasmtime::Result<u64> {
        Ok(self.size)
    }

    fn read(&mut self, offset: u64, length: u32) -> wasmtime::Result<Vec<u8>> {
        Ok(self.read_at(offset, length)?)
    }

    fn add_page(&mut self, page: document::Page) -> wasmtime::Result<bool> {
        self.take_page(page)?;
        Ok(true)
    }

    fn progress(&mut self, _done: u32, total: Option<u32>) -> wasmtime::Result<()> {
        // What is done, the host counts itself.
        self.total = total.map(|total| total.clamp(self.done, self.limits.pages.max(self.done)));
        Ok(())
    }
}
