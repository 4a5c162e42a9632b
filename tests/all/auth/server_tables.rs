//! The tables of an authorization server: there, GoTrue's, and nobody's but the role's that signs users in.

use behalf_tests::{TestDatabase, User, eventually};
use reqwest::Method;

use super::people::{ENDED, LIVE, faces, host, sign_in, sign_up};

const TABLES: [&str; 3] = ["oauth_clients", "oauth_authorizations", "oauth_consents"];

/// A client, a request of it and a user's consent, as an app's own SQL would write them.
const ROWS: &str = "
    insert into auth.oauth_clients (id, registration_type, redirect_uris, grant_types, token_endpoint_auth_method)
        values ('c11e0000-0000-4000-8000-000000000001', 'manual', 'https://client.example/cb', 'authorization_code', 'none');
    insert into auth.oauth_authorizations (id, authorization_id, client_id, user_id, redirect_uri, scope, resource)
        select gen_random_uuid(), 'an-id', 'c11e0000-0000-4000-8000-000000000001', id, 'https://client.example/cb', 'email',
            'https://agents.example/mcp' from auth.users;
    insert into auth.oauth_consents (id, user_id, client_id, scopes)
        select gen_random_uuid(), id, 'c11e0000-0000-4000-8000-000000000001', 'email' from auth.users;";

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_belong_to_the_role_of_users_and_nobody_else_reaches_them() {
    let app = host(&[]).await;
    sign_up(&app, "ada@people.example").await;
    // What every migration does again changes nothing here.
    app.database.execute(&format!("{ROWS} select behalf.share_auth('behalf_host')")).await;
    let mut host = app.database.login("behalf_host").await;
    for table in TABLES {
        let owner = format!("select relowner::regrole::text from pg_class where oid = 'auth.{table}'::regclass");
        assert_eq!(app.database.value::<String>(&owner).await, "supabase_auth_admin");
        let rows = format!("select count(*) from auth.{table}");
        assert_eq!(app.database.value::<i64>(&rows).await, 1, "{table}");
        for login in ["behalf_host", "behalf_tool_anon", "behalf_tool_authenticated", "behalf_tool_service"] {
            let mut conn = app.database.login(login).await;
            for role in ["", "set role authenticated;", "set role service_role;"] {
                let sql = sqlx::AssertSqlSafe(format!("{role} select from auth.{table}"));
                let read = sqlx::raw_sql(sql).execute(&mut conn).await;
                assert!(
                    read.is_err_and(|error| error.to_string().contains("permission denied")),
                    "{login} {role} {table}"
                );
            }
        }
        let request = app.request(&User::Service, Method::GET, &format!("/rest/v1/{table}"));
        assert_eq!(request.header("accept-profile", "auth").send().await.unwrap().status(), 406, "{table}");
        let sql = sqlx::AssertSqlSafe(format!(
            "begin; set local role supabase_auth_admin; update auth.{table} set id = id; commit"
        ));
        sqlx::raw_sql(sql).execute(&mut host).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_deleted_takes_its_sessions_and_consents_with_it() {
    let app = host(&[]).await;
    let own = sign_up(&app, "ada@people.example").await;
    app.database.execute(ROWS).await;
    let of_client = sign_in(&app, "ada@people.example").await;
    let session = of_client.claims()["session_id"].as_str().unwrap().to_owned();
    app.database
        .execute(&format!(
            "update auth.sessions set oauth_client_id = (select id from auth.oauth_clients) where id = '{session}'"
        ))
        .await;
    assert_eq!(faces(&app, &of_client.caller()).await, LIVE);
    app.database.execute("delete from auth.oauth_clients").await;
    eventually("every face refuses the token", async || faces(&app, &of_client.caller()).await == ENDED).await;
    assert_eq!(faces(&app, &own.caller()).await, LIVE, "the user's own session goes on");
    for table in TABLES {
        assert_eq!(app.database.value::<i64>(&format!("select count(*) from auth.{table}")).await, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_s_own_tables_are_left_alone() {
    let database = TestDatabase::with_users_of_its_own().await;
    let there = "select count(*) from pg_class where relnamespace = 'auth'::regnamespace and relname like 'oauth%'";
    assert_eq!(database.value::<i64>(there).await, 0);
}
