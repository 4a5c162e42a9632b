//! What providers publish of themselves: their addresses (`OpenID` Connect Discovery 1.0) and their keys, kept for a while.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use behalf_identity::{IdToken, IdTokenError, IdTokenVerifier, ProviderKeys};
use behalf_problem::LogText as _;
use quick_cache::sync::Cache;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::outside::{self, ProviderError, may_ask};
use crate::state::Auth;

/// For how long what a provider publishes is not asked for again.
const FRESH: Duration = Duration::from_mins(10);

/// For how long it is used while the provider cannot be reached.
const USABLE: Duration = Duration::from_hours(1);

/// After a failure, and for keys that are not in the set at hand, a provider is asked at most this often: anybody can cause it.
const PAUSE: Duration = Duration::from_secs(5);

/// Issuers that are kept. Azure has one for each of its tenants.
const ISSUERS: usize = 200;

/// What a provider says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Metadata {
    issuer: String,
    /// Where users are sent.
    #[serde(deserialize_with = "address")]
    pub(crate) authorization_endpoint: Url,
    /// Where codes are exchanged.
    #[serde(deserialize_with = "address")]
    pub(crate) token_endpoint: Url,
    /// Where claims are read that the ID token does not have.
    #[serde(default, deserialize_with = "optional_address")]
    pub(crate) userinfo_endpoint: Option<Url>,
    #[serde(deserialize_with = "address")]
    jwks_uri: Url,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// That of a page which belongs to no single issuer.
    pub(crate) fn fixed(authorization_endpoint: Url, token_endpoint: Url, jwks_uri: Url) -> Self {
        Self {
            issuer: String::new(),
            authorization_endpoint,
            token_endpoint,
            userinfo_endpoint: None,
            jwks_uri,
            token_endpoint_auth_methods_supported: Some(Vec::new()),
            code_challenge_methods_supported: vec!["S256".to_owned()],
            authorization_response_iss_parameter_supported: false,
        }
    }

    /// Whether the app's secret is sent in a header. That is the default where a provider does not say (RFC 8414).
    pub(crate) fn takes_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_ref();
        methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"))
    }

    /// Whether it knows challenges.
    pub(crate) fn takes_challenges(&self) -> bool {
        self.code_challenge_methods_supported.iter().any(|method| method == "S256")
    }

    /// Whether the `iss` of its answer to the browser is its own (RFC 9207). An attacker who mixes providers up cannot send it.
    pub(crate) fn is_sender(&self, iss: Option<&str>) -> bool {
        match iss {
            Some(iss) => iss == self.issuer,
            None => !self.authorization_response_iss_parameter_supported,
        }
    }
}

/// What is known of providers.
#[derive(Debug)]
pub(crate) struct Issuers(Cache<String, Arc<Issuer>>);

impl Default for Issuers {
    fn default() -> Self {
        Self(Cache::new(ISSUERS))
    }
}

#[derive(Debug, Default)]
struct Issuer {
    metadata: Kept<Metadata>,
    keys: Kept<ProviderKeys>,
}

/// A document as it came last. Nobody who can use it waits for a newer one.
#[derive(Debug)]
struct Kept<T> {
    document: RwLock<Option<(Instant, Arc<T>)>>,
    /// When it was last asked for. Whoever asks holds the lock, so there is one request at a time.
    asked: Mutex<Option<Instant>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { document: RwLock::new(None), asked: Mutex::new(None) }
    }
}

impl<T> Kept<T> {
    /// The document, if it is at most so old.
    fn younger_than(&self, age: Duration) -> Option<Arc<T>> {
        let document = self.document.read().unwrap_or_else(PoisonError::into_inner);
        document.as_ref().filter(|(at, _)| at.elapsed() < age).map(|(_, document)| Arc::clone(document))
    }

    /// A newer document than `known`, as far as the provider may be asked and answers; else the last one that came.
    async fn newer_than<F>(&self, known: Option<&Arc<T>>, fetch: F) -> Result<Arc<T>, ProviderError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        let mut asked = self.asked.lock().await;
        let last = self.younger_than(USABLE);
        let is_newer = |last: &Arc<T>| known.is_none_or(|known| !Arc::ptr_eq(known, last));
        // Somebody else may have asked meanwhile.
        if let Some(fresh) = self.younger_than(FRESH).filter(is_newer) {
            return Ok(fresh);
        }
        if asked.is_some_and(|at| at.elapsed() < PAUSE) {
            return last.ok_or(ProviderError::Refused("it could not be reached just now"));
        }
        *asked = Some(Instant::now());
        match (fetch.await, last) {
            (Ok(document), _) => {
                let document = Arc::new(document);
                let mut kept = self.document.write().unwrap_or_else(PoisonError::into_inner);
                *kept = Some((Instant::now(), Arc::clone(&document)));
                Ok(document)
            }
            (Err(error), Some(last)) => {
                tracing::warn!(error = error.log_text(), "a provider of external sign-in does not answer");
                Ok(last)
            }
            (Err(error), None) => Err(error),
        }
    }
}

impl Issuers {
    fn issuer(&self, issuer: &str) -> Arc<Issuer> {
        let made = self.0.get_or_insert_with(issuer, || Ok::<_, std::convert::Infallible>(Arc::default()));
        let Ok(made) = made;
        made
    }
}

/// What this issuer says of itself.
pub(crate) async fn metadata(auth: &Auth, issuer: &str) -> Result<Arc<Metadata>, ProviderError> {
    let known = auth.issuers.issuer(issuer);
    if let Some(metadata) = known.metadata.younger_than(FRESH) {
        return Ok(metadata);
    }
    known.metadata.newer_than(None, fetch_metadata(auth, issuer)).await
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn optional_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

async fn fetch_metadata(auth: &Auth, issuer: &str) -> Result<Metadata, ProviderError> {
    let url = Url::parse(issuer).ok().filter(|url| may_ask(url, url) && url.query().is_none());
    let url = url.ok_or(ProviderError::Refused("its issuer is no address over TLS"))?;
    let document = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = Url::parse(&document).map_err(|_| ProviderError::Refused("its issuer is no address"))?;
    let metadata: Metadata = outside::get(auth, &document, None).await?;
    check(metadata, issuer, &url)
}

fn check(metadata: Metadata, issuer: &str, url: &Url) -> Result<Metadata, ProviderError> {
    if metadata.issuer != issuer {
        return Err(ProviderError::Refused("it names another issuer"));
    }
    let own = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri];
    if !own.into_iter().chain(&metadata.userinfo_endpoint).all(|endpoint| may_ask(endpoint, url)) {
        return Err(ProviderError::Refused("one of its addresses is not over TLS"));
    }
    Ok(metadata)
}

/// Verifies an ID token of this issuer, for one of these apps.
pub(crate) async fn verify(
    auth: &Auth,
    issuer: &str,
    audiences: &[String],
    token: &str,
) -> Result<IdToken, ProviderError> {
    let metadata = metadata(auth, issuer).await?;
    let verifier = IdTokenVerifier { issuer, audiences };
    let known = auth.issuers.issuer(issuer);
    let fresh = known.keys.younger_than(FRESH);
    if let Some(keys) = &fresh {
        match verifier.verify(keys, token) {
            // A new key may have come since.
            Err(IdTokenError::UnknownKey) => {}
            done => return Ok(done?),
        }
    }
    let keys = known.keys.newer_than(fresh.as_ref(), fetch_keys(auth, &metadata.jwks_uri)).await?;
    Ok(verifier.verify(&keys, token)?)
}

async fn fetch_keys(auth: &Auth, url: &Url) -> Result<ProviderKeys, ProviderError> {
    Ok(ProviderKeys::read(&outside::get_bytes(auth, url, None).await?)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://issuer.example";

    fn checked(change: impl FnOnce(&mut serde_json::Value)) -> Result<Metadata, ProviderError> {
        let mut document = json!({
            "issuer": ISSUER, "authorization_endpoint": "https://issuer.example/auth",
            "token_endpoint": "https://issuer.example/token", "jwks_uri": "https://keys.example/jwks",
        });
        change(&mut document);
        let metadata = serde_json::from_value(document)?;
        check(metadata, ISSUER, &Url::parse(ISSUER).expect("a URL"))
    }

    #[test]
    fn metadata_of_another_issuer_or_without_tls_is_refused() {
        assert!(checked(|_| ()).is_ok());
        for (name, value) in [
            ("issuer", "https://issuer.example/"),
            ("issuer", "https://evil.example"),
            ("token_endpoint", "http://issuer.example/token"),
            ("jwks_uri", "http://127.0.0.1/jwks"),
            ("userinfo_endpoint", "file:///etc/passwd"),
            ("authorization_endpoint", "javascript:alert(1)"),
            ("authorization_endpoint", "/relative"),
        ] {
            assert!(checked(|document| document[name] = json!(value)).is_err(), "{name} {value}");
        }
    }

    #[test]
    fn answers_of_another_provider_are_known() {
        let silent = checked(|_| ()).expect("metadata");
        assert!(
            silent.is_sender(None) && silent.is_sender(Some(ISSUER)) && !silent.is_sender(Some("https://evil.example"))
        );
        let says = checked(|document| document["authorization_response_iss_parameter_supported"] = json!(true));
        let says = says.expect("metadata");
        assert!(says.is_sender(Some(ISSUER)) && !says.is_sender(None) && !says.is_sender(Some("")));
    }

    #[tokio::test]
    async fn a_failing_provider_is_not_asked_all_the_time_and_an_old_document_is_used() {
        let kept = Kept::<u8>::default();
        assert!(matches!(
            kept.newer_than(None, async { Err(ProviderError::TooLarge) }).await,
            Err(ProviderError::TooLarge)
        ));
        assert!(matches!(kept.newer_than(None, async { Ok(1) }).await, Err(ProviderError::Refused(_))));
        *kept.asked.lock().await = None;
        let first = kept.newer_than(None, async { Ok(1) }).await.expect("a document");
        assert_eq!((*first, kept.younger_than(FRESH).as_deref()), (1, Some(&1)));
        // Who knows the last one gets a newer one, but not at once, and the last one where none comes.
        assert_eq!(*kept.newer_than(Some(&first), async { Ok(2) }).await.expect("a document"), 1);
        *kept.asked.lock().await = None;
        assert_eq!(
            *kept.newer_than(Some(&first), async { Err(ProviderError::TooLarge) }).await.expect("a document"),
            1
        );
        *kept.asked.lock().await = None;
        assert_eq!(*kept.newer_than(Some(&first), async { Ok(2) }).await.expect("a document"), 2);
        // Who waited for that gets it without asking again.
        assert_eq!(*kept.newer_than(Some(&first), async { Ok(3) }).await.expect("a document"), 2);
    }
}
