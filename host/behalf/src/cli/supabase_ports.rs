//! `behalf dev --supabase-ports`: the addresses, keys and database of the Supabase CLI. Everybody knows them, so they are for this
//! machine alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, bail, ensure};
use behalf_config::{DEFAULT_BIND, Secret, Settings};
use behalf_host_db::run_script;
use behalf_toolchain::DevEnv;
use url::{Host, Url};

/// Where the CLI's gateway listens.
const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 54321);
/// The CLI's database.
const DATABASE: &str = "postgres";
/// The secret of the CLI's projects.
const JWT_SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
/// The key with the role `anon` that this secret signed. Programs that are written for the CLI contain its very text.
const ANON_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24iLCJleHAiOjE5ODM4MTI5OTZ9.CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0";
/// The key with the role `service_role`.
const SERVICE_ROLE_KEY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6InNlcnZpY2Vfcm9sZSIsImV4cCI6MTk4MzgxMjk5Nn0.EGIM96RAZx35lJzdJsyH-qQwv8Hdp7fsn3W0YpN81IU";

/// What migrations of an app find in a project of the CLI, as far as this database does not have it. The owner runs it, and may again.
const PROJECT: &str = r#"
do $do$ begin
    if not exists (select from pg_roles r where r.rolname = 'postgres') then create role postgres; end if;
    if not exists (select from pg_roles r where r.rolname = 'authenticator') then create role authenticator noinherit; end if;
end $do$;
alter role postgres with login superuser password 'postgres';
create schema if not exists extensions;
grant usage on schema extensions to anon, authenticated, service_role;
alter role postgres set search_path = "$user", public, extensions;
alter default privileges for role postgres in schema public
    grant select, insert, update, delete on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public grant usage on sequences to anon, authenticated, service_role;
"#;

/// Chooses the CLI's address and keys. Fails where somebody else could reach the host, and where other keys are set or kept already.
pub(super) fn choose(settings: &mut Settings) -> anyhow::Result<()> {
    ensure!(
        settings.bind.ip().is_loopback(),
        "--supabase-ports is for this machine alone, because everybody knows the keys of the Supabase CLI; BEHALF_BIND is {}, so unset it",
        settings.bind
    );
    if let Some(address) = settings.public_url.as_deref().filter(|address| !is_here(address)) {
        bail!(
            "--supabase-ports is for this machine alone, because everybody knows the keys of the Supabase CLI; BEHALF_PUBLIC_URL is {address}, so unset it"
        );
    }
    if settings.bind == DEFAULT_BIND {
        settings.bind = ADDRESS;
    }
    for (name, setting, key) in [
        ("JWT_SECRET", &mut settings.jwt_secret, JWT_SECRET),
        ("ANON_KEY", &mut settings.anon_key, ANON_KEY),
        ("SERVICE_ROLE_KEY", &mut settings.service_role_key, SERVICE_ROLE_KEY),
    ] {
        let set = setting.get_or_insert_with(|| Secret::new(key.to_owned()));
        ensure!(
            set.expose() == key,
            "--supabase-ports uses the keys of the Supabase CLI; unset BEHALF_{name}, which is another"
        );
    }
    if let Some(kept) = kept(settings)? {
        ensure!(
            is_cli(&kept),
            "{} has a database with keys of its own, which --supabase-ports would replace; name another folder with BEHALF_STATE_DIR",
            settings.state_dir.display()
        );
    }
    Ok(())
}

/// Refuses to start without the option in a folder that has the CLI's keys: the host would serve with keys that everybody knows, and
/// with another database.
pub(super) fn refuse_its_state(settings: &Settings) -> anyhow::Result<()> {
    if settings.jwt_secret.is_none() && kept(settings)?.is_some_and(|kept| is_cli(&kept)) {
        bail!(
            "{} has the keys of the Supabase CLI, which everybody knows; start with --supabase-ports, or name another folder with BEHALF_STATE_DIR",
            settings.state_dir.display()
        );
    }
    Ok(())
}

/// Where Postgres listens: at the port after that of the host, as the CLI's does.
pub(super) fn postgres_port(settings: &Settings) -> Option<u16> {
    settings.bind.port().checked_add(1).filter(|port| *port > 1)
}

/// What an earlier start left in the state folder.
fn kept(settings: &Settings) -> anyhow::Result<Option<DevEnv>> {
    let is_there = settings.state_dir.join("dev.env").exists();
    is_there.then(|| DevEnv::read(&settings.state_dir)).transpose()
}

fn is_cli(env: &DevEnv) -> bool {
    env.jwt_secret == JWT_SECRET
}

/// Whether an address names this machine and no other.
fn is_here(address: &str) -> bool {
    match Url::parse(address).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The same login in the CLI's database.
pub(super) fn in_its_database(address: &str) -> anyhow::Result<String> {
    let mut url = Url::parse(address).context("the database's address")?;
    url.set_path(DATABASE);
    Ok(url.into())
}

/// Makes the CLI's login and what its migrations expect.
pub(super) async fn prepare(owner: &str) -> anyhow::Result<()> {
    run_script(owner, PROJECT).await.context("cannot make the roles of a Supabase project")
}

/// Says where the database is, whose owner has this address.
pub(super) fn tell(owner: &str) -> anyhow::Result<()> {
    let port =
        Url::parse(owner).context("the database's address")?.port().context("the database's address has no port")?;
    println!("Postgres is at postgresql://postgres:postgres@127.0.0.1:{port}/{DATABASE}.");
    println!("Everybody knows this password and these keys: they are for this machine alone.\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_are_those_of_the_cli_unless_another_is_set() {
        for (set, bind, postgres) in [
            (None, "127.0.0.1:54321", Some(54322)),
            (Some("127.0.0.1:6000"), "127.0.0.1:6000", Some(6001)),
            (Some("[::1]:6000"), "[::1]:6000", Some(6001)),
            (Some("127.0.0.1:0"), "127.0.0.1:0", None),
            (Some("127.0.0.1:65535"), "127.0.0.1:65535", None),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let state = ("state_dir", folder.path().to_string_lossy().into_owned());
            let pairs = set.map(|bind| ("bind", bind.to_owned())).into_iter().chain([state]);
            let mut settings = Settings::from_pairs(pairs).unwrap();
            choose(&mut settings).unwrap();
            assert_eq!((settings.bind.to_string().as_str(), postgres_port(&settings)), (bind, postgres));
        }
    }

    #[test]
    fn an_address_is_here_if_it_names_this_machine() {
        for (address, here) in [
            ("http://localhost:54321", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:54321", true),
            ("https://agents.example.com", false),
            ("http://localhost.example.com", false),
            ("http://192.168.0.2:54321", false),
            ("localhost", false),
        ] {
            assert_eq!(is_here(address), here, "{address}");
        }
    }

    #[test]
    fn the_database_is_named_in_both_addresses() {
        let tcp = in_its_database("postgres://owner:word@127.0.0.1:54322/behalf").unwrap();
        assert_eq!(tcp, "postgres://owner:word@127.0.0.1:54322/postgres");
        let socket = in_its_database("postgres://owner:word@localhost:54322/behalf?host=%2Ftmp%2Fs").unwrap();
        assert_eq!(socket, "postgres://owner:word@localhost:54322/postgres?host=%2Ftmp%2Fs");
    }
}
