use serde_json::Value as Json;
use sqlx::{Connection, Row};

use super::connect;

/// Something that an operator set up for tools, where a secret may stand. It does not print what stands there.
#[derive(Clone)]
pub struct ToolSource {
    /// `tool`, `mcp server`, `plugin`, `plugin tool` or `assignment`.
    pub kind: String,
    /// Its path in the API.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Where it leads, if it leads anywhere.
    pub address: Option<String>,
    /// Static headers, a JSON object.
    pub headers: Json,
    /// Its settings.
    pub settings: Json,
    /// JSON Schema of its arguments.
    pub schema: Json,
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
pub async fn tool_sources(address: &str) -> Result<Vec<ToolSource>, sqlx::Error> {
    let mut conn = connect(address).await?;
    let rows = sqlx::query(ALL).persistent(false).fetch_all(&mut conn).await?;
    conn.close().await.ok();
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(ToolSource {
            kind: row.try_get("kind")?,
            path: row.try_get("path")?,
            name: row.try_get("name")?,
            address: row.try_get("address")?,
            headers: row.try_get("headers")?,
            settings: row.try_get("settings")?,
            schema: row.try_get("schema")?,
        })
    };
    rows.iter().map(read).collect()
}
