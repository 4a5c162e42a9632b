//! An address that a caller gave.

use behalf_sandbox::{OutboundError, origin};
use http::Uri;
use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::Url;

use crate::name;

/// Characters of an address.
const MAX_CHARS: usize = 2_048;

/// An address of a document on another server. Whether the host goes there is decided when it is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(Url);

/// Why a text is no address to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum AddressError {
    /// It has another form.
    #[error("each address must be of the form http(s)://host[:port]/path, with at most 2048 characters")]
    Form,
    /// It holds a user or a password, which would be kept and shown.
    #[error("an address may not hold a user or a password")]
    Credentials,
}

impl Address {
    /// Reads an address.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        if text.chars().count() > MAX_CHARS {
            return Err(AddressError::Form);
        }
        let mut url = Url::parse(text.trim()).map_err(|_| AddressError::Form)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        // What follows is for browsers.
        url.set_fragment(None);
        let address = Self(url);
        // By the rules for every request that the host sends.
        origin(&address.uri()?).map_err(|_| AddressError::Form)?;
        Ok(address)
    }

    /// It as it is stored and shown.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// It as it is sent.
    pub(crate) fn uri(&self) -> Result<Uri, AddressError> {
        self.0.as_str().parse().map_err(|_| AddressError::Form)
    }

    /// Its path.
    pub(crate) fn path(&self) -> &str {
        self.0.path()
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The address of this path on the same site.
    pub(crate) fn on_same_site(&self, path: &str) -> Result<Self, OutboundError> {
        self.0.join(path).map(Self).map_err(|_| OutboundError::Address)
    }

    /// The name of its document: the last part of its path, or its host.
    pub(crate) fn name(&self) -> String {
        let mut parts = self.0.path_segments().into_iter().flatten().rev();
        let last = parts.find(|part| !part.is_empty());
        let last = last.map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned());
        name::of_file(last.as_deref().or(self.0.host_str()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_or_refused() {
        let name = |text: &str| Address::parse(text).map(|address| address.name());
        assert_eq!(name("https://a.example/docs/My%20report.pdf?x=1#p2"), Ok("My report.pdf".to_owned()));
        assert_eq!(name("https://a.example/docs/"), Ok("docs".to_owned()));
        assert_eq!(name("https://a.example"), Ok("a.example".to_owned()));
        let page = Address::parse("https://a.example:444/docs/x?y=1").expect("an address");
        assert_eq!(page.on_same_site("/sitemap.xml").expect("one").as_str(), "https://a.example:444/sitemap.xml");
        assert_eq!((page.origin().as_str(), page.path()), ("https://a.example:444", "/docs/x"));
        assert_eq!(name("https://a.example/%2e%2e%2fetc%2fpasswd"), Ok("passwd".to_owned()));
        assert_eq!(
            Address::parse("https://a.example/x#y").map(|it| it.as_str().to_owned()),
            Ok("https://a.example/x".to_owned())
        );
        for credentials in ["https://user@a.example/", "https://user:pass@a.example/", "https://:pass@a.example/"] {
            assert_eq!(name(credentials), Err(AddressError::Credentials), "{credentials}");
        }
        let long = format!("https://a.example/{}", "x".repeat(MAX_CHARS));
        for bad in
            ["", "a.example", "ftp://a.example/x", "file:///etc/passwd", "data:text/plain,x", "https://", "/x", &long]
        {
            assert_eq!(name(bad), Err(AddressError::Form), "{bad}");
        }
    }
}
