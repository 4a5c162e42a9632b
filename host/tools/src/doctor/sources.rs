//! Reads everything that an operator set up for tools and that may hold a secret.

use behalf_caller_db::doctor::connect;
use serde_json::Value as Json;
use sqlx::{Connection, FromRow};

/// Something that an operator set up for tools and that may hold a secret. It does not print its settings.
#[derive(Clone, FromRow)]
pub(super) struct ToolSource {
    /// `tool`, `mcp server`, `plugin`, `plugin tool` or `assignment`.
    pub(super) kind: String,
    /// Its path in the API.
    pub(super) path: String,
    /// Its name.
    pub(super) name: String,
    /// Its address, where it has one.
    pub(super) address: Option<String>,
    /// Static headers, a JSON object.
    pub(super) headers: Json,
    /// Its settings.
    pub(super) settings: Json,
    /// JSON Schema of its arguments.
    pub(super) schema: Json,
}

impl std::fmt::Debug for ToolSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolSource").field("kind", &self.kind).field("name", &self.name).finish_non_exhaustive()
    }
}

const ALL: &str = "
    select 'tool' as kind, '/api/tools/' || id as path, name, config ->> 'endpoint' as address,
        coalesce(config -> 'headers', '{}') as headers, config - 'headers' - 'endpoint' as settings, input_schema as schema
    from ai.tools
    union all
    select 'mcp server', '/api/agents/' || agent_id || '/mcp-servers/' || id, name, url, headers, config, '{}'
    from ai.agent_mcp_servers
    union all
    select 'plugin', '/api/plugins/' || id, name, null, '{}', settings, '{}' from ai.plugins
    union all
    select 'plugin tool', '/api/plugins/' || plugin_id, name, null, '{}', '{}', coalesce(definition -> 'inputSchema', '{}')
    from ai.plugin_tools
    union all
    select 'assignment', '/api/agents/' || agent_id || '/tools/' || id, tool_name, null, '{}', config_override, '{}'
    from ai.agent_tools
    order by 1 desc, 3";

/// Reads everything that was set up for tools, as the owner or as the host.
pub(super) async fn tool_sources(address: &str) -> Result<Vec<ToolSource>, sqlx::Error> {
    let mut conn = connect(address).await?;
    let sources = sqlx::query_as(ALL).persistent(false).fetch_all(&mut conn).await?;
    conn.close().await.ok();
    Ok(sources)
}
