//! The host that the commands speak to, and the user for whom they act.

use anyhow::{Context, bail};
use behalf_toolchain::demo;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use crate::cli::service_host::ServiceHost;
pub(super) use crate::cli::service_host::{HostArgs, RequestError};

/// Users of one page of the list that an address is looked up in, the most that the host gives.
const USERS_OF_PAGE: &str = "1000";

/// A host, and a user for whom its service role acts.
#[derive(Clone, Debug)]
pub(super) struct Host {
    service: ServiceHost,
    user: Uuid,
}

impl Host {
    /// The host that the options, the settings or `behalf dev` name, and the user on it.
    pub(super) async fn find(args: &HostArgs, user: &str) -> anyhow::Result<Self> {
        let mut host = Self { service: ServiceHost::find(args)?, user: Uuid::nil() };
        host.user = host.look_up(user).await?;
        Ok(host)
    }

    /// A request in the user's name. `query` is added to the path.
    pub(super) fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> anyhow::Result<RequestBuilder> {
        Ok(self.own_request(method, path, query)?.header("x-behalf-act-as", self.user.to_string()))
    }

    /// Sends a request, and returns the body of its answer.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Value, RequestError> {
        self.service.send(request).await
    }

    /// A request of the service role in its own name.
    pub(super) fn own_request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<RequestBuilder> {
        self.service.request(method, path, query)
    }

    /// The id of a user, who is named by it or by an address.
    async fn look_up(&self, user: &str) -> anyhow::Result<Uuid> {
        match user {
            "alice" => return Ok(demo::ALICE),
            "bob" => return Ok(demo::BOB),
            _ => {}
        }
        if let Ok(id) = Uuid::try_parse(user) {
            return Ok(id);
        }
        if !user.contains('@') {
            bail!("{user:?} is neither an id nor an e-mail address; name a user as in --as {}", demo::ALICE);
        }
        // Addresses are stored in small letters, and the filter looks for these very letters.
        let address = user.to_lowercase();
        let query = [("filter", address.as_str()), ("per_page", USERS_OF_PAGE)];
        let found = match self.send(self.own_request(Method::GET, "/auth/v1/admin/users", &query)?).await {
            Err(RequestError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
                bail!("this host serves no users of its own, so it knows no addresses; name the user by the id")
            }
            found => found.context("cannot look the user up")?,
        };
        let is_meant = |one: &&Value| one["email"].as_str().is_some_and(|email| email.eq_ignore_ascii_case(user));
        let found = found["users"].as_array().into_iter().flatten().find(is_meant);
        let id = found.and_then(|found| Uuid::try_parse(found["id"].as_str()?).ok());
        id.with_context(|| {
            format!("no user has the address {user}; name the user by the id, or sign the user up first")
        })
    }
}
