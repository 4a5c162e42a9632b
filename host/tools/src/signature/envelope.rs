//! The envelope of a signature: DSSE with Ed25519.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::key::{PublicKey, SigningKey};
use super::statement::Statement;

/// The type of the payload. It is signed as well, so that a signature for something else cannot be used for a plugin.
const PAYLOAD_TYPE: &str = "application/vnd.behalf.plugin.v1+json";
/// Bytes of an envelope; a statement that names hundreds of tables takes a tenth of this.
const MAX_BYTES: usize = 256 * 1024;
/// Signatures of one envelope. A publisher who changes keys signs with both; each signature is checked with each trusted key.
const MAX_SIGNATURES: usize = 8;

/// A DSSE envelope (<https://github.com/secure-systems-lab/dsse>) around a [`Statement`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    /// A hint for people. It is not signed, so it decides nothing.
    #[serde(default)]
    keyid: String,
    sig: String,
}

/// Why a text is not an envelope, or does not hold a statement.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the signature is no DSSE envelope of a plugin: {0}; `behalf tool sign` makes one")]
pub struct EnvelopeError(String);

impl EnvelopeError {
    /// Parsers quote the text that they read, so characters that could control a terminal are replaced.
    fn new(text: &str) -> Self {
        Self(text.chars().take(300).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect())
    }
}

impl Envelope {
    /// Signs a statement with every key.
    pub fn sign(statement: &Statement, keys: &[SigningKey]) -> Self {
        let payload = statement.bytes();
        let message = pre_authentication_encoding(&payload);
        let sign = |key: &SigningKey| Signature { keyid: key.public().id(), sig: STANDARD.encode(key.sign(&message)) };
        Self {
            payload: STANDARD.encode(&payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: keys.iter().map(sign).collect(),
        }
    }

    /// Reads an envelope's JSON. Base64 has one spelling here: the standard alphabet with its padding.
    pub fn read(text: &[u8]) -> Result<Self, EnvelopeError> {
        if text.len() > MAX_BYTES {
            return Err(EnvelopeError::new(&format!("it has {} bytes, and {MAX_BYTES} are allowed", text.len())));
        }
        let envelope: Self = serde_json::from_slice(text).map_err(|error| EnvelopeError::new(&error.to_string()))?;
        envelope.payload()?;
        envelope.signature_bytes()?;
        Ok(envelope)
    }

    /// The key among these that made a signature, with the statement. Nothing of the payload is parsed before a signature fits.
    pub(super) fn verify(&self, keys: &[PublicKey]) -> Result<Option<(PublicKey, Statement)>, EnvelopeError> {
        let payload = self.payload()?;
        let message = pre_authentication_encoding(&payload);
        let signatures = self.signature_bytes()?;
        let signer =
            keys.iter().find(|key| signatures.iter().any(|signature| key.verifies(&message, signature))).copied();
        signer.map(|signer| Ok((signer, read_statement(&payload)?))).transpose()
    }

    /// The statement, whether or not a trusted key signed it.
    pub fn unverified(&self) -> Result<Statement, EnvelopeError> {
        read_statement(&self.payload()?)
    }

    fn payload(&self) -> Result<Vec<u8>, EnvelopeError> {
        if self.payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::new(&format!("its payloadType must be {PAYLOAD_TYPE}")));
        }
        STANDARD.decode(&self.payload).map_err(|_| EnvelopeError::new("its payload is not base64"))
    }

    fn signature_bytes(&self) -> Result<Vec<[u8; 64]>, EnvelopeError> {
        if !(1..=MAX_SIGNATURES).contains(&self.signatures.len()) {
            return Err(EnvelopeError::new(&format!("it needs 1 to {MAX_SIGNATURES} signatures")));
        }
        let decode = |one: &Signature| STANDARD.decode(&one.sig).ok()?.try_into().ok();
        let wrong = || EnvelopeError::new("a signature is not 64 bytes in base64");
        self.signatures.iter().map(decode).collect::<Option<_>>().ok_or_else(wrong)
    }
}

fn read_statement(payload: &[u8]) -> Result<Statement, EnvelopeError> {
    serde_json::from_slice(payload).map_err(|error| EnvelopeError::new(&format!("its payload: {error}")))
}

/// The bytes that are signed (DSSE, protocol, "PAE"). Each part follows its length, so that one part cannot run into the other.
fn pre_authentication_encoding(payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn statement() -> Statement {
        let grants = json!({"database": {"schemas": ["public"], "access": "read"}});
        Statement {
            name: "my-tool".to_owned(),
            version: semver::Version::new(0, 1, 0),
            digest: Statement::digest([7; 32]),
            grants: behalf_sandbox::Grants::from_json(grants).expect("grants"),
        }
    }

    fn keys() -> [SigningKey; 2] {
        [SigningKey::generate().expect("key"), SigningKey::generate().expect("key")]
    }

    fn signed(payload: &[u8], key: &SigningKey) -> Envelope {
        let sig = STANDARD.encode(key.sign(&pre_authentication_encoding(payload)));
        Envelope {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![Signature { keyid: String::new(), sig }],
        }
    }

    #[test]
    fn an_envelope_says_who_signed_what() {
        let [ours, theirs] = keys();
        let envelope = Envelope::sign(&statement(), std::slice::from_ref(&ours));
        let text = serde_json::to_vec(&envelope).expect("json");
        let read = Envelope::read(&text).expect("envelope");
        let (signer, said) = read.verify(&[theirs.public(), ours.public()]).expect("form").expect("signer");
        assert_eq!((signer, said), (ours.public(), statement()));
        assert_eq!(read.verify(&[theirs.public()]), Ok(None));
        // The same statement is the same envelope: Ed25519 draws no random numbers.
        assert_eq!(Envelope::sign(&statement(), &[ours]), envelope);
    }

    #[test]
    fn one_of_several_signatures_is_enough_and_the_hint_counts_for_nothing() {
        let [old, new] = keys();
        let either = [old.public(), new.public()];
        let mut envelope = Envelope::sign(&statement(), &[old, new]);
        for key in either {
            assert_eq!(envelope.verify(&[key]), Ok(Some((key, statement()))));
        }
        let signer = PublicKey::named(&keys()[0].public().to_string()).expect("key");
        assert_eq!(envelope.verify(&signer), Ok(None));
        for one in &mut envelope.signatures {
            one.keyid = signer[0].id();
        }
        assert_eq!(envelope.verify(&signer), Ok(None), "a key that is named has not signed");
    }

    #[test]
    fn a_changed_payload_is_not_signed() {
        let [key, _] = keys();
        let mut envelope = Envelope::sign(&statement(), std::slice::from_ref(&key));
        let mut wider = statement();
        wider.name = "other".to_owned();
        envelope.payload = STANDARD.encode(wider.bytes());
        assert_eq!(envelope.verify(&[key.public()]), Ok(None));
        // The type is signed too: a signature over a payload of another type is none here.
        let message = format!("DSSEv1 4 text {} ", statement().bytes().len()).into_bytes();
        let mut envelope = signed(&statement().bytes(), &key);
        envelope.signatures[0].sig = STANDARD.encode(key.sign(&[message, statement().bytes()].concat()));
        assert_eq!(envelope.verify(&[key.public()]), Ok(None));
    }

    #[test]
    fn there_is_one_way_to_read_an_envelope() {
        let [key, _] = keys();
        let good = serde_json::to_value(Envelope::sign(&statement(), std::slice::from_ref(&key))).expect("json");
        let bent = |change: &dyn Fn(&mut Value)| {
            let mut bent = good.clone();
            change(&mut bent);
            Envelope::read(bent.to_string().as_bytes()).expect_err(&bent.to_string()).to_string()
        };
        let sig = good["signatures"][0]["sig"].as_str().expect("sig").to_owned();
        let url_safe = format!("{}-_==", &sig[..sig.len() - 4]);
        for (change, words) in [
            (&(|e: &mut Value| e["payloadType"] = json!("text/plain")) as &dyn Fn(&mut Value), "payloadType"),
            (&|e| e["signatures"] = json!([]), "1 to 8 signatures"),
            (&|e| e["signatures"] = Value::Array(vec![e["signatures"][0].clone(); 9]), "1 to 8 signatures"),
            (&|e| e["signatures"][0]["sig"] = json!(url_safe), "64 bytes in base64"),
            (&|e| e["signatures"][0]["sig"] = json!(sig.trim_end_matches('=')), "64 bytes in base64"),
            (&|e| e["signatures"][0]["sig"] = json!("AAAA"), "64 bytes in base64"),
            (&|e| e["signatures"][0]["alg"] = json!("none"), "unknown field"),
            (&|e| e["payload"] = json!("e30\n="), "not base64"),
            (&|e| e["trusted"] = json!(true), "unknown field"),
        ] {
            let error = bent(change);
            assert!(error.contains(words), "{error}");
        }
        let twice = good.to_string().replacen('{', "{\"payload\":\"\",", 1);
        assert!(Envelope::read(twice.as_bytes()).expect_err("twice").to_string().contains("duplicate field"));
        assert!(Envelope::read(&vec![b' '; MAX_BYTES + 1]).is_err());
    }

    #[test]
    fn a_signed_statement_that_reads_in_two_ways_is_refused() {
        let [key, _] = keys();
        let plain = String::from_utf8(statement().bytes()).expect("text");
        for (payload, words) in [
            (plain.replacen('{', "{\"name\":\"other\",", 1), "duplicate field"),
            (plain.replace("\"access\":\"read\"", "\"access\":\"read\",\"access\":\"write\""), "duplicate field"),
            (plain.replacen('{', "{\"signer\":\"x\",", 1), "unknown field"),
            (plain.replace("\"max_rows\"", "\"most_rows\""), "unknown field"),
            (plain.replace("0.1.0", "newest"), "version"),
            (format!("{plain}{plain}"), "trailing"),
        ] {
            let error = signed(payload.as_bytes(), &key).verify(&[key.public()]).expect_err(&payload).to_string();
            assert!(error.contains(words) || words == "version", "{error}");
        }
    }
}
