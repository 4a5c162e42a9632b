//! Refuses query parameters that a route does not declare. An ignored parameter misleads: a list that was asked for a part answers
//! with everything. A route whose parameters are the names of columns declares one that is an exploded object; it reads all of
//! them itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use http::Method;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, ParameterStyle};
use utoipa::openapi::{OpenApi, RefOr};

use crate::error::ApiError;
use crate::routes::operations;

/// Characters of a parameter's name that an error quotes.
const MAX_QUOTED: usize = 60;

/// The query parameters of every route, as they are described in `/openapi.json`.
#[derive(Clone, Debug)]
pub(crate) struct Parameters(Arc<HashMap<(String, Method), BTreeSet<String>>>);

/// Whether the parameter stands for parameters of any name.
fn is_any(parameter: &Parameter) -> bool {
    parameter.explode == Some(true) && parameter.style == Some(ParameterStyle::Form)
}

impl Parameters {
    /// Reads them from the description.
    pub(crate) fn of(api: &OpenApi) -> Self {
        let names = |operation: &Operation| -> BTreeSet<String> {
            let all = operation.parameters.iter().flatten();
            let query = all.filter_map(|one| match one {
                RefOr::T(one) if one.parameter_in == ParameterIn::Query => Some(one.name.clone()),
                _ => None,
            });
            query.collect()
        };
        let takes_any = |operation: &Operation| {
            let mut all = operation.parameters.iter().flatten();
            all.any(|one| matches!(one, RefOr::T(one) if one.parameter_in == ParameterIn::Query && is_any(one)))
        };
        let routes = api.paths.paths.iter().flat_map(|(path, item)| {
            operations(item)
                .filter(|(_, operation)| !takes_any(operation))
                .map(move |(method, operation)| ((path.clone(), method), names(operation)))
        });
        Self(Arc::new(routes.collect()))
    }

    /// Why a request with a parameter that its route does not declare is refused.
    pub(crate) fn unknown(&self, request: &Request) -> Option<ApiError> {
        let query = request.uri().query().filter(|query| !query.is_empty())?;
        let path = request.extensions().get::<MatchedPath>()?;
        // What takes GET takes HEAD as well.
        let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        let known = self.0.get(&(path.as_str().to_owned(), method))?;
        let (name, _) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| !known.contains(&**name))?;
        let name: String = name.chars().take(MAX_QUOTED).collect();
        let takes = match known.len() {
            0 => "none".to_owned(),
            _ => known.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        Some(ApiError::bad_request(format!("unknown query parameter {name:?}; this endpoint takes {takes}")))
    }
}
