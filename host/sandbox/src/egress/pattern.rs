//! Host patterns, as grants and settings write them.

use std::fmt;

use url::Host;

/// The longest name that DNS has.
const MAX_HOST_BYTES: usize = 253;
/// The longest label of a name.
const MAX_LABEL_BYTES: usize = 63;

/// A host in the one form in which hosts are compared: lower case, ASCII, no trailing dot. None for a text that is no host, and
/// for an address in another than its usual form (`0x7f.1`, `2130706433`): such forms are written to mislead checks.
pub(super) fn canonical(text: &str) -> Option<Host<String>> {
    if text.contains(['%', '@', '/', '?', '#', '\\']) || text.contains(char::is_whitespace) {
        return None;
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    let host = Host::parse(text).ok()?;
    let fits = match &host {
        Host::Domain(name) => {
            name.len() <= MAX_HOST_BYTES && name.split('.').all(|label| (1..=MAX_LABEL_BYTES).contains(&label.len()))
        }
        Host::Ipv4(address) => address.to_string() == text,
        Host::Ipv6(_) => true,
    };
    fits.then_some(host)
}

/// `host`, `host:port`, `*.domain` or `*.domain:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPattern {
    host: Host<String>,
    subdomains: bool,
    port: Option<u16>,
}

impl HostPattern {
    /// None where the text is of another form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            // The colons of an IPv6 address stand in brackets.
            Some((host, port)) if !port.ends_with(']') => {
                let digits = port.bytes().all(|byte| byte.is_ascii_digit());
                (host, Some(port.parse().ok().filter(|port| *port != 0 && digits)?))
            }
            _ => (text, None),
        };
        let (host, subdomains) = host.strip_prefix("*.").map_or((host, false), |domain| (domain, true));
        let host = canonical(host)?;
        let named = matches!(&host, Host::Domain(name) if !name.contains('*'));
        (named || !(subdomains || matches!(host, Host::Domain(_)))).then_some(Self { host, subdomains, port })
    }

    /// The pattern that covers this destination and no other.
    pub(crate) fn only(host: Host<String>, port: u16) -> Self {
        Self { host, subdomains: false, port: Some(port) }
    }

    /// Whether it covers one host and not a domain.
    pub(crate) fn is_one_host(&self) -> bool {
        !self.subdomains
    }

    fn covers_host(&self, host: &Host<String>) -> bool {
        match (&self.host, host) {
            (Host::Domain(domain), Host::Domain(name)) if self.subdomains => {
                name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (known, host) => !self.subdomains && known == host,
        }
    }

    /// Whether everything that this one covers is covered by another. Ports are compared as they are written: one that is
    /// left out means the scheme's own.
    pub(crate) fn within(&self, other: &Self) -> bool {
        let same = self.host == other.host && self.subdomains == other.subdomains;
        let below = other.subdomains && other.covers_host(&self.host);
        self.port == other.port && (same || below)
    }

    /// As a grant: a pattern without a port means the scheme's own.
    pub(super) fn grants(&self, host: &Host<String>, port: u16, default_port: u16) -> bool {
        self.covers_host(host) && port == self.port.unwrap_or(default_port)
    }

    /// As a setting for private hosts: a pattern without a port means every port that a grant allows.
    pub(super) fn names(&self, host: &Host<String>, port: u16) -> bool {
        self.covers_host(host) && self.port.is_none_or(|named| named == port)
    }
}

impl fmt::Display for HostPattern {
    /// As grants write it, in the one form in which hosts are compared.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = if self.subdomains { "*." } else { "" };
        write!(f, "{any}{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(pattern: &str, host: &str, port: u16) -> bool {
        let pattern = HostPattern::parse(pattern).expect(pattern);
        canonical(host).is_some_and(|host| pattern.grants(&host, port, 443))
    }

    #[test]
    fn a_host_is_granted_exactly_whatever_its_spelling() {
        assert!(granted("api.example.com", "API.Example.COM", 443));
        assert!(granted("api.example.com", "api.example.com.", 443));
        assert!(granted("bücher.example", "xn--bcher-kva.example", 443));
        assert!(granted("xn--bcher-kva.example.", "BÜCHER.example", 443));
        assert!(granted("[2001:DB8::1]", "[2001:db8:0:0::1]", 443));
        for other in
            ["example.com", "xapi.example.com", "api.example.com.evil.test", "api.example.co", "api-example.com"]
        {
            assert!(!granted("api.example.com", other, 443), "{other}");
        }
    }

    #[test]
    fn a_wildcard_covers_subdomains_and_not_the_domain() {
        assert!(granted("*.example.com", "a.example.com", 443));
        assert!(granted("*.example.com:8443", "a.b.example.com", 8443));
        for other in ["example.com", "badexample.com", "a.example.com.evil.test", ".example.com"] {
            assert!(!granted("*.example.com", other, 443), "{other}");
        }
    }

    #[test]
    fn a_pattern_without_a_port_grants_the_default_one_only() {
        assert!(!granted("example.com", "example.com", 8443));
        assert!(!granted("example.com", "example.com", 80));
        assert!(granted("example.com:8443", "example.com", 8443));
        assert!(!granted("example.com:8443", "example.com", 443));
        let private = HostPattern::parse("localhost").expect("a host");
        assert!(private.names(&Host::Domain("localhost".to_owned()), 8080));
    }

    #[test]
    fn hosts_in_disguise_are_no_hosts() {
        let disguised = "0x7f.0.0.1 0177.0.0.1 2130706433 127.1 127.0.0.01 0x7f000001 １２７.0.0.1 ex%61mple.com a@b.test \
            [fe80::1%25eth0] [fe80::1%eth0] [::1 ::1 a..b a.test.. 256.1.1.1 *.example.com:x a/b a\\b a?b a#b";
        for text in disguised.split_whitespace().chain(["", ".", "a b", "a\tb", "[]", "["]) {
            assert_eq!(canonical(text), None, "{text:?}");
        }
        assert_eq!(canonical(&format!("{}.test", "a".repeat(64))), None);
        assert_eq!(canonical(&"a.".repeat(200)), None);
        assert!(canonical("127.0.0.1.").is_some());
    }

    #[test]
    fn patterns_are_written_as_they_are_read() {
        for text in [
            "api.example.com",
            "*.example.com",
            "example.com:8443",
            "*.example.com:80",
            "[2001:db8::1]:8080",
            "10.0.0.1",
        ] {
            assert_eq!(HostPattern::parse(text).map(|pattern| pattern.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn patterns_that_match_nothing_are_refused() {
        for text in
            ["", "*", "*.", "*:443", "a*.test", "*.*.test", "a.*.test", "*.127.0.0.1", "*.[::1]", "a.test:", "a.test:0"]
                .into_iter()
                .chain([
                    "a.test:+80",
                    "a.test:99999",
                    "https://a.test",
                    "a.test/x",
                    "u@a.test",
                    "::1",
                    "[::1]:",
                    "a.test:80:80",
                ])
        {
            assert_eq!(HostPattern::parse(text), None, "{text:?}");
        }
        assert!(HostPattern::parse("[::1]:8080").is_some());
    }
}
