-- Goes in front of every check. $1 is the exposed schemas, $2 the host's login, $3 the connections the host may open.
with
  -- Everybody a tool can be: the three roles, and the logins that lead to them.
  caller (oid, name) as (
    select r.oid, r.rolname::text from pg_roles r
    where r.rolname in ('anon', 'authenticated', 'service_role',
                        'behalf_tool_anon', 'behalf_tool_authenticated', 'behalf_tool_service')),
  -- Those of them whose rows are decided by policies.
  person (oid, name) as (
    select c.oid, c.name from caller c where c.name not in ('service_role', 'behalf_tool_service')),
  space (oid, name) as (
    select n.oid, n.nspname::text from pg_namespace n where n.nspname = any ($1)),
  -- Who runs this check, and who owns the database: what neither may revoke is somebody else's to mend.
  keeper (oid, super) as (
    select r.oid, r.rolsuper from pg_roles r
    where r.rolname = current_user
       or r.oid = (select d.datdba from pg_database d where d.datname = current_database())),
  -- An owner's decision, kept where the owner alone can write it: in the comment of the object.
  reviewed (classid, objid) as (
    select d.classoid, d.objoid from pg_description d
    where d.objsubid = 0 and d.description ~* '\mbehalf: reviewed\M'),
  part (classid, objid, extension) as (
    select d.classid, d.objid, e.extname::text
    from pg_depend d join pg_extension e on e.oid = d.refobjid
    where d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass)
