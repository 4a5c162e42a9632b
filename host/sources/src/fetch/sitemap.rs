//! The pages of a site, as its sitemap names them.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use behalf_problem::{Kind, Problem};
use behalf_sandbox::{Outbound, OutboundError, OutboundRequest, Sandbox};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use thiserror::Error;

use super::address::Address;
use super::file::headers;
use super::sitemap_xml::{self, Sitemap};

/// How long a site may take for all of its sitemaps: somebody waits for the answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of one sitemap that are read; of a longer one, the beginning counts.
const MAX_BYTES: usize = 10 * 1024 * 1024;
/// More than anybody sends in this time: whoever reads decides where it ends.
const ANY_LENGTH: u64 = 1 << 40;
/// Sitemaps that are read because others name them.
const MAX_SITEMAPS: usize = 20;
/// Addresses of one sitemap, as the form of sitemaps allows them.
const MAX_ADDRESSES: usize = 50_000;
/// Where a site has its sitemap, if its address names none.
const USUAL: &str = "/sitemap.xml";

/// Why the pages of a site are not known. The sentences quote nothing of a server.
#[derive(Debug, Error)]
pub(crate) enum SitemapError {
    /// The server cannot be reached, or its answer cannot be read.
    #[error("the sitemap cannot be fetched: {0}")]
    Outbound(#[from] OutboundError),
    /// The server did not answer with a document.
    #[error("the sitemap cannot be fetched: the server answered with status {}", .0.as_u16())]
    Status(StatusCode),
    /// It is something else.
    #[error("the address leads to no sitemap")]
    Form,
    /// It names pages of others only, or none.
    #[error("the sitemap names no page of its own site")]
    NoPages,
}

impl Problem for SitemapError {
    fn kind(&self) -> Kind {
        match self {
            Self::Outbound(OutboundError::Prohibited | OutboundError::Address) => Kind::BadRequest,
            Self::Outbound(_) | Self::Status(_) => Kind::Upstream,
            Self::Form | Self::NoPages => Kind::Unprocessable,
        }
    }
}

/// The first pages of a site, each once, at most so many. `address` is that of its sitemap if it ends as XML does, or of any page. Only
/// pages and sitemaps of the same origin count: a site cannot speak for another.
pub(crate) async fn pages(sandbox: &Sandbox, address: &Address, most: usize) -> Result<Vec<Address>, SitemapError> {
    let first = if address.path().to_ascii_lowercase().ends_with(".xml") {
        address.clone()
    } else {
        address.on_same_site(USUAL)?
    };
    let outbound = sandbox.outbound(Instant::now() + TIMEOUT, ANY_LENGTH);
    let mut found = Found { site: first.origin(), seen: HashSet::new(), pages: Vec::new(), most };
    let mut sitemaps = match sitemap(&outbound, &first).await? {
        Sitemap::Pages(pages) => {
            found.add(&pages);
            Vec::new()
        }
        Sitemap::Sitemaps(sitemaps) => found.own(&sitemaps),
    };
    sitemaps.truncate(MAX_SITEMAPS);
    let mut failed = None;
    for next in sitemaps {
        if found.is_full() {
            break;
        }
        // Those that are named by another name pages only. One of many that fails does not take the others with it.
        match sitemap(&outbound, &next).await {
            Ok(Sitemap::Pages(pages)) => found.add(&pages),
            Ok(Sitemap::Sitemaps(_)) => {}
            Err(error) => failed = Some(error),
        }
    }
    match (found.pages.is_empty(), failed) {
        (true, Some(error)) => Err(error),
        (true, None) => Err(SitemapError::NoPages),
        (false, _) => Ok(found.pages),
    }
}

async fn sitemap(outbound: &Outbound, address: &Address) -> Result<Sitemap, SitemapError> {
    let uri = address.uri().map_err(|_| OutboundError::Address)?;
    let own_headers = HeaderMap::new();
    let request = OutboundRequest { method: Method::GET, uri, headers: headers(), own_headers, body: Bytes::new() };
    let response = outbound.send(request).await?;
    if !response.status.is_success() {
        return Err(SitemapError::Status(response.status));
    }
    let (bytes, _) = response.beginning(MAX_BYTES).await?;
    let read = tokio::task::spawn_blocking(move || sitemap_xml::read(&bytes, MAX_ADDRESSES)).await;
    read.ok().flatten().ok_or(SitemapError::Form)
}

/// What was found so far.
struct Found {
    site: String,
    seen: HashSet<String>,
    pages: Vec<Address>,
    most: usize,
}

impl Found {
    /// Those of the texts that are addresses of the site, and were not seen before.
    fn own(&mut self, texts: &[String]) -> Vec<Address> {
        let addresses = texts.iter().filter_map(|text| Address::parse(text).ok());
        let own: Vec<_> = addresses.filter(|address| address.origin() == self.site).collect();
        own.into_iter().filter(|address| self.seen.insert(address.as_str().to_owned())).collect()
    }

    fn add(&mut self, texts: &[String]) {
        let pages = self.own(texts);
        let room = self.most.saturating_sub(self.pages.len());
        self.pages.extend(pages.into_iter().take(room));
    }

    fn is_full(&self) -> bool {
        self.pages.len() >= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_names_its_own_pages_once_each() {
        let site = Address::parse("https://a.example/sitemap.xml").expect("an address").origin();
        let mut found = Found { site, seen: HashSet::new(), pages: Vec::new(), most: 3 };
        let texts = [
            "https://a.example/1",
            "https://a.example/1#part",
            "https://b.example/2",
            "http://a.example/3",
            "https://a.example:444/4",
            "https://a.example.b.example/5",
            "https://user:pass@a.example/6",
            "file:///etc/passwd",
            "/7",
            "https://a.example:443/8",
            "https://A.EXAMPLE/9",
            "https://a.example/10",
        ];
        found.add(&texts.map(str::to_owned));
        let pages: Vec<_> = found.pages.iter().map(Address::as_str).collect();
        assert_eq!(pages, ["https://a.example/1", "https://a.example/8", "https://a.example/9"]);
        assert!(found.is_full());
    }
}
