//! The options of the protocol's server, and the names that this host answers to. A page of a stranger that resolves its own
//! name to this address gets nothing.

use std::net::SocketAddr;

use http::HeaderMap;
use http::header::HOST;
use url::Url;

/// Names of this machine itself. They are safe wherever the host listens: a rebound name is never one of them.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Audiences that tokens for any resource have as well: Supabase's and Keycloak's.
const SHARED_AUDIENCES: [&str; 2] = ["authenticated", "account"];

/// How clients reach this host, and who issues their tokens.
#[derive(Clone, Debug)]
pub struct McpOptions {
    /// The address that the host listens at.
    pub bind: SocketAddr,
    /// The address that clients reach the host by, where it differs from `bind`: `https://agents.example`.
    pub public_url: Option<String>,
    /// Web pages that may call, beside those of the host's own address: `https://app.example` or `http://localhost:*`.
    pub allowed_origins: Vec<String>,
    /// Audiences of tokens that are for this host, beside the addresses of its resources.
    pub audiences: Vec<String>,
    /// The issuer of the callers' tokens. Clients are sent there for a token where it is an address.
    pub issuer: Option<String>,
}

impl McpOptions {
    /// Values of `Host` that are served.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<_> = LOCAL.map(str::to_owned).to_vec();
        let bound = self.bind.ip();
        if !bound.is_unspecified() && !bound.is_loopback() {
            hosts.push(bound.to_string());
        }
        hosts.extend(self.parsed_url().and_then(|url| url.host_str().map(str::to_owned)));
        hosts
    }

    /// Values of `Origin` that are served; a request without one comes from no page.
    pub(crate) fn origins(&self) -> Vec<String> {
        let mut origins = Vec::new();
        if self.bind.ip().is_loopback() {
            origins.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("http://{name}:*")));
        }
        origins.extend(self.parsed_url().and_then(|url| with_port(&url)));
        origins.extend(self.allowed_origins.iter().map(|origin| {
            // An origin without a port means the scheme's own port, not any.
            Url::parse(origin).ok().and_then(|url| with_port(&url)).unwrap_or_else(|| origin.clone())
        }));
        origins
    }

    /// The address that clients reach this host by: the configured one, or the one this request was sent to.
    pub(crate) fn base_url(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let asked = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| self.own_origin(host));
        asked.unwrap_or_else(|| format!("http://{}", self.bind))
    }

    /// Whether a token with this `aud` may be used at `path`, a resource of this host. A token that names no resource (an address)
    /// may, and so may one that names this host, this resource, or an audience of its own that an operator set for this host. What a request says of
    /// its host counts for nothing here: whoever was sent a token for a resource of the same machine could say so too.
    pub(crate) fn accepts(&self, named: &[String], path: &str) -> bool {
        let is_address = |text: &String| Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        let is_ours = |resource: &String| {
            (self.audiences.contains(resource) && !SHARED_AUDIENCES.contains(&resource.as_str()))
                || self.bases().iter().any(|base| is_resource(resource, base, path))
        };
        !named.iter().any(is_address) || named.iter().any(is_ours)
    }

    /// Whether a token that is not accepted names `path` at the address that its request was sent to: the host stands behind a port
    /// of another number, and nobody told it so.
    pub(crate) fn is_behind_unknown_address(&self, headers: &HeaderMap, named: &[String], path: &str) -> bool {
        let asked = Url::parse(&self.base_url(headers)).ok().filter(|_| self.public_url.is_none());
        !self.accepts(named, path)
            && asked.is_some_and(|asked| named.iter().any(|resource| is_resource(resource, &asked, path)))
    }

    /// The addresses of this host, as tokens may name it.
    fn bases(&self) -> Vec<Url> {
        if self.public_url.is_some() {
            return self.parsed_url().into_iter().collect();
        }
        let port = self.bind.port();
        let local = ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("http://{name}:{port}"));
        local.into_iter().chain([format!("http://{}", self.bind)]).filter_map(|base| Url::parse(&base).ok()).collect()
    }

    /// The issuer, where it is an address. Another one is the platform's word for itself, and nobody could go there.
    pub(crate) fn authorization_server(&self) -> Option<&str> {
        let is_address = |issuer: &&str| Url::parse(issuer).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        self.issuer.as_deref().filter(is_address)
    }

    /// The origin of a value of `Host` that names this host.
    fn own_origin(&self, host: &str) -> Option<String> {
        let url = Url::parse(&format!("http://{host}/")).ok()?;
        let name = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let is_own = self.hosts().contains(&name) && url.path() == "/" && url.username().is_empty();
        is_own.then(|| url.origin().ascii_serialization())
    }

    fn parsed_url(&self) -> Option<Url> {
        Url::parse(self.public_url.as_deref()?).ok()
    }
}

/// Whether an address is `base` itself or the resource at `path` below it, however it is written.
fn is_resource(address: &str, base: &Url, path: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let rest = url.path().trim_end_matches('/').strip_prefix(base.path().trim_end_matches('/'));
    is_plain && url.origin() == base.origin() && rest.is_some_and(|rest| rest.is_empty() || rest == path)
}

fn with_port(url: &Url) -> Option<String> {
    Some(format!("{}://{}:{}", url.scheme(), url.host_str()?, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn options(bind: &str) -> McpOptions {
        let bind = bind.parse().expect("an address");
        McpOptions { bind, public_url: None, allowed_origins: Vec::new(), audiences: Vec::new(), issuer: None }
    }

    #[test]
    fn a_stranger_s_name_is_not_repeated() {
        let options = options("127.0.0.1:8787");
        let asked = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            options.base_url(&headers)
        };
        for (host, told) in [
            ("localhost:9000", "http://localhost:9000"),
            ("LocalHost:80", "http://localhost"),
            ("[::1]:8787", "http://[::1]:8787"),
        ] {
            assert_eq!(asked(host), told);
        }
        for other in ["evil.example", "localhost@evil.example", "localhost/x", "evil.example#localhost"] {
            assert_eq!(asked(other), "http://127.0.0.1:8787", "{other}");
        }
    }

    #[test]
    fn a_public_address_has_its_own_port_and_no_other() {
        let options = McpOptions {
            public_url: Some("https://agents.example/".to_owned()),
            allowed_origins: vec!["https://app.example".to_owned(), "http://localhost:*".to_owned()],
            ..options("0.0.0.0:8787")
        };
        assert_eq!(options.origins(), ["https://agents.example:443", "https://app.example:443", "http://localhost:*"]);
        assert_eq!(options.hosts().last().map(String::as_str), Some("agents.example"));
        assert_eq!(options.base_url(&HeaderMap::new()), "https://agents.example");
    }

    #[test]
    fn a_token_for_another_resource_is_not_for_this_one() {
        let options = McpOptions {
            public_url: Some("https://agents.example/".to_owned()),
            audiences: vec!["authenticated".to_owned(), "https://api.example".to_owned()],
            ..options("0.0.0.0:8787")
        };
        let accepts = |resources: &[&str]| {
            let resources: Vec<_> = resources.iter().map(|&resource| resource.to_owned()).collect();
            options.accepts(&resources, "/mcp")
        };
        for ours in [
            &[][..],
            &["https://agents.example"],
            &["https://agents.example/"],
            &["https://agents.example/mcp"],
            &["HTTPS://Agents.example:443/mcp/"],
            &["https://api.example", "https://tenant.example/userinfo"],
        ] {
            assert!(accepts(ours), "{ours:?}");
        }
        for other in [
            "https://agents.example/mcp/agents/1",
            "https://agents.example.evil/mcp",
            "https://agents.example/mcpx",
            "https://agents.example/mcp?x=1",
            "https://agents.example@evil.example/mcp",
            "https://evil.example/https://agents.example/mcp",
            "https://agents.example:8443/mcp",
            "http://agents.example/mcp",
            "https://api.example/other",
            "http://localhost:8787/mcp",
        ] {
            assert!(!accepts(&[other]), "{other}");
        }
    }

    #[test]
    fn what_the_metadata_names_is_what_tokens_may_name() {
        let named = |options: &McpOptions, host: &'static str, resource: &str| {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            let told = format!("{}/mcp", options.base_url(&headers));
            let named = [resource.to_owned()];
            (
                told == resource,
                options.accepts(&named, "/mcp"),
                options.is_behind_unknown_address(&headers, &named, "/mcp"),
            )
        };
        for (bind, host, resource) in [
            ("127.0.0.1:8787", "localhost:8787", "http://localhost:8787/mcp"),
            ("0.0.0.0:8787", "127.0.0.1:8787", "http://127.0.0.1:8787/mcp"),
            ("[::]:8787", "[::1]:8787", "http://[::1]:8787/mcp"),
            ("10.0.0.5:80", "10.0.0.5", "http://10.0.0.5/mcp"),
            ("127.0.0.1:80", "localhost", "http://localhost/mcp"),
        ] {
            assert_eq!(named(&options(bind), host, resource), (true, true, false), "{bind} {host}");
        }
        // Behind a port of another number, only an operator can say which one.
        let mapped = options("0.0.0.0:8787");
        assert_eq!(named(&mapped, "localhost:9000", "http://localhost:9000/mcp"), (true, false, true));
        assert_eq!(named(&mapped, "localhost:9000", "http://localhost:9001/mcp"), (false, false, false));
        let known = McpOptions { public_url: Some("http://localhost:9000".to_owned()), ..mapped };
        assert_eq!(named(&known, "localhost:9000", "http://localhost:9000/mcp"), (true, true, false));
        assert_eq!(named(&known, "localhost:8787", "http://localhost:8787/mcp"), (false, false, false));
    }

    #[test]
    fn only_an_issuer_that_is_an_address_is_one_to_go_to() {
        let with = |issuer: &str| McpOptions { issuer: Some(issuer.to_owned()), ..options("127.0.0.1:8787") };
        assert_eq!(with("https://auth.example").authorization_server(), Some("https://auth.example"));
        assert_eq!(with("no-url").authorization_server(), None);
    }
}
