//! Where links and sign-ins may lead: the app's own host, and patterns that an operator set.
//!
//! What is sent there signs the user in, so an address counts only if every program reads it alike.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderMap;
use http::header::REFERER;
use url::{Host, Url};

use super::glob::Glob;
use crate::options::AuthOptions;

/// Longest address that is led to.
const MAX_BYTES: usize = 2_048;

/// Schemes whose addresses run or show what they contain.
const DANGEROUS: [&str; 10] =
    ["javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source", "ws", "wss"];

/// The address to lead to: `asked` where the operator allows it, else the app's own address.
pub(crate) fn allowed<'a>(options: &'a AuthOptions, asked: Option<&'a str>) -> &'a str {
    asked.filter(|asked| is_allowed(options, asked)).unwrap_or(&options.site_url)
}

/// The address to lead to for a request: what it asks for, else the page that it came from, else the app's own address.
pub(crate) fn of_request<'a>(options: &'a AuthOptions, headers: &'a HeaderMap, asked: Option<&'a str>) -> &'a str {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let candidates = [header("redirect_to").or(asked), header(REFERER.as_str())];
    candidates.into_iter().flatten().find(|one| is_allowed(options, one)).unwrap_or(&options.site_url)
}

/// Whether a pattern of an operator would lead anywhere, so that a stranger could have users' codes sent to him.
pub fn leads_anywhere(pattern: &str) -> bool {
    ["https://attacker.example/", "http://attacker.example/a", "https://attacker.example:8443/a/b.c"].iter().any(
        |probe| {
            let end = Address::parse(probe).map_or(0, |address| address.host_end);
            Glob::parse(pattern).is_some_and(|glob| glob.matches(probe, end))
        },
    )
}

fn is_allowed(options: &AuthOptions, asked: &str) -> bool {
    let Some(address) = Address::parse(asked) else { return false };
    if Url::parse(&options.site_url).is_ok_and(|site| address.is_at(&site)) {
        return true;
    }
    if !address.may_be_listed() {
        return false;
    }
    let without_fragment = asked.split('#').next().unwrap_or_default();
    let matches =
        |pattern: &String| Glob::parse(pattern).is_some_and(|glob| glob.matches(without_fragment, address.host_end));
    options.redirect_urls.iter().any(matches)
}

/// An address that programs cannot read in two ways.
struct Address {
    url: Url,
    /// Where its host and port end in the text.
    host_end: usize,
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        let is_plain = |c: char| !(c.is_control() || c.is_whitespace() || c == '\\' || is_invisible(c));
        if text.len() > MAX_BYTES || !text.chars().all(is_plain) {
            return None;
        }
        let url = Url::parse(text).ok()?;
        if DANGEROUS.contains(&url.scheme()) || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        // No dot, no percent sign: `url` reads the scheme without regard to case only.
        if !scheme.eq_ignore_ascii_case(url.scheme()) || has_dot_segments(rest) {
            return None;
        }
        let host_end = match rest.strip_prefix("//") {
            Some(after) => {
                let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
                if authority.contains('@') || !reads_alike(authority, &url) {
                    return None;
                }
                scheme.len() + "://".len() + authority.len()
            }
            None if url.has_authority() => return None,
            None => scheme.len() + 1,
        };
        Some(Self { url, host_end })
    }

    fn is_web(&self) -> bool {
        matches!(self.url.scheme(), "http" | "https")
    }

    /// Whether it is at the app's own host. Apps on the same machine listen on whatever port is free (RFC 8252, section 7.3).
    fn is_at(&self, site: &Url) -> bool {
        let same_port = self.url.port_or_known_default() == site.port_or_known_default();
        self.url.scheme() == site.scheme()
            && self.url.host_str() == site.host_str()
            && self.url.has_authority() == site.has_authority()
            && (same_port || self.is_this_machine())
    }

    fn is_this_machine(&self) -> bool {
        match ip(&self.url) {
            Some(ip) => ip.is_loopback(),
            None => self.url.host_str() == Some("localhost"),
        }
    }

    /// Whether patterns are asked at all. An address of numbers may only be this machine's.
    fn may_be_listed(&self) -> bool {
        match (ip(&self.url), self.url.host_str()) {
            (Some(ip), _) => ip.is_loopback(),
            (None, Some(host)) if self.is_web() => is_usual(host),
            (None, Some(host)) => host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_digit()),
            (None, None) => !self.is_web(),
        }
    }
}

/// The host's number, where it has one instead of a name. Hosts of schemes beside the web's are plain texts for `url`.
fn ip(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        Host::Domain(name) => name.parse().ok(),
    }
}

/// Whether the host and port are written as `url` understands them, so that no other program understands another host.
fn reads_alike(authority: &str, url: &Url) -> bool {
    let written_port = |rest: &str| match rest.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit())),
        None if rest.is_empty() => Some(url.port_or_known_default().unwrap_or_default()),
        None => None,
    };
    let port = url.port_or_known_default().unwrap_or_default();
    if let Some(inner) = authority.strip_prefix('[') {
        let Some((inner, rest)) = inner.split_once(']') else { return false };
        let same = inner.parse::<Ipv6Addr>().is_ok_and(|ip| url.host() == Some(Host::Ipv6(ip)));
        return same && written_port(rest) == Some(port);
    }
    let (host, rest) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
    host.eq_ignore_ascii_case(url.host_str().unwrap_or_default()) && written_port(rest) == Some(port)
}

/// Names of letters, digits, `.` and `-`, as GoTrue asks for.
fn is_usual(host: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = host.as_bytes();
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && !bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Whether `.` and `..` stand for other paths, as `/allowed/../other` does.
fn has_dot_segments(rest: &str) -> bool {
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    path.split('/').any(|segment| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
}

/// Characters that change how a text looks and not what it says, and those that are read like others in hosts.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffd}')
}

#[cfg(test)]
pub(super) mod tests;
