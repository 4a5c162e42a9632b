//! Counts the answers of chat models and their tokens, and gives each a span in its trace.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use behalf_models::{ChatStream, Delta, ModelError, Usage};
use behalf_telemetry::{metric, trace};
use futures::{Stream, StreamExt};
use tracing::Span;

/// An answer that is counted when it ends. One that nobody hears to its end is not counted.
struct Counted {
    model: String,
    began: Instant,
    span: Span,
    answer: ChatStream,
}

/// The same answer, counted.
pub(crate) fn counted(model: &str, answer: ChatStream) -> ChatStream {
    let span = tracing::info_span!(target: trace::TARGET, "chat");
    // A model is named with its provider: `openai/gpt-4o-mini`.
    let provider = model.split_once('/').map_or("openai", |(provider, _)| provider);
    trace::attribute(&span, "gen_ai.operation.name", "chat");
    trace::attribute(&span, "gen_ai.provider.name", provider.to_owned());
    trace::attribute(&span, "gen_ai.request.model", model.to_owned());
    Counted { model: model.to_owned(), began: Instant::now(), span, answer }.boxed()
}

impl Stream for Counted {
    type Item = Result<Delta, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let span = self.span.clone();
        let polled = span.in_scope(|| self.answer.poll_next_unpin(context));
        if let Poll::Ready(Some(piece)) = &polled {
            self.note(piece);
        }
        polled
    }
}

impl Counted {
    fn note(&self, piece: &Result<Delta, ModelError>) {
        match piece {
            Ok(Delta::Done { usage, .. }) => {
                metric::model_asked(&self.model, "ok", self.began.elapsed());
                metric::model_tokens(&self.model, kinds(usage));
                trace::attribute(&self.span, "gen_ai.usage.input_tokens", number(usage.input_tokens));
                trace::attribute(&self.span, "gen_ai.usage.output_tokens", number(usage.output_tokens));
            }
            Ok(_) => {}
            Err(_) => {
                metric::model_asked(&self.model, "failed", self.began.elapsed());
                trace::failed(&self.span, "model_failed");
            }
        }
    }
}

fn kinds(usage: &Usage) -> [(&'static str, u64); 4] {
    [
        ("prompt", usage.input_tokens),
        ("completion", usage.output_tokens),
        ("cached", usage.cached_tokens),
        ("reasoning", usage.reasoning_tokens),
    ]
}

fn number(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
