//! The verified caller: its database role, its user, and who acts for that user.

use std::fmt;
use std::sync::Arc;

use behalf_problem::{Kind, Problem};
use serde_json::json;
use thiserror::Error;
use uuid::Uuid;

use super::claims::Claims;
use super::delegation::{Delegation, DelegationRecord};

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

    pub(super) fn user(claims: &Claims) -> Self {
        Self {
            role: Role::Authenticated,
            subject: Some(claims.subject),
            claims: claims.to_bound_json(Role::Authenticated).into(),
            expires_at: Some(claims.expires_at),
            acting: false,
            delegation: None,
        }
    }

    /// A service that acts under a user's delegation. The claim `act` says so to policies; the user's own claims are
    /// absent.
    pub(super) fn delegated(record: DelegationRecord) -> Self {
        let claims = json!({
            "sub": record.user,
            "role": Role::Authenticated.as_str(),
            "aud": "authenticated",
            "act": { "sub": record.delegation.actor() },
        });
        Self {
            role: Role::Authenticated,
            subject: Some(record.user),
            claims: claims.to_string().into(),
            expires_at: Some(record.expires_at),
            acting: false,
            delegation: Some(Arc::new(record.delegation)),
        }
    }

    fn without_subject(role: Role) -> Self {
        let claims = json!({ "role": role.as_str() }).to_string().into();
        Self { role, subject: None, claims, expires_at: None, acting: false, delegation: None }
    }

    /// Makes the principal of a call for `user`: it has that user's rights, and the audit log names the service role as
    /// actor.
    pub fn act_as(&self, user: Uuid) -> Result<Self, ActAsError> {
        if self.acting {
            return Err(ActAsError::Nested);
        }
        if self.role != Role::Service {
            return Err(ActAsError::NotService);
        }
        let claims = json!({
            "sub": user,
            "role": Role::Authenticated.as_str(),
            "aud": "authenticated",
            "act": { "sub": Role::Service.as_str() },
        });
        Ok(Self {
            role: Role::Authenticated,
            subject: Some(user),
            claims: claims.to_string().into(),
            expires_at: None,
            acting: true,
            delegation: None,
        })
    }

    /// Serializes the principal for storage with a run, so that another host can continue the run. Only hosts may read
    /// or write the place where it is stored.
    pub fn to_stored(&self) -> serde_json::Value {
        json!({
            "role": self.role.as_str(), "sub": self.subject, "claims": &*self.claims, "exp": self.expires_at,
            "acting": self.acting, "delegation": self.delegation.as_deref(),
        })
    }

    /// Restores the principal of a run. Returns `None` where the stored value is incomplete.
    pub fn from_stored(stored: &serde_json::Value) -> Option<Self> {
        let optional = |name: &str| stored.get(name).filter(|value| !value.is_null());
        Some(Self {
            role: Role::parse(stored.get("role")?.as_str()?)?,
            subject: optional("sub")
                .map(|sub| Uuid::try_parse(sub.as_str()?).ok())
                .map_or(Some(None), |sub| sub.map(Some))?,
            claims: stored.get("claims")?.as_str()?.into(),
            expires_at: optional("exp").map(serde_json::Value::as_i64).map_or(Some(None), |exp| exp.map(Some))?,
            acting: stored.get("acting")?.as_bool()?,
            delegation: serde_json::from_value::<Option<Delegation>>(stored.get("delegation")?.clone())
                .ok()?
                .map(Arc::new),
        })
    }

    /// The database role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The user's id, `sub` of the token; `None` for the anonymous caller and the service role.
    pub fn subject(&self) -> Option<Uuid> {
        self.subject
    }

    /// The verified claims as a JSON object, as they are bound to transactions and shown to tools.
    pub fn claims(&self) -> &Arc<str> {
        &self.claims
    }

    /// Expiry of the token in seconds since 1970; `None` for the project's keys, which the host does not expire.
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

    #[test]
    fn a_stored_principal_is_the_same_one_or_none() {
        let acting = Principal::service().act_as(Uuid::from_u128(1)).expect("service may act");
        for principal in [acting, Principal::service(), Principal::anon()] {
            let stored = principal.to_stored();
            let restored = Principal::from_stored(&stored).expect("it is whole");
            assert_eq!(format!("{principal:?}"), format!("{restored:?}"));
            for name in ["role", "claims", "acting", "delegation"] {
                let mut part = stored.clone();
                part.as_object_mut().expect("an object").remove(name);
                assert!(Principal::from_stored(&part).is_none(), "{name}");
            }
        }
        let mut odd = Principal::service().to_stored();
        odd["sub"] = json!("alice");
        assert!(Principal::from_stored(&odd).is_none());
    }

    #[test]
    fn only_the_service_role_acts_for_others_and_only_once() {
        let alice = Uuid::from_u128(1);
        assert!(matches!(Principal::anon().act_as(alice), Err(ActAsError::NotService)));
        let acting = Principal::service().act_as(alice).expect("service may act");
        assert_eq!((acting.role(), acting.subject()), (Role::Authenticated, Some(alice)));
        assert_eq!(acting.actor(), "service_role");
        assert!(matches!(acting.act_as(alice), Err(ActAsError::Nested)));
    }
}
