-- Names of tools belong to their plugins: a tool is called by its own name where that was free when its plugin came, and by
-- `plugin__tool` otherwise. That full name means this tool and no other, whoever has the short one.

comment on table ai.plugin_tools is 'The tools of each plugin. The name is the key: no two tools are called by the same one.';
comment on column ai.plugin_tools.name is
    'The name that callers and models use: the tool''s own one, which its definition has, or its full one, `plugin__tool`.';
alter table ai.plugin_tools drop constraint plugin_tools_name_check;
alter table ai.plugin_tools add constraint plugin_tools_name_check
    check (name ~ '^([a-z][a-z0-9-]{0,63}__)?[a-z][a-z0-9_]{0,63}$' and char_length(name) <= 64);

-- Who is called by this name, or has it as a full name; null where nobody has it. Names of plugins have no underscore, so the first
-- two of a full name end the plugin's.
create function ai.tool_owner(wanted text) returns text
language sql stable set search_path = '' as $$
    select owner from (
        select 'plugin ' || p.name as owner from ai.plugin_tools t join ai.plugins p on p.id = t.plugin_id where t.name = wanted
        union all
        select 'plugin ' || p.name from ai.plugins p join ai.plugin_tools t on t.plugin_id = p.id
            where p.name = split_part(wanted, '__', 1) and p.name || '__' || (t.definition ->> 'name') = wanted
        union all
        select 'a custom tool' from ai.tools c where c.name = wanted) owners limit 1
$$;
comment on function ai.tool_owner(text) is 'Who has a name of a tool, short or full: a plugin or a custom tool. Null where nobody has it.';
revoke all on function ai.tool_owner(text) from public;
grant execute on function ai.tool_owner(text) to service_role, behalf_host;

-- As before, and of full names as well. The hint says who has the name.
create or replace function ai.check_tool_name_is_unique() returns trigger
language plpgsql as $$
declare
    owner text;
begin
    perform from ai.registry_version for update;
    if tg_table_name = 'tools' then
        -- Of two custom tools the table's own index knows.
        owner := nullif(ai.tool_owner(new.name), 'a custom tool');
    elsif exists (select from ai.tools c where c.name = new.name) then
        owner := 'a custom tool';
    end if;
    if owner is not null then
        raise unique_violation using message = format('a tool named %L exists already', new.name), hint = owner;
    end if;
    return new;
end
$$;

alter table ai.agent_tools add column full_name text check (char_length(full_name) <= 200);
comment on column ai.agent_tools.full_name is
    'The full name of a plugin''s tool, `plugin__tool`: the agent gets this tool, also where another one has its short name. Null for other tools.';
update ai.agent_tools a set full_name = p.name || '__' || (t.definition ->> 'name')
    from ai.plugin_tools t join ai.plugins p on p.id = t.plugin_id
    where t.name = a.tool_name and a.tool_type in ('builtin', 'wasm') and a.callee_id is null;
