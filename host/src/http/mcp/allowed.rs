//! Which names this host answers to, so that a page of a stranger that resolves its own name to this address gets nothing.

use http::HeaderMap;
use http::header::HOST;
use url::Url;

use crate::config::Settings;

/// Names of this machine itself. They are safe wherever the host listens: a rebound name is never one of them.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Values of `Host` that are served.
pub(super) fn hosts(settings: &Settings) -> Vec<String> {
    let mut hosts: Vec<_> = LOCAL.map(str::to_owned).to_vec();
    let bound = settings.bind.ip();
    if !bound.is_unspecified() && !bound.is_loopback() {
        hosts.push(bound.to_string());
    }
    hosts.extend(public_url(settings).and_then(|url| url.host_str().map(str::to_owned)));
    hosts
}

/// Values of `Origin` that are served; a request without one comes from no page.
pub(super) fn origins(settings: &Settings) -> Vec<String> {
    let mut origins = Vec::new();
    if settings.bind.ip().is_loopback() {
        origins.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("http://{name}:*")));
    }
    origins.extend(public_url(settings).and_then(|url| with_port(&url)));
    origins.extend(settings.mcp_allowed_origins.iter().map(|origin| {
        // A port that is not said is the scheme's own, not any.
        Url::parse(origin).ok().and_then(|url| with_port(&url)).unwrap_or_else(|| origin.clone())
    }));
    origins
}

/// The address that clients reach this host by: the configured one, or the one this request was sent to.
pub(super) fn base_url(settings: &Settings, headers: &HeaderMap) -> String {
    if let Some(url) = &settings.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let asked = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_own(settings, host));
    match asked {
        Some(host) => format!("http://{host}"),
        None => format!("http://{}", settings.bind),
    }
}

fn is_own(settings: &Settings, host: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{host}/")) else { return false };
    let name = url.host_str().map(|name| name.trim_matches(['[', ']']).to_owned());
    name.is_some_and(|name| hosts(settings).contains(&name)) && url.path() == "/" && url.username().is_empty()
}

fn public_url(settings: &Settings) -> Option<Url> {
    Url::parse(settings.public_url.as_deref()?).ok()
}

fn with_port(url: &Url) -> Option<String> {
    Some(format!("{}://{}:{}", url.scheme(), url.host_str()?, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn settings(pairs: &[(&'static str, &str)]) -> Settings {
        Settings::from_pairs(pairs.iter().map(|(name, value)| (*name, (*value).to_owned()))).expect("settings")
    }

    #[test]
    fn a_stranger_s_name_is_not_repeated() {
        let settings = settings(&[]);
        let asked = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            base_url(&settings, &headers)
        };
        assert_eq!(asked("localhost:9000"), "http://localhost:9000");
        for other in ["evil.example", "localhost@evil.example", "localhost/x", "evil.example#localhost"] {
            assert_eq!(asked(other), "http://127.0.0.1:8787", "{other}");
        }
    }

    #[test]
    fn a_public_address_has_its_own_port_and_no_other() {
        let settings = settings(&[
            ("public_url", "https://agents.example/"),
            ("bind", "0.0.0.0:8787"),
            ("mcp_allowed_origins", "https://app.example, http://localhost:*"),
        ]);
        assert_eq!(origins(&settings), ["https://agents.example:443", "https://app.example:443", "http://localhost:*"]);
        assert_eq!(hosts(&settings).last().map(String::as_str), Some("agents.example"));
        assert_eq!(base_url(&settings, &HeaderMap::new()), "https://agents.example");
    }
}
