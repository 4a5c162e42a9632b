//! Secrets of second factors, sealed again with the current key.

use behalf_host_db::{HostDb, Sealer};
use thiserror::Error;
use uuid::Uuid;

use crate::error::AuthError;
use crate::start::{TablesError, check_tables};
use crate::store::{factor_secrets, factors};

/// What became of the secrets of second factors.
#[derive(Clone, Debug, Default)]
pub struct ResealedFactors {
    /// Secrets that are sealed with the current key now, and were not before.
    pub renewed: usize,
    /// Secrets that were.
    pub current: usize,
    /// Factors whose secrets no key opens.
    pub closed: Vec<Uuid>,
}

/// Why nothing was sealed again.
#[derive(Debug, Error)]
pub enum ResealFactorsError {
    /// The tables of users cannot be used.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// The database failed.
    #[error("the secrets of second factors cannot be read or written")]
    Database(#[from] sqlx::Error),
    /// A statement about factors failed; the log says why.
    #[error("the secrets of second factors cannot be stored")]
    Store,
}

impl From<AuthError> for ResealFactorsError {
    fn from(_: AuthError) -> Self {
        Self::Store
    }
}

/// Seals every secret of a second factor with the current key. Does nothing where another service keeps the users.
pub async fn reseal_factors(db: &HostDb, sealer: &Sealer) -> Result<ResealedFactors, ResealFactorsError> {
    let mut done = ResealedFactors::default();
    match check_tables(db).await {
        Err(TablesError::Theirs) => return Ok(done),
        checked => checked?,
    }
    let mut tx = db.begin_auth().await?;
    let secrets: Vec<(Uuid, String)> = sqlx::query_as(
        "select id, secret from auth.mfa_factors where secret is not null order by id for no key update",
    )
    .fetch_all(&mut *tx)
    .await?;
    for (factor, stored) in secrets {
        let again = match factor_secrets::open(sealer, factor, &stored) {
            Ok((secret, true)) => factor_secrets::close(sealer, factor, &secret),
            Ok((_, false)) => {
                done.current += 1;
                continue;
            }
            Err(closed) => Err(closed),
        };
        let Ok(again) = again else {
            done.closed.push(factor);
            continue;
        };
        factors::set_secret(&mut tx, factor, &again).await?;
        done.renewed += 1;
    }
    tx.commit().await?;
    Ok(done)
}
