//! Which database of a cluster owns a set of logins. Logins belong to the whole cluster, so a second `behalf migrate` with the
//! same names would change the first database's passwords. A comment on the host's login names the owner.

use sqlx::{Connection, PgConnection, Row};

use crate::logins::LoginNames;
use crate::migrate::{MigrateError, run_text};

/// How the comment begins; migrations recognize the logins of other databases by it.
const MARK: &str = "behalf: logins of database ";

/// A database: its id, its cluster's id (empty where it cannot be read), and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    database: String,
    cluster: String,
    name: String,
}

impl Place {
    fn mark(&self) -> String {
        format!("{MARK}{} in cluster {}: {}", self.database, self.cluster, self.name)
    }

    fn parse(mark: &str) -> Option<Self> {
        let (database, rest) = mark.strip_prefix(MARK)?.split_once(" in cluster ")?;
        let (cluster, name) = rest.split_once(": ")?;
        Some(Self { database: database.to_owned(), cluster: cluster.to_owned(), name: name.to_owned() })
    }
}

/// What is known about the owner of the logins.
#[derive(Clone, Debug, Default)]
struct Known {
    /// The owner that the comment names.
    marked: Option<Place>,
    /// Whether the cluster still has a database of that id.
    lives: bool,
    /// Other databases whose grants name the logins.
    named_by: Vec<String>,
}

/// Who owns the logins, if it is not this database.
fn other_owner(here: &Place, known: &Known) -> Option<String> {
    // A cluster that was upgraded or restored has the comments of the earlier one, but its logins are its own.
    let is_of_this_cluster =
        |owner: &&Place| owner.cluster.is_empty() || here.cluster.is_empty() || owner.cluster == here.cluster;
    match known.marked.as_ref().filter(is_of_this_cluster) {
        Some(owner) if owner.database == here.database || !known.lives => None,
        Some(owner) => Some(format!("the database {}", owner.name)),
        None if known.named_by.is_empty() => None,
        None => Some(format!("the database {}", known.named_by.join(", "))),
    }
}

/// Makes this database the owner of the logins, or fails without having changed anything.
pub(crate) async fn claim(conn: &mut PgConnection, names: &LoginNames, take_over: bool) -> Result<(), MigrateError> {
    let here = here(conn).await?;
    let mut tx = conn.begin().await?;
    let host = names.host();
    let exists: bool = sqlx::query("select exists (select from pg_roles where rolname = $1)")
        .bind(&host)
        .fetch_one(&mut *tx)
        .await?
        .try_get(0)?;
    // This writes the role's row before the comment is read: of two databases that claim at once, the second fails or sees the
    // comment of the first.
    let write = if exists { "alter" } else { "create" };
    run_text(&mut tx, format!("{write} role {host} login noinherit")).await?;
    let known = known(&mut tx, &host).await?;
    if let Some(owner) = other_owner(&here, &known).filter(|_| !take_over) {
        return Err(MigrateError::LoginsTaken { host, owner, database: here.name });
    }
    let statement: String = sqlx::query("select format('comment on role %I is %L', $1::text, $2::text)")
        .bind(&host)
        .bind(here.mark())
        .fetch_one(&mut *tx)
        .await?
        .try_get(0)?;
    run_text(&mut tx, statement).await?;
    tx.commit().await?;
    Ok(())
}

/// Fails where the logins belong to another database. It changes nothing, so it comes before what the owner lacks is said: that would be
/// rights on the logins of the other database.
pub(crate) async fn refuse_taken(
    conn: &mut PgConnection,
    names: &LoginNames,
    take_over: bool,
) -> Result<(), MigrateError> {
    let (here, host) = (here(conn).await?, names.host());
    let known = known(conn, &host).await?;
    match other_owner(&here, &known).filter(|_| !take_over) {
        Some(owner) => Err(MigrateError::LoginsTaken { host, owner, database: here.name }),
        None => Ok(()),
    }
}

/// Takes the mark away from logins that this database uses no longer.
pub(crate) async fn release(conn: &mut PgConnection, names: &LoginNames) -> Result<(), MigrateError> {
    let here = here(conn).await?;
    let known = known(conn, &names.host()).await?;
    if known.marked.is_some_and(|owner| owner.database == here.database && owner.cluster == here.cluster) {
        run_text(conn, format!("comment on role {} is null", names.host())).await?;
    }
    Ok(())
}

async fn here(conn: &mut PgConnection) -> Result<Place, MigrateError> {
    // Some platforms do not show the cluster's id; then databases of other clusters are not told apart.
    let cluster = sqlx::query("select system_identifier::text from pg_control_system()").fetch_one(&mut *conn).await;
    let cluster = cluster.and_then(|row| row.try_get(0)).unwrap_or_default();
    let row = sqlx::query("select oid::text, datname::text from pg_database where datname = current_database()")
        .fetch_one(conn)
        .await?;
    Ok(Place { database: row.try_get(0)?, cluster, name: row.try_get(1)? })
}

async fn known(conn: &mut PgConnection, host: &str) -> Result<Known, MigrateError> {
    let row = sqlx::query(
        "select shobj_description(r.oid, 'pg_authid'),
             array(select distinct d.datname::text from pg_shdepend s join pg_database d on d.oid = s.dbid
                   where s.refclassid = 'pg_authid'::regclass and s.refobjid = r.oid and d.datname <> current_database()
                   order by 1)
         from pg_roles r where r.rolname = $1",
    )
    .bind(host)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(Known::default()) };
    let marked = row.try_get::<Option<String>, _>(0)?.as_deref().and_then(Place::parse);
    let lives = match &marked {
        Some(owner) => sqlx::query("select exists (select from pg_database where oid::text = $1)")
            .bind(&owner.database)
            .fetch_one(conn)
            .await?
            .try_get(0)?,
        None => false,
    };
    Ok(Known { marked, lives, named_by: row.try_get(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(database: &str, cluster: &str) -> Place {
        Place { database: database.to_owned(), cluster: cluster.to_owned(), name: format!("db{database}") }
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let odd = Place { name: "a: b in cluster c".to_owned(), ..place("7", "9") };
        assert_eq!(Place::parse(&odd.mark()), Some(odd));
        assert_eq!(Place::parse("the host's login"), None);
    }

    #[test]
    fn only_the_owner_and_the_heir_of_a_dropped_database_may_use_the_logins() {
        let here = place("7", "9");
        let known = |marked: Option<Place>, lives| Known { marked, lives, named_by: Vec::new() };
        assert_eq!(other_owner(&here, &known(None, false)), None);
        assert_eq!(other_owner(&here, &known(Some(place("7", "9")), true)), None);
        assert_eq!(other_owner(&here, &known(Some(place("8", "9")), false)), None);
        assert_eq!(other_owner(&here, &known(Some(place("8", "9")), true)).as_deref(), Some("the database db8"));
        assert_eq!(
            other_owner(&here, &known(Some(place("8", "5")), true)),
            None,
            "the mark of a cluster that was upgraded"
        );
        let unmarked = Known { named_by: vec!["app".to_owned()], ..Known::default() };
        assert_eq!(other_owner(&here, &unmarked).as_deref(), Some("the database app"));
    }
}
