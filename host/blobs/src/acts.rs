//! What is done to the store for one blob: one act after the other, and none after its bytes were given up.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex as Lock, PoisonError, Weak};

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::error::BlobError;
use crate::id::BlobId;

/// The acts on the store for one blob. Each runs to its end, also where whoever asked for it goes away: otherwise a file could be
/// made, or a request arrive, after the bytes of the blob were deleted. Clones are about the same blob.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acts {
    /// Whether the bytes were given up. Held during each act.
    given_up: Arc<Mutex<bool>>,
}

/// An act under way.
pub(crate) struct Act<T>(JoinHandle<Result<T, BlobError>>);

impl<T> Act<T> {
    /// Waits for its end.
    pub(crate) async fn end(self) -> Result<T, BlobError> {
        self.0.await.unwrap_or_else(|error| Err(BlobError::Store(Box::new(error))))
    }
}

impl Acts {
    /// Begins an act on the file system, after the one before it.
    pub(crate) async fn begin_blocking<T, W>(&self, work: W) -> Result<Act<T>, BlobError>
    where
        T: Send + 'static,
        W: FnOnce() -> io::Result<T> + Send + 'static,
    {
        let turn = Arc::clone(&self.given_up).lock_owned().await;
        if *turn {
            return Err(BlobError::Gone);
        }
        Ok(Act(tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work().map_err(BlobError::from_io)
        })))
    }

    /// Does an act on the file system.
    pub(crate) async fn run_blocking<T, W>(&self, work: W) -> Result<T, BlobError>
    where
        T: Send + 'static,
        W: FnOnce() -> io::Result<T> + Send + 'static,
    {
        self.begin_blocking(work).await?.end().await
    }

    /// Does an act on an object store.
    pub(crate) async fn run<T, W>(&self, work: W) -> Result<T, BlobError>
    where
        T: Send + 'static,
        W: Future<Output = object_store::Result<T>> + Send + 'static,
    {
        let turn = Arc::clone(&self.given_up).lock_owned().await;
        if *turn {
            return Err(BlobError::Gone);
        }
        let work = async move {
            let _turn = turn;
            work.await.map_err(BlobError::from_store)
        };
        Act(tokio::spawn(work)).end().await
    }

    /// Waits for the act under way; none begins afterwards.
    pub(crate) async fn give_up(&self) {
        *self.given_up.lock().await = true;
    }
}

/// The acts on blobs that come in parts: a request for one may begin while an act of the one before it, which was dropped, still runs.
#[derive(Debug, Default)]
pub(crate) struct ActsByBlob(Lock<HashMap<BlobId, Weak<Mutex<bool>>>>);

impl ActsByBlob {
    /// The acts on this blob.
    pub(crate) fn of(&self, id: BlobId) -> Acts {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(given_up) = all.get(&id).and_then(Weak::upgrade) {
            return Acts { given_up };
        }
        all.retain(|_, acts| acts.strong_count() > 0);
        let acts = Acts::default();
        all.insert(id, Arc::downgrade(&acts.given_up));
        acts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_act_ends_before_the_bytes_are_given_up_and_none_begins_afterwards() {
        let acts = Acts::default();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (told, done) = std::sync::mpsc::channel();
        let act = acts
            .begin_blocking(move || {
                wait.recv().ok();
                told.send("written").ok();
                Ok(())
            })
            .await
            .expect("it begins");
        // Whoever asked goes away.
        drop(act);
        let other = acts.clone();
        let given_up = tokio::spawn(async move { other.give_up().await });
        go.send(()).expect("it waits");
        given_up.await.expect("it ends");
        assert_eq!(done.try_recv(), Ok("written"));
        let late = acts.run_blocking(|| Ok(())).await;
        assert!(matches!(late, Err(BlobError::Gone)), "{late:?}");
    }

    #[tokio::test]
    async fn requests_for_the_same_blob_wait_for_each_other() {
        let (all, id) = (ActsByBlob::default(), BlobId(uuid::Uuid::new_v4()));
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = all.of(id).begin_blocking(move || Ok(wait.recv().is_ok())).await.expect("it begins");
        drop(first);
        let acts = all.of(id);
        let mut second = Box::pin(acts.run_blocking(|| Ok(())));
        assert!(futures::poll!(&mut second).is_pending());
        all.of(BlobId(uuid::Uuid::new_v4())).run_blocking(|| Ok(())).await.expect("another blob");
        go.send(()).expect("it waits");
        second.await.expect("its turn");
        drop(acts);
        all.of(BlobId(uuid::Uuid::new_v4()));
        assert_eq!(all.0.lock().expect("no panic").len(), 1, "what is over is forgotten");
    }
}
