//! What a test tells the host of servers.

use serde::Serialize;

use super::Host;
use super::servers::answer;
use crate::http::{Error, Sent};

impl Host {
    /// Every request whose method and address contain `part` (`GET https://a.test/x`) is answered with this JSON. Of several
    /// answers that fit, the last one told is given.
    ///
    /// # Panics
    /// If the value cannot be written as JSON.
    pub fn respond(&self, part: &str, json: &impl Serialize) {
        let body = serde_json::to_vec(json).expect("an answer can be written as JSON");
        self.state.borrow_mut().servers.expect(part, Ok(answer(200, "application/json", &body)));
    }

    /// As [`respond`](Self::respond), with a status, a media type and a body.
    pub fn respond_with(&self, part: &str, status: u16, content_type: &str, body: impl AsRef<[u8]>) {
        self.state.borrow_mut().servers.expect(part, Ok(answer(status, content_type, body.as_ref())));
    }

    /// Every request whose method and address contain `part` fails with this code (`denied`, `timeout`, `unreachable`, …) and
    /// sentence.
    pub fn fail_http(&self, part: &str, code: &str, message: &str) {
        let retryable = matches!(code, "timeout" | "unreachable");
        let error = Error { code: code.into(), message: message.into(), retryable };
        self.state.borrow_mut().servers.expect(part, Err(error));
    }

    /// The requests so far.
    pub fn requests(&self) -> alloc::vec::Vec<Sent> {
        self.state.borrow().servers.requests.clone()
    }
}
