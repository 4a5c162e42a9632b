-- The schema `ai`, which holds the host's own tables, and the policies that many of these tables share.
--
-- Row-level security is enabled on every table of the schema, and it applies to the host's login as well. A policy of the
-- same name has the same meaning on each table:
--
--   host_manages              The host reaches all rows. For tables that belong to no user, such as plugins.
--   owner_reads               A user reads the rows that have the user's id in `user_id`.
--   host_acts_for_owner       The host reaches a user's rows only in a transaction that carries this user's claims, or
--                             the claims of the service role.
--   delegated_sees_its_own    Restrictive. A service that acts for a user by a delegation sees only what it began itself,
--                             although its claims carry the user's id.
--
-- The first two are one line each and stand beside their tables. The other two are longer, so the procedures below create
-- them. The procedures serve these migrations only; 0008_accounts.sql uses them last and drops them.
--
-- In a policy, `auth.uid()` and its like stand in a sub-select, so that Postgres evaluates them once for each statement and not
-- for each row.
--
-- In the files that follow, what a table or a column means is said with `comment on`, so that psql shows it too (`\d+`).

create schema if not exists ai;
create extension if not exists vector;

grant usage on schema ai to authenticated, service_role, behalf_host;

create procedure behalf.create_host_acts_for_owner(tab regclass)
language plpgsql as $$
begin
    execute format($p$create policy host_acts_for_owner on %s to behalf_host
        using ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))
        with check ((select auth.role()) = 'service_role' or user_id = (select auth.uid()))$p$, tab);
end
$$;

-- The claims of a delegated caller have `act.sub = 'delegation:<id>'`. `began_by_caller` is a condition on a row. It says
-- whether this caller began the row's work; most tables have `act.sub` in `actor`.
create procedure behalf.create_delegated_sees_its_own(
    tab regclass,
    began_by_caller text default $c$actor = (select auth.jwt() -> 'act' ->> 'sub')$c$
)
language plpgsql as $$
begin
    execute format($p$create policy delegated_sees_its_own on %s as restrictive to authenticated, behalf_host
        using (coalesce((select auth.jwt() -> 'act' ->> 'sub'), '') not like 'delegation:%%' or %s)$p$, tab, began_by_caller);
end
$$;
