//! Sends a file of pictures to a server that reads their text. The request has the checks of every request of the host's own.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Instant;

use behalf_queue::Failure;
use behalf_sandbox::{OutboundError, OutboundRequest, Page, Sandbox};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;

use super::options::OcrOptions;

/// The most bytes of its answer.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// The most pages of its answer.
const MAX_PAGES: usize = 100_000;

/// The server.
#[derive(Debug)]
pub(super) struct Ocr {
    pub(super) options: OcrOptions,
    pub(super) sandbox: Arc<Sandbox>,
}

/// Its answer.
#[derive(Deserialize)]
struct Answer {
    pages: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum OcrError {
    #[error("the server that reads pictures cannot be asked")]
    Outbound(#[from] OutboundError),
    #[error("the server that reads pictures answered with the status {0}")]
    Status(StatusCode),
    #[error("the server that reads pictures answered something else than pages")]
    Answer,
    #[error("the file cannot be read")]
    File(#[from] std::io::Error),
}

impl OcrError {
    /// Whether the file is left for somebody's attention: the server refused this file, or may not be asked at all. Anything else says
    /// something of the server.
    pub(super) fn is_final(&self) -> bool {
        /// What says something of the server and nothing of the file.
        const PASSING: [u16; 5] = [401, 403, 404, 408, 429];
        match self {
            Self::Status(status) => status.is_client_error() && !PASSING.contains(&status.as_u16()),
            Self::Outbound(error) => matches!(error, OutboundError::Prohibited | OutboundError::Address),
            Self::Answer | Self::File(_) => false,
        }
    }
}

impl From<OcrError> for Failure {
    fn from(error: OcrError) -> Self {
        Self::retry(error)
    }
}

impl Ocr {
    /// The pages of the file, as the server reads them.
    pub(super) async fn read(&self, file: File, content_type: Option<&str>) -> Result<Vec<Page>, OcrError> {
        let body = tokio::task::spawn_blocking(move || {
            use std::io::Seek as _;
            let mut file = file;
            let mut bytes = Vec::new();
            file.rewind()?;
            file.read_to_end(&mut bytes)?;
            Ok::<_, std::io::Error>(Bytes::from(bytes))
        });
        let body = body.await.map_err(std::io::Error::other)??;
        let content_type = content_type.and_then(|text| HeaderValue::from_str(text).ok());
        let content_type = content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let own_headers: HeaderMap = [(header::CONTENT_TYPE, content_type)]
            .into_iter()
            .chain(self.options.authorization.clone().map(|value| (header::AUTHORIZATION, value)))
            .collect();
        let headers = [(header::ACCEPT, HeaderValue::from_static("application/json"))].into_iter().collect();
        let request =
            OutboundRequest { method: Method::POST, uri: self.options.url.clone(), headers, own_headers, body };
        let outbound = self.sandbox.outbound(Instant::now() + self.options.timeout, MAX_ANSWER as u64);
        let response = outbound.send(request).await?;
        if response.status != StatusCode::OK {
            return Err(OcrError::Status(response.status));
        }
        let (body, is_whole) = response.beginning(MAX_ANSWER).await?;
        if !is_whole {
            return Err(OcrError::Answer);
        }
        pages(&body).ok_or(OcrError::Answer)
    }
}

/// The pages of an answer; none where it is no answer. An answer without text has no pages.
fn pages(body: &[u8]) -> Option<Vec<Page>> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    if answer.pages.len() > MAX_PAGES {
        return None;
    }
    let pages: Vec<Page> = (1..).zip(answer.pages).map(|(number, text)| Page::cleaned(number, None, text)).collect();
    Some(if pages.iter().all(|page| page.text.trim().is_empty()) { Vec::new() } else { pages })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_pages_or_nothing() {
        let texts = |body: &str| {
            pages(body.as_bytes()).map(|pages| pages.into_iter().map(|page| page.text).collect::<Vec<_>>())
        };
        assert_eq!(texts(r#"{"pages": ["one\u0000", ""], "more": 1}"#), Some(vec!["one".to_owned(), String::new()]));
        assert_eq!(texts(r#"{"pages": [" ", ""]}"#), Some(Vec::new()));
        for other in ["", "[]", r#"{"pages": [1]}"#, r#"{"text": "a"}"#, "{\"pages\": [\"a\""] {
            assert_eq!(texts(other), None, "{other}");
        }
    }

    #[test]
    fn what_would_end_in_the_same_way_is_not_sent_again() {
        assert!(OcrError::Status(StatusCode::UNPROCESSABLE_ENTITY).is_final());
        assert!(OcrError::Outbound(OutboundError::Prohibited).is_final());
        for again in
            [StatusCode::BAD_GATEWAY, StatusCode::TOO_MANY_REQUESTS, StatusCode::UNAUTHORIZED, StatusCode::NO_CONTENT]
        {
            assert!(!OcrError::Status(again).is_final(), "{again}");
        }
        assert!(!OcrError::Outbound(OutboundError::Timeout).is_final());
    }
}
