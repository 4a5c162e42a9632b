//! The public keys that verify tokens, read from a JWK set (RFC 7517) and refreshed as they age.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use thiserror::Error;
use tokio::sync::Mutex;
use url::Url;

use super::verify::VerifyError;

/// A key set is fetched again after this long, so that a withdrawn key stops working.
const MAX_AGE: Duration = Duration::from_mins(5);

/// An unknown key id causes a fetch at most this often: anybody can send one.
const MIN_AGE: Duration = Duration::from_secs(10);

/// Largest key set that is read.
const MAX_BYTES: usize = 256 * 1024;

/// The source of public keys.
#[derive(Clone, Debug)]
pub enum JwksSource {
    /// A file that holds a JWK set.
    File(PathBuf),
    /// An address that answers with a JWK set (RFC 7517).
    Url(Url),
}

/// Why the key set cannot be used.
#[derive(Debug, Error)]
pub enum JwksError {
    /// The file is missing or cannot be read.
    #[error("cannot read the key set {0}; check BEHALF_JWKS_FILE")]
    Read(PathBuf, #[source] std::io::Error),
    /// The text is not a JWK set.
    #[error("the key set is not JSON of the form {{\"keys\": […]}} (RFC 7517)")]
    Parse(#[source] serde_json::Error),
    /// The HTTP client that fetches the set could not be made.
    #[error("cannot prepare the client that fetches the key set")]
    Client(#[source] reqwest::Error),
}

/// The project's public keys, refreshed as they age.
#[derive(Debug)]
pub(super) struct Jwks {
    source: JwksSource,
    client: reqwest::Client,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    set: Arc<JwkSet>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

impl Jwks {
    pub(super) fn new(source: JwksSource) -> Result<Self, JwksError> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(JwksError::Client)?;
        let mut held = Held { set: Arc::new(JwkSet { keys: Vec::new() }), fetched: None, tried: None };
        if let JwksSource::File(path) = &source {
            let text = std::fs::read(path).map_err(|error| JwksError::Read(path.clone(), error))?;
            held.set = Arc::new(serde_json::from_slice(&text).map_err(JwksError::Parse)?);
            held.fetched = Some(Instant::now());
        }
        Ok(Self { source, client, held: Mutex::new(held) })
    }

    /// The key that a token names, and whether the set was replaced by this call.
    pub(super) async fn key(&self, kid: Option<&str>, alg: Algorithm) -> Result<(DecodingKey, bool), VerifyError> {
        let mut held = self.held.lock().await;
        let stale = held.fetched.is_none_or(|at| at.elapsed() > MAX_AGE);
        let missing = find(&held.set, kid, alg).is_none();
        let may_try = held.tried.is_none_or(|at| at.elapsed() > MIN_AGE);
        let mut replaced = false;
        if (stale || missing) && may_try {
            held.tried = Some(Instant::now());
            match self.fetch().await {
                Ok(set) => {
                    replaced = *held.set != set;
                    held.set = Arc::new(set);
                    held.fetched = Some(Instant::now());
                }
                Err(error) => tracing::warn!(error = %error, "cannot refresh the JWK set"),
            }
        }
        if held.fetched.is_none_or(|at| at.elapsed() > MAX_AGE * 12) {
            return Err(VerifyError::KeysUnavailable);
        }
        let jwk = find(&held.set, kid, alg).ok_or(VerifyError::Invalid("signed by an unknown key"))?;
        let key = DecodingKey::from_jwk(jwk).map_err(|_| VerifyError::Invalid("signed by an unusable key"))?;
        Ok((key, replaced))
    }

    async fn fetch(&self) -> Result<JwkSet, Box<dyn std::error::Error + Send + Sync>> {
        match &self.source {
            JwksSource::File(path) => Ok(serde_json::from_slice(&tokio::fs::read(path).await?)?),
            JwksSource::Url(url) => {
                let mut answer = self.client.get(url.clone()).send().await?.error_for_status()?;
                let mut body = Vec::new();
                while let Some(part) = answer.chunk().await? {
                    body.extend_from_slice(&part);
                    if body.len() > MAX_BYTES {
                        return Err("the key set is too large".into());
                    }
                }
                Ok(serde_json::from_slice(&body)?)
            }
        }
    }
}

/// Finds a key by its id. A token without a key id fits only a set with a single key of its algorithm.
fn find<'a>(set: &'a JwkSet, kid: Option<&str>, alg: Algorithm) -> Option<&'a Jwk> {
    let mut fitting = set.keys.iter().filter(|jwk| fits(jwk, alg));
    if let Some(kid) = kid {
        fitting.find(|jwk| jwk.common.key_id.as_deref() == Some(kid))
    } else {
        let only = fitting.next()?;
        fitting.next().is_none().then_some(only)
    }
}

/// A key serves one algorithm: a public RSA key must never verify anything but RS256.
fn fits(jwk: &Jwk, alg: Algorithm) -> bool {
    use jsonwebtoken::jwk::{AlgorithmParameters as P, EllipticCurve as C};
    let kind = match (&jwk.algorithm, alg) {
        (P::RSA(_), Algorithm::RS256) => true,
        (P::EllipticCurve(p), Algorithm::ES256) => p.curve == C::P256,
        (P::OctetKeyPair(p), Algorithm::EdDSA) => p.curve == C::Ed25519,
        _ => false,
    };
    let declared = match jwk.common.key_algorithm {
        None => true,
        Some(KeyAlgorithm::RS256) => alg == Algorithm::RS256,
        Some(KeyAlgorithm::ES256) => alg == Algorithm::ES256,
        Some(KeyAlgorithm::EdDSA) => alg == Algorithm::EdDSA,
        Some(_) => false,
    };
    let signing = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    kind && declared && signing
}
