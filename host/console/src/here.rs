//! Whether a request was made on this machine, by the page that this host serves.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use behalf_web::{ApiError, header};
use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;
use url::Host;

/// What a request that came through something else has.
const OF_PROXIES: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "via"];

/// A request of this machine. A handler with this argument refuses others: those of other machines and of proxies, and those that a
/// page of somebody else makes in a browser on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MadeHere;

impl<S: Send + Sync> FromRequestParts<S> for MadeHere {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        // With HTTP/2 the name is in the address.
        let authority = parts.uri.authority().map(http::uri::Authority::as_str);
        match refusal(peer, authority, &parts.headers)? {
            None => Ok(Self),
            Some(why) => {
                Err(ApiError::forbidden(format!("{why}; open the page on the machine on which `behalf dev` runs")))
            }
        }
    }
}

/// Why this is no request of the page on this machine.
fn refusal(
    peer: Option<SocketAddr>,
    authority: Option<&str>,
    headers: &HeaderMap,
) -> Result<Option<&'static str>, ApiError> {
    if !peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
        return Ok(Some("this request came from another machine"));
    }
    if OF_PROXIES.iter().any(|name| headers.contains_key(*name)) {
        return Ok(Some("this request came through a proxy"));
    }
    // A name of somebody else may lead here.
    let host = authority.or(header(headers, HOST.as_str())?).unwrap_or_default();
    if !is_this_machine(host) {
        return Ok(Some("this request names another machine"));
    }
    let own = format!("http://{host}");
    let is_own_page = header(headers, "origin")?.is_none_or(|origin| origin == own)
        && header(headers, "sec-fetch-site")?.is_none_or(|site| matches!(site, "same-origin" | "none"));
    Ok((!is_own_page).then_some("this request was made by a page of another site"))
}

/// Whether a name, with or without a port, can mean nothing but this machine.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    match Host::parse(name) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(ip)) => ip.is_loopback(),
        Ok(Host::Ipv6(ip)) => ip.is_loopback(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const HERE: &str = "127.0.0.1:50000";

    fn refused(peer: &str, headers: &[(&'static str, &'static str)]) -> Option<&'static str> {
        let given = headers.iter().map(|(name, text)| (HeaderName::from_static(name), HeaderValue::from_static(text)));
        refusal(peer.parse().ok(), None, &given.collect()).expect("the headers can be read")
    }

    #[test]
    fn the_page_on_this_machine_is_answered() {
        for host in ["127.0.0.1:8787", "localhost:8787", "[::1]:8787", "localhost", "127.0.0.2"] {
            assert_eq!(refused(HERE, &[("host", host)]), None, "{host}");
        }
        assert_eq!(refused("[::1]:50000", &[("host", "localhost:8787"), ("sec-fetch-site", "none")]), None);
        assert_eq!(refused("[::ffff:127.0.0.1]:50000", &[("host", "localhost")]), None);
        let own = [("host", "localhost:8787"), ("origin", "http://localhost:8787"), ("sec-fetch-site", "same-origin")];
        assert_eq!(refused(HERE, &own), None);
        assert!(refusal(HERE.parse().ok(), Some("localhost:8787"), &HeaderMap::new()).expect("headers").is_none());
    }

    #[test]
    fn nobody_else_is() {
        let host = ("host", "localhost:8787");
        for (peer, headers) in [
            ("192.0.2.7:50000", vec![host]),
            ("no address", vec![host]),
            (HERE, vec![]),
            (HERE, vec![("host", "rebound.example:8787")]),
            (HERE, vec![("host", "localhost.example")]),
            (HERE, vec![("host", "192.0.2.7:8787")]),
            (HERE, vec![("host", "0.0.0.0:8787")]),
            (HERE, vec![host, ("origin", "https://other.example")]),
            (HERE, vec![host, ("origin", "http://localhost:3000")]),
            (HERE, vec![host, ("origin", "null")]),
            (HERE, vec![host, ("sec-fetch-site", "cross-site")]),
            (HERE, vec![host, ("sec-fetch-site", "same-site")]),
            (HERE, vec![host, ("x-forwarded-for", "127.0.0.1")]),
            (HERE, vec![host, ("forwarded", "for=127.0.0.1")]),
        ] {
            assert!(refused(peer, &headers).is_some(), "{peer} {headers:?}");
        }
    }
}
