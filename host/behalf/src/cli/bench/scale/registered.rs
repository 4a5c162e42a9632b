//! The tools that are registered for the measurement.

use behalf_host_db::run_script;

/// Tools, as an operator with very many has them. One half are custom tools: endpoints of services that exist, of which
/// the host keeps a description and an address. The other half are tools of plugins, each plugin with one tool. All of
/// these plugins have the same component, the one of the empty tool: a host compiles a component once, however many
/// plugins have it, but it reads and links it for each of them at its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registered {
    /// Plugins with one tool each.
    pub(super) plugins: u32,
    /// Custom tools.
    pub(super) custom: u32,
}

impl Registered {
    /// So many tools, halved.
    pub(super) fn of(tools: u32) -> Self {
        Self { plugins: tools - tools / 2, custom: tools / 2 }
    }

    /// The tools of both kinds.
    pub(super) fn count(self) -> usize {
        usize::try_from(self.plugins + self.custom).unwrap_or(usize::MAX)
    }

    /// Writes their rows, as the owner of the database, beside those of the plugins that come with the host. Hosts that
    /// run hear of the change. The tools have definitions as any other; only their names differ.
    pub(super) async fn insert(self, owner: &str) -> anyhow::Result<()> {
        let Self { plugins, custom } = self;
        let script = format!(
            "insert into ai.plugins (name, version, digest, grants, grants_decided, asked, imports)
                 select 'scale-' || n, p.version, p.digest, p.grants, true, p.asked, p.imports
                 from ai.plugins p, generate_series(1, {plugins}) n where p.name = 'echo';
             insert into ai.plugin_tools (name, plugin_id, position, definition)
                 select 'scale_' || n, p.id, 0, jsonb_set(t.definition, '{{name}}', to_jsonb('scale_' || n))
                 from generate_series(1, {plugins}) n
                 join ai.plugins p on p.name = 'scale-' || n
                 join ai.plugin_tools t on t.name = 'empty';
             insert into ai.tools (name, description, type, input_schema, config)
                 select 'scale-custom-' || n, t.definition ->> 'description', 'http', t.definition -> 'inputSchema',
                     '{{\"endpoint\": \"https://tools.example/call\"}}'
                 from generate_series(1, {custom}) n join ai.plugin_tools t on t.name = 'empty';
             analyze ai.plugins, ai.plugin_tools, ai.tools;"
        );
        Ok(run_script(owner, &script).await?)
    }
}
