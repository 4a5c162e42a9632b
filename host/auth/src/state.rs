//! What the routes need.

use std::sync::Arc;

use axum::extract::FromRef;
use behalf_host_db::{AuthTx, HostDb, Sealer};
use behalf_identity::TokenSigner;
use behalf_mail::Outbox;
use behalf_passwords::Hasher;
use behalf_web::Web;

use crate::error::AuthError;
use crate::external::Issuers;
use crate::limits::AuthLimits;
use crate::options::AuthOptions;

/// What the routes need. Clones share it.
#[derive(Clone, Debug)]
pub struct Auth(Arc<Shared>);

/// What the feature is made of.
#[derive(Debug)]
pub struct AuthParts {
    /// The state that all routes share.
    pub web: Web,
    /// The host's database.
    pub db: HostDb,
    /// Signs access tokens.
    pub signer: Arc<TokenSigner>,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// Sends letters.
    pub outbox: Outbox,
    /// Seals the secrets of second factors.
    pub sealer: Arc<Sealer>,
    /// Asks providers of external sign-in. It must refuse private addresses, unless an operator allows them.
    pub http: reqwest::Client,
    /// What an operator set.
    pub options: AuthOptions,
}

/// What is shared.
#[derive(Debug)]
pub struct Shared {
    pub(crate) web: Web,
    pub(crate) db: HostDb,
    pub(crate) signer: Arc<TokenSigner>,
    pub(crate) hasher: Hasher,
    pub(crate) outbox: Outbox,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) http: reqwest::Client,
    pub(crate) options: AuthOptions,
    pub(crate) limits: AuthLimits,
    pub(crate) issuers: Issuers,
}

impl Auth {
    /// Makes the feature.
    pub fn new(parts: AuthParts) -> Self {
        let AuthParts { web, db, signer, hasher, outbox, sealer, http, options } = parts;
        let limits = AuthLimits::new(&options);
        let issuers = Issuers::default();
        Self(Arc::new(Shared { web, db, signer, hasher, outbox, sealer, http, options, limits, issuers }))
    }

    /// Begins a transaction on the tables of users and sessions.
    pub(crate) async fn begin(&self) -> Result<AuthTx, AuthError> {
        Ok(self.db.begin_auth().await?)
    }
}

impl std::ops::Deref for Auth {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<Auth> for Web {
    fn from_ref(auth: &Auth) -> Self {
        auth.web.clone()
    }
}
