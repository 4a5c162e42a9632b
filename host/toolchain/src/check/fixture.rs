//! The rows that a plugin is checked on: read, changed and restored as the owner of a database that was made for the check.

use behalf_host_db::{MigrateError, run_script};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;
use uuid::Uuid;

/// The functions behind [`Fixture`]. They are in a schema of their own while a check runs.
const FUNCTIONS: &str = include_str!("fixture.sql");

/// The rows of a database that was made for a check.
#[derive(Debug)]
pub(super) struct Fixture {
    owner: Mutex<PgConnection>,
}

impl Fixture {
    /// Connects as this owner and creates the functions.
    pub(super) async fn open(owner: &str) -> Result<Self, MigrateError> {
        run_script(owner, FUNCTIONS).await?;
        Ok(Self { owner: Mutex::new(PgConnection::connect(owner).await?) })
    }

    /// The first table with rows that belong to neither of these users.
    pub(super) async fn table_with_foreign_rows(&self, users: [&str; 2]) -> Result<Option<String>, sqlx::Error> {
        let mut owner = self.owner.lock().await;
        let [alice, bob] = users;
        let query = sqlx::query_scalar("select behalf_check.table_with_foreign_rows($1, $2)").bind(alice).bind(bob);
        query.fetch_one(&mut *owner).await
    }

    /// Saves all rows as they are now.
    pub(super) async fn save(&self) -> Result<(), sqlx::Error> {
        self.run("select behalf_check.save()").await
    }

    /// All rows, by table.
    pub(super) async fn rows(&self) -> Result<Value, sqlx::Error> {
        let mut owner = self.owner.lock().await;
        sqlx::query_scalar("select behalf_check.rows()").fetch_one(&mut *owner).await
    }

    /// Restores the saved rows.
    pub(super) async fn restore(&self) -> Result<(), sqlx::Error> {
        self.run("select behalf_check.restore()").await
    }

    /// Deletes rows that hold a user's id or mark.
    pub(super) async fn delete_rows(&self, subject: &str, mark: &str) -> Result<(), sqlx::Error> {
        let mut owner = self.owner.lock().await;
        let query = sqlx::query("select behalf_check.delete_rows($1, $2)").bind(subject).bind(mark);
        query.execute(&mut *owner).await.map(drop)
    }

    /// Deletes what a plugin keeps in its stores: of this user and what holds their mark, or everything.
    pub(super) async fn delete_entries(&self, plugin: Uuid, of: Option<(&str, &str)>) -> Result<(), sqlx::Error> {
        const OF_PLUGIN: &str = "delete from behalf_kv.entries where plugin_id = $1
            and ($2::text is null or user_id::text = $2 or strpos(key || value, $2) > 0 or strpos(key || value, $3) > 0)";
        let mut owner = self.owner.lock().await;
        let query = sqlx::query(OF_PLUGIN).bind(plugin).bind(of.map(|(user, _)| user)).bind(of.map(|(_, mark)| mark));
        query.execute(&mut *owner).await.map(drop)
    }

    /// Revokes privileges on a table from the callers' roles.
    pub(super) async fn deny(&self, table: &str, verbs: &[&str]) -> Result<(), sqlx::Error> {
        let mut owner = self.owner.lock().await;
        let query = sqlx::query("select behalf_check.deny($1, $2)").bind(table).bind(verbs);
        query.execute(&mut *owner).await.map(drop)
    }

    /// Grants again what [`Fixture::deny`] revoked.
    pub(super) async fn allow(&self) -> Result<(), sqlx::Error> {
        self.run("select behalf_check.allow()").await
    }

    /// Whether a tool's transaction is open.
    pub(super) async fn is_busy(&self) -> Result<bool, sqlx::Error> {
        const BUSY: &str = "select exists (select from pg_catalog.pg_stat_activity where datname = current_database()
            and usename like 'behalf\\_tool\\_%' and xact_start is not null)";
        let mut owner = self.owner.lock().await;
        sqlx::query_scalar(BUSY).fetch_one(&mut *owner).await
    }

    /// Drops the functions and closes the connection.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        let mut owner = self.owner.into_inner();
        sqlx::query("drop schema behalf_check cascade").execute(&mut owner).await?;
        owner.close().await
    }

    async fn run(&self, statement: &'static str) -> Result<(), sqlx::Error> {
        let mut owner = self.owner.lock().await;
        sqlx::query(statement).execute(&mut *owner).await.map(drop)
    }
}
