-- Precedes every check. $1 is the exposed schemas, $2 the host's login, $3 the connections the host may open, $4 the prefix of
-- the logins, $5 what `behalf migrate` left open to the API roles.
with
  -- The roles that a tool can have: the three roles, and the logins that lead to them.
  wanted (name, login, leads_to) as (
    values ('anon', false, null), ('authenticated', false, null), ('service_role', false, null),
           ($4::text || '_tool_anon', true, 'anon'), ($4 || '_tool_authenticated', true, 'authenticated'),
           ($4 || '_tool_service', true, 'service_role')),
  caller (oid, name, login) as (
    select r.oid, r.rolname::text, w.login from pg_roles r join wanted w on w.name = r.rolname),
  -- Those of them for whom policies decide which rows they see.
  person (oid, name) as (
    select c.oid, c.name from caller c where c.name not in ('service_role', $4 || '_tool_service')),
  space (oid, name) as (
    select n.oid, n.nspname::text from pg_namespace n where n.nspname = any ($1)),
  -- The role that runs this check and the owner of the database: only what one of them may revoke can be fixed here.
  fixer (oid, super) as (
    select r.oid, r.rolsuper from pg_roles r
    where r.rolname = current_user
       or r.oid = (select d.datdba from pg_database d where d.datname = current_database())),
  -- Objects that their owner decided to keep, in a place that only the owner can write: the object's comment.
  reviewed (classid, objid) as (
    select d.classoid, d.objoid from pg_description d
    where d.objsubid = 0 and d.description ~* '\mbehalf: reviewed\M'),
  part (classid, objid, extension) as (
    select d.classid, d.objid, e.extname::text
    from pg_depend d join pg_extension e on e.oid = d.refobjid
    where d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass)
