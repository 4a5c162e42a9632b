//! Calling functions.

use behalf_tests::ALICE;
use reqwest::Method;
use serde_json::json;

use super::{alice, app, app_with, assert_error, send};

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_called_by_get_and_post() {
    let app = app().await;
    assert_eq!(app.get(&alice(), "/rest/v1/rpc/add?a=1&b=2").await.text, "3");
    assert_eq!(app.post(&alice(), "/rest/v1/rpc/add", json!({"a": 1, "b": 2})).await.text, "3");
    let mine = app.get(&alice(), "/rest/v1/rpc/my_tasks?select=id&order=id&limit=1").await;
    assert_eq!(mine.json, json!([{"id": 1}]), "{}", mine.text);
    let void = app.post(&alice(), "/rest/v1/rpc/finish", json!({"task": 1})).await;
    assert_eq!((void.status, void.text.as_str()), (204, ""));
    assert!(app.database.value::<bool>("select done from tasks where id = 1").await);
    assert_error(&app.get(&alice(), "/rest/v1/rpc/finish?task=1").await, 405, "25006");
    assert_error(&app.get(&alice(), "/rest/v1/rpc/writes_in_a_read").await, 405, "25006");
    assert_error(&app.post(&alice(), "/rest/v1/rpc/add", json!({"a": 1})).await, 404, "PGRST202");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_see_the_request_and_no_credential() {
    let app = app().await;
    let headers = [("x-tenant", "O'Brien \\ \"x\""), ("cookie", "theme=dark; a='b'"), ("x-behalf-act-as-claims", "")];
    let seen = send(&app, &alice(), Method::POST, "/rest/v1/rpc/who", &headers[..2], "{}").await.answer;
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert_eq!(seen.json["user"], json!(ALICE));
    assert_eq!(seen.json["role"], "authenticated");
    assert_eq!((&seen.json["method"], &seen.json["path"]), (&json!("POST"), &json!("/rpc/who")));
    assert_eq!(seen.json["headers"]["x-tenant"], "O'Brien \\ \"x\"");
    assert_eq!(seen.json["cookies"], json!({"theme": "dark", "a": "'b'"}));
    for hidden in ["authorization", "apikey", "cookie"] {
        assert!(seen.json["headers"].get(hidden).is_none(), "{}", seen.text);
    }
    assert_eq!(seen.json["search_path"], "public,extensions");
    // What one request bound, the next does not see.
    let next = app.get(&alice(), "/rest/v1/rpc/who").await;
    assert_eq!((&next.json["cookies"], &next.json["method"]), (&json!({}), &json!("GET")));
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_choose_their_status_headers_and_errors() {
    let app = app().await;
    let pot = send(&app, &alice(), Method::POST, "/rest/v1/rpc/teapot", &[], "{}").await;
    assert_eq!((pot.answer.status, pot.header("x-pot")), (418, "tea"), "{}", pot.answer.text);
    for (code, status) in [("P0001", 400), ("PT402", 402), ("23505", 409), ("42501", 403), ("22023", 400)] {
        let answer = app.post(&alice(), "/rest/v1/rpc/fail_with", json!({ "code": code })).await;
        assert_error(&answer, status, code);
        assert_eq!(answer.json["message"], "a message");
        assert_eq!((&answer.json["details"], &answer.json["hint"]), (&json!("a detail"), &json!("a hint")));
    }
    app.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_the_operators_runs_first_and_may_refuse() {
    let app = app_with(vec![("rest_pre_request", "public.check_request".to_owned())]).await;
    app.database
        .execute(
            "create function check_request() returns void language plpgsql as
             $$ begin if current_setting('request.headers', true)::json ->> 'x-refuse' = 'yes' then
                    raise sqlstate 'PT403' using message = 'refused first'; end if; end $$",
        )
        .await;
    behalf_tests::eventually("the function is known", async || {
        send(&app, &alice(), Method::GET, "/rest/v1/tasks", &[("x-refuse", "yes")], "").await.answer.status == 403
    })
    .await;
    assert_eq!(app.get(&alice(), "/rest/v1/tasks").await.status, 200);
}

/// What a function changes of the session's identity ends with the request, and its answer is not given.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_changes_the_identity_gets_no_answer() {
    let app = app().await;
    assert_error(&app.post(&alice(), "/rest/v1/rpc/become_bob", json!({})).await, 500, "XX000");
    let after = app.get(&alice(), "/rest/v1/tasks?select=id&order=id").await;
    assert_eq!(after.json, json!([{"id": 1}, {"id": 2}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_sets_for_the_session_ends_with_its_request() {
    let app = app().await;
    for _ in 0..3 {
        let answer = app.post(&alice(), "/rest/v1/rpc/leave_behind", json!({})).await;
        assert_eq!((answer.status, &answer.json), (200, &json!("left")), "{}", answer.text);
        let left = app.get(&alice(), "/rest/v1/rpc/left_behind").await;
        assert!(left.status == 200 && (left.json.is_null() || left.json == ""), "{}", left.text);
    }
}
