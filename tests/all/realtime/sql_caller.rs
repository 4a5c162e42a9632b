//! A caller's session as whoever has that got past every check of the host: any SQL, on the login of the caller's role.

use behalf_identity::Role;
use behalf_tests::TestDatabase;
use behalf_tests::database::run;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

/// A role, and the user if there is one.
pub(super) type Who = (Role, Option<Uuid>);

/// What a caller may do in a channel: receive and send broadcasts, learn who is there, be there; and the codes of policies that failed.
pub(super) type Answer = (bool, bool, bool, bool, Option<String>, Option<String>);

/// All four rights, without a failure.
pub(super) const ALL: Answer = (true, true, true, true, None, None);

/// No right, without a failure.
pub(super) const NONE: Answer = (false, false, false, false, None, None);

/// Begins a transaction as the caller.
pub(super) async fn begin(database: &TestDatabase, (role, user): Who) -> PgConnection {
    let mut conn = database.login(&database.logins.tool(role)).await;
    let name = role.as_str();
    let subject = user.map_or_else(String::new, |user| format!(r#","sub":"{user}""#));
    let claims = format!(r#"{{"role":"{name}"{subject}}}"#);
    run(&mut conn, &format!("begin; set local role {name}; set local request.jwt.claims = '{claims}'")).await;
    conn
}

/// What the caller may do in the private channel of a topic, in a transaction of its own.
pub(super) async fn rights(database: &TestDatabase, who: Who, topic: &str) -> Answer {
    ask(&mut begin(database, who).await, topic).await
}

/// The same in the transaction of this session.
pub(super) async fn ask(conn: &mut PgConnection, topic: &str) -> Answer {
    sqlx::query_as("select * from behalf_realtime.rights($1)").bind(topic).fetch_one(conn).await.unwrap()
}

/// What the server says to a statement that it refuses.
pub(super) async fn refusal(conn: &mut PgConnection, sql: &str) -> String {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await;
    done.err().map_or_else(|| panic!("{sql} was not refused"), |error| error.to_string())
}
