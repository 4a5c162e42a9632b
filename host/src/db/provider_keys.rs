//! Table `ai.provider_keys`: agents' own keys for model providers. Keys leave it for a provider, never for a client.

use serde::Serialize;
use serde_json::json;
use sqlx::Row;
use thiserror::Error;
use uuid::Uuid;

use super::audit_events::{self, AuditAction, AuditEntry};
use super::secrets::{Sealed, SecretError};
use super::{Db, HostTx};
use crate::config::Secret;
use crate::identity::Principal;

/// A key to store.
#[derive(Clone, Debug)]
pub struct NewProviderKey {
    /// The agent.
    pub agent_id: Uuid,
    /// `openai`, `anthropic`, `gemini` or `ollama`.
    pub provider: String,
    /// The key.
    pub api_key: Secret,
    /// Where it may be sent; the provider's public endpoint where absent.
    pub base_url: Option<String>,
    /// The HTTP request, for the audit trail.
    pub request_id: Option<String>,
}

/// A stored key as clients see it.
#[derive(Clone, Debug, Serialize)]
pub struct ProviderKeyRow {
    /// The provider.
    pub provider: String,
    /// Where the key may be sent.
    pub base_url: Option<String>,
    /// The end of the key, to tell it from others; absent where that would be much of it.
    pub last_four: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// A stored key as the run loop takes it.
#[derive(Clone, Debug)]
pub struct ProviderKey {
    /// The provider.
    pub provider: String,
    /// The key.
    pub api_key: Secret,
    /// Where it may be sent.
    pub base_url: Option<String>,
}

/// Why a key cannot be stored or read.
#[derive(Debug, Error)]
pub enum ProviderKeyError {
    /// No such agent.
    #[error("Agent not found")]
    NoAgent,
    /// It cannot be sealed or opened.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The database failed.
    #[error("the provider's key cannot be stored or read")]
    Database(#[from] sqlx::Error),
}

/// A key shorter than this has no end that could be shown.
const MIN_SHOWN: usize = 12;

impl Db {
    /// Stores a key, in place of an earlier one for the same agent and provider.
    pub async fn store_provider_key(
        &self,
        principal: &Principal,
        new: &NewProviderKey,
    ) -> Result<ProviderKeyRow, ProviderKeyError> {
        let key = new.api_key.expose();
        let sealed = self.secrets.seal(&row_of(new.agent_id, &new.provider, new.base_url.as_deref()), key)?;
        let shown = (key.len() >= MIN_SHOWN).then(|| key.get(key.len() - 4..)).flatten();
        let mut tx = self.begin(principal).await?;
        let there: bool = sqlx::query_scalar("select exists (select from ai.agents where id = $1)")
            .bind(new.agent_id)
            .fetch_one(&mut *tx)
            .await?;
        if !there {
            return Err(ProviderKeyError::NoAgent);
        }
        let row = sqlx::query(
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
        .bind(shown)
        .fetch_one(&mut *tx)
        .await?;
        let row = read(&row)?;
        let request_id = new.request_id.as_deref();
        note(&mut tx, principal, AuditAction::ProviderKeyStored, (new.agent_id, &new.provider), request_id).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// An agent's keys, without the keys.
    pub async fn provider_keys(&self, principal: &Principal, agent: Uuid) -> Result<Vec<ProviderKeyRow>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let rows = sqlx::query(
            "select provider, base_url, last_four, to_json(created_at) #>> '{}' as created_at
             from ai.provider_keys where agent_id = $1 order by provider",
        )
        .bind(agent)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        rows.iter().map(read).collect()
    }

    /// Deletes a key; false where there is none.
    pub async fn delete_provider_key(
        &self,
        principal: &Principal,
        agent: Uuid,
        provider: &str,
        request_id: Option<&str>,
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let done = sqlx::query("delete from ai.provider_keys where agent_id = $1 and provider = $2")
            .bind(agent)
            .bind(provider)
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        note(&mut tx, principal, AuditAction::ProviderKeyDeleted, (agent, provider), request_id).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// An agent's keys, opened, for the requests to their providers.
    pub async fn open_provider_keys(&self, agent: Uuid) -> Result<Vec<ProviderKey>, ProviderKeyError> {
        let mut tx = self.begin_as_host().await?;
        let rows =
            sqlx::query("select provider, base_url, key_id, nonce, sealed from ai.provider_keys where agent_id = $1")
                .bind(agent)
                .fetch_all(&mut *tx)
                .await?;
        tx.commit().await?;
        let open = |row: &sqlx::postgres::PgRow| {
            let (provider, base_url): (String, Option<String>) = (row.try_get("provider")?, row.try_get("base_url")?);
            let sealed =
                Sealed { key_id: row.try_get("key_id")?, nonce: row.try_get("nonce")?, bytes: row.try_get("sealed")? };
            let api_key = self.secrets.open(&row_of(agent, &provider, base_url.as_deref()), &sealed)?;
            Ok(ProviderKey { provider, api_key: Secret::new(api_key), base_url })
        };
        rows.iter().map(open).collect()
    }
}

/// What a sealed key is bound to: whoever moves it to another agent, provider or address cannot open it there.
fn row_of(agent: Uuid, provider: &str, base_url: Option<&str>) -> Vec<u8> {
    json!(["behalf provider key", agent, provider, base_url]).to_string().into_bytes()
}

async fn note(
    tx: &mut HostTx,
    principal: &Principal,
    action: AuditAction,
    (agent, provider): (Uuid, &str),
    request_id: Option<&str>,
) -> Result<(), sqlx::Error> {
    let (object, details) = (format!("agent:{agent}"), json!({ "provider": provider }));
    let entry = AuditEntry {
        action,
        actor: &principal.actor(),
        user_id: None,
        object: Some(&object),
        request_id,
        details: &details,
    };
    audit_events::insert(tx, entry).await
}

fn read(row: &sqlx::postgres::PgRow) -> Result<ProviderKeyRow, sqlx::Error> {
    Ok(ProviderKeyRow {
        provider: row.try_get("provider")?,
        base_url: row.try_get("base_url")?,
        last_four: row.try_get("last_four")?,
        created_at: row.try_get("created_at")?,
    })
}
