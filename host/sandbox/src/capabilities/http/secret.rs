//! Secrets that the host adds to requests: which host gets which one, and in which header. The guest never holds them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::grant::HttpGrants;
use super::mask::Mask;
use crate::egress::{HostPattern, Target};
use crate::grants::GrantError;

/// Secrets of one plugin.
const MAX_SECRETS: usize = 16;
/// Bytes of a secret's name.
const MAX_NAME_BYTES: usize = 64;
/// Bytes of a header's form.
const MAX_FORM_BYTES: usize = 200;
/// The place of the value in a header's form.
const PLACE: &str = "{secret}";
/// Bytes of a value. A shorter one could stand in an answer by chance, and would then be hidden there.
const VALUE_BYTES: std::ops::RangeInclusive<usize> = 8..=4_096;

/// A secret that the host adds to the requests to one host: an operator sets its value, and the guest never holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretGrant {
    /// Its name, `[a-z][a-z0-9_]{0,63}`.
    pub name: String,
    /// The one host that gets it, `host` or `host:port`, which `hosts` has to grant.
    pub host: String,
    /// The header that carries it.
    #[serde(default = "authorization")]
    pub header: String,
    /// The header's value with `{secret}` in the place of the secret; `Bearer {secret}` for `authorization` and `{secret}`
    /// for other headers where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
}

fn authorization() -> String {
    header::AUTHORIZATION.to_string()
}

impl SecretGrant {
    /// The header's value, with `{secret}` in the place of the secret.
    pub fn form(&self) -> &str {
        match &self.form {
            Some(form) => form,
            None if self.header.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()) => "Bearer {secret}",
            None => PLACE,
        }
    }

    /// The host in the one form in which hosts are compared; none where it cannot be read. A value is stored for this host,
    /// and a grant that names another host does not get it.
    pub fn destination(&self) -> Option<String> {
        HostPattern::parse(&self.host).map(|host| host.to_string())
    }

    /// The secret as requests need it, or why there can be none like this.
    fn rule(&self) -> Result<SecretRule, &'static str> {
        let is_name = self.name.len() <= MAX_NAME_BYTES
            && self.name.starts_with(|first: char| first.is_ascii_lowercase())
            && self.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !is_name {
            return Err("its name is not of the form [a-z][a-z0-9_]{0,63}");
        }
        let host = HostPattern::parse(&self.host).filter(HostPattern::is_one_host);
        let host = host.ok_or("its host is not of the form host or host:port; a secret goes to one host")?;
        let header = HeaderName::from_bytes(self.header.as_bytes()).map_err(|_| "its header is no name of a header")?;
        if is_framing_header(&header) {
            return Err("its header is one that the host sets itself");
        }
        let form = self.form();
        let (before, after) = form.split_once(PLACE).ok_or("its form has no {secret}, where the value stands")?;
        let is_plain = |text: &str| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if after.contains(PLACE) || form.len() > MAX_FORM_BYTES || !is_plain(form) {
            return Err("its form has {secret} once, plain characters, and 200 bytes at most");
        }
        Ok(SecretRule { name: self.name.as_str().into(), host, header, before: before.into(), after: after.into() })
    }

    /// Whether both say the same, however they are written.
    fn says_the_same_as(&self, other: &Self) -> bool {
        self.name == other.name
            && self.destination() == other.destination()
            && self.header.eq_ignore_ascii_case(&other.header)
            && self.form() == other.form()
    }
}

/// Whether a header frames a request or says how its answer is encoded. The host sets such headers itself.
pub fn is_framing_header(name: &HeaderName) -> bool {
    const FRAMING: [HeaderName; 9] = [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::ACCEPT_ENCODING,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::EXPECT,
    ];
    FRAMING.contains(name) || name.as_str().starts_with("proxy-")
}

/// Refuses secrets that no request could carry, or that would go to a host that is not granted.
pub(super) fn check(grant: &HttpGrants) -> Result<(), GrantError> {
    let refused = |secret: &SecretGrant, reason| GrantError::Secret { name: secret.name.clone(), reason };
    if let Some(beyond) = grant.secrets.get(MAX_SECRETS) {
        return Err(refused(beyond, "a plugin has 16 secrets at most"));
    }
    let hosts: Vec<_> = grant.hosts.iter().filter_map(|host| HostPattern::parse(host)).collect();
    let mut known: Vec<SecretRule> = Vec::new();
    for secret in &grant.secrets {
        let rule = secret.rule().map_err(|reason| refused(secret, reason))?;
        if !hosts.iter().any(|host| rule.host.within(host)) {
            return Err(refused(secret, "its host is not among the granted hosts; add it to http.hosts"));
        }
        if known.iter().any(|other| other.name == rule.name) {
            return Err(refused(secret, "there is another one of this name"));
        }
        if known.iter().any(|other| other.host == rule.host && other.header == rule.header) {
            return Err(refused(secret, "there is another one for this header of its host"));
        }
        known.push(rule);
    }
    Ok(())
}

/// Whether one grant has a secret that the other does not have, or not in this way.
pub(super) fn exceed(mine: &HttpGrants, theirs: &HttpGrants) -> bool {
    let is_known = |secret: &SecretGrant| theirs.secrets.iter().any(|other| secret.says_the_same_as(other));
    !mine.secrets.iter().all(is_known)
}

/// The secrets of a grant as requests need them. `check` refused one that cannot be read; it is never added.
pub(super) fn rules(grant: &HttpGrants) -> Arc<[SecretRule]> {
    grant.secrets.iter().filter_map(|secret| secret.rule().ok()).collect()
}

/// One secret as requests need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretRule {
    name: Box<str>,
    host: HostPattern,
    header: HeaderName,
    before: Box<str>,
    after: Box<str>,
}

/// The values of a plugin's secrets, by their names. It does not print them.
#[derive(Clone, Default)]
pub struct HttpSecrets(Arc<HashMap<String, String>>);

impl HttpSecrets {
    /// Takes the values that an operator set.
    pub fn new(values: HashMap<String, String>) -> Self {
        Self(Arc::new(values))
    }

    /// Whether a text can be the value of a secret: 8 to 4,096 printable characters without spaces.
    pub fn is_value(text: &str) -> bool {
        VALUE_BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

impl fmt::Debug for HttpSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpSecrets(…)")
    }
}

/// The secrets of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallSecrets {
    pub(crate) rules: Arc<[SecretRule]>,
    pub(crate) values: HttpSecrets,
}

/// What one request carries of secrets. It does not print them.
pub(super) struct Carried {
    pub(super) names: Vec<String>,
    headers: HeaderMap,
    values: Vec<String>,
}

impl CallSecrets {
    /// The secrets of this destination; none where it has none. The error is the name of one that has no value.
    pub(super) fn of(&self, target: &Target) -> Result<Option<Carried>, String> {
        let mut carried = Carried { names: Vec::new(), headers: HeaderMap::new(), values: Vec::new() };
        for rule in self.rules.iter().filter(|rule| target.is_granted(std::slice::from_ref(&rule.host))) {
            let value = self.values.0.get(&*rule.name).filter(|value| HttpSecrets::is_value(value));
            let header = value.and_then(|value| {
                HeaderValue::from_str(&format!("{}{value}{}", rule.before, rule.after)).ok().zip(Some(value))
            });
            let Some((mut header, value)) = header else { return Err(rule.name.to_string()) };
            header.set_sensitive(true);
            carried.names.push(rule.name.to_string());
            carried.headers.insert(rule.header.clone(), header);
            carried.values.push(value.clone());
        }
        Ok(if carried.names.is_empty() { None } else { Some(carried) })
    }
}

impl Carried {
    /// Adds the headers, in place of any that the guest set. The answer has to come as it is and as a whole: what is
    /// compressed, in another alphabet or cut into pieces could hold a secret that nobody finds.
    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        for name in [header::RANGE, header::IF_RANGE, header::ACCEPT_CHARSET] {
            headers.remove(name);
        }
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
    }

    /// What hides the secrets in the answer.
    pub(super) fn mask(&self) -> Mask {
        Mask::new(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn grant(secret: &Value) -> HttpGrants {
        let hosts = ["api.example.com", "*.wild.test", "other.test:8443"];
        serde_json::from_value(json!({"hosts": hosts, "secrets": [secret]})).expect("a grant")
    }

    fn refusal(secret: &Value) -> String {
        check(&grant(secret)).expect_err(&secret.to_string()).to_string()
    }

    #[test]
    fn a_secret_goes_to_one_granted_host_in_a_header_that_frames_nothing() {
        let with = |key: &str, value: &str| {
            let mut secret = json!({"name": "rates_key", "host": "api.example.com"});
            secret[key] = json!(value);
            secret
        };
        for fine in [
            with("host", "API.example.com."),
            with("host", "a.wild.test"),
            with("host", "other.test:8443"),
            with("header", "X-Api-Key"),
            with("form", "Token token={secret}"),
        ] {
            check(&grant(&fine)).unwrap_or_else(|error| panic!("{fine}: {error}"));
        }
        for (secret, words) in [
            (with("name", "Rates"), "name"),
            (with("name", ""), "name"),
            (with("host", "*.wild.test"), "one host"),
            (with("host", "evil.test"), "not among the granted hosts"),
            (with("host", "other.test"), "not among the granted hosts"),
            (with("header", "Host"), "sets itself"),
            (with("header", "proxy-authorization"), "sets itself"),
            (with("header", "x y"), "no name of a header"),
            (with("form", "Bearer"), "no {secret}"),
            (with("form", "{secret}{secret}"), "once"),
            (with("form", "{secret}\r\nx: y"), "plain"),
        ] {
            let said = refusal(&secret);
            assert!(said.contains(words), "{secret}: {said}");
        }
        let mut twice = grant(&with("header", "authorization"));
        twice.secrets.push(SecretGrant { name: "second".to_owned(), ..twice.secrets[0].clone() });
        assert!(check(&twice).is_err_and(|error| error.to_string().contains("this header")));
        twice.secrets[1] = SecretGrant { header: "x-key".to_owned(), ..twice.secrets[0].clone() };
        assert!(check(&twice).is_err_and(|error| error.to_string().contains("this name")));
        assert!(
            serde_json::from_value::<HttpGrants>(json!({"secrets": [{"name": "a", "host": "b", "value": "c"}]}))
                .is_err()
        );
    }

    #[test]
    fn another_host_header_or_form_is_more_than_was_granted() {
        let held = grant(&json!({"name": "key", "host": "api.example.com"}));
        let same =
            json!({"name": "key", "host": "API.Example.com", "header": "Authorization", "form": "Bearer {secret}"});
        assert!(!exceed(&grant(&same), &held));
        let none = HttpGrants { secrets: Vec::new(), ..held.clone() };
        assert!(!exceed(&none, &held) && exceed(&held, &none));
        for other in [
            json!({"name": "key", "host": "a.wild.test"}),
            json!({"name": "key", "host": "api.example.com", "header": "x-key"}),
            json!({"name": "key", "host": "api.example.com", "form": "{secret}"}),
            json!({"name": "other", "host": "api.example.com"}),
        ] {
            assert!(exceed(&grant(&other), &held), "{other}");
        }
    }

    #[test]
    fn a_value_is_one_word_that_is_not_short_and_does_not_print() {
        for bad in ["", "short", "two words", "line\r\nbreak", "umlaut-äöü", &"x".repeat(4_097)] {
            assert!(!HttpSecrets::is_value(bad), "{bad:?}");
        }
        assert!(HttpSecrets::is_value("sk-01234"));
        let values = HttpSecrets::new(HashMap::from([("key".to_owned(), "sk-0123456789".to_owned())]));
        assert!(!format!("{values:?}").contains("0123"));
    }
}
