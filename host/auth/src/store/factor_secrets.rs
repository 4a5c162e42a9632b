//! Secrets of second factors as column `secret` of `auth.mfa_factors` holds them: in base32 as GoTrue writes them, or sealed with
//! the host's key as `sealed:<key>:<nonce>:<bytes>`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use behalf_host_db::{SealError, Sealed, Sealer};
use uuid::Uuid;

const PREFIX: &str = "sealed:";

/// The text to store.
pub(crate) fn close(sealer: &Sealer, factor: Uuid, base32: &str) -> Result<String, SealError> {
    if !sealer.can_seal() {
        return Ok(base32.to_owned());
    }
    let Sealed { key_id, nonce, bytes } = sealer.seal(&row(factor), base32)?;
    Ok(format!("{PREFIX}{key_id}:{}:{}", STANDARD_NO_PAD.encode(nonce), STANDARD_NO_PAD.encode(bytes)))
}

/// The secret in base32, and whether it should be stored again, because another key sealed it or none.
pub(crate) fn open(sealer: &Sealer, factor: Uuid, stored: &str) -> Result<(String, bool), SealError> {
    let Some(parts) = stored.strip_prefix(PREFIX) else { return Ok((stored.to_owned(), sealer.can_seal())) };
    let stored = parse(parts).ok_or(SealError::Closed)?;
    let secret = sealer.open(&row(factor), &stored)?;
    Ok((secret, !sealer.is_current(&stored)))
}

fn parse(parts: &str) -> Option<Sealed> {
    let mut parts = parts.split(':');
    let (key_id, nonce, bytes) = (parts.next()?, parts.next()?, parts.next()?);
    let decode = |text: &str| STANDARD_NO_PAD.decode(text).ok();
    parts.next().is_none().then_some(())?;
    Some(Sealed { key_id: key_id.to_owned(), nonce: decode(nonce)?, bytes: decode(bytes)? })
}

/// What binds a sealed secret to its factor, so that it opens for no other.
fn row(factor: Uuid) -> Vec<u8> {
    [b"auth.mfa_factors\0".as_slice(), factor.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_own_factor_only() {
        let key = |byte: u8| hex::encode([byte; 32]);
        let sealer = Sealer::new(Some(&key(1)), None).expect("a key");
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let stored = close(&sealer, one, "GEZDGNBVGY3TQOJQ").expect("it seals");
        assert!(stored.starts_with(PREFIX) && !stored.contains("GEZDGNBV"));
        assert_eq!(open(&sealer, one, &stored), Ok(("GEZDGNBVGY3TQOJQ".to_owned(), false)));
        assert_eq!(open(&sealer, other, &stored), Err(SealError::Closed));
        let rotated = Sealer::new(Some(&key(2)), Some(&key(1))).expect("keys");
        assert_eq!(open(&rotated, one, &stored), Ok(("GEZDGNBVGY3TQOJQ".to_owned(), true)));
        for bad in ["sealed:", "sealed:a:b", "sealed:a:b:c:d", "sealed:x:!:!"] {
            assert_eq!(open(&sealer, one, bad), Err(SealError::Closed), "{bad}");
        }
    }

    #[test]
    fn without_a_key_a_secret_is_stored_as_gotrue_stores_it() {
        let none = Sealer::default();
        assert_eq!(close(&none, Uuid::nil(), "GEZDGNBV"), Ok("GEZDGNBV".to_owned()));
        assert_eq!(open(&none, Uuid::nil(), "GEZDGNBV"), Ok(("GEZDGNBV".to_owned(), false)));
        let sealer = Sealer::new(Some(&hex::encode([1; 32])), None).expect("a key");
        assert_eq!(open(&sealer, Uuid::nil(), "GEZDGNBV"), Ok(("GEZDGNBV".to_owned(), true)));
    }
}
