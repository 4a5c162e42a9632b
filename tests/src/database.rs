//! A database per test, cloned from a template that is migrated once.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use behalf_config::environment;
use behalf_host_db::{LoginNames, MigrateError, MigrateOptions, Migrated, migrate, run_script};
use behalf_identity::Role;
use behalf_pgwire::Target;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use crate::LOGIN_PASSWORD;

/// The tables of the demo, with its rows: the tests read and write them.
const SEED: &str = include_str!("../../host/toolchain/src/demo.sql");

/// One test's own database.
#[derive(Clone, Debug)]
pub struct TestDatabase {
    /// Its name on the server.
    pub name: String,
    /// The logins that the host uses; all migrated databases share them, but for those with logins of their own.
    pub logins: LoginNames,
    server: PgConnectOptions,
    address: String,
}

impl TestDatabase {
    /// Clones the template.
    pub async fn create() -> Self {
        Self::create_on(&test_server()).await
    }

    /// The same on another server, which `url` names with its owner's login.
    pub async fn create_on(url: &str) -> Self {
        let server = PgConnectOptions::from_str(url).unwrap();
        let mut admin = server.clone().connect().await.unwrap();
        let template = template(url, &mut admin).await;
        drop_left_over(&mut admin).await;
        let name = own_name();
        run(&mut admin, &format!("create database {name} template {template}")).await;
        run(&mut admin, &format!("revoke temporary, create on database {name} from public")).await;
        run(&mut admin, &format!("alter database {name} set timezone = 'UTC'")).await;
        admin.close().await.unwrap();
        Self { name, logins: LoginNames::default(), server, address: url.to_owned() }
    }

    /// An empty database of this name on another server, whose owner's login `url` names.
    pub async fn named_on(url: &str, name: &str) -> Self {
        let server = PgConnectOptions::from_str(url).unwrap();
        run(&mut server.clone().connect().await.unwrap(), &format!("create database {name}")).await;
        Self { name: name.to_owned(), logins: LoginNames::default(), server, address: url.to_owned() }
    }

    /// A database of this name that is there on another server; `url` has its owner's login.
    pub fn existing(url: &str, name: &str) -> Self {
        let server = PgConnectOptions::from_str(url).unwrap();
        Self { name: name.to_owned(), logins: LoginNames::default(), server, address: url.to_owned() }
    }

    /// A database without anything in it.
    pub async fn empty() -> Self {
        let url = test_server();
        let server = PgConnectOptions::from_str(&url).unwrap();
        let mut admin = server.clone().connect().await.unwrap();
        let name = own_name();
        run(&mut admin, &format!("create database {name}")).await;
        Self { name, logins: LoginNames::default(), server, address: url }
    }

    /// A database without anything in it, which gets logins of its own when it is migrated.
    pub async fn with_own_logins() -> Self {
        let mut database = Self::empty().await;
        database.logins = LoginNames::new(&database.name).unwrap();
        database
    }

    /// Migrates it with its logins, as `behalf migrate` does.
    pub async fn migrate(&self, options: &MigrateOptions) -> Result<Migrated, MigrateError> {
        let options = MigrateOptions { logins: self.logins.clone(), ..options.clone() };
        let (host, tools) = (Target::parse(&self.host_url()).unwrap(), Target::parse(&self.tool_url()).unwrap());
        migrate(&self.owner_url(), &host, &tools, &options).await
    }

    /// The owner's address.
    pub fn owner_url(&self) -> String {
        self.url(None)
    }

    /// The address of the host's login.
    pub fn host_url(&self) -> String {
        self.url(Some(&self.logins.host()))
    }

    /// The address of a tool login; the host replaces the user for each role.
    pub fn tool_url(&self) -> String {
        self.url(Some(&self.logins.tool(Role::Authenticated)))
    }

    /// The address of the login that reads changes of tables.
    pub fn replication_url(&self) -> String {
        self.url(Some(&LoginNames::default().replication()))
    }

    fn url(&self, login: Option<&str>) -> String {
        address(&self.address, &self.name, login)
    }

    /// A connection as the owner, who bypasses row-level security and so sees every row.
    pub async fn owner(&self) -> PgConnection {
        self.server.clone().database(&self.name).connect().await.unwrap()
    }

    /// From now on, its owner is this login.
    pub fn log_in_as(&mut self, login: &str, password: &str) {
        let mut address: reqwest::Url = self.address.parse().unwrap();
        address.set_username(login).unwrap();
        address.set_password(Some(password)).unwrap();
        self.address = address.into();
        self.server = PgConnectOptions::from_str(&self.address).unwrap();
    }

    /// A connection as a login role: what an attacker has who got past every check of the host.
    pub async fn login(&self, login: &str) -> PgConnection {
        PgConnectOptions::from_str(&self.url(Some(login))).unwrap().connect().await.unwrap()
    }

    /// Runs statements as the owner.
    pub async fn execute(&self, sql: &str) {
        let mut owner = self.owner().await;
        run(&mut owner, sql).await;
        owner.close().await.unwrap();
    }

    /// One value, as the owner sees it.
    pub async fn value<T>(&self, sql: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let mut owner = self.owner().await;
        let value = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut owner).await.unwrap();
        owner.close().await.unwrap();
        value
    }

    /// A program of the server's own version, such as `pg_dump`.
    pub async fn program(&self, name: &str) -> PathBuf {
        let version: String = self.value("select current_setting('server_version_num')").await;
        let folders = [
            environment("BEHALF_POSTGRES_BIN").unwrap_or_default(),
            format!("/usr/lib/postgresql/{}/bin", &version[..version.len() - 4]),
        ];
        let programs = folders.map(|folder| Path::new(&folder).join(name));
        programs.into_iter().find(|path| path.exists()).unwrap_or(name.into())
    }
}

/// The server that `./dev test` started.
pub fn test_server() -> String {
    behalf_config::environment("BEHALF_TEST_DATABASE_URL")
        .expect("BEHALF_TEST_DATABASE_URL is not set: run the tests with `./dev test`")
}

fn address(server: &str, database: &str, login: Option<&str>) -> String {
    let mut url: reqwest::Url = server.parse().unwrap();
    url.set_path(database);
    if let Some(login) = login {
        url.set_username(login).unwrap();
        url.set_password(Some(LOGIN_PASSWORD)).unwrap();
    }
    url.into()
}

/// Runs several statements at once.
pub async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Makes the login that reads changes of tables. All databases of the server share it.
async fn make_replication_login(admin: &mut PgConnection) {
    let login = LoginNames::default().replication();
    let make = format!(
        "do $do$ begin
             if not exists (select from pg_roles r where r.rolname = '{login}') then create role {login}; end if;
         end $do$;
         alter role {login} with login replication noinherit password '{LOGIN_PASSWORD}'"
    );
    run(admin, &make).await;
}

/// A name that no other database has. It contains the id of this process, which is the test: nextest starts one for each.
fn own_name() -> String {
    format!("t_{:08x}{}", std::process::id(), &Uuid::new_v4().simple().to_string()[8..])
}

/// How many databases are left until those of tests that ended are dropped. Each takes about 15 MB of the disk.
const MOST_LEFT: usize = 64;

/// Drops the databases of tests that ended: a disk does not hold those of a whole run. One test of all does it at a time.
async fn drop_left_over(admin: &mut PgConnection) {
    let names: Vec<String> = sqlx::query_scalar(r"select datname from pg_database where datname ~ '^t_[0-9a-f]{32}$'")
        .fetch_all(&mut *admin)
        .await
        .unwrap();
    // A slot holds the server's log and one of few places.
    let slots: Vec<(String, String)> = sqlx::query_as(
        "select slot_name::text, database::text from pg_replication_slots where not active and database is not null",
    )
    .fetch_all(&mut *admin)
    .await
    .unwrap();
    for (slot, _) in slots.iter().filter(|(_, database)| names.contains(database) && !is_alive(database)) {
        // Another test may drop it at the same moment.
        let _ = sqlx::query("select pg_drop_replication_slot($1)").bind(slot).execute(&mut *admin).await;
    }
    if names.len() < MOST_LEFT {
        return;
    }
    let mine: bool = sqlx::query_scalar("select pg_try_advisory_lock(7308325)").fetch_one(&mut *admin).await.unwrap();
    if !mine {
        return;
    }
    for name in names.iter().filter(|name| !is_alive(name)) {
        // Another server's databases and those that a killed host still uses go later.
        let _ = sqlx::raw_sql(AssertSqlSafe(format!("drop database if exists {name} with (force)")))
            .execute(&mut *admin)
            .await;
    }
    run(admin, "select pg_advisory_unlock(7308325)").await;
}

/// Whether the process that made this database still runs.
fn is_alive(name: &str) -> bool {
    let id = i32::from_str_radix(&name[2..10], 16).ok().and_then(rustix::process::Pid::from_raw);
    id.is_none_or(|id| rustix::process::test_kill_process(id).is_ok())
}

/// The migrated database that all others are cloned from. Its name contains a hash of the migrations and the seed. Each test
/// is a process, so a lock on the server decides which of them makes it.
async fn template(server: &str, admin: &mut PgConnection) -> String {
    let mut hash = Sha256::new_with_prefix(SEED);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().for_each(|file| hash.update(std::fs::read(file).unwrap()));
    let name = format!("template_{}", &hex::encode(hash.finalize())[..12]);
    run(admin, "select pg_advisory_lock(7308324)").await;
    let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut *admin)
        .await
        .unwrap();
    if !there {
        let part = format!("{name}_part");
        run(admin, &format!("drop database if exists {part}")).await;
        run(admin, &format!("create database {part}")).await;
        let url = address(server, &part, None);
        let host = Target::parse(&address(server, &part, Some("behalf_host"))).unwrap();
        let tools = Target::parse(&address(server, &part, Some("behalf_tool_anon"))).unwrap();
        // Of several versions of the template, the newest has the logins.
        let options = MigrateOptions { take_over_logins: true, ..MigrateOptions::default() };
        migrate(&url, &host, &tools, &options).await.unwrap();
        run_script(&url, SEED).await.unwrap();
        make_replication_login(admin).await;
        run(admin, &format!("alter database {part} rename to {name}")).await;
    }
    run(admin, "select pg_advisory_unlock(7308324)").await;
    name
}
