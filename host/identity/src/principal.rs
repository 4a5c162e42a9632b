//! The verified caller: its database role, its user, and who acts for that user.

use std::fmt;
use std::sync::Arc;

use behalf_problem::{Kind, Problem};
use serde_json::json;
use thiserror::Error;
use uuid::Uuid;

use super::claims::{Acting, Claims, UserClaims, VerifiedClaims};
use super::delegation::{Delegation, DelegationRecord};
use super::mapped::{SubjectForm, bind_again};

/// The database role that a call runs as. Tools connect with one login per role (`behalf_tool_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// An anonymous caller: anybody who has the project's public key.
    Anon,
    /// A signed-in user; row-level security reads the claim `sub`.
    Authenticated,
    /// The app's own back end, which bypasses row-level security.
    Service,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Anon, Self::Authenticated, Self::Service];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::Authenticated => "authenticated",
            Self::Service => "service_role",
        }
    }
}

impl Role {
    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A caller whose token was verified. Code that has one acts as that caller, so no other crate can construct one.
#[derive(Clone, Debug)]
pub struct Principal {
    role: Role,
    subject: Option<Uuid>,
    claims: Arc<str>,
    expires_at: Option<i64>,
    issued_at: Option<i64>,
    acting: bool,
    delegation: Option<Arc<Delegation>>,
}

/// Why a caller may not act for a user.
#[derive(Debug, Error)]
pub enum ActAsError {
    /// The caller is not the service role.
    #[error("only the service role may act for a user; call with your own token instead, or with the service key")]
    NotService,
    /// The service role acts for a user already.
    #[error("this caller already acts for a user; act for one user at a time")]
    Nested,
}

impl Problem for ActAsError {
    fn kind(&self) -> Kind {
        Kind::Forbidden
    }
}

impl Principal {
    pub(super) fn anon() -> Self {
        Self::without_subject(Role::Anon)
    }

    pub(super) fn service() -> Self {
        Self::without_subject(Role::Service)
    }

    /// The user of a verified token. `now` is when it was verified.
    pub(super) fn user(claims: &Claims, form: SubjectForm, now: i64) -> Self {
        Self {
            role: Role::Authenticated,
            subject: Some(claims.subject.user),
            claims: claims.to_bound_json(Role::Authenticated, form).into(),
            expires_at: Some(claims.accepted_until),
            // A clock that runs ahead must not make its tokens the latest ones for ever. A token that does not say is earlier than
            // all that do: it may have been made long before it is seen here.
            issued_at: Some(claims.issued_at.map_or(0, |issued| issued.min(now))),
            acting: false,
            delegation: None,
        }
    }

    /// A service that acts under a user's delegation: with the claims that the user had, and the claim `act`, which tells
    /// policies who acts.
    pub(super) fn delegated(record: DelegationRecord, audience: &str, form: SubjectForm) -> Self {
        let actor = record.delegation.actor();
        let claims = record.claims.to_bound_json(record.user, Acting { audience, actor: &actor, form });
        Self {
            role: Role::Authenticated,
            subject: Some(record.user),
            claims: claims.into(),
            expires_at: Some(record.expires_at),
            issued_at: None,
            acting: false,
            delegation: Some(Arc::new(record.delegation)),
        }
    }

    fn without_subject(role: Role) -> Self {
        let claims = json!({ "role": role.as_str() }).to_string().into();
        Self { role, subject: None, claims, expires_at: None, issued_at: None, acting: false, delegation: None }
    }

    /// Whether this caller may act for users; only the service role may.
    pub fn may_act(&self) -> Result<(), ActAsError> {
        if self.acting {
            return Err(ActAsError::Nested);
        }
        if self.role != Role::Service {
            return Err(ActAsError::NotService);
        }
        Ok(())
    }

    /// The principal of a call that this caller makes for `user`. It has that user's rights, and the audit log names the
    /// service role as actor.
    pub(super) fn act_as(
        &self,
        user: Uuid,
        claims: &UserClaims,
        audience: &str,
        form: SubjectForm,
    ) -> Result<Self, ActAsError> {
        self.may_act()?;
        let acting = Acting { audience, actor: Role::Service.as_str(), form };
        Ok(Self {
            role: Role::Authenticated,
            subject: Some(user),
            claims: claims.to_bound_json(user, acting).into(),
            expires_at: None,
            issued_at: None,
            acting: true,
            delegation: None,
        })
    }

    /// The user of a token that this process verified, and when the token was issued, in seconds since 1970.
    pub fn own_token(&self) -> Option<(Uuid, i64)> {
        self.subject.zip(self.issued_at).filter(|_| self.is_user_in_person())
    }

    /// What this user's own token said of them, to keep it for those who act for the user. `None` for every caller that is
    /// not a user with a token that this process verified.
    pub fn verified_claims(&self) -> Option<VerifiedClaims> {
        let (user, issued_at) = self.own_token()?;
        let claims = UserClaims::of_bound(serde_json::from_str(&self.claims).ok()?).ok()?;
        Some(VerifiedClaims { user, claims, issued_at })
    }

    /// The principal as text, for [`PrincipalSeal`](crate::PrincipalSeal).
    pub(super) fn to_text(&self) -> String {
        json!({
            "role": self.role.as_str(), "sub": self.subject, "claims": &*self.claims, "exp": self.expires_at,
            "acting": self.acting, "delegation": self.delegation.as_deref(),
        })
        .to_string()
    }

    /// Reads what [`Self::to_text`] wrote. `None` where it is incomplete.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let stored: serde_json::Value = serde_json::from_str(text).ok()?;
        let optional = |name: &str| stored.get(name).filter(|value| !value.is_null());
        Some(Self {
            role: Role::parse(stored.get("role")?.as_str()?)?,
            subject: optional("sub")
                .map(|sub| Uuid::try_parse(sub.as_str()?).ok())
                .map_or(Some(None), |sub| sub.map(Some))?,
            claims: stored.get("claims")?.as_str()?.into(),
            expires_at: optional("exp").map(serde_json::Value::as_i64).map_or(Some(None), |exp| exp.map(Some))?,
            // This process has not verified the token, so its claims are not kept again.
            issued_at: None,
            acting: stored.get("acting")?.as_bool()?,
            delegation: serde_json::from_value::<Option<Delegation>>(stored.get("delegation")?.clone())
                .ok()?
                .map(Arc::new),
        })
    }

    /// The same principal with its subject in this form. `None` where its claims cannot be read.
    pub(super) fn bound_as(self, form: SubjectForm) -> Option<Self> {
        let Some(user) = self.subject else { return Some(self) };
        let bound = serde_json::from_str(&self.claims).ok()?;
        match bind_again(&bound, user, form) {
            Some(again) => Some(Self { claims: again.to_string().into(), ..self }),
            None => Some(self),
        }
    }

    /// The database role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The user's id: `sub` of the token, or the id of this host for a user of another issuer. `None` for the anonymous caller
    /// and the service role.
    pub fn subject(&self) -> Option<Uuid> {
        self.subject
    }

    /// The verified claims as a JSON object, as they are bound to transactions and shown to tools.
    pub fn claims(&self) -> &Arc<str> {
        &self.claims
    }

    /// The ids of which `auth.uid()` returns one in a transaction of this caller: `behalf_uid` and `sub` of the claims, as far as they are
    /// UUIDs.
    pub fn uids(&self) -> Vec<Uuid> {
        #[derive(serde::Deserialize)]
        struct Ids {
            #[serde(default)]
            behalf_uid: Option<String>,
            #[serde(default)]
            sub: Option<String>,
        }
        let Ok(Ids { behalf_uid, sub }) = serde_json::from_str(&self.claims) else { return Vec::new() };
        // Other forms that this takes, such as one with braces, are the same to Postgres or an error.
        [behalf_uid, sub].into_iter().flatten().filter_map(|id| Uuid::parse_str(&id).ok()).collect()
    }

    /// What the token is for, its `aud`.
    pub fn audiences(&self) -> Vec<String> {
        #[derive(serde::Deserialize)]
        struct Audience {
            #[serde(default)]
            aud: serde_json::Value,
        }
        let audience = serde_json::from_str(&self.claims).map_or_else(|_| json!(null), |Audience { aud }| aud);
        let named = match audience {
            serde_json::Value::Array(several) => several,
            one => vec![one],
        };
        named.iter().filter_map(serde_json::Value::as_str).map(str::to_owned).collect()
    }

    /// The moment from which the host accepts the token no longer, in seconds since 1970: its expiry and the clock skew.
    /// `None` for the project's keys, which the host does not expire.
    pub fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }

    /// Whether the service role acts for this user.
    pub fn is_acting(&self) -> bool {
        self.acting
    }

    /// The delegation that this caller acts under, if it is a service that a user let act for them.
    pub fn delegation(&self) -> Option<&Delegation> {
        self.delegation.as_deref()
    }

    /// Whether this is a user with their own token, and neither the service role nor a delegation acts for them.
    pub fn is_user_in_person(&self) -> bool {
        self.role == Role::Authenticated && !self.acting && self.delegation.is_none()
    }

    /// Whether this is the service role in its own name.
    pub fn is_service(&self) -> bool {
        self.role == Role::Service
    }

    /// The actor's name for the audit log: the user's id, the key's role, or `delegation:` and the delegation's id.
    pub fn actor(&self) -> String {
        if let Some(delegation) = &self.delegation {
            return delegation.actor();
        }
        match (self.acting, self.subject) {
            (true, _) => Role::Service.as_str().to_owned(),
            (false, Some(subject)) => subject.to_string(),
            (false, None) => self.role.as_str().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acting() -> Principal {
        let claims = UserClaims::read(json!({"email": "a@b.c", "role": "service_role"})).expect("claims");
        Principal::service()
            .act_as(Uuid::from_u128(1), &claims, "authenticated", SubjectForm::Ours)
            .expect("service may act")
    }

    #[test]
    fn a_stored_principal_is_the_same_one_or_none() {
        for principal in [acting(), Principal::service(), Principal::anon()] {
            let stored = principal.to_text();
            let restored = Principal::from_text(&stored).expect("it is whole");
            assert_eq!(format!("{principal:?}"), format!("{restored:?}"));
            for name in ["role", "claims", "acting", "delegation"] {
                let mut part: serde_json::Value = serde_json::from_str(&stored).expect("JSON");
                part.as_object_mut().expect("an object").remove(name);
                assert!(Principal::from_text(&part.to_string()).is_none(), "{name}");
            }
        }
        let odd = acting().to_text().replace(&Uuid::from_u128(1).to_string(), "alice");
        assert!(Principal::from_text(&odd).is_none());
    }

    #[test]
    fn only_the_service_role_acts_for_others_and_only_once() {
        let (alice, none) = (Uuid::from_u128(1), UserClaims::default());
        assert!(matches!(
            Principal::anon().act_as(alice, &none, "authenticated", SubjectForm::Ours),
            Err(ActAsError::NotService)
        ));
        let acting = acting();
        assert_eq!((acting.role(), acting.subject()), (Role::Authenticated, Some(alice)));
        assert_eq!(acting.actor(), "service_role");
        assert!(acting.claims().contains(r#""role":"authenticated""#) && acting.claims().contains("a@b.c"));
        assert!(matches!(acting.act_as(alice, &none, "authenticated", SubjectForm::Ours), Err(ActAsError::Nested)));
    }

    #[test]
    fn only_a_token_of_the_users_own_says_what_is_kept_of_them() {
        assert!(acting().verified_claims().is_none());
        assert!(Principal::service().verified_claims().is_none());
        assert!(Principal::anon().verified_claims().is_none());
    }
}
