//! Who sends a request: the program and its address, which sessions record.

use std::net::IpAddr;

use axum::extract::{FromRef, FromRequestParts};
use behalf_web::{ApiError, Web};
use http::header::USER_AGENT;
use http::request::Parts;

/// Longest `User-Agent` that is kept.
const MAX_AGENT_BYTES: usize = 512;

/// The client of a request.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The address, behind trusted proxies as they say.
    pub(crate) ip: IpAddr,
    /// The program's name, cut where it is long.
    pub(crate) user_agent: Option<String>,
}

impl<S> FromRequestParts<S> for Client
where
    Web: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let ip = Web::from_ref(state).limits.client(parts);
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let user_agent = agent.filter(|agent| agent.len() <= MAX_AGENT_BYTES).map(str::to_owned);
        Ok(Self { ip, user_agent })
    }
}
