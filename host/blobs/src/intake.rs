//! Bytes as they come from a client: bounded, and in pieces that suit the store.

use bytes::{Buf as _, Bytes, BytesMut};
use futures::{Stream, StreamExt as _};

use crate::error::{BlobError, WriteError};
use crate::lease::Lease;

/// Bytes as they come. The blob's lease is renewed meanwhile.
pub(crate) struct Intake<'a, S, E> {
    source: S,
    lease: &'a mut Lease,
    limit: u64,
    taken: u64,
    /// What came and was not asked for yet.
    waiting: Bytes,
    failure: Option<E>,
}

/// Consecutive bytes.
pub(crate) struct Piece {
    pub(crate) bytes: BytesMut,
    /// Whether nothing follows.
    pub(crate) is_last: bool,
}

/// Why there is no next piece.
pub(crate) enum IntakeError {
    /// There are more bytes than are allowed.
    TooLarge(u64),
    /// The lease is lost.
    Lease(BlobError),
}

impl<E> From<IntakeError> for WriteError<E> {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::TooLarge(limit) => Self::TooLarge(limit),
            IntakeError::Lease(error) => Self::Blob(error),
        }
    }
}

impl<'a, S, E> Intake<'a, S, E>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Send,
{
    /// At most `limit` bytes of this source.
    pub(crate) fn new(source: S, limit: u64, lease: &'a mut Lease) -> Self {
        Self { source, lease, limit, taken: 0, waiting: Bytes::new(), failure: None }
    }

    /// The next `want` bytes, or the last ones. What came before the source failed counts as the last.
    ///
    /// Bytes are copied together: a client that sends them one by one would keep a buffer in memory for each.
    pub(crate) async fn next(&mut self, want: usize) -> Result<Piece, IntakeError> {
        let mut bytes = BytesMut::new();
        loop {
            let part = self.waiting.len().min(want.saturating_sub(bytes.len()));
            bytes.extend_from_slice(self.waiting.get(..part).unwrap_or_default());
            self.waiting.advance(part);
            if bytes.len() >= want {
                return Ok(Piece { bytes, is_last: false });
            }
            match self.receive().await? {
                Some(more) => self.waiting = more,
                None => return Ok(Piece { bytes, is_last: true }),
            }
        }
    }

    /// Why the source ended before its end.
    pub(crate) fn failure(&mut self) -> Option<E> {
        self.failure.take()
    }

    /// The blob's lease.
    pub(crate) fn lease(&mut self) -> &mut Lease {
        self.lease
    }

    async fn receive(&mut self) -> Result<Option<Bytes>, IntakeError> {
        if self.failure.is_some() {
            return Ok(None);
        }
        let received = loop {
            tokio::select! {
                biased;
                received = self.source.next() => break received,
                () = tokio::time::sleep_until(self.lease.due()) => self.lease.renew().await.map_err(IntakeError::Lease)?,
            }
        };
        match received {
            None => Ok(None),
            Some(Ok(bytes)) => {
                self.taken = self.taken.saturating_add(bytes.len() as u64);
                if self.taken > self.limit { Err(IntakeError::TooLarge(self.limit)) } else { Ok(Some(bytes)) }
            }
            Some(Err(failure)) => {
                self.failure = Some(failure);
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn pieces(sent: Vec<Result<&'static [u8], ()>>, want: usize, limit: u64) -> Result<(Vec<usize>, bool), u64> {
        let mut lease = Lease::unlisted();
        let source = stream::iter(sent.into_iter().map(|one| one.map(Bytes::from_static)));
        let mut intake = Intake::new(source, limit, &mut lease);
        let mut sizes = Vec::new();
        loop {
            match intake.next(want).await {
                Ok(piece) => {
                    sizes.push(piece.bytes.len());
                    if piece.is_last {
                        return Ok((sizes, intake.failure().is_some()));
                    }
                }
                Err(IntakeError::TooLarge(limit)) => return Err(limit),
                Err(IntakeError::Lease(_)) => return Err(0),
            }
        }
    }

    #[tokio::test]
    async fn pieces_have_the_size_that_was_asked_for() {
        assert_eq!(pieces(vec![Ok(b"abc"), Ok(b"defgh"), Ok(b"i")], 4, 9).await, Ok((vec![4, 4, 1], false)));
        assert_eq!(pieces(vec![Ok(b"abcd")], 4, 4).await, Ok((vec![4, 0], false)));
        assert_eq!(pieces(vec![], 4, 0).await, Ok((vec![0], false)));
    }

    #[tokio::test]
    async fn a_byte_too_many_ends_it_and_a_failure_does_not_lose_what_came_before() {
        assert_eq!(pieces(vec![Ok(b"abc"), Ok(b"de")], 4, 4).await, Err(4));
        assert_eq!(pieces(vec![Ok(b"abc"), Ok(b"de"), Err(()), Ok(b"x")], 4, 9).await, Ok((vec![4, 1], true)));
    }
}
