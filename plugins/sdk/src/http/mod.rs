//! Requests to the hosts under `[grants.http]`. The feature `http` brings this.
//!
//! ```
//! use behalf_sdk::{Error, http};
//!
//! #[derive(serde::Deserialize)]
//! struct Rates {
//!     chf: f64,
//! }
//!
//! fn rate(base: &str) -> Result<f64, Error> {
//!     let rates: Rates = http::get("https://api.example.com/rates").query("base", base).send()?.json()?;
//!     Ok(rates.chf)
//! }
//!
//! let host = behalf_sdk::mock::Host::new();
//! host.respond("GET https://api.example.com/rates?base=EUR", &serde_json::json!({"chf": 0.95}));
//! assert_eq!(rate("EUR"), Ok(0.95));
//! ```
//!
//! A tool that sends requests says so: `#[tool(open_world)]`. One that says `read_only` may send GET and HEAD alone. An answer
//! that redirects is an answer: its `location` is not followed.

mod error;
mod request;
mod response;
#[cfg(target_family = "wasm")]
pub(crate) mod wasi;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

pub use error::Error;
pub use request::Request;
pub use response::Response;

/// A request as the host gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The method, in capital letters.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// The host and, where it is not the scheme's own, the port.
    pub authority: String,
    /// The path, and the query behind it.
    pub path: String,
    /// Names in small letters, and values.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub body: Option<Vec<u8>>,
    /// How long to wait for the connection, and again for the beginning of the answer.
    pub timeout: Option<Duration>,
}

impl Sent {
    /// The whole address.
    pub fn url(&self) -> String {
        alloc::format!("{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// A request with the method GET.
pub fn get(url: impl AsRef<str>) -> Request {
    Request::new("GET", url.as_ref())
}

/// A request with the method HEAD.
pub fn head(url: impl AsRef<str>) -> Request {
    Request::new("HEAD", url.as_ref())
}

/// A request with the method POST.
pub fn post(url: impl AsRef<str>) -> Request {
    Request::new("POST", url.as_ref())
}

/// A request with the method PUT.
pub fn put(url: impl AsRef<str>) -> Request {
    Request::new("PUT", url.as_ref())
}

/// A request with the method PATCH.
pub fn patch(url: impl AsRef<str>) -> Request {
    Request::new("PATCH", url.as_ref())
}

/// A request with the method DELETE.
pub fn delete(url: impl AsRef<str>) -> Request {
    Request::new("DELETE", url.as_ref())
}

/// A request with any method.
pub fn request(method: &str, url: impl AsRef<str>) -> Request {
    Request::new(method, url.as_ref())
}
