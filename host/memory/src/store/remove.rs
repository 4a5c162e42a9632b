//! Deleting memories, as the caller.

use behalf_caller_db::FixedAccess;
use uuid::Uuid;

use super::{As, run};
use crate::error::MemoriesError;
use crate::state::Memories;

/// For an agent: only what it may recall.
const BY_AGENT: &str = "delete from ai.memories m
     where m.id = $1::text::uuid and m.user_id = (select auth.uid()) and (m.agent_id is null or m.agent_id = $2::text::uuid)
     returning m.id::text";

const BY_USER: &str = "delete from ai.memories m where m.id = $1::text::uuid returning m.id::text";

/// The service role deletes nothing by this unless it acts for a user.
const ALL: &str = "with gone as (
         delete from ai.memories m
         where m.user_id = (select auth.uid()) and ($1::text is null or m.agent_id = $1::text::uuid) returning 1)
     select count(*)::text from gone";

/// Who deletes a memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    /// Its user, or the service role.
    User,
    /// A guest, in a call of this agent's.
    Agent(Option<Uuid>),
}

/// Deletes a memory. False where there is none for this caller.
pub(crate) async fn remove(memories: &Memories, by: As<'_>, id: Uuid, whose: Whose) -> Result<bool, MemoriesError> {
    let id = id.to_string();
    let rows = match whose {
        Whose::User => run(memories, by, FixedAccess::Write, BY_USER, &[Some(&id)]).await?,
        Whose::Agent(agent) => {
            let agent = agent.map(|agent| agent.to_string());
            run(memories, by, FixedAccess::Write, BY_AGENT, &[Some(&id), agent.as_deref()]).await?
        }
    };
    Ok(!rows.is_empty())
}

/// Deletes all memories of the caller, or those of one agent, and says how many they were.
pub(crate) async fn remove_all(memories: &Memories, by: As<'_>, agent: Option<Uuid>) -> Result<i64, MemoriesError> {
    let agent = agent.map(|agent| agent.to_string());
    let rows = run(memories, by, FixedAccess::Write, ALL, &[agent.as_deref()]).await?;
    Ok(rows.first().and_then(|row| row.text(0)?.parse().ok()).unwrap_or_default())
}
