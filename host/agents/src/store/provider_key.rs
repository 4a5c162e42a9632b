//! Table `ai.provider_keys`: agents' own keys for model providers. Keys leave it for a provider, never for a client.

use std::sync::Arc;

use behalf_host_db::{Act, HostDb, SealError, Sealed, Sealer};
use behalf_identity::Principal;
use behalf_models::ApiKey;
use behalf_problem::{Kind, Problem};
use serde::Serialize;
use serde_json::json;
use sqlx::FromRow;
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

/// A key to store.
#[derive(Clone, Debug)]
pub(crate) struct NewProviderKey {
    /// The agent.
    pub(crate) agent_id: Uuid,
    /// `openai`, `anthropic`, `gemini` or `ollama`.
    pub(crate) provider: String,
    /// The key.
    pub(crate) api_key: ApiKey,
    /// The address that the key may be sent to; the provider's public endpoint where absent.
    pub(crate) base_url: Option<String>,
}

/// A stored key as clients see it.
#[derive(Clone, Debug, FromRow, Serialize, ToSchema)]
#[schema(as = ProviderKey)]
pub(crate) struct ProviderKeyRow {
    /// The provider.
    pub(crate) provider: String,
    /// The address that the key may be sent to; null for the provider's public endpoint.
    pub(crate) base_url: Option<String>,
    /// The end of the key, to tell it from others; null where that would be much of it.
    pub(crate) last_four: Option<String>,
    /// RFC 3339.
    pub(crate) created_at: String,
}

/// A stored key as a run uses it.
#[derive(Clone, Debug)]
pub(crate) struct ProviderKey {
    /// The provider.
    pub(crate) provider: String,
    /// The key.
    pub(crate) api_key: ApiKey,
    /// The address that the key may be sent to.
    pub(crate) base_url: Option<String>,
}

/// Why a key cannot be stored or read.
#[derive(Debug, Error)]
pub(crate) enum ProviderKeyError {
    /// No such agent.
    #[error("Agent not found")]
    NoAgent,
    /// It cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database failed.
    #[error("the provider's key cannot be stored or read")]
    Database(#[from] sqlx::Error),
}

impl Problem for ProviderKeyError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoAgent => Kind::NotFound,
            Self::Seal(_) => Kind::Unprocessable,
            Self::Database(error) => error.kind(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Database(error) => error.detail(),
            other => other.to_string(),
        }
    }
}

/// A sealed key with its row.
#[derive(Debug, FromRow)]
struct SealedRow {
    provider: String,
    base_url: Option<String>,
    key_id: String,
    nonce: Vec<u8>,
    sealed: Vec<u8>,
}

/// A key shorter than this has no end that could be shown.
const MIN_SHOWN: usize = 12;

/// The table of keys.
#[derive(Clone, Debug)]
pub(crate) struct ProviderKeyStore {
    db: HostDb,
    sealer: Arc<Sealer>,
}

impl ProviderKeyStore {
    /// The store in this database, whose keys `sealer` seals.
    pub(crate) fn new(db: HostDb, sealer: Arc<Sealer>) -> Self {
        Self { db, sealer }
    }

    /// Stores a key, in place of an earlier one for the same agent and provider.
    pub(crate) async fn store(&self, act: Act<'_>, new: &NewProviderKey) -> Result<ProviderKeyRow, ProviderKeyError> {
        let key = new.api_key.expose();
        let sealed = self.sealer.seal(&bound_to(new.agent_id, &new.provider, new.base_url.as_deref()), key)?;
        let last_four = (key.len() >= MIN_SHOWN).then(|| key.get(key.len() - 4..)).flatten();
        let mut tx = self.db.begin_act(act).await?;
        let has_agent: bool = sqlx::query_scalar("select exists (select from ai.agents where id = $1)")
            .bind(new.agent_id)
            .fetch_one(&mut *tx)
            .await?;
        if !has_agent {
            return Err(ProviderKeyError::NoAgent);
        }
        let row = sqlx::query_as(
            "insert into ai.provider_keys (agent_id, provider, base_url, key_id, nonce, sealed, last_four)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (agent_id, provider) do update set base_url = excluded.base_url, key_id = excluded.key_id,
                nonce = excluded.nonce, sealed = excluded.sealed, last_four = excluded.last_four, created_at = now()
             returning provider, base_url, last_four, to_json(created_at) #>> '{}' as created_at",
        )
        .bind(new.agent_id)
        .bind(&new.provider)
        .bind(&new.base_url)
        .bind(&sealed.key_id)
        .bind(&sealed.nonce)
        .bind(&sealed.bytes)
        .bind(last_four)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(row)
    }

    /// An agent's keys, without the keys themselves.
    pub(crate) async fn list(&self, principal: &Principal, agent: Uuid) -> Result<Vec<ProviderKeyRow>, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let keys = sqlx::query_as(
            "select provider, base_url, last_four, to_json(created_at) #>> '{}' as created_at
             from ai.provider_keys where agent_id = $1 order by provider",
        )
        .bind(agent)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(keys)
    }

    /// Deletes a key; false where there is none.
    pub(crate) async fn delete(&self, act: Act<'_>, agent: Uuid, provider: &str) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin_act(act).await?;
        let done = sqlx::query("delete from ai.provider_keys where agent_id = $1 and provider = $2")
            .bind(agent)
            .bind(provider)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// An agent's keys, opened, for the requests to their providers.
    pub(crate) async fn open(&self, agent: Uuid) -> Result<Vec<ProviderKey>, ProviderKeyError> {
        let mut tx = self.db.begin_as_host().await?;
        let rows: Vec<SealedRow> = sqlx::query_as(
            "select provider, base_url, key_id, nonce, sealed from ai.provider_keys where agent_id = $1",
        )
        .bind(agent)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let open = |row: SealedRow| {
            let sealed = Sealed { key_id: row.key_id, nonce: row.nonce, bytes: row.sealed };
            let key = self.sealer.open(&bound_to(agent, &row.provider, row.base_url.as_deref()), &sealed)?;
            Ok(ProviderKey { provider: row.provider, api_key: ApiKey::new(key), base_url: row.base_url })
        };
        rows.into_iter().map(open).collect()
    }
}

/// The data that a sealed key is bound to: moved to another agent, provider or address, the key does not open.
pub(super) fn bound_to(agent: Uuid, provider: &str, base_url: Option<&str>) -> Vec<u8> {
    json!(["behalf provider key", agent, provider, base_url]).to_string().into_bytes()
}
