-- The schema `behalf_limits`: the check that bounds what costly functions of Postgres get.
--
-- Some functions, such as translate() and LIKE, take a time that grows with the product of their arguments' sizes, in code
-- that no cancel and no terminate interrupts. The SQL gate puts `behalf_limits.at_most(…)` around their arguments where it
-- cannot see a size. docs/statement-costs.md lists the functions, with measurements.

create schema if not exists behalf_limits;

-- PL/pgSQL, so that the server looks for a cancel at each call. Immutable, so that a constant is checked once and an index
-- goes on serving `column like $1 || '%'`. 54000 is `program_limit_exceeded`.
create function behalf_limits.at_most(value anyelement, bytes integer, what text) returns anyelement
language plpgsql immutable parallel safe
as $$
declare
    size integer := pg_catalog.pg_column_size(value) - 4;
begin
    -- Of a stored value that is compressed, that was the size of what is stored.
    if pg_catalog.pg_column_compression(value) is not null then
        size := pg_catalog.octet_length(value::text);
    end if;
    if size > bytes then
        raise exception using
            errcode = '54000',
            message = pg_catalog.format('%s takes at most %s bytes here, and the statement gives it %s', what, bytes, size),
            hint = 'Cut the value, or search in a smaller one.';
    end if;
    return value;
end
$$;
comment on function behalf_limits.at_most(anyelement, integer, text) is
    'Returns the value; raises an error if it has more bytes. The SQL gate calls it around arguments of costly functions.';

grant usage on schema behalf_limits to public;
grant execute on function behalf_limits.at_most(anyelement, integer, text) to public;
