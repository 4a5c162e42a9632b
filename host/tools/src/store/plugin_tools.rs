//! Table `ai.plugin_tools`: the tools of plugins, and the names by which they are called.

use std::collections::HashMap;

use behalf_host_db::HostTx;
use serde_json::Value as Json;
use uuid::Uuid;

use super::plugins::{NewPlugin, PluginStoreError};

/// Characters of a name that every model provider takes.
const MAX_NAME_CHARS: usize = 64;

/// The name that means this tool and no other, whoever has its own one.
pub(crate) fn full_name(plugin: &str, tool: &str) -> String {
    format!("{plugin}__{tool}")
}

/// Writes the tools of a plugin in place of those that it had. A tool that it had keeps the name by which it is called.
pub(super) async fn replace(tx: &mut HostTx, id: Uuid, plugin: &NewPlugin<'_>) -> Result<(), PluginStoreError> {
    let held: Vec<(String, String)> =
        sqlx::query_as("delete from ai.plugin_tools where plugin_id = $1 returning definition ->> 'name', name")
            .bind(id)
            .fetch_all(&mut **tx)
            .await?;
    let held: HashMap<_, _> = held.into_iter().collect();
    for (position, (own, definition)) in plugin.tools.iter().enumerate() {
        let name = free_name(tx, plugin, own, held.get(own)).await?;
        insert(tx, id, position, &name, definition).await?;
    }
    Ok(())
}

/// The name by which a tool will be called: the one that it had, its own one where nobody has it, or its full one. A tool that
/// comes with the host has its own name or none, because agents and apps know it by that.
async fn free_name(
    tx: &mut HostTx,
    plugin: &NewPlugin<'_>,
    own: &str,
    held: Option<&String>,
) -> Result<String, PluginStoreError> {
    let full = full_name(plugin.name, own);
    if let Some(owner) = owner(tx, &full).await? {
        return Err(PluginStoreError::ToolTaken { name: full, owner });
    }
    if held == Some(&full) {
        return Ok(full);
    }
    match owner(tx, own).await? {
        None => Ok(own.to_owned()),
        Some(owner) if plugin.bundled || full.len() > MAX_NAME_CHARS => {
            Err(PluginStoreError::ToolTaken { name: own.to_owned(), owner })
        }
        Some(_) => Ok(full),
    }
}

/// Who has a name, short or full.
async fn owner(tx: &mut HostTx, name: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select ai.tool_owner($1)").bind(name).fetch_one(&mut **tx).await
}

async fn insert(
    tx: &mut HostTx,
    plugin: Uuid,
    position: usize,
    name: &str,
    definition: &Json,
) -> Result<(), PluginStoreError> {
    sqlx::query("insert into ai.plugin_tools (name, plugin_id, position, definition) values ($1, $2, $3, $4)")
        .bind(name)
        .bind(plugin)
        .bind(i32::try_from(position).unwrap_or(i32::MAX))
        .bind(definition)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
