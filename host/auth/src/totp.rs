//! One-time codes of authenticator apps (RFC 6238): six digits that change every 30 seconds, from a secret of 20 bytes.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use totp_rs::{Algorithm, Builder, Secret, Totp};

use crate::error::AuthError;

/// Seconds for which a code is shown.
const STEP: u64 = 30;
/// Bytes of a secret: as many as the hash has.
const SECRET_BYTES: usize = 20;

/// The secret of a factor.
pub(crate) struct TotpSecret(Totp);

impl TotpSecret {
    /// A new secret.
    pub(crate) fn make() -> Result<Self, AuthError> {
        let mut bytes = vec![0; SECRET_BYTES];
        OsRng.try_fill_bytes(&mut bytes).map_err(|error| AuthError::internal(&error))?;
        Self::of(Secret::from(bytes)).ok_or_else(broken)
    }

    /// Reads a secret in base32.
    pub(crate) fn read(base32: &str) -> Result<Self, AuthError> {
        let secret = Secret::try_from_base32(base32.trim_end_matches('=')).ok();
        secret.and_then(Self::of).ok_or_else(broken)
    }

    fn of(secret: Secret) -> Option<Self> {
        // One step of skew: clocks differ, and people type slowly.
        let totp = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(1).with_step_duration(STEP);
        totp.with_secret(secret).build().ok().map(Self)
    }

    /// The secret in base32, as people type it.
    pub(crate) fn base32(&self) -> String {
        self.0.secret().to_base32()
    }

    /// The step to which a code belongs, at this time in seconds since 1970; `None` where it belongs to none that counts.
    pub(crate) fn step_of(&self, code: &str, now: u64) -> Option<u64> {
        self.0.check(code, now)
    }

    /// The address that authenticator apps read.
    pub(crate) fn uri(&self, issuer: &str, account: &str) -> String {
        let (issuer, account) = (escape(issuer), escape(account));
        let secret = self.base32();
        format!(
            "otpauth://totp/{issuer}:{account}?algorithm=SHA1&digits=6&issuer={issuer}&period={STEP}&secret={secret}"
        )
    }
}

/// A QR code as SVG. Its colours are names: a `#` would end the address where a client makes a `data:` address of it.
pub(crate) fn qr_code(text: &str) -> Result<String, AuthError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|error| AuthError::internal(&error))?;
    let mut picture = code.render::<svg::Color<'_>>();
    Ok(picture.min_dimensions(200, 200).dark_color(svg::Color("black")).light_color(svg::Color("white")).build())
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn broken() -> AuthError {
    tracing::error!("the secret of a second factor cannot be read");
    AuthError::new(500, "unexpected_failure", "Database error verifying MFA TOTP secret")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B, `12345678901234567890`.
    const KNOWN: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn codes_are_those_of_the_rfc_and_tell_their_step() {
        let secret = TotpSecret::read(KNOWN).expect("a secret");
        for (time, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            let step = time / STEP;
            assert_eq!(secret.step_of(code, time), Some(step));
            // One step early and late it is still taken, and belongs to the same step.
            assert_eq!(secret.step_of(code, time + STEP), Some(step));
            assert_eq!(secret.step_of(code, time - STEP), Some(step));
            assert_eq!(secret.step_of(code, time + 2 * STEP), None);
        }
        for bad in ["", "28708", "2870822", "abcdef", "２８７０８２"] {
            assert_eq!(secret.step_of(bad, 59), None, "{bad}");
        }
    }

    #[test]
    fn a_secret_is_random_and_reads_back() {
        let (one, other) = (TotpSecret::make().expect("a secret"), TotpSecret::make().expect("a secret"));
        assert_ne!(one.base32(), other.base32());
        assert_eq!(one.base32().len(), 32);
        assert_eq!(TotpSecret::read(&one.base32()).expect("it reads").base32(), one.base32());
        assert!(TotpSecret::read("not base32!").is_err() && TotpSecret::read("").is_err());
    }

    #[test]
    fn nothing_in_a_name_changes_the_address() {
        let secret = TotpSecret::read(KNOWN).expect("a secret");
        let uri = secret.uri("My App&secret=AAAA", "a:b@example.com?x#y");
        let url = url::Url::parse(&uri).expect("an address");
        let secrets: Vec<_> = url.query_pairs().filter(|(name, _)| name == "secret").collect();
        assert_eq!(secrets.len(), 1, "{uri}");
        assert_eq!(secrets[0].1, KNOWN);
        assert_eq!(url.fragment(), None);
        let picture = qr_code(&uri).expect("a picture");
        assert!(picture.contains("<svg") && !picture.contains('#'));
    }
}
