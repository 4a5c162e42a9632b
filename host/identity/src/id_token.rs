//! Verifies ID tokens: what a provider of external sign-in says of a user (`OpenID` Connect Core 1.0, section 3.1.3.7). It makes no
//! [`crate::Principal`] of them.

use std::collections::HashSet;

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use tokio::time::Instant;

use super::key_set::{KeySet, parse};

/// Longest token that is verified.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// How far the clock of a provider may be from this host's.
const CLOCK_SKEW_SECONDS: u64 = 60;

/// Longest `sub`, as `OpenID` Connect says.
const MAX_SUBJECT: usize = 255;

/// Fields of a header that name or hold keys, or ask for more than is known. A key comes from the provider's set only.
const REFUSED_HEADERS: [&str; 6] = ["crit", "jku", "jwk", "x5u", "b64", "enc"];

/// Why an ID token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IdTokenError {
    /// The key set is no JWK set.
    #[error("the provider's key set is not JSON of the form {{\"keys\": […]}}")]
    KeySet,
    /// The set at hand does not have the key. A newer one may have it.
    #[error("the ID token is signed by an unknown key")]
    UnknownKey,
    /// The token is refused for another reason.
    #[error("the ID token is refused: {0}")]
    Refused(&'static str),
}

/// The keys of a provider.
#[derive(Debug)]
pub struct ProviderKeys(KeySet);

impl ProviderKeys {
    /// Reads a published JWK set (RFC 7517).
    pub fn read(text: &[u8]) -> Result<Self, IdTokenError> {
        let keys = parse(text).map_err(|_| IdTokenError::KeySet)?;
        Ok(Self(KeySet::unknown().followed_by(keys, Instant::now())))
    }
}

/// What ID tokens must say.
#[derive(Debug)]
pub struct IdTokenVerifier<'a> {
    /// `iss`, to the letter.
    pub issuer: &'a str,
    /// The app's ids at the provider. The token must be for one of them.
    pub audiences: &'a [String],
}

/// A verified ID token.
#[derive(Clone, Debug)]
pub struct IdToken {
    /// Its claims.
    pub claims: Map<String, Value>,
    algorithm: Algorithm,
}

impl IdToken {
    /// `sub`: the user, for this issuer.
    pub fn subject(&self) -> &str {
        self.claims.get("sub").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether an access token was issued with this ID token; `None` where the ID token does not say (`at_hash`).
    pub fn belongs_to(&self, access_token: &str) -> Option<bool> {
        let said = self.claims.get("at_hash")?.as_str().unwrap_or_default();
        let hash = digest(if self.algorithm == Algorithm::EdDSA { &SHA512 } else { &SHA256 }, access_token.as_bytes());
        let (half, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
        Some(URL_SAFE_NO_PAD.encode(half).as_bytes().ct_eq(said.trim_end_matches('=').as_bytes()).into())
    }
}

impl IdTokenVerifier<'_> {
    /// Verifies a token: its signature, issuer, audience, authorized party and times. The caller compares the nonce.
    pub fn verify(&self, keys: &ProviderKeys, token: &str) -> Result<IdToken, IdTokenError> {
        let (algorithm, kid) = header(token)?;
        if !keys.0.has(kid.as_deref(), algorithm) {
            return Err(IdTokenError::UnknownKey);
        }
        let key = keys.0.key(kid.as_deref(), algorithm);
        let claims = self.check(token, &key.map_err(|_| IdTokenError::Refused("unusable key"))?, algorithm)?;
        self.check_party(&claims)?;
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        if subject.is_empty() || subject.len() > MAX_SUBJECT || subject.contains('\0') {
            return Err(IdTokenError::Refused("no subject"));
        }
        let latest = chrono::Utc::now().timestamp().saturating_add(CLOCK_SKEW_SECONDS.cast_signed());
        let by_now = |time: &Value| time.as_f64().is_some_and(|time| seconds(time) <= latest);
        if !claims.get("iat").is_some_and(by_now) || !claims.get("nbf").is_none_or(by_now) {
            return Err(IdTokenError::Refused("not valid yet, or it does not say when it was issued"));
        }
        Ok(IdToken { claims, algorithm })
    }

    fn check(&self, token: &str, key: &DecodingKey, algorithm: Algorithm) -> Result<Map<String, Value>, IdTokenError> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = CLOCK_SKEW_SECONDS;
        validation.validate_nbf = true;
        validation.set_audience(self.audiences);
        validation.set_issuer(&[self.issuer]);
        validation.required_spec_claims =
            ["exp", "sub", "aud", "iss"].into_iter().map(str::to_owned).collect::<HashSet<_>>();
        let decoded = decode::<Map<String, Value>>(token, key, &validation);
        let claims = decoded.map(|data| data.claims).map_err(|error| {
            IdTokenError::Refused(match error.kind() {
                ErrorKind::ExpiredSignature => "expired",
                ErrorKind::InvalidAudience => "for another audience",
                ErrorKind::InvalidIssuer => "of another issuer",
                ErrorKind::InvalidSignature => "wrong signature",
                ErrorKind::ImmatureSignature => "not valid yet",
                ErrorKind::MissingRequiredClaim(_) => "a claim is missing",
                _ => "not a signed JWT",
            })
        })?;
        // The library takes any of several issuers; OpenID Connect knows one, a text.
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer) {
            return Err(IdTokenError::Refused("of another issuer"));
        }
        Ok(claims)
    }

    /// A token for several apps must say which of them asked for it, and that must be this app.
    fn check_party(&self, claims: &Map<String, Value>) -> Result<(), IdTokenError> {
        let audiences = claims.get("aud").and_then(Value::as_array).map_or(1, Vec::len);
        let wrong = Err(IdTokenError::Refused("for another party"));
        match claims.get("azp") {
            None | Some(Value::Null) if audiences == 1 => Ok(()),
            Some(Value::String(party)) if self.audiences.contains(party) => Ok(()),
            _ => wrong,
        }
    }
}

/// A time in whole seconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, and a saturated time is still compared rightly"
)]
fn seconds(time: f64) -> i64 {
    time as i64
}

/// The algorithm and the key's id. Anything else in the header that could change what is verified is refused.
fn header(token: &str) -> Result<(Algorithm, Option<String>), IdTokenError> {
    let refused = IdTokenError::Refused;
    if token.len() > MAX_TOKEN_BYTES {
        return Err(refused("too long"));
    }
    let (header, _) = token.split_once('.').ok_or(refused("not a signed JWT"))?;
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| refused("not a signed JWT"))?;
    let header: Map<String, Value> = serde_json::from_slice(&header).map_err(|_| refused("not a signed JWT"))?;
    if REFUSED_HEADERS.iter().any(|name| header.contains_key(*name)) {
        return Err(refused("its header asks for what is not supported"));
    }
    let algorithm = match header.get("alg").and_then(Value::as_str) {
        Some("RS256") => Algorithm::RS256,
        Some("ES256") => Algorithm::ES256,
        Some("EdDSA") => Algorithm::EdDSA,
        _ => return Err(refused("its algorithm is not accepted")),
    };
    match header.get("kid") {
        None => Ok((algorithm, None)),
        Some(Value::String(kid)) => Ok((algorithm, Some(kid.clone()))),
        Some(_) => Err(refused("not a signed JWT")),
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
    use jsonwebtoken::EncodingKey;
    use jsonwebtoken::crypto::sign;
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://issuer.example";

    /// A provider with one key of each kind.
    struct Provider {
        ec: EncodingKey,
        ed: EncodingKey,
        set: Value,
    }

    fn provider() -> Provider {
        let random = aws_lc_rs::rand::SystemRandom::new();
        let ec = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec.as_ref()).expect("a pair");
        let (x, y) = pair.public_key().as_ref().get(1..).expect("a point").split_at(32);
        let ed = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        let ed_pair = Ed25519KeyPair::from_pkcs8(ed.as_ref()).expect("a pair");
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let set = json!({ "keys": [
            { "kty": "EC", "crv": "P-256", "kid": "ec", "use": "sig", "x": encode(x), "y": encode(y) },
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(ed_pair.public_key().as_ref()) },
        ]});
        Provider { ec: EncodingKey::from_ec_der(ec.as_ref()), ed: EncodingKey::from_ed_der(ed.as_ref()), set }
    }

    fn claims() -> Value {
        let now = chrono::Utc::now().timestamp();
        json!({ "iss": ISSUER, "sub": "abc", "aud": "app", "exp": now + 300, "iat": now, "nonce": "n" })
    }

    impl Provider {
        fn verify_with(
            &self,
            header: &Value,
            claims: &Value,
            key: &EncodingKey,
            algorithm: Algorithm,
        ) -> Result<IdToken, IdTokenError> {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", part(header), part(claims));
            let signature = sign(signed.as_bytes(), key, algorithm).expect("a signature");
            self.verify(&format!("{signed}.{signature}"))
        }

        fn verify(&self, token: &str) -> Result<IdToken, IdTokenError> {
            let keys = ProviderKeys::read(self.set.to_string().as_bytes())?;
            let audiences = ["app".to_owned(), "app.mobile".to_owned()];
            IdTokenVerifier { issuer: ISSUER, audiences: &audiences }.verify(&keys, token)
        }

        fn with_claims(&self, change: impl FnOnce(&mut Value)) -> Result<IdToken, IdTokenError> {
            let mut claims = claims();
            change(&mut claims);
            self.verify_with(&json!({"alg": "ES256", "kid": "ec"}), &claims, &self.ec, Algorithm::ES256)
        }

        fn with_header(&self, header: &Value) -> Result<IdToken, IdTokenError> {
            self.verify_with(header, &claims(), &self.ec, Algorithm::ES256)
        }
    }

    #[test]
    fn a_token_of_the_provider_for_the_app_is_accepted() {
        let provider = provider();
        assert_eq!(provider.with_claims(|_| ()).expect("a token").subject(), "abc");
        let ed = provider.verify_with(&json!({"alg": "EdDSA", "kid": "ed"}), &claims(), &provider.ed, Algorithm::EdDSA);
        assert!(ed.is_ok());
        // Without a key id, the one key of the algorithm counts.
        assert!(provider.with_header(&json!({"alg": "ES256"})).is_ok());
        assert!(provider.with_claims(|claims| claims["aud"] = json!(["app.mobile"])).is_ok());
        let several = |claims: &mut Value| {
            claims["aud"] = json!(["other", "app"]);
            claims["azp"] = json!("app");
        };
        assert!(provider.with_claims(several).is_ok());
    }

    #[test]
    fn claims_of_others_are_refused() {
        let provider = provider();
        let now = chrono::Utc::now().timestamp();
        let changes: [(&str, Value); 19] = [
            ("iss", json!("https://issuer.example/")),
            ("iss", json!("https://evil.example")),
            ("iss", json!([ISSUER, "https://evil.example"])),
            ("iss", Value::Null),
            ("aud", json!("other")),
            ("aud", json!(["other"])),
            ("aud", json!(["app", "other"])),
            ("aud", json!([])),
            ("aud", Value::Null),
            ("azp", json!("other")),
            ("azp", json!(["app"])),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("sub", json!("a".repeat(256))),
            ("exp", json!(now - 120)),
            ("exp", Value::Null),
            ("iat", json!(now + 120)),
            ("iat", Value::Null),
            ("nbf", json!(now + 120)),
        ];
        for (name, value) in changes {
            let refused = provider.with_claims(|claims| claims[name] = value.clone());
            assert!(matches!(refused, Err(IdTokenError::Refused(_))), "{name} {value}: {refused:?}");
        }
    }

    #[test]
    fn headers_choose_no_key_and_no_algorithm() {
        let provider = provider();
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "None", "kid": "ec"}),
            json!({"alg": "HS256", "kid": "ec"}),
            json!({"alg": "ES384", "kid": "ec"}),
            json!({"alg": ["ES256"], "kid": "ec"}),
            json!({"kid": "ec"}),
            json!({"alg": "ES256", "kid": ["ec"]}),
            json!({"alg": "ES256", "kid": "ec", "crit": ["exp"]}),
            json!({"alg": "ES256", "kid": "ec", "crit": []}),
            json!({"alg": "ES256", "kid": "ec", "jku": "https://evil.example/keys"}),
            json!({"alg": "ES256", "kid": "ec", "x5u": "https://evil.example/cert"}),
            json!({"alg": "ES256", "kid": "ec", "jwk": {"kty": "oct", "k": "AA"}}),
            json!({"alg": "ES256", "kid": "ec", "b64": false}),
        ] {
            assert!(matches!(provider.with_header(&header), Err(IdTokenError::Refused(_))), "{header}");
        }
        for header in [json!({"alg": "ES256", "kid": "ed"}), json!({"alg": "ES256", "kid": "../ec"})] {
            assert_eq!(provider.with_header(&header).expect_err("another key"), IdTokenError::UnknownKey, "{header}");
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        for header in [json!({"alg": "none"}), json!({"alg": "ES256", "kid": "ec"})] {
            assert!(provider.verify(&format!("{}.{}.", part(&header), part(&claims()))).is_err());
        }
        // The public key as an HMAC secret.
        let secret = provider.set.to_string();
        let key = EncodingKey::from_secret(secret.as_bytes());
        let confused = provider.verify_with(&json!({"alg": "HS256", "kid": "ec"}), &claims(), &key, Algorithm::HS256);
        assert!(confused.is_err());
        for text in ["", ".", "..", "a.b.c", &"a".repeat(20_000)] {
            assert!(provider.verify(text).is_err());
        }
        let other = self::provider();
        let forged =
            provider.verify_with(&json!({"alg": "ES256", "kid": "ec"}), &claims(), &other.ec, Algorithm::ES256);
        assert_eq!(forged.expect_err("another's key"), IdTokenError::Refused("wrong signature"));
    }

    #[test]
    fn an_access_token_must_be_the_one_of_the_id_token() {
        let provider = provider();
        let plain = provider.with_claims(|_| ()).expect("a token");
        assert_eq!(plain.belongs_to("anything"), None);
        // The example of OpenID Connect Core 1.0, appendix A.3.
        let access = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        let token =
            provider.with_claims(|claims| claims["at_hash"] = json!("77QmUPtjPfzWtF2AnpK9RQ")).expect("a token");
        assert_eq!(token.belongs_to(access), Some(true));
        assert_eq!(token.belongs_to("another"), Some(false));
        let odd = provider.with_claims(|claims| claims["at_hash"] = json!(7)).expect("a token");
        assert_eq!(odd.belongs_to(access), Some(false));
    }
}
