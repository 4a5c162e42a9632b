//! A client of uploads in parts, as plain as the protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use behalf_tests::{App, HostProcess, User};
use reqwest::{Body, Method, RequestBuilder, Response};

/// Where uploads are.
pub(super) const PLAIN: &str = "/storage/v1/upload/resumable";
/// Where uploads with a signature are.
pub(super) const SIGNED: &str = "/storage/v1/upload/resumable/sign";
const BYTES: &str = "application/offset+octet-stream";

/// A host that takes requests.
pub(super) trait Host {
    /// A request with the caller's headers.
    fn ask(&self, user: &User, method: Method, path: &str) -> RequestBuilder;
}

impl Host for App {
    fn ask(&self, user: &User, method: Method, path: &str) -> RequestBuilder {
        self.request(user, method, path)
    }
}

impl Host for HostProcess {
    fn ask(&self, user: &User, method: Method, path: &str) -> RequestBuilder {
        self.request(user, method, path)
    }
}

/// Whoever uploads, at this host.
pub(super) struct Client<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) user: User,
    /// The token of a signed address, instead of a user.
    pub(super) signature: Option<String>,
    pub(super) upsert: bool,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    pub(super) text: String,
}

impl Said {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap_or_default() }
    }

    /// A header, or an empty text.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// How many bytes the host has.
    pub(super) fn offset(&self) -> usize {
        self.header("upload-offset").parse().unwrap_or_else(|_| panic!("no offset: {self:?}"))
    }

    /// The path of the upload that was begun.
    pub(super) fn upload(&self) -> String {
        assert_eq!(self.status, 201, "{self:?}");
        let location = self.header("location");
        let at = location.find("/storage/v1/upload/resumable/").unwrap_or_else(|| panic!("{location}"));
        location[at..].to_owned()
    }
}

/// The header `Upload-Metadata`.
pub(super) fn metadata(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name} {}", STANDARD.encode(value))).collect::<Vec<_>>().join(",")
}

/// The same for a text in this bucket.
pub(super) fn text_in(bucket: &str, name: &str) -> String {
    metadata(&[("bucketName", bucket), ("objectName", name), ("contentType", "text/plain"), ("cacheControl", "60")])
}

impl<'a> Client<'a> {
    pub(super) fn new(host: &'a dyn Host, user: User) -> Self {
        Self { host, user, signature: None, upsert: false }
    }

    pub(super) fn signed(host: &'a dyn Host, token: &str) -> Self {
        Self { host, user: User::Nobody, signature: Some(token.to_owned()), upsert: false }
    }

    /// A request of the protocol.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.host.ask(&self.user, method, path).header("tus-resumable", "1.0.0");
        if let Some(signature) = &self.signature {
            request = request.header("x-signature", signature);
        }
        if self.upsert {
            request = request.header("x-upsert", "true");
        }
        request
    }

    fn path(&self) -> &'static str {
        if self.signature.is_some() { SIGNED } else { PLAIN }
    }

    /// Sends a request.
    pub(super) async fn send(request: RequestBuilder) -> Said {
        Said::of(request.send().await.unwrap()).await
    }

    /// Begins an upload.
    pub(super) async fn begin(&self, metadata: &str, length: usize) -> Said {
        let request = self.request(Method::POST, self.path());
        Self::send(request.header("upload-length", length).header("upload-metadata", metadata)).await
    }

    /// Begins an upload with its first bytes.
    pub(super) async fn begin_with(&self, metadata: &str, length: usize, bytes: &'static str) -> Said {
        let request = self.request(Method::POST, self.path()).header("content-type", BYTES).body(bytes);
        Self::send(request.header("upload-length", length).header("upload-metadata", metadata)).await
    }

    /// Asks how far it is.
    pub(super) async fn look(&self, upload: &str) -> Said {
        Self::send(self.request(Method::HEAD, upload)).await
    }

    /// The request that appends.
    pub(super) fn appending(&self, upload: &str, offset: usize, body: impl Into<Body>) -> RequestBuilder {
        self.request(Method::PATCH, upload).header("content-type", BYTES).header("upload-offset", offset).body(body)
    }

    /// Appends.
    pub(super) async fn append(&self, upload: &str, offset: usize, body: impl Into<Body>) -> Said {
        Self::send(self.appending(upload, offset, body)).await
    }

    /// Ends it.
    pub(super) async fn end(&self, upload: &str) -> Said {
        Self::send(self.request(Method::DELETE, upload)).await
    }
}
