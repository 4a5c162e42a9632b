//! Makes, changes and deletes bases, in the owner's name.

use behalf_host_db::HostTx;
use behalf_identity::Principal;
use serde_json::{Value, json};
use sqlx::FromRow;
use uuid::Uuid;

use super::read::parse;
use super::{again, audit, base_json};
use crate::base::{Base, Contributors};
use crate::config::{Checked, check};
use crate::error::{KnowledgeProblem, NO_BASE};
use crate::state::Knowledge;

/// Bases of one owner, at most. Each costs the host little, and nobody reads a list of more.
const MAX_BASES: i64 = 1_000;

/// A banned user's token may be valid for a while. Users of other issuers have no row in the project's table of users.
const ADMIT: &str = "select behalf.uid() is not null and not behalf.jwt() ?| array['behalf_sub', 'behalf_uid']
         and coalesce((behalf.auth_user(behalf.uid()) ->> 'suspended')::boolean, false),
     (select count(*) from (
         select from ai.knowledge_bases b
         where b.owner_id = behalf.uid() or (b.owner_id is null and behalf.uid() is null) limit $1) mine)";

const MAKE: &str = concat!(
    "insert into ai.knowledge_bases as b (name, description, contributors, indexing_config, retrieval_config)
     values ($1, $2, $3, $4, $5) returning ",
    base_json!()
);

/// A base that the caller owns. The host may also see open ones of others, and those are not the caller's to change.
const LOCK: &str = "
    select indexing_config, retrieval_config from ai.knowledge_bases
    where id = $1 and ((select behalf.role()) = 'service_role' or owner_id = (select behalf.uid())) for update";

const CHANGE: &str = concat!(
    "update ai.knowledge_bases b
     set name = coalesce($2, b.name), description = case when $3 then $4 else b.description end,
         contributors = coalesce($5, b.contributors), indexing_config = $6, retrieval_config = $7, updated_at = now()
     where b.id = $1 returning ",
    base_json!()
);

/// What a client sends of a base.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Its name.
    pub(crate) name: Option<String>,
    /// Its description; none within takes it away.
    #[expect(clippy::option_option, reason = "what is not sent stays, and null takes it away")]
    pub(crate) description: Option<Option<String>>,
    /// Who may add sources.
    pub(crate) contributors: Option<Contributors>,
    /// Members of the indexing configuration.
    pub(crate) indexing: Option<serde_json::Map<String, Value>>,
    /// Members of the retrieval configuration.
    pub(crate) retrieval: Option<serde_json::Map<String, Value>>,
}

/// What a base is told. Its row is locked.
#[derive(Debug, FromRow)]
struct Locked {
    indexing_config: Value,
    retrieval_config: Value,
}

/// Makes a base of the caller's.
pub(crate) async fn make(
    knowledge: &Knowledge,
    principal: &Principal,
    request_id: &str,
    wanted: Wanted,
) -> Result<Base, KnowledgeProblem> {
    let Checked { indexing, retrieval } = check(&knowledge.means(), (None, wanted.indexing), (None, wanted.retrieval))?;
    let mut tx = knowledge.db.begin(principal).await?;
    let (is_suspended, bases): (bool, i64) = sqlx::query_as(ADMIT).bind(MAX_BASES).fetch_one(&mut *tx).await?;
    if is_suspended {
        return Err(KnowledgeProblem::Suspended);
    }
    if bases >= MAX_BASES {
        return Err(KnowledgeProblem::TooMany(format!("a user may have at most {MAX_BASES} knowledge bases")));
    }
    let made: String = sqlx::query_scalar(MAKE)
        .bind(wanted.name)
        .bind(wanted.description.flatten())
        .bind(wanted.contributors.unwrap_or(Contributors::Owner).as_str())
        .bind(indexing)
        .bind(retrieval)
        .fetch_one(&mut *tx)
        .await?;
    let made: Base = parse(&made)?;
    audit::record(&mut tx, principal, audit::MADE, (made.id, request_id), json!({})).await?;
    tx.commit().await?;
    Ok(made)
}

/// Changes a base of the caller's, and returns it.
pub(crate) async fn change(
    knowledge: &Knowledge,
    principal: &Principal,
    (id, request_id): (Uuid, &str),
    wanted: Wanted,
) -> Result<Base, KnowledgeProblem> {
    let mut tx = knowledge.db.begin(principal).await?;
    let old = lock(&mut tx, id).await?;
    let details =
        json!({ "indexing_config": wanted.indexing.is_some(), "retrieval_config": wanted.retrieval.is_some() });
    let indexing = (Some(&old.indexing_config), wanted.indexing);
    let checked = check(&knowledge.means(), indexing, (Some(&old.retrieval_config), wanted.retrieval))?;
    let changed: Option<String> = sqlx::query_scalar(CHANGE)
        .bind(id)
        .bind(wanted.name)
        .bind(wanted.description.is_some())
        .bind(wanted.description.flatten())
        .bind(wanted.contributors.map(Contributors::as_str))
        .bind(checked.indexing)
        .bind(checked.retrieval)
        .fetch_optional(&mut *tx)
        .await?;
    let changed = parse(&changed.ok_or(KnowledgeProblem::NotFound(NO_BASE))?)?;
    audit::record(&mut tx, principal, audit::CHANGED, (id, request_id), details).await?;
    tx.commit().await?;
    knowledge.model_table.forget(id);
    Ok(changed)
}

/// Deletes a base with its index. Jobs that are under way find nothing to do any more.
pub(crate) async fn delete(
    knowledge: &Knowledge,
    principal: &Principal,
    (id, request_id): (Uuid, &str),
) -> Result<(), KnowledgeProblem> {
    again(async || {
        let mut tx = knowledge.db.begin(principal).await?;
        lock(&mut tx, id).await?;
        sqlx::query("delete from ai.knowledge_bases where id = $1").bind(id).execute(&mut *tx).await?;
        audit::record(&mut tx, principal, audit::DELETED, (id, request_id), json!({})).await?;
        Ok(tx.commit().await?)
    })
    .await
}

async fn lock(tx: &mut HostTx, id: Uuid) -> Result<Locked, KnowledgeProblem> {
    let found = sqlx::query_as(LOCK).bind(id).fetch_optional(&mut **tx).await?;
    found.ok_or(KnowledgeProblem::NotFound(NO_BASE))
}
