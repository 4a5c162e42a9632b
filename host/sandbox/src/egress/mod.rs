//! Decides where a guest's request may go, and looks its host up. The one door from a name that a guest gave to an address
//! that the host connects to.

mod address;
mod pattern;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use behalf_problem::LogText as _;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error as ThisError;
use url::{Host, Url};
use wasmtime_wasi_http::Error;

use address::{Reach, reach};
pub(crate) use pattern::HostPattern;
use pattern::canonical;

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;

/// A destination that a grant covers. Everything after this uses it and never the text that the guest sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

impl Target {
    /// Reads a request's address. The error is for addresses that a tool got wrong, not for forbidden ones.
    pub(crate) fn of(uri: &http::Uri) -> Result<Self, Error> {
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(Error::HttpRequestUriInvalid),
        };
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        let host = canonical(authority.host()).ok_or(Error::HttpRequestUriInvalid)?;
        // Nothing but host and port: no user, no password, no empty port.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => default_port(tls),
            Some(_) => authority.port_u16().filter(|port| *port != 0).ok_or(Error::HttpRequestUriInvalid)?,
            None => return Err(Error::HttpRequestUriInvalid),
        };
        Ok(Self { host, port, tls })
    }

    /// Whether one of a grant's patterns covers it.
    pub(crate) fn is_granted(&self, patterns: &[HostPattern]) -> bool {
        patterns.iter().any(|pattern| pattern.grants(&self.host, self.port, default_port(self.tls)))
    }

    /// Scheme, host and port, without the scheme's own port.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }

    /// The value of `Host`.
    pub(crate) fn authority(&self) -> String {
        if self.port == default_port(self.tls) { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// How long an operator who sets an address waits for its name to be looked up.
const LOOK_UP: Duration = Duration::from_secs(2);

/// Why the host does not go to an address that an operator gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum DestinationError {
    /// It is not `http` or `https` with a host.
    #[error("the address must be http or https with a host")]
    Form,
    /// The name cannot be looked up.
    #[error("the address's host cannot be found right now")]
    NotFound,
    /// It is in a private network and the settings do not name it.
    #[error("the address is in a private network that the operator has not allowed")]
    Private,
    /// It is plain http, which others on the way can read.
    #[error("use https; plain http is for private hosts that the operator allowed")]
    Plain,
}

/// The destinations, names and keys that all requests of this host share.
#[derive(Debug)]
pub(crate) struct Egress {
    private: Vec<HostPattern>,
    tls: OnceLock<Arc<ClientConfig>>,
    resolver: Resolver,
}

#[cfg(test)]
type FixedAnswers = Box<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>;

enum Resolver {
    System,
    #[cfg(test)]
    Fixed(FixedAnswers),
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

impl Egress {
    /// Takes the private hosts that may be reached; the error is the entry that is none.
    pub(crate) fn new(private: &[String]) -> Result<Self, String> {
        let private = private.iter().map(|text| HostPattern::parse(text).ok_or_else(|| text.clone()));
        Ok(Self { private: private.collect::<Result<_, _>>()?, tls: OnceLock::new(), resolver: Resolver::System })
    }

    #[cfg(test)]
    pub(crate) fn with_resolver(mut self, resolve: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        self.resolver = Resolver::Fixed(Box::new(resolve));
        self
    }

    #[cfg(test)]
    pub(crate) fn with_roots(self, roots: RootCertStore) -> Self {
        let config = client_config(roots).expect("TLS");
        self.tls.set(Arc::new(config)).expect("no roots yet");
        self
    }

    /// The checked addresses of a URL that an operator gave, for requests that hold a secret: by the rules for guests, and
    /// without TLS only to hosts that the settings name.
    pub(crate) async fn addresses_of(&self, url: &Url) -> Result<Vec<SocketAddr>, DestinationError> {
        let uri: http::Uri = url.as_str().parse().map_err(|_| DestinationError::Form)?;
        let target = Target::of(&uri).map_err(|_| DestinationError::Form)?;
        if !target.tls && !self.is_named(&target) {
            return Err(DestinationError::Plain);
        }
        self.addresses(&target).await.map_err(|error| match error {
            Error::DestinationIpProhibited => DestinationError::Private,
            _ => DestinationError::NotFound,
        })
    }

    /// Whether the settings name it as a private host. Only to such a host a secret may go without TLS.
    pub(crate) fn is_named(&self, target: &Target) -> bool {
        self.private.iter().any(|pattern| pattern.names(&target.host, target.port))
    }

    /// Refuses an address that no request would be sent to, because it is in a private network. A name that cannot be looked up now may be
    /// found later, so it is no reason.
    pub(crate) async fn refuse_private(&self, uri: &http::Uri) -> Result<(), DestinationError> {
        let target = Target::of(uri).map_err(|_| DestinationError::Form)?;
        match tokio::time::timeout(LOOK_UP, self.addresses(&target)).await {
            Ok(Err(Error::DestinationIpProhibited)) => Err(DestinationError::Private),
            _ => Ok(()),
        }
    }

    /// Looks the target up, once, and checks every address it has. The caller connects to these and does not look the
    /// name up again: an answer that changes afterwards has no effect.
    pub(crate) async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Error> {
        let found = match &target.host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => self.resolve(name).await?,
        };
        if found.is_empty() {
            return Err(Error::DestinationNotFound);
        }
        let private = self.is_named(target);
        let allowed = |address: &IpAddr| match reach(*address) {
            Reach::Public => true,
            Reach::Private => private,
            Reach::Never => false,
        };
        // One forbidden address among good ones is a sign of DNS rebinding.
        if !found.iter().all(allowed) {
            return Err(Error::DestinationIpProhibited);
        }
        Ok(found.into_iter().take(MAX_ADDRESSES).map(|address| SocketAddr::new(address, target.port)).collect())
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Error> {
        match &self.resolver {
            Resolver::System => match tokio::net::lookup_host((name, 0)).await {
                Ok(found) => Ok(found.map(|address| address.ip()).collect()),
                // The resolver's own messages differ between systems, and a tool could not act on them.
                Err(_) => Err(Error::DestinationNotFound),
            },
            #[cfg(test)]
            Resolver::Fixed(resolve) => Ok(resolve(name)),
        }
    }

    /// TLS with the system's roots, read when a guest first needs them.
    pub(crate) fn tls(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = self.tls.get() {
            return Ok(Arc::clone(config));
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let config = client_config(roots).map_err(|error| {
            tracing::error!(error = error.log_text(), "TLS for outbound requests cannot be set up");
            Error::ConfigurationError
        })?;
        Ok(Arc::clone(self.tls.get_or_init(|| Arc::new(config))))
    }
}

fn client_config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Option<Target> {
        Target::of(&uri.parse().ok()?).ok()
    }

    #[test]
    fn an_address_is_read_in_one_way_only() {
        let plain = target("http://Example.COM./x?y").expect("a target");
        assert_eq!((plain.host.to_string().as_str(), plain.port, plain.tls), ("example.com", 80, false));
        assert_eq!(plain.authority(), "example.com");
        assert_eq!(target("https://[::1]:8443/").expect("a target").authority(), "[::1]:8443");
        for uri in [
            "https://user@example.com/",
            "https://user:pass@example.com/",
            "https://good.test:x@evil.test/",
            "https://@example.com/",
            "https://example.com:/",
            "https://example.com:0/",
            "https://example.com:65536/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[fe80::1%25eth0]/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "/only/a/path",
        ] {
            assert_eq!(target(uri), None, "{uri}");
        }
    }

    #[tokio::test]
    async fn one_forbidden_address_among_good_ones_refuses_the_host() {
        let egress = Egress::new(&[]).expect("egress").with_resolver(|name| match name {
            "mixed.test" => vec![IpAddr::from([1, 1, 1, 1]), IpAddr::from([10, 0, 0, 1])],
            "good.test" => vec![IpAddr::from([1, 1, 1, 1])],
            _ => Vec::new(),
        });
        let ask = async |uri: &str| egress.addresses(&target(uri).expect("a target")).await;
        assert_eq!(ask("https://good.test").await.expect("an address"), ["1.1.1.1:443".parse().expect("an address")]);
        assert!(matches!(ask("https://mixed.test").await, Err(Error::DestinationIpProhibited)));
        assert!(matches!(ask("https://none.test").await, Err(Error::DestinationNotFound)));
        assert!(matches!(ask("http://169.254.169.254").await, Err(Error::DestinationIpProhibited)));
        assert!(matches!(ask("http://[::ffff:10.0.0.1]").await, Err(Error::DestinationIpProhibited)));
    }

    #[tokio::test]
    async fn a_private_host_needs_the_operators_word_and_only_for_its_port() {
        let egress = Egress::new(&["inner.test:8080".to_owned()]).expect("egress");
        let egress = egress.with_resolver(|_| vec![IpAddr::from([10, 0, 0, 1])]);
        let ask = async |uri: &str| egress.addresses(&target(uri).expect("a target")).await.is_ok();
        assert!(ask("http://inner.test:8080").await);
        assert!(!ask("http://inner.test:8081").await);
        assert!(!ask("http://other.test:8080").await);
        assert!(!ask("http://10.0.0.1:8080").await, "the name was allowed, not its address");
        assert_eq!(Egress::new(&["http://x".to_owned()]).err().as_deref(), Some("http://x"));
    }
}
