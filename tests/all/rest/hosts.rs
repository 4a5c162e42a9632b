//! Several hosts on one database, and a host that no longer hears of changes.

use behalf_tests::{App, Options, eventually};
use serde_json::json;

use super::{alice, app, bob};

/// What a host knows of the tables.
async fn described(host: &App) -> String {
    host.get(&alice(), "/rest/v1/").await.text
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_show_the_same_rows_and_learn_of_the_same_changes() {
    let one = app().await;
    let other = App::on(one.database.clone(), Options::default()).await;
    let made = one.post(&alice(), "/rest/v1/lists", json!({"id": 7, "name": "from one"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let seen = other.get(&alice(), "/rest/v1/lists?id=eq.7&select=name").await;
    assert_eq!(seen.json, json!([{"name": "from one"}]));
    assert_eq!(other.get(&bob(), "/rest/v1/lists?id=eq.7").await.json, json!([]));
    one.database
        .execute(
            "alter table lists add column colour text default 'red';
             create function shade(lists) returns text language sql stable as $$ select 'dark ' || $1.colour $$;
             grant execute on function shade(lists) to authenticated",
        )
        .await;
    for host in [&one, &other] {
        // The description raises no error, so that it makes no host look by itself.
        eventually("the host was told", async || described(host).await.contains("colour")).await;
        eventually("the column is there", async || {
            let answer = host.get(&alice(), "/rest/v1/lists?id=eq.7&select=colour,shade").await;
            answer.json == json!([{"colour": "red", "shade": "dark red"}])
        })
        .await;
    }
    one.database.execute("drop function shade(lists); alter table lists drop column colour").await;
    for host in [&one, &other] {
        eventually("the host was told", async || !described(host).await.contains("colour")).await;
        eventually("the column is gone", async || {
            let answer = host.get(&alice(), "/rest/v1/lists?id=eq.7&select=colour").await;
            answer.status == 400 && answer.json["code"] == "42703"
        })
        .await;
        assert_eq!(host.get(&alice(), "/rest/v1/lists?id=eq.7&select=name").await.json, json!([{"name": "from one"}]));
    }
}

/// The server ends the connection that listens; what changes next is known all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_lost_its_listener_learns_of_changes() {
    let app = app().await;
    for n in 0..3 {
        let ended: i64 = app
            .database
            .value(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity
                 where datname = current_database() and usename like '%_host' and query ilike 'listen%'",
            )
            .await;
        assert!(ended > 0, "nobody listened");
        app.database
            .execute(&format!("create table heard_{n} (a int); grant select on heard_{n} to authenticated"))
            .await;
        let name = format!("heard_{n}");
        eventually("the host learnt of the table", async || described(&app).await.contains(&name)).await;
        assert_eq!(app.get(&alice(), &format!("/rest/v1/{name}")).await.status, 200);
        eventually("it listens again", async || {
            app.database
                .value::<bool>(
                    "select exists (select from pg_stat_activity
                     where datname = current_database() and usename like '%_host' and query ilike 'listen%')",
                )
                .await
        })
        .await;
    }
}
