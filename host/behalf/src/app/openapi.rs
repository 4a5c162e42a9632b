//! `/openapi.json`: the description of every route, made from the handlers' own types.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use behalf_web::{ProblemDocument, Routes, router, routes as group};
use http::header::CONTENT_TYPE;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, Content, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema as _};

/// What is said of the whole interface. The features add their routes to it.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Behalf",
        description = "An agent host whose tools act on behalf of the calling user, down to row-level security.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(ProblemDocument)),
    security(("bearer" = [], "apikey" = []))
)]
struct Base;

fn base() -> OpenApi {
    let mut api = Base::openapi();
    let components = api.components.get_or_insert_with(Components::new);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The caller: a user's access token, the anon key or the service role key."));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    let description = "The project: its anon key or its service role key. Alone, it is the caller as well.";
    let key = ApiKeyValue::with_description("apikey", description);
    components.add_security_scheme("apikey", SecurityScheme::ApiKey(ApiKey::Header(key)));
    api
}

/// The document as it is sent. It is known only when all routes are, its own included.
type Document = Arc<OnceLock<Bytes>>;

/// Serves the routes of all features and their description.
pub(super) fn serve(features: impl IntoIterator<Item = Routes>) -> (Router, Arc<OpenApi>) {
    let document = Document::default();
    let own = Routes::new().routes(group!(show)).with_state(Arc::clone(&document));
    let routes = features.into_iter().fold(Routes::with_openapi(base()), Routes::merge);
    let (service, mut description) = router(routes.merge(own));
    description.paths.paths.values_mut().flat_map(operations).for_each(add_problem);
    let description = Arc::new(description);
    let text = as_sent(OpenApi::clone(&description)).to_json().unwrap_or_default();
    document.get_or_init(|| Bytes::from(text));
    (service, description)
}

/// The description with paths as `OpenAPI` writes them: it knows no part that may have slashes, such as `{*name}`.
fn as_sent(mut description: OpenApi) -> OpenApi {
    let paths = std::mem::take(&mut description.paths.paths);
    description.paths.paths = paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    description
}

/// The description of every route, in the form of `OpenAPI` 3.1.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Operations", security(()), operation_id = "openapi",
    responses((status = 200, body = Object))
)]
async fn show(State(document): State<Document>) -> Response {
    let text = document.get().cloned().unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// Every route may answer with a problem.
fn add_problem(operation: &mut Operation) {
    let schema = RefOr::Ref(Ref::from_schema_name(ProblemDocument::name()));
    let response = ResponseBuilder::new()
        .description("The request failed")
        .content("application/problem+json", Content::new(Some(schema)))
        .build();
    operation.responses.responses.entry("default".to_owned()).or_insert(RefOr::T(response));
}
