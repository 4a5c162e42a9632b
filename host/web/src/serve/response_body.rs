//! An answer's body. Its request is under way until the last of it is taken, and its client has to take it piece by piece.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use hyper::body::{Body as _, Frame, SizeHint};

use super::activity::UnderWay;

/// The largest piece of a whole body that is handed out at once. In one piece it would be out of sight as soon as hyper has it,
/// while the client has read nothing of it. Pieces of a stream stay as they are: clients read each as one event.
const PIECE: usize = 64 * 1024;

/// An answer whose request counts as under way.
pub(super) struct WatchedResponse {
    body: Body,
    /// What is left of a piece that was too large.
    rest: Bytes,
    is_stream: bool,
    under_way: Option<UnderWay>,
}

impl WatchedResponse {
    pub(super) fn new(body: Body, under_way: UnderWay) -> Self {
        under_way.wait_for_client();
        let is_stream = body.size_hint().exact().is_none();
        Self { body, rest: Bytes::new(), is_stream, under_way: Some(under_way) }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.rest.is_empty() {
            let piece = self.rest.split_to(self.rest.len().min(PIECE));
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                frame.map_data(|mut data| {
                    if !self.is_stream {
                        self.rest = data.split_off(data.len().min(PIECE));
                    }
                    data
                })
            })
        }))
    }
}

impl hyper::body::Body for WatchedResponse {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if let Some(under_way) = &this.under_way {
            under_way.taken();
        }
        let frame = ready!(this.poll_piece(cx));
        match &this.under_way {
            Some(under_way) if matches!(frame, Some(Ok(_))) => under_way.wait_for_client(),
            _ => this.under_way = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(rest));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::time::Instant;

    use super::super::ClientBounds;
    use super::super::activity::Activity;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_large_body_is_handed_out_in_pieces_and_waits_for_its_client_at_each() {
        let bounds = ClientBounds::default();
        let activity = Activity::new();
        let sent: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut body = WatchedResponse::new(Body::from(sent.clone()), activity.begin(true));
        let mut read = Vec::new();
        while read.len() < sent.len() {
            assert_eq!(body.size_hint().exact(), Some((sent.len() - read.len()) as u64));
            assert_eq!(activity.deadline(&bounds), Some(Instant::now() + bounds.stall));
            tokio::time::advance(bounds.stall / 2).await;
            let piece = body.frame().await.expect("a frame").expect("no error").into_data().expect("data");
            assert!(piece.len() <= PIECE);
            read.extend_from_slice(&piece);
        }
        assert!(read == sent && body.is_end_stream());
        assert!(body.frame().await.is_none());
        assert_eq!(activity.deadline(&bounds), Some(Instant::now() + bounds.idle), "the request has ended");
    }
}
