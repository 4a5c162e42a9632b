//! HTTP support for the features' routes: callers, errors, limits, idempotency, pages and streams of events.
//!
//! Only this crate maps kinds of failures to HTTP statuses ([`ApiError`]). It knows no feature, and does not decide
//! which rows a caller may see: row-level security does.

mod asker;
mod attachment;
mod byte_range;
mod caller_note;
mod cross_origin;
mod error;
mod extract;
mod form_gauge;
mod guard;
mod idempotency;
mod idempotency_key;
pub mod input;
mod json;
mod known_tokens;
mod limits;
mod observe;
mod page;
mod parameters;
mod recent;
mod router;
mod routes;
mod serve;
pub mod sse;
mod state;
mod user_claims;

pub use asker::Asker;
pub use attachment::attachment;
pub use byte_range::{ByteRange, NoRange};
pub use error::{AlreadyRendered, ApiError, ProblemDocument, StallRenderer};
pub use extract::{
    Administrator, Caller, ClientAddress, Delegable, Path, Query, RequestId, ServiceCaller, SignedIn, header,
};
pub use form_gauge::{FormGauge, Held};
pub use idempotency::{IdempotencyKey, KeptBody, Known, release, replayed};
pub use idempotency_key::{IdempotencyKeyStore, KeyClaim, StoredAnswer};
pub use json::{AnyJson, Json, present};
pub use limits::{LimitOptions, Limits, ProxyError, StreamPlace, TooMany};
pub use page::Page;
pub use recent::Recent;
pub use router::router;
pub use routes::{Route, Routes, declared};
pub use serve::{ClientBounds, CurrentRoutes, serve};
pub use state::{Web, WebParts};
pub use user_claims::UserClaimsStore;
pub use utoipa_axum::routes;
