//! Requests to providers: bounded in time and size, and never led elsewhere.

use std::time::Duration;

use behalf_identity::IdTokenError;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;
use thiserror::Error;
use url::{Host, Url};

use crate::state::Auth;

/// How long a provider may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Largest answer that is read.
const MAX_BYTES: usize = 256 * 1024;

/// Why a provider does not help.
#[derive(Debug, Error)]
pub(crate) enum ProviderError {
    /// It cannot be reached.
    #[error("the provider of external sign-in cannot be reached")]
    Request(#[from] reqwest::Error),
    /// It answers with a failure.
    #[error("the provider of external sign-in answers with status {0}")]
    Status(StatusCode),
    /// Its answer is too large.
    #[error("the provider of external sign-in answers with more than 256 KiB")]
    TooLarge,
    /// Its answer cannot be read.
    #[error("the answer of the provider of external sign-in does not have the right form")]
    Form(#[from] serde_json::Error),
    /// Its answer does not hold together.
    #[error("the provider of external sign-in is refused: {0}")]
    Refused(&'static str),
    /// Its ID token is refused.
    #[error(transparent)]
    IdToken(#[from] IdTokenError),
}

/// Asks for JSON.
pub(super) async fn get<T: DeserializeOwned>(auth: &Auth, url: &Url, bearer: Option<&str>) -> Result<T, ProviderError> {
    Ok(serde_json::from_slice(&get_bytes(auth, url, bearer).await?)?)
}

/// Asks for a document.
pub(super) async fn get_bytes(auth: &Auth, url: &Url, bearer: Option<&str>) -> Result<Vec<u8>, ProviderError> {
    let mut request = auth.http.get(url.clone()).header(ACCEPT, "application/json").header("user-agent", "behalf");
    if let Some(token) = bearer {
        request = request.bearer_auth(token);
    }
    read(send(request, url).await?).await
}

/// Sends a form, as the client that `basic` names, and reads JSON.
pub(super) async fn post<T: DeserializeOwned>(
    auth: &Auth,
    url: &Url,
    form: &[(&str, &str)],
    basic: Option<(&str, &str)>,
) -> Result<T, ProviderError> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let mut request = auth
        .http
        .post(url.clone())
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("user-agent", "behalf")
        .body(body);
    if let Some((id, secret)) = basic {
        // RFC 6749, section 2.3.1: both are encoded as a form before.
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        request = request.basic_auth(encoded(id), Some(encoded(secret)));
    }
    Ok(serde_json::from_slice(&read(send(request, url).await?).await?)?)
}

/// Whether a provider may be asked at this address: over TLS, or on this machine where the issuer itself is there.
pub(super) fn may_ask(url: &Url, issuer: &Url) -> bool {
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let here = |url: &Url| match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let fine = match url.scheme() {
        "https" => url.host().is_some(),
        "http" => here(url) && issuer.scheme() == "http" && here(issuer),
        _ => false,
    };
    plain && fine
}

async fn send(request: RequestBuilder, asked: &Url) -> Result<Response, ProviderError> {
    let answer = request.timeout(DEADLINE).send().await.map_err(reqwest::Error::without_url)?;
    if answer.url() != asked {
        return Err(ProviderError::Refused("its answer came from another address"));
    }
    // A redirect is no success either.
    if answer.status() == StatusCode::OK { Ok(answer) } else { Err(ProviderError::Status(answer.status())) }
}

async fn read(mut answer: Response) -> Result<Vec<u8>, ProviderError> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        body.extend_from_slice(&part);
        if body.len() > MAX_BYTES {
            return Err(ProviderError::TooLarge);
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_asked_over_tls_or_on_this_machine() {
        let may =
            |url: &str, issuer: &str| may_ask(&Url::parse(url).expect("a URL"), &Url::parse(issuer).expect("a URL"));
        let (far, here) = ("https://issuer.example", "http://127.0.0.1:4000");
        assert!(may("https://issuer.example/token", far));
        assert!(may("https://other.example/token", far));
        assert!(may("http://localhost:4000/token", here));
        for url in [
            "http://issuer.example/token",
            "http://127.0.0.1/token",
            "https://user@issuer.example/token",
            "https://issuer.example/token#a",
            "ftp://issuer.example/",
            "file:///etc/passwd",
            "data:application/json,{}",
        ] {
            assert!(!may(url, far), "{url}");
        }
        assert!(!may("http://10.0.0.1/token", here));
    }
}
