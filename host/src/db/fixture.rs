//! Rows that are looked at, changed and put back, as the owner of a database that was made for a check of a plugin. `serve`
//! has no such connection.

use sqlx::{Connection, PgConnection, Row};
use tokio::sync::Mutex;

use super::migrate::MigrateError;

/// The functions that do it. They live in a schema of their own while a check runs.
const FUNCTIONS: &str = include_str!("fixture.sql");

/// The rows of a database that was made for this.
#[derive(Debug)]
pub struct Fixture {
    owner: Mutex<PgConnection>,
}

impl Fixture {
    /// Looks at the database of this owner.
    pub async fn open(owner: &str) -> Result<Self, MigrateError> {
        super::migrate::run_script(owner, FUNCTIONS).await?;
        Ok(Self { owner: Mutex::new(PgConnection::connect(owner).await?) })
    }

    /// A table with rows that belong to neither of these users.
    pub async fn strangers(&self, users: [&str; 2]) -> Result<Option<String>, sqlx::Error> {
        let mut owner = self.owner.lock().await;
        let [alice, bob] = users;
        let query = sqlx::query("select behalf_check.strangers($1, $2)").bind(alice).bind(bob);
        query.fetch_one(&mut *owner).await?.try_get(0)
    }

    /// Remembers all rows as they are now.
    pub async fn save(&self) -> Result<(), sqlx::Error> {
        self.run("select behalf_check.save()").await
    }

    /// All rows, by table.
    pub async fn rows(&self) -> Result<serde_json::Value, sqlx::Error> {
        let mut owner = self.owner.lock().await;
        sqlx::query("select behalf_check.rows()").fetch_one(&mut *owner).await?.try_get(0)
    }

    /// Puts all rows back to what was remembered.
    pub async fn restore(&self) -> Result<(), sqlx::Error> {
        self.run("select behalf_check.restore()").await
    }

    /// Deletes rows that hold a user's id or mark.
    pub async fn forget(&self, subject: &str, mark: &str) -> Result<(), sqlx::Error> {
        let mut owner = self.owner.lock().await;
        let query = sqlx::query("select behalf_check.forget($1, $2)").bind(subject).bind(mark);
        query.execute(&mut *owner).await.map(drop)
    }

    /// Takes rights to a table from the roles of callers.
    pub async fn deny(&self, table: &str, verbs: &[&str]) -> Result<(), sqlx::Error> {
        let mut owner = self.owner.lock().await;
        let query = sqlx::query("select behalf_check.deny($1, $2)").bind(table).bind(verbs);
        query.execute(&mut *owner).await.map(drop)
    }

    /// Gives back what was taken.
    pub async fn allow(&self) -> Result<(), sqlx::Error> {
        self.run("select behalf_check.allow()").await
    }

    /// Whether a tool's transaction is open.
    pub async fn is_busy(&self) -> Result<bool, sqlx::Error> {
        const BUSY: &str = "select exists (select from pg_catalog.pg_stat_activity where datname = current_database()
            and usename like 'behalf\\_tool\\_%' and xact_start is not null)";
        let mut owner = self.owner.lock().await;
        sqlx::query(BUSY).fetch_one(&mut *owner).await?.try_get(0)
    }

    /// Takes away what was made to look at the rows.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        let mut owner = self.owner.into_inner();
        sqlx::query("drop schema behalf_check cascade").execute(&mut owner).await?;
        owner.close().await
    }

    async fn run(&self, statement: &'static str) -> Result<(), sqlx::Error> {
        let mut owner = self.owner.lock().await;
        sqlx::query(statement).execute(&mut *owner).await.map(drop)
    }
}
