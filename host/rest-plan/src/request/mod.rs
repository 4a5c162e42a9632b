//! What an HTTP request says, apart from its query string.

pub(crate) mod media;
pub(crate) mod payload;
pub(crate) mod prefer;
pub(crate) mod range;

/// A method that the interface knows; others are refused before a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Reads, and answers without a body.
    Head,
    /// Inserts rows or calls a function.
    Post,
    /// Updates rows.
    Patch,
    /// Inserts or replaces one row.
    Put,
    /// Deletes rows.
    Delete,
}

impl Method {
    /// The name in HTTP.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }
}

/// What the path names; the segment is percent-decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// The root, which describes the interface.
    Root,
    /// A table or view.
    Relation(&'a str),
    /// A function, under `rpc/`.
    Function(&'a str),
}

/// The headers that change a plan.
#[derive(Clone, Debug, Default)]
pub struct Headers<'a> {
    /// `Accept`.
    pub accept: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// All values of `Prefer`, in order.
    pub prefer: Vec<&'a str>,
    /// `Range`. It counts rows whatever `Range-Unit` says, as with `PostgREST`.
    pub range: Option<&'a str>,
    /// `Accept-Profile`: the schema of a read.
    pub accept_profile: Option<&'a str>,
    /// `Content-Profile`: the schema of a write.
    pub content_profile: Option<&'a str>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// What the path names.
    pub target: Target<'a>,
    /// The query string as it was sent, without the question mark.
    pub query: &'a str,
    /// The headers that change a plan.
    pub headers: Headers<'a>,
    /// The body.
    pub body: &'a [u8],
}
