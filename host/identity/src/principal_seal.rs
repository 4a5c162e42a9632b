//! Seals principals for storage, and opens what a host of the same project sealed. No other data becomes a principal.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use serde_json::{Value, json};

use super::mapped::CurrentForm;
use super::principal::Principal;

/// Keeps the keys of seals apart from everything else that the project's secrets sign.
const PURPOSE: &[u8] = b"behalf: principals that hosts store, version 1";

/// Stores principals in such a way that nobody else can make one: the text is authenticated with a key that the database never
/// sees. Only a [`Verifier`](crate::Verifier) has one; its secrets are the keys. Whoever can write to the place where a
/// principal is stored, but does not have these secrets, can therefore not become somebody else.
pub struct PrincipalSeal {
    /// The first key seals; all of them open, so that secrets can be replaced.
    keys: Vec<hmac::Key>,
    /// How subjects of mapped users are bound when they are restored.
    form: CurrentForm,
}

impl PrincipalSeal {
    /// A seal with keys that are derived from these secrets. Without a secret the seal holds within this process only.
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut keys: Vec<_> = secrets.into_iter().filter(|secret| !secret.is_empty()).map(derive).collect();
        if keys.is_empty() {
            let random: [[u8; 16]; 2] = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()];
            keys.push(derive(&random.concat()));
        }
        Self { keys, form: CurrentForm::default() }
    }

    /// The same seal, which restores subjects in this form: what `auth.uid()` of the database reads may have changed meanwhile.
    pub(super) fn binding_as(self, form: CurrentForm) -> Self {
        Self { form, ..self }
    }

    /// The same seal, which also opens what was sealed with one of these earlier secrets.
    pub(super) fn with_previous<'a>(&self, secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let previous = secrets.into_iter().filter(|secret| !secret.is_empty()).map(derive);
        Self { keys: self.keys.iter().cloned().chain(previous).collect(), form: self.form.clone() }
    }

    /// The principal for storage under the name `place`, such as a run's id. It can be restored under this name only.
    pub fn seal_principal(&self, place: &str, principal: &Principal) -> Value {
        let text = principal.to_text();
        let mac = self.keys.first().map(|key| hex::encode(hmac::sign(key, &message(place, &text))));
        json!({ "principal": text, "mac": mac })
    }

    /// Restores a principal that was sealed under the name `place` with one of these keys.
    pub fn restore_principal(&self, place: &str, stored: &Value) -> Option<Principal> {
        let text = stored.get("principal")?.as_str()?;
        let mac = hex::decode(stored.get("mac")?.as_str()?).ok()?;
        let message = message(place, text);
        let is_ours = self.keys.iter().any(|key| hmac::verify(key, &message, &mac).is_ok());
        is_ours.then(|| Principal::from_text(text))??.bound_as(self.form.get())
    }
}

impl std::fmt::Debug for PrincipalSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrincipalSeal(…)")
    }
}

fn derive(secret: &[u8]) -> hmac::Key {
    let derived = hmac::sign(&hmac::Key::new(HMAC_SHA256, secret), PURPOSE);
    hmac::Key::new(HMAC_SHA256, derived.as_ref())
}

/// The length of the place stands before it, so that no other place and text make the same message.
fn message(place: &str, text: &str) -> Vec<u8> {
    let mut message = u64::try_from(place.len()).unwrap_or(u64::MAX).to_be_bytes().to_vec();
    message.extend_from_slice(place.as_bytes());
    message.extend_from_slice(text.as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SubjectForm, UserClaims};

    #[test]
    fn a_mapped_user_is_restored_in_the_form_that_the_database_reads_now() {
        let user = crate::user_id("https://a.example/", "auth0|1");
        let claims = UserClaims::of_bound(json!({ "sub": "auth0|1", "behalf_uid": user })).expect("claims");
        let form = CurrentForm::default();
        let seal = PrincipalSeal::new([&b"one"[..]]).binding_as(form.clone());
        let acting = Principal::service().act_as(user, &claims, "authenticated", SubjectForm::Theirs).expect("it may");
        let stored = seal.seal_principal("run_1", &acting);
        let bound = || -> Value {
            let restored = seal.restore_principal("run_1", &stored).expect("it was sealed here");
            assert_eq!(restored.subject(), Some(user));
            serde_json::from_str(restored.claims()).expect("claims")
        };
        let (ours, uid) = (json!(user), json!(null));
        assert_eq!((&bound()["sub"], &bound()["behalf_uid"], &bound()["behalf_sub"]), (&ours, &uid, &json!("auth0|1")));
        form.set(SubjectForm::Theirs);
        assert_eq!((&bound()["sub"], &bound()["behalf_uid"], &bound()["behalf_sub"]), (&json!("auth0|1"), &ours, &uid));
    }

    #[test]
    fn only_what_the_project_sealed_for_this_place_is_restored() {
        let old = PrincipalSeal::new([&b"one"[..]]);
        let new = PrincipalSeal::new([&b"two"[..]]).with_previous([&b"one"[..]]);
        let stored = old.seal_principal("run_1", &Principal::anon());
        let text = |principal: Option<Principal>| principal.map(|principal| principal.to_text());
        assert_eq!(text(old.restore_principal("run_1", &stored)), Some(Principal::anon().to_text()));
        assert!(new.restore_principal("run_1", &stored).is_some(), "the previous secret still opens");
        assert!(old.restore_principal("run_1", &new.seal_principal("run_1", &Principal::anon())).is_none());
        assert!(old.restore_principal("run_2", &stored).is_none(), "a row of one run moved to another");
        let mut raised = stored.clone();
        raised["principal"] = json!(Principal::service().to_text());
        assert!(old.restore_principal("run_1", &raised).is_none());
        raised["mac"] = json!("");
        assert!(old.restore_principal("run_1", &raised).is_none());
        let (one, other) = (PrincipalSeal::new([]), PrincipalSeal::new([&b""[..]]));
        let stored = one.seal_principal("run_1", &Principal::anon());
        assert!(
            one.restore_principal("run_1", &stored).is_some() && other.restore_principal("run_1", &stored).is_none()
        );
    }
}
