//! An agent's own key for a provider, and the endpoint that it may be sent to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use genai::Client;
use url::Url;

use super::endpoint::{self, BaseUrl};
use super::{http_client, native};
use crate::name::Family;
use crate::{ApiKey, SettingsError};

/// A provider's key that belongs to one agent. It is sent to one endpoint only: the base URL it was stored with, at
/// checked addresses, or the provider's public endpoint.
#[derive(Clone)]
pub struct Access {
    pub(super) family: Family,
    pub(super) url: String,
    pub(super) key: ApiKey,
    pub(super) clients: Option<Arc<Clients>>,
}

/// Clients that connect only to checked addresses.
pub(super) struct Clients {
    pub(super) http: reqwest::Client,
    pub(super) native: Client,
}

impl Access {
    /// A key for a provider's public endpoint.
    pub fn public(provider: &str, key: ApiKey) -> Result<Self, SettingsError> {
        let family = Family::of(provider).filter(|family| *family != Family::Ollama).ok_or(SettingsError::Provider)?;
        Ok(Self { family, url: endpoint::public(family).to_owned(), key, clients: None })
    }

    /// A key for an endpoint of the agent's own. The caller has resolved its name and checked the `addresses`; a later
    /// change of the name's addresses has no effect.
    pub fn own(provider: &str, key: ApiKey, base_url: &str, addresses: &[SocketAddr]) -> Result<Self, SettingsError> {
        let family = Family::of(provider).ok_or(SettingsError::Provider)?;
        let url = BaseUrl::parse(base_url)?.for_family(family);
        let host =
            Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned)).ok_or(SettingsError::BaseUrl)?;
        // A proxy would resolve the name again.
        let http =
            http_client().resolve_to_addrs(&host, addresses).no_proxy().build().map_err(|_| SettingsError::Client)?;
        let clients = Clients { native: native::client(http.clone())?, http };
        Ok(Self { family, url, key, clients: Some(Arc::new(clients)) })
    }
}

impl PartialEq for Access {
    fn eq(&self, other: &Self) -> bool {
        self.family == other.family && self.url == other.url && self.key == other.key
    }
}

/// Neither the key nor the address is printed.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Access").field(&self.family).finish()
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients")
    }
}
