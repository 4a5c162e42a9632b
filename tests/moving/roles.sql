-- The roles of a project's server. A superuser runs this.

create role postgres login createrole createdb replication bypassrls password 'project';
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit password 'project';
grant anon, authenticated, service_role to authenticator;
create role supabase_admin login superuser createrole createdb replication bypassrls password 'project';
create role supabase_auth_admin login noinherit createrole password 'project';
create role supabase_storage_admin login noinherit createrole password 'project';
create role supabase_realtime_admin nologin noinherit;
create role supabase_replication_admin login replication password 'project';
create role supabase_read_only_user login bypassrls password 'project';
create role dashboard_user nologin createrole createdb replication;
grant anon, authenticated, service_role to supabase_storage_admin;
grant anon, authenticated, service_role, supabase_realtime_admin to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;
grant pg_read_all_data to supabase_read_only_user;

alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, auth, extensions;
alter role supabase_auth_admin set search_path = auth;
alter role supabase_storage_admin set search_path = storage;
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
