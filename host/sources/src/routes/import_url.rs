//! Documents of other servers become sources. The answer comes at once, and jobs fetch them.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use behalf_problem::Kind;
use behalf_web::{ApiError, IdempotencyKey, Json, RequestId, Routes, routes as group};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Asker;
use crate::fetch::Address;
use crate::state::Sources;
use crate::store::admit::admit;
use crate::store::new::{self, NewAddress};

/// Addresses of one request.
const MAX_URLS: usize = 50;

/// The route.
pub(super) fn routes() -> Routes<Sources> {
    Routes::new().routes(group!(import))
}

/// Addresses to fetch.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
struct ImportUrls {
    /// `urls`. This host answers 501 to `crawl` and `sitemap`.
    #[schema(example = "urls")]
    mode: Option<String>,
    /// The addresses: `http` or `https`, without a user. One that is named twice is fetched once.
    #[schema(max_items = 50)]
    #[serde(default)]
    urls: Vec<String>,
    /// One address, beside `urls` or instead of them.
    url: Option<String>,
    /// For `crawl` and `sitemap`.
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
    fn addresses(&self) -> Result<Vec<Address>, ApiError> {
        match self.mode.as_deref() {
            None | Some("urls") => {}
            Some("crawl" | "sitemap") => {
                let detail = "this host fetches addresses that it is told and follows no links; send the mode `urls`";
                return Err(ApiError::new(Kind::NotImplemented, detail));
            }
            Some(_) => return Err(ApiError::bad_request("mode must be urls")),
        }
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

/// Adds a source for each address, whose document is fetched and read afterwards. Private addresses are not fetched unless the
/// operator allowed them; such a source ends as `failed`.
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
    let addresses = request.addresses()?;
    let body = serde_json::to_value(&request).unwrap_or_default();
    let (store, principal) = (sources.web.idempotency.clone(), asker.principal.clone());
    let work = async move { add(&sources, &asker, &request_id, addresses).await };
    key.once(&store, &principal, &body, work).await
}

async fn add(
    sources: &Sources,
    asker: &Asker,
    request_id: &str,
    addresses: Vec<Address>,
) -> Result<Response, ApiError> {
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
        let addresses = request.addresses().map_err(|error| error.status().as_u16())?;
        Ok(addresses.iter().map(|address| address.as_str().to_owned()).collect())
    }

    #[test]
    fn addresses_are_read_once_each() {
        let one = || Ok(vec!["https://a.example/x".to_owned()]);
        assert_eq!(read(json!({"mode": "urls", "urls": ["https://a.example/x"]})), one());
        assert_eq!(read(json!({"url": "https://a.example/x"})), one());
        assert_eq!(read(json!({"urls": ["https://a.example/x#1", "https://a.example/x#2"]})), one());
        for mode in ["crawl", "sitemap"] {
            assert_eq!(read(json!({"mode": mode, "url": "https://a.example/x"})), Err(501), "{mode}");
        }
        let many = vec!["https://a.example/x"; MAX_URLS + 1];
        for bad in
            [json!({}), json!({"urls": []}), json!({"mode": "x", "url": "https://a.example"}), json!({"urls": many})]
        {
            assert_eq!(read(bad.clone()), Err(400), "{bad}");
        }
    }
}
