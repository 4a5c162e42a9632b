-- Secrets of plugins: values that an operator sets, and that the host adds to requests to one granted host. The plugin's grants say
-- which ones there are; this table has their values alone.

create table ai.plugin_secrets (
    plugin_id uuid not null references ai.plugins (id) on delete cascade,
    name text not null check (name ~ '^[a-z][a-z0-9_]{0,63}$'),
    host text not null check (char_length(host) <= 300),
    key_id text not null,
    nonce bytea not null check (octet_length(nonce) = 12),
    sealed bytea not null,
    last_four text,
    created_at timestamptz not null default now(),
    primary key (plugin_id, name)
);
comment on table ai.plugin_secrets is
    'AES-256-GCM under BEHALF_SECRETS_KEY, bound to plugin, name and host; the host''s alone, not the service role''s.';
comment on column ai.plugin_secrets.host is
    'The only host that the value is sent to. Grants that name another host for the secret do not get this value.';
comment on column ai.plugin_secrets.key_id is 'Which secrets key encrypted this row, so that the secrets key can be replaced.';
comment on column ai.plugin_secrets.sealed is 'The encrypted value and its authentication tag.';
comment on column ai.plugin_secrets.last_four is 'The end of the value, so that people can tell values apart; null where it is short.';

-- The service role has no grant, so that its key does not give access to the values.
alter table ai.plugin_secrets enable row level security;
create policy host_manages on ai.plugin_secrets to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.plugin_secrets to behalf_host;

create trigger audited after insert or update or delete on ai.plugin_secrets for each row execute function behalf.audit_change(
    'plugin_secret', 'plugin_id,name', 'plugin_id,name,host,last_four,key_id', '', 'sealed', '');
