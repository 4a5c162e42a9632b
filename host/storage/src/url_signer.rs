//! Signed addresses: whoever has one may read or write one object until it expires.
//!
//! The tokens look as Supabase Storage's do, and have a key of their own: an access token never opens an address, and the token of an
//! address is never an access token.

use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use crate::error::StorageError;
use crate::name::{BucketId, ObjectName};

/// The last moment that a token may name: the end of the year 9999, the last that a header can name.
const LAST_EXPIRY: i64 = 253_402_300_799;

/// Signs and verifies addresses.
pub(crate) struct UrlSigner<'a>(&'a [u8]);

/// What an address may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    Download,
    Upload,
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    url: String,
    scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upsert: Option<bool>,
    iat: i64,
    exp: i64,
}

/// What the token of an address for an upload says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedUpload {
    /// Who will own the object.
    pub(crate) owner: Option<String>,
    /// Whether it may replace an object.
    pub(crate) upsert: bool,
}

impl<'a> UrlSigner<'a> {
    /// With the key for addresses.
    pub(crate) fn new(key: &'a [u8]) -> Self {
        Self(key)
    }

    /// A token to download the object for so many seconds.
    pub(crate) fn download(&self, bucket: &BucketId, name: &ObjectName, seconds: i64) -> Result<String, StorageError> {
        self.sign(bucket, name, seconds, |claims| claims)
    }

    /// A token to upload the object for so many seconds.
    pub(crate) fn upload(
        &self,
        bucket: &BucketId,
        name: &ObjectName,
        seconds: i64,
        upload: &SignedUpload,
    ) -> Result<String, StorageError> {
        let of_upload = |claims| Claims {
            scope: Scope::Upload,
            owner: upload.owner.clone(),
            upsert: Some(upload.upsert),
            ..claims
        };
        self.sign(bucket, name, seconds, of_upload)
    }

    /// Until when the token lets its bearer download the object.
    pub(crate) fn verify_download(
        &self,
        token: &str,
        bucket: &BucketId,
        name: &ObjectName,
    ) -> Result<DateTime<Utc>, StorageError> {
        let claims = self.verify(token, bucket, name, Scope::Download)?;
        DateTime::from_timestamp(claims.exp, 0).ok_or_else(|| invalid("Invalid JWT"))
    }

    /// As what the token lets its bearer upload the object.
    pub(crate) fn verify_upload(
        &self,
        token: &str,
        bucket: &BucketId,
        name: &ObjectName,
    ) -> Result<SignedUpload, StorageError> {
        let claims = self.verify(token, bucket, name, Scope::Upload)?;
        Ok(SignedUpload { owner: claims.owner, upsert: claims.upsert.unwrap_or(false) })
    }

    fn sign(
        &self,
        bucket: &BucketId,
        name: &ObjectName,
        seconds: i64,
        change: impl FnOnce(Claims) -> Claims,
    ) -> Result<String, StorageError> {
        let iat = Utc::now().timestamp();
        let exp = iat.checked_add(seconds).filter(|exp| *exp <= LAST_EXPIRY && seconds >= 1);
        let exp = exp.ok_or_else(|| StorageError::new(400, "InvalidParameter", "Invalid Parameter expiresIn"))?;
        let claims = Claims { url: address(bucket, name), scope: Scope::Download, owner: None, upsert: None, iat, exp };
        let header = Header::new(Algorithm::HS256);
        encode(&header, &change(claims), &EncodingKey::from_secret(self.0))
            .map_err(|error| StorageError::internal(&error))
    }

    fn verify(&self, token: &str, bucket: &BucketId, name: &ObjectName, scope: Scope) -> Result<Claims, StorageError> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = 0;
        rules.validate_aud = false;
        rules.set_required_spec_claims(&["exp"]);
        let claims = decode::<Claims>(token, &DecodingKey::from_secret(self.0), &rules)
            .map_err(|error| invalid(describe(error.kind())))?
            .claims;
        if claims.scope != scope {
            return Err(mismatch(format!("Token is not scoped for {}", scope.as_str())));
        }
        if claims.url != address(bucket, name) {
            return Err(mismatch("Invalid signature".to_owned()));
        }
        Ok(claims)
    }
}

fn address(bucket: &BucketId, name: &ObjectName) -> String {
    format!("{}/{}", bucket.as_str(), name.as_str())
}

/// The words of the library that Supabase Storage verifies tokens with.
fn describe(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "\"exp\" claim timestamp check failed",
        ErrorKind::InvalidSignature => "signature verification failed",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            "\"alg\" (Algorithm) Header Parameter value not allowed"
        }
        _ => "Invalid Compact JWS",
    }
}

fn invalid(message: &'static str) -> StorageError {
    StorageError::new(400, "InvalidJWT", message)
}

fn mismatch(message: String) -> StorageError {
    StorageError::new(400, "InvalidSignature", message)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const KEY: &[u8] = b"a key for addresses in these tests";

    fn object() -> (BucketId, ObjectName) {
        (BucketId::parse("avatars").expect("a bucket"), ObjectName::parse("folder/cat one.png").expect("a name"))
    }

    fn code<T: std::fmt::Debug>(result: Result<T, StorageError>) -> &'static str {
        result.expect_err("it is refused").problem.code
    }

    fn made(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut claims = serde_json::json!({
            "url": "avatars/folder/cat one.png", "scope": "download", "iat": 1, "exp": Utc::now().timestamp() + 60,
        });
        change(&mut claims);
        encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(KEY)).expect("a token")
    }

    #[test]
    fn a_token_opens_its_own_object_for_its_own_purpose() {
        let (signer, (bucket, name)) = (UrlSigner::new(KEY), object());
        let download = signer.download(&bucket, &name, 60).expect("a token");
        assert!(signer.verify_download(&download, &bucket, &name).expect("it is valid") > Utc::now());
        assert_eq!(code(signer.verify_upload(&download, &bucket, &name)), "InvalidSignature");
        let said = SignedUpload { owner: Some("somebody".to_owned()), upsert: true };
        let upload = signer.upload(&bucket, &name, 60, &said).expect("a token");
        assert_eq!(signer.verify_upload(&upload, &bucket, &name).expect("it is valid"), said);
        assert_eq!(code(signer.verify_download(&upload, &bucket, &name)), "InvalidSignature");
        let other = ObjectName::parse("folder/cat two.png").expect("a name");
        assert_eq!(code(signer.verify_download(&download, &bucket, &other)), "InvalidSignature");
        let elsewhere = BucketId::parse("avatars2").expect("a bucket");
        assert_eq!(code(signer.verify_download(&download, &elsewhere, &name)), "InvalidSignature");
        assert_eq!(code(UrlSigner::new(b"another").verify_download(&download, &bucket, &name)), "InvalidJWT");
    }

    #[test]
    fn a_token_that_says_less_or_too_late_is_refused() {
        let (signer, (bucket, name)) = (UrlSigner::new(KEY), object());
        let check = |token: &str| signer.verify_download(token, &bucket, &name);
        assert!(check(&made(|_| ())).is_ok());
        for (name, gone) in [("no scope", "scope"), ("no expiry", "exp"), ("no address", "url")] {
            let token = made(|claims| drop(claims.as_object_mut().expect("an object").remove(gone)));
            assert_eq!(code(check(&token)), "InvalidJWT", "{name}");
        }
        let expired = made(|claims| claims["exp"] = (Utc::now() - TimeDelta::seconds(1)).timestamp().into());
        assert_eq!(check(&expired).expect_err("expired").problem.message, "\"exp\" claim timestamp check failed");
        for bad in ["", "xxx", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            assert_eq!(code(check(bad)), "InvalidJWT", "{bad}");
        }
        let other = Header::new(Algorithm::HS512);
        let claims =
            serde_json::json!({"url": "avatars/folder/cat one.png", "scope": "download", "exp": 9_000_000_000_i64});
        let token = encode(&other, &claims, &EncodingKey::from_secret(KEY)).expect("a token");
        assert_eq!(code(check(&token)), "InvalidJWT", "another algorithm");
    }

    #[test]
    fn nobody_signs_for_ever_or_for_no_time() {
        let (signer, (bucket, name)) = (UrlSigner::new(KEY), object());
        for seconds in [0, -1, i64::MAX, LAST_EXPIRY] {
            let refused = signer.download(&bucket, &name, seconds).expect_err("refused");
            assert!(refused.problem.message.contains("expiresIn"), "{seconds}");
        }
        assert!(signer.download(&bucket, &name, 60 * 60 * 24 * 365 * 100).is_ok());
    }
}
