-- The HTTP interface: idempotency keys, so that a client can repeat a request without repeating its effect.

create table ai.idempotency_keys (
    scope bytea primary key check (octet_length(scope) = 32),
    fingerprint bytea not null,
    claim uuid not null,
    lease_until timestamptz not null,
    run_id text,
    status smallint,
    content_type text,
    body bytea,
    created_at timestamptz not null default now()
);
comment on table ai.idempotency_keys is 'What requests with an Idempotency-Key began or were answered; kept for 24 hours.';
comment on column ai.idempotency_keys.scope is 'SHA-256 of caller, method, path and key: another caller''s key is another row.';
comment on column ai.idempotency_keys.fingerprint is 'SHA-256 of the request''s body. The same key with another body is refused.';
comment on column ai.idempotency_keys.claim is 'A random id of the request that works under the key; no other may store the answer.';
comment on column ai.idempotency_keys.lease_until is 'A claim whose host died before it began anything is free again after this.';
comment on column ai.idempotency_keys.run_id is 'The run that the request began; a repeated request gets this run.';
comment on column ai.idempotency_keys.status is 'With `content_type` and `body` the answer to a request that began no run.';
create index on ai.idempotency_keys (created_at);

alter table ai.idempotency_keys enable row level security;
create policy host_manages on ai.idempotency_keys to behalf_host using (true) with check (true);
grant select, insert, update, delete on ai.idempotency_keys to behalf_host;
