//! Users of other issuers: which id they have here, and how claims name them.
//!
//! An issuer chooses its subjects freely, so one issuer could name a user of another. Only the project's own issuer has subjects
//! that are ids here. A user of any other issuer has the id `v5(v5(URL, issuer), sub)`, a UUID of RFC 9562 (section 5.5): the same
//! on every host, and another one for each pair of issuer and subject.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Map, Value, json};
use uuid::{Builder, Uuid};

/// The claim with a mapped user's id. Only the host sets it, and `auth.uid()` reads it first.
pub(super) const MAPPED_CLAIM: &str = "behalf_uid";

/// The claim with the issuer's own subject, where `sub` is the user's id here. Only the host sets it.
pub(super) const OWN_SUBJECT_CLAIM: &str = "behalf_sub";

/// Longest subject of another issuer, as `OpenID` Connect has it.
pub(super) const MAX_SUBJECT_BYTES: usize = 255;

/// A user, as tokens name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// The user's id here.
    pub(super) user: Uuid,
    /// `sub` of the token, where that is another one.
    pub(super) own: Option<String>,
}

impl Subject {
    /// A user whose `sub` is their id.
    pub(super) fn own(user: Uuid) -> Self {
        Self { user, own: None }
    }

    /// A user of another issuer.
    pub(super) fn mapped(issuer: &str, own: &str) -> Self {
        Self { user: user_id(issuer, own), own: Some(own.to_owned()) }
    }
}

/// What `sub` is in the bound claims of a mapped user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubjectForm {
    /// The user's id here, with the issuer's own subject as `behalf_sub`: safe with any `auth.uid()`.
    #[default]
    Ours,
    /// The issuer's own, with the user's id as `behalf_uid`. Only where `auth.uid()` of the database reads that claim: any other
    /// would take a subject that is a UUID for a user of the project.
    Theirs,
}

/// The form in which subjects are bound now. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct CurrentForm(Arc<AtomicBool>);

impl CurrentForm {
    /// The form.
    pub(super) fn get(&self) -> SubjectForm {
        if self.0.load(Ordering::Acquire) { SubjectForm::Theirs } else { SubjectForm::Ours }
    }

    /// Changes it.
    pub(super) fn set(&self, form: SubjectForm) {
        self.0.store(form == SubjectForm::Theirs, Ordering::Release);
    }
}

/// The id of the user whom `issuer` calls `subject`.
pub fn user_id(issuer: &str, subject: &str) -> Uuid {
    version_5(version_5(Uuid::NAMESPACE_URL, issuer), subject)
}

fn version_5(namespace: Uuid, name: &str) -> Uuid {
    let hashed = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[namespace.as_bytes(), name.as_bytes()].concat());
    let mut bytes = [0_u8; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hashed.as_ref()) {
        *byte = *hashed;
    }
    Builder::from_sha1_bytes(bytes).into_uuid()
}

/// Writes who the user is into claims that are to be bound.
pub(super) fn bind_subject(bound: &mut Map<String, Value>, subject: &Subject, form: SubjectForm) {
    let named = match (&subject.own, form) {
        (None, _) => vec![("sub", json!(subject.user))],
        (Some(own), SubjectForm::Theirs) => vec![("sub", json!(own)), (MAPPED_CLAIM, json!(subject.user))],
        (Some(own), SubjectForm::Ours) => vec![("sub", json!(subject.user)), (OWN_SUBJECT_CLAIM, json!(own))],
    };
    bound.extend(named.into_iter().map(|(name, value)| (name.to_owned(), value)));
}

/// The claims of a mapped user that were bound before, in this form. `None` where the user is not mapped.
pub(super) fn bind_again(bound: &Value, user: Uuid, form: SubjectForm) -> Option<Value> {
    let own = own_subject(bound)?;
    let mut again = bound.as_object()?.clone();
    again.remove(MAPPED_CLAIM);
    again.remove(OWN_SUBJECT_CLAIM);
    bind_subject(&mut again, &Subject { user, own: Some(own) }, form);
    Some(Value::Object(again))
}

/// What [`bind_subject`] wrote of the issuer's own subject.
pub(super) fn own_subject(bound: &Value) -> Option<String> {
    let name = if bound.get(MAPPED_CLAIM).is_some() { "sub" } else { OWN_SUBJECT_CLAIM };
    bound.get(name)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_standard_s_and_differs_by_issuer_and_subject() {
        // RFC 9562, appendix A.4.
        let dns = Uuid::try_parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8").expect("the namespace of names");
        assert_eq!(version_5(dns, "www.example.com").to_string(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
        let id = user_id("https://a.example/", "auth0|1");
        assert_eq!(id.get_version_num(), 5);
        assert_eq!(id, user_id("https://a.example/", "auth0|1"));
        for (issuer, subject) in [
            ("https://b.example/", "auth0|1"),
            ("https://a.example/", "auth0|2"),
            ("https://a.example", "/auth0|1"),
            ("https://a.example/auth0|", "1"),
        ] {
            assert_ne!(id, user_id(issuer, subject), "{issuer} {subject}");
        }
    }

    #[test]
    fn claims_name_both_the_user_and_the_issuer_s_subject() {
        let subject = Subject::mapped("https://a.example/", "auth0|1");
        let bound = |form| {
            let mut bound = Map::new();
            bind_subject(&mut bound, &subject, form);
            Value::Object(bound)
        };
        let (theirs, ours) = (bound(SubjectForm::Theirs), bound(SubjectForm::Ours));
        assert_eq!(theirs, json!({ "sub": "auth0|1", "behalf_uid": subject.user }));
        assert_eq!(ours, json!({ "sub": subject.user, "behalf_sub": "auth0|1" }));
        assert_eq!((own_subject(&theirs), own_subject(&ours)), (subject.own.clone(), subject.own));
        assert_eq!(own_subject(&json!({ "sub": "x" })), None);
        for bound in [&theirs, &ours] {
            assert_eq!(bind_again(bound, subject.user, SubjectForm::Theirs).as_ref(), Some(&theirs));
            assert_eq!(bind_again(bound, subject.user, SubjectForm::Ours).as_ref(), Some(&ours));
        }
        let plain = json!({ "sub": subject.user, "role": "authenticated" });
        assert_eq!(bind_again(&plain, subject.user, SubjectForm::Theirs), None, "no user of another issuer");
    }
}
