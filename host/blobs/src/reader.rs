//! Bytes as they are read.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::stream::BoxStream;

use crate::error::BlobError;

/// A stream of the bytes of one blob.
pub struct BlobReader {
    /// How many bytes the whole blob has.
    pub size: u64,
    pub(crate) bytes: BoxStream<'static, io::Result<Bytes>>,
}

impl std::fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobReader").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Stream for BlobReader {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.bytes.as_mut().poll_next(cx)
    }
}

/// The part of `size` bytes that is asked for.
pub(crate) fn resolve(range: Option<Range<u64>>, size: u64) -> Result<Range<u64>, BlobError> {
    match range {
        None => Ok(0..size),
        Some(range) if range.start >= size => Err(BlobError::Range { size }),
        Some(range) => Ok(range.start..range.end.clamp(range.start, size)),
    }
}
