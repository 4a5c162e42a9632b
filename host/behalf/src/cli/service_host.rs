//! The host that commands speak to as the service role: where it is, and its service key.

use std::fmt;
use std::time::Duration;

use anyhow::Context;
use behalf_config::Settings;
use behalf_toolchain::{DevEnv, printable};
use clap::Args;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use url::Url;

/// How long a host may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a host may say nothing. It reads a body as fast as it arrives.
const SILENCE: Duration = Duration::from_mins(1);

/// Where the host is.
#[derive(Debug, Args)]
pub(super) struct HostArgs {
    /// The address of the host; without it `BEHALF_PUBLIC_URL`, or that of `behalf dev`.
    #[arg(long)]
    url: Option<Url>,
    /// The project's service key; without it `BEHALF_SERVICE_ROLE_KEY`, or the key of `behalf dev` at its own address. Other users of
    /// this machine can see the options of a command.
    #[arg(long, value_name = "KEY")]
    service_key: Option<String>,
}

/// A host, and the key of its service role.
#[derive(Clone)]
pub(super) struct ServiceHost {
    http: Client,
    url: String,
    key: String,
}

impl fmt::Debug for ServiceHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHost").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Why a request had no success.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// No answer.
    #[error("no host answers at {url}; start it, or name its address with --url")]
    NoAnswer {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    /// An answer that says no.
    #[error("the host answered {status}: {}", said(body))]
    Refused { status: StatusCode, body: Value, retry_after: Option<Duration> },
}

impl RequestError {
    /// Whether the same request may have success later, and after what time.
    pub(super) fn later(&self) -> Option<Duration> {
        match self {
            Self::NoAnswer { .. } => Some(Duration::from_secs(1)),
            Self::Refused { status, retry_after, .. } => (*status == StatusCode::TOO_MANY_REQUESTS
                || status.is_server_error())
            .then(|| retry_after.unwrap_or(Duration::from_secs(1)).min(SILENCE)),
        }
    }
}

/// What the body of a refusal says, without what would steer a terminal.
fn said(body: &Value) -> String {
    let text = ["detail", "message", "msg", "error"].iter().find_map(|name| body[*name].as_str());
    printable(text.unwrap_or("it gave no reason")).replace('\n', " ")
}

impl ServiceHost {
    /// The host that the options, the settings or `behalf dev` name.
    pub(super) fn find(args: &HostArgs) -> anyhow::Result<Self> {
        let settings = Settings::load()?;
        let dev = DevEnv::read(&settings.state_dir).ok();
        let (url, key) = choose(args, &settings, dev.as_ref())?;
        let http = Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE).build()?;
        Ok(Self { http, url, key })
    }

    /// Its address, without a slash at its end.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Sends a request, and returns the body of its answer.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Value, RequestError> {
        let no_answer = |source| RequestError::NoAnswer { url: self.url.clone(), source };
        let answer = request.send().await.map_err(no_answer)?;
        let status = answer.status();
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let text = answer.text().await.map_err(no_answer)?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        Err(RequestError::Refused { status, body, retry_after: retry_after.map(Duration::from_secs) })
    }

    /// A request of the service role in its own name. `query` is added to the path.
    pub(super) fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> anyhow::Result<RequestBuilder> {
        let mut url = Url::parse(&format!("{}{path}", self.url))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(self.http.request(method, url).header("apikey", &self.key).bearer_auth(&self.key))
    }
}

/// The address, without a slash at its end, and the key. The key of `behalf dev` is sent nowhere else.
fn choose(args: &HostArgs, settings: &Settings, dev: Option<&DevEnv>) -> anyhow::Result<(String, String)> {
    let set = args.url.as_ref().map(Url::as_str).or(settings.public_url.as_deref());
    let url = set.or(dev.map(|dev| dev.base_url.as_str()));
    let url = url.context("no host is named; give its address with --url, or start one with `behalf dev`")?;
    let url = url.trim_end_matches('/');
    let of_dev = dev.filter(|dev| dev.base_url == url).map(|dev| dev.service_role_key.as_str());
    let set = settings.service_role_key.as_ref().map(behalf_config::Secret::expose);
    let key = args.service_key.as_deref().or(set).or(of_dev);
    let key = key.context("no service key is named; set BEHALF_SERVICE_ROLE_KEY, or give --service-key")?;
    Ok((url.to_owned(), key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(url: Option<&str>, key: Option<&str>) -> HostArgs {
        HostArgs { url: url.map(|url| url.parse().expect("an address")), service_key: key.map(str::to_owned) }
    }

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings::from_pairs(pairs.iter().map(|(name, value)| (*name, (*value).to_owned()))).expect("settings")
    }

    #[test]
    fn the_key_of_a_development_host_is_sent_to_no_other() {
        let mut dev = DevEnv::make().expect("keys");
        "http://127.0.0.1:8000".clone_into(&mut dev.base_url);
        let own = ("http://127.0.0.1:8000".to_owned(), dev.service_role_key.clone());
        let none = settings(&[]);
        assert_eq!(choose(&args(None, None), &none, Some(&dev)).expect("the development host"), own);
        assert_eq!(choose(&args(Some("http://127.0.0.1:8000"), None), &none, Some(&dev)).expect("the same"), own);
        assert!(choose(&args(Some("https://app.example"), None), &none, Some(&dev)).is_err());
        let given = choose(&args(Some("https://app.example/"), Some("k")), &none, Some(&dev)).expect("a key is given");
        assert_eq!(given, ("https://app.example".to_owned(), "k".to_owned()));
    }

    #[test]
    fn settings_name_the_host_where_there_is_no_other() {
        let set = settings(&[("public_url", "https://app.example"), ("service_role_key", "s")]);
        let mut dev = DevEnv::make().expect("keys");
        "http://127.0.0.1:8000".clone_into(&mut dev.base_url);
        let found = choose(&args(None, None), &set, Some(&dev)).expect("settings");
        assert_eq!(found, ("https://app.example".to_owned(), "s".to_owned()));
        assert!(choose(&args(None, None), &settings(&[]), None).is_err(), "no host is named");
        assert!(choose(&args(Some("https://app.example"), None), &settings(&[]), None).is_err(), "no key is named");
    }
}
