//! Reads the bodies of requests, within a bound on all of them together.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, HttpBody as _, to_bytes};
use behalf_problem::Kind;
use behalf_web::ApiError;
use bytes::Bytes;
use http_body_util::LengthLimitError;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Failure;

/// Bytes of large bodies that may be in memory at once: clients that send them slowly hold them for long.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// Bodies up to this length are read at once; longer ones are counted in units of it.
const UNIT: usize = 64 * 1024;

/// How long a large body waits for room.
const PATIENCE: Duration = Duration::from_secs(10);

/// The room for large bodies.
#[derive(Debug)]
pub(crate) struct Bodies {
    room: Semaphore,
    max_bytes: usize,
}

impl Bodies {
    /// No body has more than `max_bytes`.
    pub(crate) fn new(max_bytes: usize) -> Self {
        // A body of the largest length has room, whatever an operator sets.
        Self { room: Semaphore::new(MAX_BYTES.max(max_bytes).div_ceil(UNIT)), max_bytes }
    }

    /// Reads a body. Its place is taken until it is dropped.
    pub(crate) async fn read(&self, body: Body) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Failure> {
        let max_bytes = self.max_bytes;
        let told = body.size_hint().upper().and_then(|bytes| usize::try_from(bytes).ok());
        let units = told.unwrap_or(max_bytes).min(max_bytes).div_ceil(UNIT);
        let place = if units > 1 { Some(self.take(units).await?) } else { None };
        let read = to_bytes(body, max_bytes).await.map_err(|error| {
            let too_large = error.source().is_some_and(<dyn Error>::is::<LengthLimitError>);
            Failure::Api(if too_large {
                let detail = format!("the body has more than {max_bytes} bytes; send fewer rows at once");
                ApiError::new(Kind::TooLarge, detail)
            } else {
                ApiError::bad_request("the body could not be read")
            })
        })?;
        Ok((read, place))
    }

    async fn take(&self, units: usize) -> Result<SemaphorePermit<'_>, Failure> {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        match tokio::time::timeout(PATIENCE, self.room.acquire_many(units)).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(ApiError::new(Kind::Busy, "too many large bodies are being sent; try again shortly").into()),
        }
    }
}
