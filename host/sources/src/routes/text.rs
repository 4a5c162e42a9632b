//! The text of a source as a stream: a document may have more of it than an answer in memory should.

use std::io;

use axum::body::Body;
use behalf_web::Asker;
use bytes::Bytes;
use futures::{Stream, stream};
use uuid::Uuid;

use crate::error::SourceError;
use crate::state::Sources;
use crate::store::pages::{self, Part};

/// What the texts are written into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `{"page_texts": […], "count": …}`.
    Counted,
    /// `[…]`.
    List,
    /// The texts, with an empty line between two.
    Plain,
}

/// The document was read anew while its text was sent: its beginning and its end would not fit together.
#[derive(Debug, thiserror::Error)]
#[error("the source was read anew")]
struct ReadAnew;

/// What is left to send.
struct Rest {
    sources: Sources,
    asker: Asker,
    source: Uuid,
    form: Form,
    version: String,
    /// The number of the last page that was read, unless all were.
    after: Option<i32>,
    /// How many pages were sent.
    sent: usize,
    is_over: bool,
}

/// The text of all pages. The first part is read before this returns, so that a failure has its status; each further one as the
/// caller as well, when the client has taken what came before.
pub(super) async fn all(sources: &Sources, asker: Asker, source: Uuid, form: Form) -> Result<Body, SourceError> {
    let first = pages::part(sources, &asker, source, 0).await?;
    let mut rest = Rest {
        sources: sources.clone(),
        asker,
        source,
        form,
        version: first.version.clone(),
        after: first.last,
        sent: 0,
        is_over: false,
    };
    let begin = rest.write(&first, true);
    Ok(Body::from_stream(chain(begin, rest)))
}

fn chain(begin: Bytes, rest: Rest) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let rest = stream::unfold(rest, |mut rest| async move { Some((rest.next().await?, rest)) });
    futures::StreamExt::chain(stream::iter([Ok(begin)]), rest)
}

impl Rest {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if self.is_over {
            return None;
        }
        let Some(after) = self.after else {
            self.is_over = true;
            return Some(Ok(self.end()));
        };
        let part = pages::part(&self.sources, &self.asker, self.source, after).await;
        match part {
            Ok(part) if part.version == self.version => {
                self.after = part.last;
                Some(Ok(self.write(&part, false)))
            }
            // The answer ends in the middle, which clients notice.
            Ok(_) => Some(Err(self.break_off(ReadAnew))),
            Err(error) => Some(Err(self.break_off(error))),
        }
    }

    fn break_off(&mut self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
        self.is_over = true;
        io::Error::other(error)
    }

    fn write(&mut self, part: &Part, is_first: bool) -> Bytes {
        let mut text = match self.form {
            Form::Counted if is_first => "{\"page_texts\":[".to_owned(),
            Form::List if is_first => "[".to_owned(),
            _ => String::new(),
        };
        for page in &part.texts {
            let is_list = self.form != Form::Plain;
            if self.sent > 0 {
                text.push_str(if is_list { "," } else { "\n\n" });
            }
            if is_list {
                text.push_str(&serde_json::to_string(page).unwrap_or_default());
            } else {
                text.push_str(page);
            }
            self.sent += 1;
        }
        text.into()
    }

    fn end(&self) -> Bytes {
        match self.form {
            Form::Counted => format!("],\"count\":{}}}", self.sent).into(),
            Form::List => Bytes::from_static(b"]"),
            Form::Plain => Bytes::from_static(b"\n"),
        }
    }
}
