//! An answer.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::Error;

/// An answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status: 200, 404 …
    pub status: u16,
    /// Names as the server wrote them, and values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// Who answered, for messages.
    pub(crate) host: String,
}

impl Response {
    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, whatever the case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text. Bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, read as JSON. The error (`not_json`) says nothing of the body, which is not the caller's.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = if error.is_data() { "JSON of another form than the tool expects" } else { "no JSON" };
            Error::new("not_json", format!("{} answered with status {} and {what}.", self.host, self.status))
        })
    }

    /// The answer itself; an error (`status`) where its status is 400 or more.
    pub fn error_for_status(self) -> Result<Self, Error> {
        if self.status < 400 {
            return Ok(self);
        }
        let error = Error::new("status", format!("{} answered with status {}.", self.host, self.status));
        Err(Error { retryable: matches!(self.status, 429 | 502..=504), ..error })
    }
}
