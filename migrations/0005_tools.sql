-- Tools: plugins with their tools, custom HTTP tools, and the public keys of the assertions that tell a tool's server who
-- calls. MCP servers belong to an agent; their table is in 0006_agents.sql.
--
-- The service role manages all of this. End users have no rights here.

-- The version of the registry ---------------------------------------------------------------------------------------

create table ai.registry_version (
    only_row boolean primary key default true check (only_row),
    version bigint not null default 1
);
comment on table ai.registry_version is
    'One number that each change of plugins or custom tools raises. Hosts keep all tools in memory and reload them when it changes.';
comment on column ai.registry_version.only_row is 'Always true: as the primary key it allows one row only.';

insert into ai.registry_version default values on conflict do nothing;

alter table ai.registry_version enable row level security;
create policy host_manages on ai.registry_version to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.registry_version to service_role, behalf_host;

-- NOTIFY makes other hosts reload at once. It carries no data, and it may get lost: hosts read the number every two seconds
-- anyway.
create function ai.bump_registry_version() returns trigger
language plpgsql as $$
begin
    update ai.registry_version set version = version + 1;
    notify behalf_registry;
    return null;
end
$$;
grant execute on function ai.bump_registry_version() to service_role, behalf_host;

-- Plugins -----------------------------------------------------------------------------------------------------------

create table ai.component (
    digest bytea primary key check (octet_length(digest) = 32),
    bytes bytea not null,
    created_at timestamptz not null default now()
);
comment on table ai.component is 'WebAssembly components by SHA-256 of their bytes; never native code.';

alter table ai.component enable row level security;
create policy host_manages on ai.component to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.component to service_role, behalf_host;

create table ai.plugins (
    id uuid primary key default gen_random_uuid(),
    name text not null unique check (name ~ '^[a-z][a-z0-9-]{0,63}$'),
    version text not null,
    digest bytea not null references ai.component (digest),
    enabled boolean not null default true,
    bundled boolean not null default false,
    signature jsonb,
    signer text,
    grants jsonb not null default '{}',
    grants_decided boolean not null default false,
    asked jsonb not null default '{}',
    requested jsonb,
    settings jsonb not null default '{}',
    imports jsonb not null default '[]',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint signer_needs_signature check (signer is null or signature is not null)
);
comment on table ai.plugins is 'The registered plugins. A new version replaces the old one and keeps its id and settings.';
comment on column ai.plugins.bundled is 'Whether the plugin came with the host.';
-- The signature is kept whole, because each host verifies it again when it loads the plugin, with the keys that it trusts at
-- that time.
comment on column ai.plugins.signature is 'DSSE envelope over name, version, digest of the component and grants, as it was uploaded.';
comment on column ai.plugins.signer is 'SHA-256 of the public key that made the signature, where the host trusted it at the upload.';
comment on column ai.plugins.grants is 'What the plugin may reach. The host links only the interfaces that are granted.';
comment on column ai.plugins.grants_decided is 'Whether an operator set the grants. A new version never widens them then.';
comment on column ai.plugins.asked is 'The grants that this version came with.';
comment on column ai.plugins.requested is 'What this version asks for beyond its grants, until an operator sets them; null for nothing.';
comment on column ai.plugins.settings is 'Values that the operator gives to the plugin.';
comment on column ai.plugins.imports is 'The interfaces that the component imports.';

create trigger registry_changed after insert or update or delete on ai.plugins
    for each statement execute function ai.bump_registry_version();

alter table ai.plugins enable row level security;
create policy host_manages on ai.plugins to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.plugins to service_role, behalf_host;

create table ai.removed_plugins (
    name text primary key,
    removed_at timestamptz not null default now()
);
comment on table ai.removed_plugins is 'Plugins of the host''s own that an operator deleted. A host that starts does not register them again.';

alter table ai.removed_plugins enable row level security;
create policy host_manages on ai.removed_plugins to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.removed_plugins to service_role, behalf_host;

create table ai.plugin_tools (
    name text primary key check (name ~ '^[a-z][a-z0-9_]{0,63}$'),
    plugin_id uuid not null references ai.plugins (id) on delete cascade,
    position integer not null,
    definition jsonb not null
);
comment on table ai.plugin_tools is 'The tools of each plugin. The name is the key: two plugins cannot have a tool of the same name.';
comment on column ai.plugin_tools.position is 'The tool''s place in the list that the component gave.';
comment on column ai.plugin_tools.definition is 'Name, description and schemas, as the component gave them.';
create index on ai.plugin_tools (plugin_id);

create trigger registry_changed after insert or update or delete on ai.plugin_tools
    for each statement execute function ai.bump_registry_version();

alter table ai.plugin_tools enable row level security;
create policy host_manages on ai.plugin_tools to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.plugin_tools to service_role, behalf_host;

-- Custom tools ------------------------------------------------------------------------------------------------------

create table ai.tools (
    id uuid primary key default gen_random_uuid(),
    name text not null unique check (name ~ '^[a-zA-Z][a-zA-Z0-9_-]{0,63}$'),
    description text not null,
    type text not null,
    input_schema jsonb not null,
    config jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table ai.tools is 'Custom tools: HTTP endpoints that an operator describes and the host calls.';
comment on column ai.tools.type is 'What the operator calls this kind of tool; free text.';
comment on column ai.tools.config is 'Where and how the endpoint is called. It may hold secrets.';

create trigger registry_changed after insert or update or delete on ai.tools
    for each statement execute function ai.bump_registry_version();

alter table ai.tools enable row level security;
create policy host_manages on ai.tools to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.tools to service_role, behalf_host;

-- A model calls a tool by its name, so a name must be unique over both tables; a unique constraint sees one table only. Two
-- transactions that do not see each other's rows could both find a name free. The row lock makes one wait for the other.
create function ai.check_tool_name_is_unique() returns trigger
language plpgsql as $$
begin
    perform from ai.registry_version for update;
    if (tg_table_name = 'tools' and exists (select from ai.plugin_tools t where t.name = new.name))
        or (tg_table_name = 'plugin_tools' and exists (select from ai.tools t where t.name = new.name)) then
        raise unique_violation using message = format('a tool named %L exists already', new.name);
    end if;
    return new;
end
$$;
grant execute on function ai.check_tool_name_is_unique() to service_role, behalf_host;

create trigger tool_name_is_unique before insert or update of name on ai.tools
    for each row execute function ai.check_tool_name_is_unique();
create trigger tool_name_is_unique before insert or update of name on ai.plugin_tools
    for each row execute function ai.check_tool_name_is_unique();

-- Keys of assertions ------------------------------------------------------------------------------------------------

create table ai.assertion_keys (
    kid text primary key,
    jwk jsonb not null,
    expires_at timestamptz not null,
    signs_from timestamptz not null
);
comment on table ai.assertion_keys is
    'Public halves of the keys that hosts sign assertions with. Each host makes its own and renews its row; private halves are never stored.';
comment on column ai.assertion_keys.expires_at is 'The host renews this while it lives. After it the key is no longer published.';
comment on column ai.assertion_keys.signs_from is
    'From when the host signs with the key: when no server can have a copy of the key set without it.';

alter table ai.assertion_keys enable row level security;
create policy host_manages on ai.assertion_keys to behalf_host using (true) with check (true);
grant select on ai.assertion_keys to service_role;
grant select, insert, update, delete on ai.assertion_keys to behalf_host;
