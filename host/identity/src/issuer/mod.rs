//! Issuers of tokens beside the project's own: whose tokens are trusted, for which audience, and which user each one names.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, Header};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use crate::claims::{Claims, canonical_uuid};
use crate::jwks::{Jwks, JwksError, JwksSource};
use crate::key_set::KeySet;
use crate::mapped::{MAPPED_CLAIM, MAX_SUBJECT_BYTES, OWN_SUBJECT_CLAIM, Subject};
use crate::signature::{Rules, check};
use crate::verify_error::VerifyError;

/// Claims that the host sets or checks itself, so that none may be copied from another one.
const NOT_COPIED: [&str; 9] =
    ["iss", "sub", "aud", "exp", "role", "act", "session_id", MAPPED_CLAIM, OWN_SUBJECT_CLAIM];

/// Whose id `sub` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// The issuer's own, of any form; the user's id here is made of issuer and `sub`.
    #[default]
    Mapped,
    /// The user's id here, a UUID. At most one issuer has such subjects.
    Uuid,
}

/// What a user of the issuer is where the token says nothing of a role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DefaultRole {
    /// A signed-in user.
    #[default]
    Authenticated,
    /// Nobody: the token is refused.
    None,
}

/// An issuer, as an operator describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerOptions {
    /// The `iss` of its tokens, to the letter.
    pub issuer: String,
    /// Where its key set is. Without it, the issuer's own description is asked.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// Accepted values of `aud`.
    #[serde(default, deserialize_with = "one_or_more")]
    pub audience: Vec<String>,
    /// Accepted values of `azp`, the client or page that the token was made for.
    #[serde(default, deserialize_with = "one_or_more")]
    pub azp: Vec<String>,
    /// Accepted values of `client_id`.
    #[serde(default, deserialize_with = "one_or_more")]
    pub client_id: Vec<String>,
    /// Accepted algorithms: `RS256`, `ES256`, `EdDSA`.
    #[serde(default = "all_algorithms", deserialize_with = "one_or_more")]
    pub algorithms: Vec<String>,
    /// The claim with the user's role: a name, or a JSON pointer that begins with a slash.
    #[serde(default)]
    pub role_claim: Option<String>,
    /// What a token means that has no role.
    #[serde(default)]
    default_role: DefaultRole,
    /// Whose id `sub` is.
    #[serde(default)]
    pub subject: SubjectKind,
    /// Claims that are copied for policies: the name there, and the issuer's name or a JSON pointer.
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
    /// Further claims that a token must have, with these values: names or JSON pointers.
    #[serde(default)]
    pub require: BTreeMap<String, Value>,
}

/// Why the list of issuers cannot be used.
#[derive(Debug, Error)]
pub enum IssuerError {
    /// An issuer's entry is wrong.
    #[error("issuer {0:?}: {1}")]
    Entry(String, &'static str),
    /// Two issuers would have subjects that are ids here.
    #[error(
        "{0:?} and {1} both have `subject: \"uuid\"`; one issuer at most may, or each could name the other's users"
    )]
    TwoWithIds(String, String),
    /// Its key set cannot be fetched.
    #[error("issuer {0:?}")]
    Keys(String, #[source] JwksError),
}

/// A trusted issuer.
#[derive(Debug)]
pub(super) struct Issuer {
    options: IssuerOptions,
    algorithms: Vec<Algorithm>,
    jwks: Jwks,
}

/// The trusted issuers beside the project's own.
#[derive(Debug, Default)]
pub struct Issuers(HashMap<String, Arc<Issuer>>);

impl Issuers {
    /// Checks the entries. Their key sets are fetched later, when the timer or a token asks.
    pub fn new(entries: Vec<IssuerOptions>) -> Result<Self, IssuerError> {
        let mut issuers = HashMap::new();
        let mut with_ids: Option<String> = None;
        for options in entries {
            let name = options.issuer.clone();
            if options.subject == SubjectKind::Uuid
                && let Some(other) = with_ids.replace(name.clone())
            {
                return Err(IssuerError::TwoWithIds(other, format!("{name:?}")));
            }
            let issuer = Arc::new(Issuer::new(options)?);
            if issuers.insert(name.clone(), issuer).is_some() {
                return Err(IssuerError::Entry(name, "it stands in the list twice"));
            }
        }
        Ok(Self(issuers))
    }

    /// The issuer whose subjects are ids here, if one of these has such.
    pub fn with_ids(&self) -> Option<&str> {
        self.0.values().find(|one| one.options.subject == SubjectKind::Uuid).map(|one| one.options.issuer.as_str())
    }

    /// Whether users of one of these have ids that are made here.
    pub fn map_subjects(&self) -> bool {
        self.0.values().any(|one| one.options.subject == SubjectKind::Mapped)
    }

    /// Whether this is the `iss` of one of them.
    pub fn contains(&self, issuer: &str) -> bool {
        self.0.contains_key(issuer)
    }

    /// Every audience that tokens of these may have: names of this host.
    pub fn audiences(&self) -> Vec<String> {
        self.0.values().flat_map(|one| one.options.audience.iter().cloned()).collect()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, issuer: &str) -> Option<&Arc<Issuer>> {
        self.0.get(issuer)
    }

    /// Fetches every key set again. One that fails hinders no other.
    pub(super) async fn refresh_keys(&self) -> Result<(), Arc<JwksError>> {
        let fetched = futures::future::join_all(self.0.values().map(|one| one.jwks.refresh())).await;
        fetched.into_iter().collect()
    }
}

impl Issuer {
    fn new(options: IssuerOptions) -> Result<Self, IssuerError> {
        let wrong = |why| IssuerError::Entry(options.issuer.clone(), why);
        if options.issuer.is_empty() {
            return Err(wrong("it has no name"));
        }
        if [&options.audience, &options.azp, &options.client_id].iter().all(|list| list.is_empty()) {
            return Err(wrong(
                "set `audience`, `azp` or `client_id`: without, tokens for every other app are accepted",
            ));
        }
        if options.claims.keys().any(|name| NOT_COPIED.contains(&name.as_str())) {
            return Err(wrong("`claims` sets a claim that the host sets or checks itself"));
        }
        let read = |name: &String| match name.as_str() {
            "RS256" => Ok(Algorithm::RS256),
            "ES256" => Ok(Algorithm::ES256),
            "EdDSA" => Ok(Algorithm::EdDSA),
            _ => Err(wrong("`algorithms` may have RS256, ES256 and EdDSA")),
        };
        let algorithms: Vec<_> = options.algorithms.iter().map(read).collect::<Result<_, _>>()?;
        if algorithms.is_empty() {
            return Err(wrong("`algorithms` is empty"));
        }
        let source = match (&options.jwks_url, Url::parse(&options.issuer)) {
            (Some(url), _) => JwksSource::Url(Url::parse(url).map_err(|_| wrong("`jwks_url` is no address"))?),
            (None, Ok(url)) if matches!(url.scheme(), "http" | "https") => JwksSource::Issuer(options.issuer.clone()),
            (None, _) => {
                return Err(wrong("set `jwks_url`: the issuer is no address that could be asked for its keys"));
            }
        };
        let jwks = Jwks::new(source).map_err(|error| IssuerError::Keys(options.issuer.clone(), error))?;
        Ok(Self { options, algorithms, jwks })
    }

    /// The version of the keys at hand; an error where they are too old.
    pub(super) fn key_version(&self) -> Result<u64, VerifyError> {
        Ok(self.jwks.current()?.version())
    }

    /// Verifies a token that names this issuer, by its keys alone. Returns the version of these keys as well.
    pub(super) async fn verify(
        &self,
        token: &str,
        header: &Header,
        clock_skew: Duration,
    ) -> Result<(Claims, u64), VerifyError> {
        if !self.algorithms.contains(&header.alg) {
            return Err(VerifyError::Invalid("its algorithm is not accepted here"));
        }
        let kid = header.kid.as_deref();
        let keys: Arc<KeySet> = self.jwks.with_key(kid, header.alg).await?;
        let rules = Rules { clock_skew, audience: None, issuer: Some(&self.options.issuer) };
        let payload = check(token, &keys.key(kid, header.alg)?, header.alg, rules)?;
        Ok((self.claims(payload, clock_skew)?, keys.version()))
    }

    /// What a payload that this issuer signed says of its user.
    fn claims(&self, mut payload: Map<String, Value>, clock_skew: Duration) -> Result<Claims, VerifyError> {
        let options = &self.options;
        if payload.get("iss").and_then(Value::as_str) != Some(&options.issuer) {
            return Err(VerifyError::Invalid("wrong issuer"));
        }
        for (name, accepted) in [("aud", &options.audience), ("azp", &options.azp), ("client_id", &options.client_id)] {
            if !accepted.is_empty() && !names_one_of(payload.get(name), accepted) {
                return Err(VerifyError::Audience);
            }
        }
        if !options.require.iter().all(|(path, wanted)| is_one_of(find(&payload, path), wanted)) {
            return Err(VerifyError::Invalid("a required claim is missing or has another value"));
        }
        self.check_role(&payload)?;
        let subject = self.subject(&payload)?;
        let copied: Vec<_> =
            options.claims.iter().map(|(name, path)| (name.clone(), find(&payload, path).cloned())).collect();
        // Where a claim is copied from another one, the token's own of that name counts for nothing.
        for (name, value) in copied {
            payload.remove(&name);
            payload.extend(value.map(|value| (name, value)));
        }
        // Who acts for a user is for this host to say.
        payload.remove("act");
        let skew = i64::try_from(clock_skew.as_secs()).unwrap_or(i64::MAX);
        Claims::of_subject(payload, subject, skew).map_err(VerifyError::Invalid)
    }

    /// Every user is `authenticated`: a role that says something else is refused, never silently taken for less or more.
    fn check_role(&self, payload: &Map<String, Value>) -> Result<(), VerifyError> {
        let role = self.options.role_claim.as_deref().and_then(|path| find(payload, path));
        match (role, self.options.default_role) {
            (Some(Value::String(role)), _) if role == "authenticated" => Ok(()),
            (None, DefaultRole::Authenticated) => Ok(()),
            (Some(_), _) => Err(VerifyError::Invalid("its role is not accepted here")),
            (None, DefaultRole::None) => Err(VerifyError::Invalid("it has no role")),
        }
    }

    fn subject(&self, payload: &Map<String, Value>) -> Result<Subject, VerifyError> {
        let stated = payload.get("sub").and_then(Value::as_str).unwrap_or_default();
        match self.options.subject {
            SubjectKind::Uuid => {
                canonical_uuid(stated).map(Subject::own).ok_or(VerifyError::Invalid("sub must be a user id"))
            }
            SubjectKind::Mapped if stated.is_empty() || stated.len() > MAX_SUBJECT_BYTES || stated.contains('\0') => {
                Err(VerifyError::Invalid("sub must be a text of at most 255 bytes"))
            }
            SubjectKind::Mapped => Ok(Subject::mapped(&self.options.issuer, stated)),
        }
    }
}

/// A claim by its name, or by a JSON pointer (RFC 6901).
fn find<'a>(payload: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let Some(pointer) = path.strip_prefix('/') else { return payload.get(path) };
    let (first, rest) = pointer.split_at(pointer.find('/').unwrap_or(pointer.len()));
    payload.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
}

/// Whether a claim that is a text or a list of texts has one of these.
fn names_one_of(claim: Option<&Value>, accepted: &[String]) -> bool {
    let is_accepted = |value: &Value| value.as_str().is_some_and(|text| accepted.iter().any(|one| one == text));
    match claim {
        Some(Value::Array(several)) => several.iter().any(is_accepted),
        Some(one) => is_accepted(one),
        None => false,
    }
}

/// Whether a claim has the wanted value, or one of them.
fn is_one_of(claim: Option<&Value>, wanted: &Value) -> bool {
    match (claim, wanted) {
        (None, _) => false,
        (Some(claim), Value::Array(several)) => several.contains(claim) || claim == wanted,
        (Some(claim), one) => claim == one,
    }
}

fn all_algorithms() -> Vec<String> {
    ["RS256", "ES256", "EdDSA"].map(str::to_owned).to_vec()
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        Several(Vec<String>),
    }
    let texts = match Either::deserialize(deserializer)? {
        Either::One(text) => vec![text],
        Either::Several(texts) => texts,
    };
    if texts.iter().any(String::is_empty) {
        return Err(serde::de::Error::custom("an empty text names nothing"));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests;
