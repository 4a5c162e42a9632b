//! The bodies of requests and answers, each within its limits.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, WasiBody};

use super::errors::from_hyper;
use super::records::Record;
use crate::memory::Charge;

/// The body of a guest's request, up to a limit.
pub(super) struct RequestBody {
    pub(super) inner: WasiBody,
    pub(super) left: u64,
    pub(super) limit: u64,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()).map_or(0, data_len);
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Poll::Ready(frame)
            }
            None => Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(self.limit))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body of a server's answer, with a limit in bytes, in time between two pieces, and in time altogether: a server that
/// sends very slowly holds a call no longer than one that sends nothing.
pub(super) struct ResponseBody {
    inner: Incoming,
    left: u64,
    limit: u64,
    between: Duration,
    end: Instant,
    timer: Pin<Box<Sleep>>,
    record: Arc<Record>,
    over: bool,
    _charges: Arc<[Charge]>,
}

impl ResponseBody {
    pub(super) fn new(inner: Incoming, limit: u64, between: Duration, end: Instant, record: Arc<Record>) -> Self {
        let timer = Box::pin(tokio::time::sleep_until((Instant::now() + between).min(end).into()));
        Self { inner, left: limit, limit, between, end, timer, record, over: false, _charges: Arc::default() }
    }

    /// Holds charges until it is dropped.
    pub(super) fn charged(self, charges: Arc<[Charge]>) -> Self {
        Self { _charges: charges, ..self }
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            return self.timer.as_mut().poll(cx).map(|()| Some(Err(Error::ConnectionReadTimeout)));
        };
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = frame.map_err(|error| from_hyper(&error))?;
        let now = Instant::now();
        if now >= self.end {
            return Poll::Ready(Some(Err(Error::HttpResponseTimeout)));
        }
        let Some(left) = self.left.checked_sub(data_len(&frame)) else {
            return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(self.limit)))));
        };
        self.left = left;
        let next = (now + self.between).min(self.end);
        self.timer.as_mut().reset(next.into());
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let frame = std::task::ready!(self.next(cx));
        if let Some(Err(error)) = &frame {
            self.over = true;
            self.record.failed(error);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn data_len(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |bytes| bytes.len() as u64)
}
