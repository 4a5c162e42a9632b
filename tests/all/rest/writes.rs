//! Changing rows.

use reqwest::Method;
use serde_json::json;

use super::{alice, app, app_with, assert_error, bob, send};

const RETURN: (&str, &str) = ("prefer", "return=representation");

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_inserted_changed_and_deleted_as_the_caller() {
    let app = app().await;
    let made =
        send(&app, &alice(), Method::POST, "/rest/v1/lists?select=name,owner_id", &[RETURN], r#"{"name":"new"}"#).await;
    assert_eq!(made.answer.status, 201, "{}", made.answer.text);
    assert_eq!(made.answer.json, json!([{"name": "new", "owner_id": behalf_tests::ALICE}]));
    let changed =
        send(&app, &alice(), Method::PATCH, "/rest/v1/tasks?id=eq.1&select=done", &[RETURN], r#"{"done":true}"#).await;
    assert_eq!((changed.answer.status, changed.answer.json), (200, json!([{"done": true}])));
    let gone = send(&app, &alice(), Method::DELETE, "/rest/v1/tasks?id=eq.2", &[], "").await;
    assert_eq!((gone.answer.status, gone.answer.text.as_str()), (204, ""));
    assert_eq!(app.database.value::<i64>("select count(*) from tasks").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_a_row_of_somebody_else() {
    let app = app().await;
    for (method, path, body) in [
        (Method::PATCH, "/rest/v1/tasks?id=eq.3", r#"{"done":true}"#),
        (Method::DELETE, "/rest/v1/tasks?id=eq.3", ""),
        (Method::PATCH, "/rest/v1/tasks", r#"{"title":"mine"}"#),
    ] {
        let answer = send(&app, &alice(), method, path, &[], body).await.answer;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
    let foreign = format!(r#"{{"name":"x","owner_id":"{}"}}"#, behalf_tests::BOB);
    let refused = send(&app, &alice(), Method::POST, "/rest/v1/lists", &[], &foreign).await.answer;
    assert_error(&refused, 403, "42501");
    assert_eq!(
        app.get(&bob(), "/rest/v1/tasks?select=title,done").await.json,
        json!([{"title": "mend brakes", "done": false}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_refuses_undoes_the_write() {
    let app = app().await;
    let headers = [RETURN, ("accept", "application/vnd.pgrst.object+json")];
    let two = send(&app, &alice(), Method::PATCH, "/rest/v1/tasks?id=gt.0", &headers, r#"{"done":true}"#).await;
    assert_error(&two.answer, 406, "PGRST116");
    let bound = [("prefer", "handling=strict, max-affected=1")];
    let many = send(&app, &alice(), Method::DELETE, "/rest/v1/tasks?id=gt.0", &bound, "").await;
    assert_error(&many.answer, 400, "PGRST124");
    assert_eq!(app.database.value::<i64>("select count(*) from tasks where not done").await, 3);
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_exists_is_a_conflict_or_is_merged() {
    let app = app().await;
    let again = send(&app, &alice(), Method::POST, "/rest/v1/lists", &[], r#"{"name":"home"}"#).await;
    assert_error(&again.answer, 409, "23505");
    let merge = [("prefer", "resolution=merge-duplicates, return=representation")];
    let merged =
        send(&app, &alice(), Method::POST, "/rest/v1/lists?select=name", &merge, r#"{"id":1,"name":"house"}"#).await;
    assert_eq!((merged.answer.status, merged.answer.json), (200, json!([{"name": "house"}])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_ask_for_a_rollback_where_a_setting_lets_it() {
    let ask = [("prefer", "tx=rollback")];
    for (setting, kept) in [("commit", 1), ("commit-allow-override", 0)] {
        let app = app_with(vec![("rest_tx_end", setting.to_owned())]).await;
        let made = send(&app, &alice(), Method::POST, "/rest/v1/lists", &ask, r#"{"name":"new"}"#).await;
        assert_eq!(made.answer.status, 201, "{}", made.answer.text);
        assert_eq!(app.database.value::<i64>("select count(*) from lists where name = 'new'").await, kept, "{setting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let app = app_with(vec![("rest_max_body_bytes", "1024".to_owned())]).await;
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(2_000));
    let answer = send(&app, &alice(), Method::POST, "/rest/v1/lists", &[], &large).await.answer;
    assert_error(&answer, 413, "54000");
}

/// A trigger that makes the session another user's undoes the write: the server checks the identity before it commits.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_changes_the_identity_is_not_committed() {
    let app = app().await;
    app.database
        .execute(
            "create function turn() returns trigger language plpgsql security definer as
                 $$ begin perform public.become_bob(); return new; end $$;
             create trigger turn after insert on lists for each row execute function turn()",
        )
        .await;
    let answer = send(&app, &alice(), Method::POST, "/rest/v1/lists", &[], r#"{"name":"new"}"#).await.answer;
    assert_error(&answer, 500, "XX000");
    assert_eq!(app.database.value::<i64>("select count(*) from lists where name = 'new'").await, 0);
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_too_large_is_not_committed() {
    let app = super::app_with(vec![("rest_max_answer_bytes", "100000".to_owned())]).await;
    let (long, prefer) = ("x".repeat(150_000), [("prefer", "return=representation")]);
    let change = json!({ "title": long }).to_string();
    let changed = send(&app, &alice(), Method::PATCH, "/rest/v1/tasks?id=eq.1", &prefer, &change).await;
    assert_error(&changed.answer, 413, "54000");
    let more = json!({ "title": long, "list_id": 1 }).to_string();
    assert_error(&send(&app, &alice(), Method::POST, "/rest/v1/tasks", &prefer, &more).await.answer, 413, "54000");
    let tasks = app.get(&alice(), "/rest/v1/tasks?select=title&order=id").await;
    assert_eq!(tasks.json, json!([{"title": "water tomatoes"}, {"title": "buy bread"}]));
}
