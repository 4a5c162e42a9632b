//! The host that the commands speak to: where it is, its service key, and the user for whom they act.

use std::time::Duration;

use anyhow::{Context, bail};
use behalf_config::Settings;
use behalf_toolchain::{DevEnv, demo, printable};
use clap::Args;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

/// How long a host may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a host may say nothing. It reads a body as fast as it arrives.
const SILENCE: Duration = Duration::from_mins(1);
/// Users of one page of the list that an address is looked up in, the most that the host gives.
const USERS_OF_PAGE: &str = "1000";

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

/// A host, and a user for whom its service role acts.
#[derive(Clone, Debug)]
pub(super) struct Host {
    http: Client,
    url: String,
    key: String,
    user: Uuid,
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

impl Host {
    /// The host that the options, the settings or `behalf dev` name, and the user on it.
    pub(super) async fn find(args: &HostArgs, user: &str) -> anyhow::Result<Self> {
        let settings = Settings::load()?;
        let dev = DevEnv::read(&settings.state_dir).ok();
        let (url, key) = choose(args, &settings, dev.as_ref())?;
        let http = Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE).build()?;
        let mut host = Self { http, url, key, user: Uuid::nil() };
        host.user = host.look_up(user).await?;
        Ok(host)
    }

    /// A request in the user's name. `query` is added to the path.
    pub(super) fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> anyhow::Result<RequestBuilder> {
        Ok(self.own_request(method, path, query)?.header("x-behalf-act-as", self.user.to_string()))
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

    /// A request of the service role in its own name.
    pub(super) fn own_request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<RequestBuilder> {
        let mut url = Url::parse(&format!("{}{path}", self.url))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(self.http.request(method, url).header("apikey", &self.key).bearer_auth(&self.key))
    }

    /// The id of a user, who is named by it or by an address.
    async fn look_up(&self, user: &str) -> anyhow::Result<Uuid> {
        match user {
            "alice" => return Ok(demo::ALICE),
            "bob" => return Ok(demo::BOB),
            _ => {}
        }
        if let Ok(id) = Uuid::try_parse(user) {
            return Ok(id);
        }
        if !user.contains('@') {
            bail!("{user:?} is neither an id nor an e-mail address; name a user as in --as {}", demo::ALICE);
        }
        // Addresses are stored in small letters, and the filter looks for these very letters.
        let address = user.to_lowercase();
        let query = [("filter", address.as_str()), ("per_page", USERS_OF_PAGE)];
        let found = match self.send(self.own_request(Method::GET, "/auth/v1/admin/users", &query)?).await {
            Err(RequestError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
                bail!("this host serves no users of its own, so it knows no addresses; name the user by the id")
            }
            found => found.context("cannot look the user up")?,
        };
        let is_meant = |one: &&Value| one["email"].as_str().is_some_and(|email| email.eq_ignore_ascii_case(user));
        let found = found["users"].as_array().into_iter().flatten().find(is_meant);
        let id = found.and_then(|found| Uuid::try_parse(found["id"].as_str()?).ok());
        id.with_context(|| {
            format!("no user has the address {user}; name the user by the id, or sign the user up first")
        })
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
