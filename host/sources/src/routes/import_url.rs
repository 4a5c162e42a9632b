//! Documents of other servers become sources. The answer comes at once, and jobs fetch them.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use behalf_problem::Kind;
use behalf_web::{ApiError, Asker, IdempotencyKey, Json, RequestId, Routes, routes as group};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fetch::{Address, pages_of_site};
use crate::state::Sources;
use crate::store::admit::admit;
use crate::store::new::{self, NewAddress};

/// Addresses of one request.
const MAX_URLS: usize = 50;
/// Pages of a site, where the request names no number, and at most.
const USUAL_PAGES: usize = 50;
const MAX_PAGES: usize = 500;

/// The route.
pub(super) fn routes() -> Routes<Sources> {
    Routes::new().routes(group!(import))
}

/// Addresses to fetch.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
struct ImportUrls {
    /// `urls`: the addresses are fetched. `sitemap`: the pages that the sitemap of one site names are. This host answers 501 to `crawl`.
    #[schema(example = "urls")]
    mode: Option<String>,
    /// The addresses: `http` or `https`, without a user. One that is named twice is fetched once.
    #[schema(max_items = 50)]
    #[serde(default)]
    urls: Vec<String>,
    /// One address, beside `urls` or instead of them.
    url: Option<String>,
    /// For `sitemap`: the most pages; 50 where absent.
    #[schema(minimum = 1, maximum = 500)]
    max_pages: Option<i64>,
}

/// Sources that were added.
#[derive(Debug, Serialize, ToSchema)]
struct ImportedUrls {
    /// One for each address.
    sources: Vec<ImportedUrl>,
    /// How many.
    count: usize,
}

/// What a request asks for.
#[derive(Debug)]
enum Wanted {
    /// These.
    Addresses(Vec<Address>),
    /// So many pages of the site at this address.
    Site(Address, usize),
}

/// A source that will be fetched.
#[derive(Debug, Serialize, ToSchema)]
struct ImportedUrl {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// Its address.
    url: String,
}

impl ImportUrls {
    fn wanted(&self) -> Result<Wanted, ApiError> {
        match self.mode.as_deref() {
            None | Some("urls") => self.addresses().map(Wanted::Addresses),
            Some("sitemap") => {
                let most = self.max_pages.map_or(Ok(USUAL_PAGES), usize::try_from);
                let most = most.ok().filter(|most| (1..=MAX_PAGES).contains(most));
                let most = most.ok_or_else(|| ApiError::bad_request(format!("max_pages must be 1 to {MAX_PAGES}")))?;
                match <[Address; 1]>::try_from(self.addresses()?) {
                    Ok([site]) => Ok(Wanted::Site(site, most)),
                    Err(_) => Err(ApiError::bad_request("the mode sitemap needs the address of one site")),
                }
            }
            Some("crawl") => {
                let detail = "this host follows no links; send the mode `urls` or `sitemap`";
                Err(ApiError::new(Kind::NotImplemented, detail))
            }
            Some(_) => Err(ApiError::bad_request("mode must be urls or sitemap")),
        }
    }

    fn addresses(&self) -> Result<Vec<Address>, ApiError> {
        let texts: Vec<&str> = self.urls.iter().chain(&self.url).map(String::as_str).collect();
        if texts.is_empty() || texts.len() > MAX_URLS {
            return Err(ApiError::bad_request(format!("urls must hold 1 to {MAX_URLS} addresses")));
        }
        let mut seen = BTreeSet::new();
        let mut addresses = Vec::with_capacity(texts.len());
        for text in texts {
            let address = Address::parse(text).map_err(|error| ApiError::bad_request(error.to_string()))?;
            if seen.insert(address.as_str().to_owned()) {
                addresses.push(address);
            }
        }
        Ok(addresses)
    }
}

/// Adds a source for each address, or for each page of a site, whose document is fetched and read afterwards. Private addresses are not
/// fetched unless the operator allowed them; such a source ends as `failed`.
#[utoipa::path(
    post, path = "/api/sources/import-url", operation_id = "import_source_urls", tag = "Sources",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeated requests with the same key add nothing.")),
    request_body = ImportUrls,
    responses((status = 201, description = "The sources, which wait to be fetched", body = ImportedUrls))
)]
async fn import(
    State(sources): State<Sources>,
    asker: Asker,
    RequestId(request_id): RequestId,
    key: IdempotencyKey,
    Json(request): Json<ImportUrls>,
) -> Result<Response, ApiError> {
    let wanted = request.wanted()?;
    let body = serde_json::to_value(&request).unwrap_or_default();
    let (store, principal) = (sources.web.idempotency.clone(), asker.principal.clone());
    let work = async move { add(&sources, &asker, &request_id, wanted).await };
    key.once(&store, &principal, &body, work).await
}

async fn add(sources: &Sources, asker: &Asker, request_id: &str, wanted: Wanted) -> Result<Response, ApiError> {
    let addresses = match wanted {
        Wanted::Addresses(addresses) => addresses,
        Wanted::Site(site, most) => {
            // The caller waits for another server meanwhile, as a sender of a file does.
            let _place = sources.uploads.take(asker.key).await?;
            admit(sources, &asker.principal, 1).await?;
            pages_of_site(&sources.sandbox, &site, most).await?
        }
    };
    admit(sources, &asker.principal, i64::try_from(addresses.len()).unwrap_or(i64::MAX)).await?;
    let rows = addresses.iter().map(|address| NewAddress {
        id: Uuid::now_v7(),
        name: address.name(),
        url: address.as_str().to_owned(),
    });
    let rows: Vec<NewAddress> = rows.collect();
    new::add_addresses(sources, &asker.principal, &rows, request_id).await?;
    let added: Vec<_> = rows.into_iter().map(|NewAddress { id, name, url }| ImportedUrl { id, name, url }).collect();
    let count = added.len();
    Ok((StatusCode::CREATED, Json(ImportedUrls { sources: added, count })).into_response())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: serde_json::Value) -> Result<Vec<String>, u16> {
        let request: ImportUrls = serde_json::from_value(body).expect("it has the form");
        match request.wanted().map_err(|error| error.status().as_u16())? {
            Wanted::Addresses(all) => Ok(all.iter().map(|address| address.as_str().to_owned()).collect()),
            Wanted::Site(site, most) => Ok(vec![format!("{most} of {}", site.as_str())]),
        }
    }

    #[test]
    fn addresses_are_read_once_each() {
        let one = || Ok(vec!["https://a.example/x".to_owned()]);
        assert_eq!(read(json!({"mode": "urls", "urls": ["https://a.example/x"]})), one());
        assert_eq!(read(json!({"url": "https://a.example/x"})), one());
        assert_eq!(read(json!({"urls": ["https://a.example/x#1", "https://a.example/x#2"]})), one());
        assert_eq!(read(json!({"mode": "crawl", "url": "https://a.example/x"})), Err(501));
        let site = json!({"mode": "sitemap", "url": "https://a.example/x", "max_pages": 7});
        assert_eq!(read(site), Ok(vec!["7 of https://a.example/x".to_owned()]));
        for bad in [
            json!({"mode": "sitemap"}),
            json!({"mode": "sitemap", "urls": ["https://a.example/", "https://b.example/"]}),
            json!({"mode": "sitemap", "url": "https://a.example/", "max_pages": 0}),
            json!({"mode": "sitemap", "url": "https://a.example/", "max_pages": 501}),
            json!({"mode": "sitemap", "url": "https://a.example/", "max_pages": -1}),
        ] {
            assert_eq!(read(bad.clone()), Err(400), "{bad}");
        }
        let many = vec!["https://a.example/x"; MAX_URLS + 1];
        for bad in
            [json!({}), json!({"urls": []}), json!({"mode": "x", "url": "https://a.example"}), json!({"urls": many})]
        {
            assert_eq!(read(bad.clone()), Err(400), "{bad}");
        }
    }
}
