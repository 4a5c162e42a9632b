//! A streamed answer: a run's events as chunks of `OpenAI`'s form.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use behalf_identity::VerifyError;
use behalf_problem::{LogText as _, Problem as _};
use behalf_web::{StreamPlace, sse};
use futures::stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{AnswerHead, ChatCompletionChunk, ChunkDelta, finish_reason};
use super::refusal::OpenAiError;
use super::waited_run::WaitedRun;
use crate::run::{EventReader, Followed, RunControl, WaitError};

/// An answer in chunks, one whole frame per write.
pub(super) fn response(
    control: &RunControl,
    reader: EventReader,
    waited: WaitedRun,
    head: AnswerHead,
    include_usage: bool,
    place: StreamPlace,
) -> Response {
    let first = head.piece(ChunkDelta::first(), None);
    let mut chunks = Chunks {
        control: control.clone(),
        reader,
        waited,
        head,
        include_usage,
        ready: VecDeque::new(),
        is_over: false,
        is_answered: false,
        _place: place,
    };
    chunks.push(first);
    let stream =
        stream::unfold(chunks, |mut chunks| async move { Some((Ok::<_, Infallible>(chunks.next().await?), chunks)) });
    sse::response(Body::from_stream(stream))
}

/// The members of a run's event that this API shows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "event")]
    name: String,
    delta: String,
    status: String,
    error: Option<String>,
    steps: Value,
    usage: Value,
}

struct Chunks {
    control: RunControl,
    reader: EventReader,
    waited: WaitedRun,
    head: AnswerHead,
    include_usage: bool,
    ready: VecDeque<Bytes>,
    is_over: bool,
    /// Whether what was said of the run is its end.
    is_answered: bool,
    /// Counted among the caller's streams while this one is open.
    _place: StreamPlace,
}

impl Chunks {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                // A client may go away as soon as it has the last frame.
                if self.ready.is_empty() && self.is_answered {
                    self.waited.answered();
                }
                return Some(frame);
            }
            if self.is_over {
                return None;
            }
            let followed = tokio::select! {
                followed = self.reader.next(sse::KEEPALIVE) => followed,
                // The run may have ended a moment ago.
                () = self.control.leaves() => match self.reader.rest().await {
                    Ok(Followed::Silence) => {
                        self.leave(WaitError::HostStops).await;
                        continue;
                    }
                    followed => followed,
                },
            };
            match followed {
                Ok(Followed::Events(events)) => {
                    for event in events {
                        self.take(&serde_json::from_str(&event.json).unwrap_or_default());
                    }
                }
                Ok(Followed::Silence) => return Some(sse::keepalive()),
                Ok(Followed::End) => self.is_over = true,
                Ok(Followed::Expired) => self.leave(VerifyError::Expired.into()).await,
                Err(error) => {
                    tracing::warn!(error = error.log_text(), "a stream of chunks broke off");
                    self.leave(error.into()).await;
                }
            }
        }
    }

    /// Ends the stream before its run.
    async fn leave(&mut self, reason: WaitError) {
        let goes_on = self.waited.goes_on(reason).await;
        self.ready.push_back(frame(&OpenAiError::left(goes_on.detail())));
        self.is_over = true;
    }

    fn take(&mut self, event: &Event) {
        match (event.name.as_str(), event.status.as_str()) {
            ("content_delta", _) => self.push(self.head.piece(ChunkDelta::text(&event.delta), None)),
            ("complete", "completed") => {
                self.push(self.head.piece(ChunkDelta::default(), Some(finish_reason(&event.steps))));
                if self.include_usage {
                    self.push(self.head.usage(&event.usage));
                }
                self.ready.push_back(Bytes::from_static(b"data: [DONE]\n\n"));
                (self.is_over, self.is_answered) = (true, true);
            }
            ("complete", _) => {
                self.fail(event.error.as_deref().unwrap_or("the run failed"));
            }
            _ => {}
        }
    }

    fn push(&mut self, chunk: ChatCompletionChunk) {
        let chunk = if self.include_usage { chunk.with_usage_field() } else { chunk };
        self.ready.push_back(frame(&chunk));
    }

    fn fail(&mut self, message: &str) {
        self.ready.push_back(frame(&OpenAiError::late(message)));
        (self.is_over, self.is_answered) = (true, true);
    }
}

fn frame(value: &impl Serialize) -> Bytes {
    Bytes::from(format!("data: {}\n\n", serde_json::to_string(value).unwrap_or_default()))
}
