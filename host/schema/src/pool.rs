//! The places where strangers' schemas are prepared, and where values are checked with them, off the threads that serve requests.
//!
//! Work on a schema ends, because it is bounded, but nothing can interrupt it. So there are few places, and whoever finds none
//! free within [`PATIENCE`] hears that the host is busy.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::prepared::Prepared;
use crate::{Fault, Form, Schema, SchemaError};

/// Pieces of work at once. The threads that serve requests keep their processors where a machine has more than this.
const PLACES: usize = 2;
/// How long work waits for a place.
const PATIENCE: Duration = Duration::from_secs(10);

static FREE: Semaphore = Semaphore::const_new(PLACES);

/// All places were taken for too long, or the work ended with a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("all places for checking schemas are taken; try again shortly")]
pub struct Busy;

/// Why a value was not checked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckError {
    /// Too many others are checked.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The schema cannot be used, although it was found usable when it was stored.
    #[error("a stored schema cannot be used")]
    Unusable(#[source] SchemaError),
}

/// Prepares schemas: runs `work` on a thread for blocking work.
pub async fn prepare<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
    let place = tokio::time::timeout(PATIENCE, FREE.acquire()).await;
    let place = place.map_err(|_| Busy)?.map_err(|_| Busy)?;
    tokio::task::spawn_blocking(move || {
        // The place is free again when the work has ended, whether or not somebody still waits for it.
        let _place = place;
        work()
    })
    .await
    .map_err(|_| Busy)
}

impl Schema {
    /// Everything in a value that does not fit, and the value. What takes well under a millisecond is done at once.
    pub async fn check(&self, value: Value) -> Result<(Value, Vec<Fault>), CheckError> {
        let ready = self.prepared().await?;
        if ready.is_quick(&value) {
            let faults = ready.faults(&value);
            return Ok((value, faults));
        }
        let schema = self.clone();
        let checked = prepare(move || {
            let faults = schema.faults(&value);
            (value, faults)
        });
        Ok(checked.await?)
    }

    /// The schema in the form that checks values, made on a thread for blocking work where it was not needed before.
    async fn prepared(&self) -> Result<&Prepared, CheckError> {
        if let Form::Deferred(deferred) = &*self.0
            && !deferred.is_prepared()
        {
            let _turn = tokio::time::timeout(PATIENCE, deferred.turn.lock()).await.map_err(|_| Busy)?;
            if !deferred.is_prepared() {
                let schema = self.clone();
                prepare(move || schema.ready().is_ok()).await?;
            }
        }
        self.ready().map_err(|error| CheckError::Unusable(error.clone()))
    }
}
