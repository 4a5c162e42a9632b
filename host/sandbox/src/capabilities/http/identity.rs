//! Tells the servers that a guest asks whom the call is for, by a signed assertion. The host adds it to each request, and the guest
//! never holds it.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, header};
use wasmtime_wasi_http::Error;

use crate::egress::Target;

/// Signs, for one call, whom it is for.
pub trait CallSigner: std::fmt::Debug + Send + Sync {
    /// A token for the server of this origin (`https://host[:port]`) and for no other. None where this host cannot sign now.
    fn sign<'a>(&'a self, origin: &'a str) -> BoxFuture<'a, Option<String>>;
}

/// What the requests of a call say of its caller.
#[derive(Clone, Debug, Default)]
pub(crate) enum Identity {
    /// Nothing.
    #[default]
    Unsaid,
    /// Who it is. Without a signer, nothing is sent.
    Signed(Option<Arc<dyn CallSigner>>),
}

impl Identity {
    /// Adds the assertion for this server. It replaces what the guest put in its place.
    pub(super) async fn add(&self, target: &Target, headers: &mut HeaderMap) -> Result<(), Error> {
        let Self::Signed(signer) = self else { return Ok(()) };
        let token = match signer {
            Some(signer) => signer.sign(&target.origin()).await,
            None => None,
        };
        let value = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
        let mut value = value.ok_or(Error::ConfigurationError)?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
        Ok(())
    }
}
