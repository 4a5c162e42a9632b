-- What the author of a tool needs of statements that failed, and grants as they are written now.

alter table ai.tool_call_texts add column failed_statements jsonb not null default '[]';
comment on column ai.tool_call_texts.failed_statements is
    'Statements that failed or were refused: text, code, SQLSTATE, message, hint, line, column, and what to change.';

-- Grants of the database name their schemas. Without them, nothing was granted but statements without a table.
update ai.plugins set grants = jsonb_set(grants, '{database,schemas}', '[]')
    where jsonb_typeof(grants -> 'database') = 'object' and not grants -> 'database' ? 'schemas';
