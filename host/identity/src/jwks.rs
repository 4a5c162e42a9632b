//! The source of the project's public keys: fetches the set by a timer and for unknown keys, and keeps the last one for a
//! while when the source fails.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use super::key_set::{KeySet, parse};
use super::verify_error::VerifyError;

/// For how long the last set is used while its source fails.
const MAX_AGE: Duration = Duration::from_hours(1);

/// An unknown key id causes a fetch at most this often: anybody can send one.
const MIN_PAUSE: Duration = Duration::from_secs(10);

/// How long a fetch may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Largest key set that is read.
const MAX_BYTES: usize = 256 * 1024;

/// The source of public keys.
#[derive(Clone, Debug)]
pub enum JwksSource {
    /// A file that holds a JWK set.
    File(PathBuf),
    /// An address that answers with a JWK set (RFC 7517).
    Url(Url),
    /// An issuer that says where its JWK set is (`OpenID` Connect Discovery), or has it at `/.well-known/jwks.json`.
    Issuer(String),
}

/// Why the key set cannot be used.
#[derive(Debug, Error)]
pub enum JwksError {
    /// The file is missing or cannot be read.
    #[error("cannot read the key set {0}; check BEHALF_JWKS_FILE")]
    Read(PathBuf, #[source] std::io::Error),
    /// The text is not a JWK set.
    #[error("the key set is not JSON of the form {{\"keys\": […]}} (RFC 7517)")]
    Parse(#[from] serde_json::Error),
    /// The HTTP client that fetches the set could not be made.
    #[error("cannot prepare the client that fetches the key set")]
    Client(#[source] reqwest::Error),
    /// The address does not answer with a key set.
    #[error("cannot fetch the key set; check BEHALF_JWKS_URL, or the issuer's entry in BEHALF_ISSUERS")]
    Fetch(#[from] reqwest::Error),
    /// The issuer's description is another's, or names no address of a key set.
    #[error("the description of issuer {0:?} is another issuer's, or names no key set; set its jwks_url")]
    Description(String),
    /// The answer is too large.
    #[error("the key set has more than 256 KiB")]
    TooLarge,
    /// The source took too long.
    #[error("the key set did not come within 5 seconds")]
    Late,
    /// The fetch itself was ended.
    #[error("fetching the key set was ended")]
    Ended,
}

/// How a fetch ended; none while it goes on.
type Fetched = Option<Result<(), Arc<JwksError>>>;

/// The project's public keys. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Jwks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    source: JwksSource,
    client: reqwest::Client,
    current: RwLock<Arc<KeySet>>,
    flight: Mutex<Flight>,
}

/// The fetch that goes on: there is one at most.
#[derive(Debug, Default)]
struct Flight {
    running: Option<watch::Receiver<Fetched>>,
    /// When an unknown key last caused a fetch.
    asked: Option<Instant>,
}

impl Jwks {
    /// Reads a file at once. An address is asked first by the timer, or by the first token that needs it.
    pub(super) fn new(source: JwksSource) -> Result<Self, JwksError> {
        let client = reqwest::Client::builder()
            .timeout(DEADLINE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(JwksError::Client)?;
        let mut set = KeySet::unknown();
        if let JwksSource::File(path) = &source {
            let text = std::fs::read(path).map_err(|error| JwksError::Read(path.clone(), error))?;
            set = set.followed_by(parse(&text)?, Instant::now());
        }
        let (current, flight) = (RwLock::new(Arc::new(set)), Mutex::default());
        Ok(Self(Arc::new(Shared { source, client, current, flight })))
    }

    /// The set as of now; an error where its source has failed for too long. Never waits.
    pub(super) fn current(&self) -> Result<Arc<KeySet>, VerifyError> {
        let set = self.snapshot();
        if set.is_usable(MAX_AGE, Instant::now()) { Ok(set) } else { Err(VerifyError::KeysUnavailable) }
    }

    /// A set that has the key which a token names, where there is one. Waits only where the set at hand does not have it, and
    /// a fetch may find it.
    pub(super) async fn with_key(&self, kid: Option<&str>, alg: Algorithm) -> Result<Arc<KeySet>, VerifyError> {
        if let Ok(set) = self.current()
            && set.has(kid, alg)
        {
            return Ok(set);
        }
        if let Some(fetch) = self.fetch_for_unknown_key() {
            // The timer logs what fails; here only the set counts that there is afterwards.
            ended(fetch).await.ok();
        }
        self.current()
    }

    /// Fetches the set, or waits for the fetch that goes on.
    pub(super) async fn refresh(&self) -> Result<(), Arc<JwksError>> {
        let fetch = self.fetch(&mut self.0.flight.lock().unwrap_or_else(PoisonError::into_inner));
        ended(fetch).await
    }

    fn snapshot(&self) -> Arc<KeySet> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The fetch that goes on, or a new one, unless an unknown key caused one only just.
    fn fetch_for_unknown_key(&self) -> Option<watch::Receiver<Fetched>> {
        let mut flight = self.0.flight.lock().unwrap_or_else(PoisonError::into_inner);
        let is_running = flight.running.as_ref().is_some_and(goes_on);
        if !is_running {
            if flight.asked.is_some_and(|at| at.elapsed() < MIN_PAUSE) {
                return None;
            }
            flight.asked = Some(Instant::now());
        }
        Some(self.fetch(&mut flight))
    }

    /// Fetches in a task of its own, so that a caller who goes away does not end a fetch that others wait for.
    fn fetch(&self, flight: &mut Flight) -> watch::Receiver<Fetched> {
        if let Some(running) = flight.running.as_ref().filter(|running| goes_on(running)) {
            return running.clone();
        }
        let (done, fetch) = watch::channel(None);
        flight.running = Some(fetch.clone());
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let outcome = match tokio::time::timeout(DEADLINE, shared.read()).await {
                Ok(Ok(keys)) => {
                    shared.install(keys);
                    Ok(())
                }
                Ok(Err(error)) => Err(Arc::new(error)),
                Err(_) => Err(Arc::new(JwksError::Late)),
            };
            done.send_replace(Some(outcome));
        });
        fetch
    }
}

impl Shared {
    fn install(&self, keys: Vec<Jwk>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let next = current.followed_by(keys, Instant::now());
        if next.version() != current.version() {
            tracing::info!(version = next.version(), "the keys that verify tokens have changed");
        }
        *current = Arc::new(next);
    }

    async fn read(&self) -> Result<Vec<Jwk>, JwksError> {
        match &self.source {
            JwksSource::File(path) => {
                let text = tokio::fs::read(path).await.map_err(|error| JwksError::Read(path.clone(), error))?;
                Ok(parse(&text)?)
            }
            JwksSource::Url(url) => Ok(parse(&self.get(url.clone()).await?)?),
            JwksSource::Issuer(issuer) => {
                let url = self.discover(issuer).await?;
                Ok(parse(&self.get(url).await?)?)
            }
        }
    }

    /// Where an issuer says that its keys are.
    async fn discover(&self, issuer: &str) -> Result<Url, JwksError> {
        let wrong = || JwksError::Description(issuer.to_owned());
        let below = |path: &str| Url::parse(&format!("{}{path}", issuer.trim_end_matches('/'))).map_err(|_| wrong());
        let description = match self.get(below("/.well-known/openid-configuration")?).await {
            Ok(text) => serde_json::from_slice::<Description>(&text).map_err(|_| wrong())?,
            Err(JwksError::Fetch(error)) if error.status() == Some(reqwest::StatusCode::NOT_FOUND) => {
                return below("/.well-known/jwks.json");
            }
            Err(error) => return Err(error),
        };
        let url = Url::parse(&description.jwks_uri).map_err(|_| wrong())?;
        let is_safe = url.scheme() == "https" || issuer.starts_with("http://");
        if description.issuer == issuer && is_safe { Ok(url) } else { Err(wrong()) }
    }

    async fn get(&self, url: Url) -> Result<Vec<u8>, JwksError> {
        let mut answer = self.client.get(url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await? {
            body.extend_from_slice(&part);
            if body.len() > MAX_BYTES {
                return Err(JwksError::TooLarge);
            }
        }
        Ok(body)
    }
}

/// The part of an issuer's description that leads to its keys.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

/// Whether the fetch has neither an outcome nor lost its task.
fn goes_on(fetch: &watch::Receiver<Fetched>) -> bool {
    fetch.borrow().is_none() && fetch.has_changed().is_ok()
}

/// Waits for the end of a fetch.
async fn ended(mut fetch: watch::Receiver<Fetched>) -> Result<(), Arc<JwksError>> {
    match fetch.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or(Ok(())),
        Err(_) => Err(Arc::new(JwksError::Ended)),
    }
}
