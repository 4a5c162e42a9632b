//! Buckets: made, found, changed, emptied and deleted.

use behalf_tests::{ALICE, Answer, App, BOB, User, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::bed::{assert_refused, bucket, bucket_of, names, rows, upload};

const OWN: &str = "
    create policy own_buckets on storage.buckets to authenticated using (owner = auth.uid()) with check (owner = auth.uid());
    create policy own_objects on storage.objects to authenticated using (owner = auth.uid()) with check (owner = auth.uid());";

async fn create(app: &App, user: &User, body: Value) -> Answer {
    app.post(user, "/storage/v1/bucket", body).await
}

async fn find(app: &App, user: &User, id: &str) -> Answer {
    app.get(user, &format!("/storage/v1/bucket/{id}")).await
}

async fn change(app: &App, user: &User, id: &str, body: Value) -> Answer {
    app.send(user, Method::PUT, &format!("/storage/v1/bucket/{id}"), body).await
}

async fn delete(app: &App, user: &User, id: &str) -> Answer {
    app.send(user, Method::DELETE, &format!("/storage/v1/bucket/{id}"), json!({})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_made_found_changed_and_deleted_by_whom_policies_let() {
    let app = App::start().await;
    app.database.execute(OWN).await;
    let alice = User::Is(ALICE);
    let body = json!({
        "name": "avatars", "id": "avatars", "public": true, "file_size_limit": "2MB", "allowed_mime_types": ["image/png", "", "image/*"],
    });
    let made = create(&app, &alice, body.clone()).await;
    assert_eq!((made.status, &made.json), (200, &json!({"name": "avatars"})), "{}", made.text);
    let found = find(&app, &alice, "avatars").await.json;
    assert!(
        found["created_at"].as_str().is_some_and(|text| text.ends_with('Z')) && found["updated_at"].is_string(),
        "{found}"
    );
    let expected = json!({
        "id": "avatars", "name": "avatars", "owner": ALICE, "public": true, "file_size_limit": 2_000_000,
        "allowed_mime_types": ["image/png", "image/*"], "created_at": found["created_at"], "updated_at": found["updated_at"],
    });
    assert_eq!(found, expected);
    let owner: String = app.database.value("select owner_id from storage.buckets").await;
    assert_eq!(owner, ALICE.to_string());
    assert_refused(&create(&app, &alice, body.clone()).await, 400, "409", "BucketAlreadyExists", "already exists");
    // To bob it is as if there were none, whatever he tries.
    let bob = User::Is(BOB);
    for answer in [
        find(&app, &bob, "avatars").await,
        change(&app, &bob, "avatars", json!({"public": false})).await,
        delete(&app, &bob, "avatars").await,
        find(&app, &bob, "no-such-bucket").await,
    ] {
        assert_refused(&answer, 400, "404", "NoSuchBucket", "Bucket not found");
        assert_eq!(answer.json["error"], "Bucket not found");
    }
    assert_eq!(app.get(&bob, "/storage/v1/bucket").await.json, json!([]));
    let changed = change(&app, &alice, "avatars", json!({"public": false, "file_size_limit": null})).await;
    assert_eq!((changed.status, &changed.json), (200, &json!({"message": "Successfully updated"})), "{}", changed.text);
    let found = find(&app, &alice, "avatars").await.json;
    assert_eq!((&found["public"], &found["file_size_limit"]), (&json!(false), &Value::Null));
    assert_eq!(found["allowed_mime_types"], json!(["image/png", "image/*"]), "what was not sent stayed");
    change(&app, &alice, "avatars", json!({"allowed_mime_types": [], "file_size_limit": 7})).await;
    let found = find(&app, &alice, "avatars").await.json;
    assert_eq!((&found["allowed_mime_types"], &found["file_size_limit"]), (&json!([]), &json!(7)));
    let deleted = delete(&app, &alice, "avatars").await;
    assert_eq!((deleted.status, &deleted.json), (200, &json!({"message": "Successfully deleted"})), "{}", deleted.text);
    assert_refused(&delete(&app, &alice, "avatars").await, 400, "404", "NoSuchBucket", "Bucket not found");
    assert_eq!(app.database.value::<i64>("select count(*) from storage.buckets").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_no_bucket_can_have_is_refused_and_makes_none() {
    let app = App::start().await;
    let long = "a".repeat(101);
    for name in ["", " a", "a ", "a/b", "ä", "a\u{0}b", "a#b", "a%2fb", "a\\b", "sources", &long] {
        let answer = create(&app, &User::Service, json!({ "name": name })).await;
        assert_eq!((answer.status, &answer.json["statusCode"]), (400, &json!("400")), "{name:?}: {}", answer.text);
        if !name.contains('\0') {
            assert_refused(&answer, 400, "400", "InvalidBucketName", "Bucket name invalid");
            assert_eq!(answer.json["error"], "Invalid Input");
        }
    }
    let id = create(&app, &User::Service, json!({"name": "fine", "id": "sources"})).await;
    assert_refused(&id, 400, "400", "InvalidBucketName", "Bucket name invalid");
    for (field, value, meant, code) in [
        ("file_size_limit", json!("20XB"), "400", "InvalidRequest"),
        ("file_size_limit", json!(-1), "400", "InvalidRequest"),
        ("file_size_limit", json!(1.5), "400", "InvalidRequest"),
        ("file_size_limit", json!("900GB"), "413", "EntityTooLarge"),
        ("file_size_limit", json!(900_000_000_000_u64), "413", "EntityTooLarge"),
        ("allowed_mime_types", json!(["image"]), "415", "InvalidMimeType"),
        ("allowed_mime_types", json!(["text/html<script>"]), "415", "InvalidMimeType"),
        ("allowed_mime_types", json!("image/png"), "400", "InvalidRequest"),
        ("type", json!("ANALYTICS"), "409", "FeatureNotEnabled"),
        ("type", json!("OTHER"), "400", "InvalidRequest"),
        ("public", json!("yes"), "400", "InvalidRequest"),
    ] {
        let mut body = json!({"name": "fine"});
        body[field] = value;
        let answer = create(&app, &User::Service, body.clone()).await;
        assert_eq!(
            (answer.status, &answer.json["statusCode"], &answer.json["code"]),
            (400, &json!(meant), &json!(code)),
            "{body}: {}",
            answer.text
        );
    }
    for body in [json!({}), json!([]), json!({"id": "a"}), json!("a")] {
        assert_refused(&create(&app, &User::Service, body).await, 400, "400", "InvalidRequest", "");
    }
    assert_eq!(app.database.value::<i64>("select count(*) from storage.buckets").await, 0);
    bucket(&app, "fine").await;
    let nothing = change(&app, &User::Service, "fine", json!({})).await;
    assert_refused(&nothing, 400, "400", "InvalidRequest", "");
    let unknown = change(&app, &User::Service, "none", json!({"public": true})).await;
    assert_refused(&unknown, 400, "404", "NoSuchBucket", "Bucket not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_buckets_are_searched_sorted_and_cut() {
    let app = App::start().await;
    for name in ["b-one", "a-two", "c_three", "cxthree"] {
        bucket(&app, name).await;
    }
    let list = async |query: &str| {
        let answer = app.get(&User::Service, &format!("/storage/v1/bucket{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        answer.json
    };
    for (query, expected) in [
        ("", vec!["a-two", "b-one", "c_three", "cxthree"]),
        ("?search=TWO", vec!["a-two"]),
        ("?search=c_t", vec!["c_three"]),
        ("?search=%25", vec![]),
        ("?sortColumn=name&sortOrder=desc", vec!["cxthree", "c_three", "b-one", "a-two"]),
        ("?sortColumn=created_at", vec!["b-one", "a-two", "c_three", "cxthree"]),
        ("?sortColumn=created_at&sortOrder=desc&limit=2&offset=1", vec!["c_three", "a-two"]),
        ("?sortColumn=id&limit=1&offset=3", vec!["cxthree"]),
    ] {
        assert_eq!(names(&list(query).await), expected, "{query}");
    }
    assert_eq!(list("").await[0]["type"], "STANDARD");
    for query in ["?limit=0", "?limit=x", "?offset=-1", "?sortColumn=public", "?sortOrder=up", "?search=%00"] {
        let refused = app.get(&User::Service, &format!("/storage/v1/bucket{query}")).await;
        assert_refused(&refused, 400, "400", "InvalidRequest", "");
    }
    // Which fails on what it does not know.
    let request = app.request(&User::Service, Method::GET, "/storage/v1/bucket");
    let old = Answer::of(request.header("x-client-info", "supabase-py/2.17.0").send().await.unwrap()).await;
    assert!(old.json[0].get("type").is_none() && old.json[0]["id"] == "a-two", "{}", old.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_delete_a_bucket_hears_that_it_is_not_empty() {
    let app = App::start().await;
    app.database.execute(OWN).await;
    bucket_of(&app, "full", ALICE).await;
    rows(&app, "full", &["a"]).await;
    assert_refused(&delete(&app, &User::Is(BOB), "full").await, 400, "404", "NoSuchBucket", "Bucket not found");
    for user in [User::Is(ALICE), User::Service] {
        assert_refused(&delete(&app, &user, "full").await, 400, "409", "ResourceNotEmpty", "is not empty");
    }
    app.database.execute("set storage.allow_delete_query = 'true'; delete from storage.objects").await;
    assert_eq!(delete(&app, &User::Is(ALICE), "full").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_emptied_by_the_service_role_and_its_bytes_are_released() {
    let app = App::start().await;
    app.database.execute(OWN).await;
    bucket_of(&app, "full", ALICE).await;
    bucket(&app, "other").await;
    for name in ["a", "b/c"] {
        assert_eq!(upload(&app, &User::Is(ALICE), "full", name, &[]).await.status, 200);
        assert_eq!(upload(&app, &User::Service, "other", name, &[]).await.status, 200);
    }
    let empty =
        async |user: &User, id: &str| app.post(user, &format!("/storage/v1/bucket/{id}/empty"), json!({})).await;
    for user in [User::Is(ALICE), User::Anon, User::ServiceFor(ALICE)] {
        let refused = empty(&user, "full").await;
        assert_refused(&refused, 403, "403", "AccessDenied", "Access denied: Invalid role");
        assert_eq!(refused.json["error"], "Unauthorized");
    }
    assert_refused(&empty(&User::Service, "none").await, 400, "404", "NoSuchBucket", "Bucket not found");
    let emptied = empty(&User::Service, "full").await;
    assert_eq!(emptied.status, 200, "{}", emptied.text);
    assert!(emptied.json["message"].as_str().is_some_and(|text| text.starts_with("Empty bucket has been queued")));
    let left = "select count(*) from behalf.blobs where bucket_id = 'full' and released_at is null";
    eventually("the bucket is empty", async || {
        app.database.value::<i64>(left).await == 0
            && app.database.value::<i64>("select count(*) from storage.objects where bucket_id = 'full'").await == 0
    })
    .await;
    let kept =
        "select count(*) from behalf.blobs where bucket_id = 'other' and released_at is null and object_id is not null";
    assert_eq!(app.database.value::<i64>(kept).await, 2);
    assert_eq!(empty(&User::Service, "full").await.status, 200, "an empty one stays so");
    assert_eq!(delete(&app, &User::Service, "full").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_routes_refuse_is_said_in_the_form_of_storage() {
    let app = App::start().await;
    let missing = app.get(&User::Nobody, "/storage/v1/bucket").await;
    assert_refused(&missing, 400, "400", "InvalidRequest", "authorization");
    assert_eq!(missing.json["error"], "Error");
    for token in ["not-a-token", "a.b.c"] {
        let refused = app.get(&User::Token(token.to_owned()), "/storage/v1/bucket").await;
        assert_refused(&refused, 400, "403", "AccessDenied", "");
        assert_eq!(refused.json["error"], "Unauthorized");
    }
    for path in ["/storage/v1/status", "/storage/v1/version"] {
        assert_eq!(app.get(&User::Nobody, path).await.status, 200, "{path}");
    }
    assert!(!app.get(&User::Nobody, "/storage/v1/version").await.text.is_empty());
    assert_eq!(app.get(&User::Anon, "/storage/v1/health").await.json, json!({"healthy": true}));
    // A trigger of the app refuses: its words may tell of rows, and the code tells enough.
    let trigger = "
        create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'a secret of the app'; end $$;
        create trigger refuse before insert on storage.buckets for each row execute function public.refuse();";
    app.database.execute(trigger).await;
    let refused = create(&app, &User::Service, json!({"name": "a"})).await;
    assert_refused(&refused, 500, "500", "DatabaseError", "database error, code: P0001");
}
