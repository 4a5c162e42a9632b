//! Checks of addresses: TLS, the public address, the key set.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;
use url::{Host, Url};

use behalf_config::{Secret, Settings};
use behalf_telemetry::Finding;

/// Time for a name service or a key server to answer.
const WAIT: Duration = Duration::from_secs(5);
/// Largest key set that is read.
const MAX_KEY_SET: usize = 256 * 1024;

/// How far away an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// This machine.
    Here,
    /// A private network.
    Near,
    /// Anywhere, or unknown.
    Far,
}

/// Where the host listens, and how it reaches the database and the models.
pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    let mut findings = listening(settings);
    for (name, url) in [
        ("DATABASE_URL", &settings.database_url),
        ("HOST_DATABASE_URL", &settings.host_database_url),
        ("TOOL_DATABASE_URL", &settings.tool_database_url),
    ] {
        if let Some(url) = url {
            findings.extend(database(name, url).await);
        }
    }
    for (name, url) in [
        ("MODEL_BASE_URL", &settings.model_base_url),
        ("EMBEDDING_BASE_URL", &settings.embeddings.embedding_base_url),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &settings.otel_exporter_otlp_endpoint),
    ] {
        if let Some(url) = url {
            findings.extend(endpoint(name, url).await);
        }
    }
    for host in settings
        .http_allow_private
        .iter()
        .filter(|host| host.contains('*') || host.starts_with("169.254.") || host.starts_with("0.0.0.0"))
    {
        let found =
            format!("HTTP_ALLOW_PRIVATE opens {host} to tools, cloud credentials may be among what answers there");
        findings.push(Finding::warning("private-hosts", found, "list single hosts as host:port"));
    }
    findings
}

fn listening(settings: &Settings) -> Vec<Finding> {
    const NAME: &str = "address";
    let public = settings.public_url.as_deref().map(Url::parse);
    let finding = match public {
        Some(Err(error)) => Finding::error(NAME, format!("PUBLIC_URL is no address: {error}"), "https://host.example"),
        Some(Ok(url)) if url.scheme() == "http" && literal(&url) != Some(Reach::Here) => Finding::warning(
            NAME,
            "PUBLIC_URL is http://: tokens travel in the clear",
            "put a TLS proxy in front, and set https:// there",
        ),
        None if !settings.bind.ip().is_loopback() => {
            let found = format!("BIND is {}, beyond this machine, and PUBLIC_URL is not set", settings.bind);
            Finding::warning(
                NAME,
                found,
                "set BEHALF_PUBLIC_URL to the https:// address of the proxy in front, or bind to 127.0.0.1",
            )
        }
        _ => Finding::ok(NAME, format!("listens on {}", settings.bind)),
    };
    vec![finding]
}

async fn database(name: &str, url: &Secret) -> Vec<Finding> {
    const NAME: &str = "database-connection";
    // An address that cannot be read is found where it is used.
    let Ok(url) = Url::parse(url.expose()) else { return Vec::new() };
    let parameter =
        |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    let host = parameter("host").or_else(|| url.host_str().map(str::to_owned)).unwrap_or_default();
    if host.starts_with('/') || host.starts_with("%2F") {
        return vec![Finding::ok(NAME, format!("{name}: a socket of this machine"))];
    }
    let reach = reach(&host).await;
    let mut findings = Vec::new();
    if url.password().unwrap_or_default().is_empty() && parameter("password").is_none() {
        let found = format!("{name} holds no password");
        let fix = "give it a long random one; behalf migrate sets those of the host's and the tools' logins";
        findings.push(if reach == Reach::Far {
            Finding::error(NAME, found, fix)
        } else {
            Finding::warning(NAME, found, fix)
        });
    }
    let mode = parameter("sslmode");
    let tools = name == "TOOL_DATABASE_URL";
    let fault = match mode.as_deref() {
        _ if reach == Reach::Here => None,
        Some("verify-full") => None,
        Some("disable") => Some((reach == Reach::Far, "has TLS off: rows and passwords travel in the clear")),
        Some("allow" | "prefer") => {
            Some((false, "uses TLS only if the server offers it; who is in between can say it does not"))
        }
        // The tools' connections always verify, and ask for TLS unless told otherwise.
        _ if tools => None,
        None => Some((false, "uses TLS only if the server offers it; who is in between can say it does not")),
        Some(_) => Some((false, "does not check whose certificate the server shows")),
    };
    if let Some((bad, what)) = fault {
        let fix = format!("add ?sslmode=verify-full (and sslrootcert=…) to BEHALF_{name}");
        let make = if bad { Finding::error } else { Finding::warning };
        findings.push(make(NAME, format!("{name} {what}"), fix));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            NAME,
            format!("{name}: {}", if reach == Reach::Here { "this machine" } else { "protected by TLS" }),
        ));
    }
    findings
}

async fn endpoint(name: &str, url: &str) -> Option<Finding> {
    const NAME: &str = "endpoints";
    let fix = format!("set BEHALF_{name} to an https:// address");
    let url = match Url::parse(url) {
        Ok(url) => url,
        Err(error) => return Some(Finding::error(NAME, format!("{name} is no address: {error}"), fix)),
    };
    if url.scheme() == "https" {
        return Some(Finding::ok(NAME, format!("{name} uses TLS")));
    }
    match reach(url.host_str().unwrap_or_default()).await {
        Reach::Here => Some(Finding::ok(NAME, format!("{name} is on this machine"))),
        Reach::Near => Some(Finding::warning(
            NAME,
            format!("{name} is http://: what users say and the key travel in the clear"),
            fix,
        )),
        Reach::Far => Some(Finding::error(
            NAME,
            format!("{name} is http://: what users say and the key travel in the clear"),
            fix,
        )),
    }
}

/// Whether the keys that verify tokens can be had.
pub(super) async fn key_set(settings: &Settings) -> Finding {
    const NAME: &str = "key-set";
    let bytes = match (&settings.jwks_url, &settings.jwks_file) {
        (Some(url), _) => match Url::parse(url) {
            Err(error) => {
                return Finding::error(
                    NAME,
                    format!("JWKS_URL is no address: {error}"),
                    "https://host/auth/v1/.well-known/jwks.json",
                );
            }
            Ok(url) if url.scheme() == "http" && reach(url.host_str().unwrap_or_default()).await == Reach::Far => {
                let found = "JWKS_URL is http://: who is in between can put their own keys there";
                return Finding::error(NAME, found, "set an https:// address");
            }
            Ok(url) => fetch(url).await,
        },
        (None, Some(path)) => std::fs::read(path).map_err(|error| error.to_string()),
        (None, None) => return Finding::skipped(NAME, "tokens are verified with the secret alone"),
    };
    let fix = "check the address; without it no token signed by the auth server is accepted";
    let keys = bytes.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).map_err(|error| error.to_string()));
    let keys = match keys.as_ref().map(|set| set["keys"].as_array()) {
        Ok(Some(keys)) => keys,
        Ok(None) => return Finding::error(NAME, "it is no JWK set (RFC 7517)", fix),
        Err(error) => return Finding::warning(NAME, format!("cannot be read: {error}"), fix),
    };
    if keys.iter().any(|key| key["kty"] == "oct" || key.get("d").is_some()) {
        return Finding::error(
            NAME,
            "it shows a private or secret key to everybody",
            "replace that key, and publish public keys only",
        );
    }
    let usable = keys.iter().filter(|key| {
        matches!(
            (key["kty"].as_str(), key["crv"].as_str()),
            (Some("RSA"), _) | (Some("EC"), Some("P-256")) | (Some("OKP"), Some("Ed25519"))
        )
    });
    match usable.count() {
        0 => Finding::error(NAME, format!("none of its {} keys can be used (RS256, ES256, EdDSA)", keys.len()), fix),
        n => Finding::ok(NAME, format!("{n} public keys")),
    }
}

async fn fetch(url: Url) -> Result<Vec<u8>, String> {
    let text = |error: reqwest::Error| format!("{:#}", anyhow::Error::from(error));
    let client =
        reqwest::Client::builder().timeout(WAIT).redirect(reqwest::redirect::Policy::none()).build().map_err(text)?;
    let mut answer = client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(text)?;
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(text)? {
        body.extend_from_slice(&part);
        if body.len() > MAX_KEY_SET {
            return Err("it is too large".to_owned());
        }
    }
    Ok(body)
}

/// An address that is a number or `localhost` needs no name service.
fn literal(url: &Url) -> Option<Reach> {
    match url.host()? {
        Host::Ipv4(ip) => Some(of_ip(ip.into())),
        Host::Ipv6(ip) => Some(of_ip(ip.into())),
        Host::Domain(name) => (name == "localhost" || name.ends_with(".localhost")).then_some(Reach::Here),
    }
}

/// How far away a host is; a name that nobody knows is far.
pub(super) async fn reach(host: &str) -> Reach {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare == "localhost" {
        return Reach::Here;
    }
    if let Ok(ip) = bare.parse() {
        return of_ip(ip);
    }
    let Ok(Ok(found)) = tokio::time::timeout(WAIT, tokio::net::lookup_host((bare, 0))).await else { return Reach::Far };
    let all: Vec<_> = found.map(|address| of_ip(address.ip())).collect();
    if all.is_empty() || all.contains(&Reach::Far) {
        Reach::Far
    } else if all.contains(&Reach::Near) {
        Reach::Near
    } else {
        Reach::Here
    }
}

fn of_ip(ip: IpAddr) -> Reach {
    let private = match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    if ip.to_canonical().is_loopback() {
        Reach::Here
    } else if private {
        Reach::Near
    } else {
        Reach::Far
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use behalf_telemetry::Level;

    async fn levels(name: &str, value: &str) -> Vec<(&'static str, Level)> {
        let settings = Settings::from_pairs([(name, format!("{value:?}"))]).expect("settings");
        examine(&settings).await.into_iter().map(|finding| (finding.check, finding.level)).collect()
    }

    #[tokio::test]
    async fn what_travels_in_the_clear_is_found() {
        for (name, value, check, level) in [
            ("bind", "0.0.0.0:8787", "address", Level::Warning),
            ("public_url", "http://203.0.113.9", "address", Level::Warning),
            (
                "host_database_url",
                "postgres://h:p@203.0.113.9/app?sslmode=disable",
                "database-connection",
                Level::Error,
            ),
            ("host_database_url", "postgres://h:p@10.0.0.9/app?sslmode=disable", "database-connection", Level::Warning),
            ("host_database_url", "postgres://h:p@203.0.113.9/app", "database-connection", Level::Warning),
            ("tool_database_url", "postgres://t@203.0.113.9/app", "database-connection", Level::Error),
            ("tool_database_url", "postgres://t:p@203.0.113.9/app", "database-connection", Level::Ok),
            ("host_database_url", "postgres://h:p@127.0.0.1/app", "database-connection", Level::Ok),
            ("model_base_url", "http://203.0.113.9/v1", "endpoints", Level::Error),
            ("model_base_url", "http://127.0.0.1:11434/v1", "endpoints", Level::Ok),
            ("http_allow_private", "169.254.169.254", "private-hosts", Level::Warning),
        ] {
            let found = levels(name, value).await;
            assert!(found.contains(&(check, level)), "{name}={value}: {found:?}");
        }
    }
}
