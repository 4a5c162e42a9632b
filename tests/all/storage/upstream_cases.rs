//! The cases of Supabase Storage's own tests of policies (`src/test/rls_tests.yaml`): the same policies and operations, and what
//! they answer there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use behalf_tests::{ALICE, App, User};
use reqwest::Method;
use serde_json::json;

use super::bed::{bucket_of, upload, upload_bytes};
use super::operations::{Operation, department, run, tus};
use super::policies::{allow, disallow};

/// An operation, and what it answers: the status and a part of the message.
type Step = (Operation, u16, &'static str);

const RLS: &str = "new row violates row-level security policy";

/// A case: the policies, and its operations. Each has an object of its own, uploaded by whoever may do anything and owned by the
/// user, as those that the cases upload are.
type Case = (&'static str, &'static [&'static str], &'static [Step]);

use Operation as O;

const CASES: [Case; 13] = [
    (
        "reading objects",
        &["read_only_all_objects"],
        &[
            (O::Upload, 400, RLS),
            (O::Upsert, 400, RLS),
            (O::BucketCreate, 400, RLS),
            (O::BucketDelete, 400, "Bucket not found"),
            (O::BucketUpdate, 400, "Bucket not found"),
            (O::BucketGet, 400, "Bucket not found"),
            (O::Get, 200, ""),
            (O::Delete, 400, "Access denied"),
            (O::Copy, 400, ""),
            (O::Move, 400, ""),
        ],
    ),
    (
        "reading buckets",
        &["read_only_all_buckets"],
        &[
            (O::Upload, 400, RLS),
            (O::Upsert, 400, RLS),
            (O::BucketCreate, 400, RLS),
            (O::BucketDelete, 400, "Bucket not found"),
            (O::BucketUpdate, 400, "Bucket not found"),
            (O::BucketGet, 200, ""),
            (O::BucketList, 200, ""),
            (O::Get, 400, "Object not found"),
            (O::Delete, 400, "Access denied"),
        ],
    ),
    (
        "emptying without the service role",
        &["read_only_all_buckets", "read_only_all_objects", "update_only_all_buckets", "delete_only_all_objects"],
        &[(O::BucketEmpty, 403, "Access denied: Invalid role")],
    ),
    (
        "inserting objects",
        &["insert_only_all_objects"],
        &[
            (O::BucketCreate, 400, ""),
            (O::BucketDelete, 400, "Bucket not found"),
            (O::BucketUpdate, 400, "Bucket not found"),
            (O::Upload, 200, ""),
            (O::Upsert, 400, ""),
            (O::Get, 400, ""),
            (O::Delete, 400, ""),
            (O::Copy, 400, ""),
            (O::Move, 400, ""),
        ],
    ),
    (
        "creating buckets",
        &["insert_only_all_buckets"],
        &[
            (O::BucketCreate, 200, ""),
            (O::BucketDelete, 400, "Bucket not found"),
            (O::BucketUpdate, 400, "Bucket not found"),
            (O::Upload, 400, RLS),
            (O::Upsert, 400, RLS),
            (O::Get, 400, ""),
            (O::Delete, 400, ""),
            (O::Copy, 400, ""),
            (O::Move, 400, ""),
        ],
    ),
    (
        "updating buckets",
        &["update_only_all_buckets", "read_only_all_buckets"],
        &[
            (O::BucketCreate, 400, RLS),
            (O::BucketDelete, 400, "Bucket not found"),
            (O::Upload, 400, RLS),
            (O::Upsert, 400, RLS),
            (O::Get, 400, "Object not found"),
            (O::Delete, 400, "Access denied"),
            (O::BucketUpdate, 200, ""),
            (O::BucketGet, 200, ""),
        ],
    ),
    (
        "updating objects",
        &["insert_only_all_objects", "update_only_all_objects", "read_only_all_objects"],
        &[
            (O::BucketCreate, 400, RLS),
            (O::BucketDelete, 400, "Bucket not found"),
            (O::Upload, 200, ""),
            (O::Upsert, 200, ""),
            (O::Get, 200, ""),
            (O::Delete, 400, "Access denied"),
            (O::BucketUpdate, 400, "Bucket not found"),
            (O::BucketGet, 400, "Bucket not found"),
        ],
    ),
    (
        "deleting buckets",
        &["delete_only_all_buckets", "read_only_all_buckets"],
        &[
            (O::BucketGet, 200, ""),
            (O::BucketCreate, 400, RLS),
            (O::Upload, 400, RLS),
            (O::Upsert, 400, RLS),
            (O::Get, 400, "Object not found"),
            (O::Delete, 400, "Access denied"),
            (O::BucketDelete, 200, ""),
        ],
    ),
    (
        "deleting objects",
        &["delete_only_all_objects", "read_only_all_objects"],
        &[
            (O::BucketGet, 400, "Bucket not found"),
            (O::BucketCreate, 400, RLS),
            (O::Upload, 400, RLS),
            (O::Upsert, 400, RLS),
            (O::Delete, 200, ""),
            (O::BucketDelete, 400, "Bucket not found"),
        ],
    ),
    (
        "moving objects",
        &["read_only_all_objects", "update_only_all_objects"],
        &[
            (O::BucketGet, 400, "Bucket not found"),
            (O::BucketCreate, 400, RLS),
            (O::Upload, 400, RLS),
            (O::Upsert, 400, RLS),
            (O::Move, 200, ""),
            (O::Delete, 400, ""),
            (O::BucketDelete, 400, "Bucket not found"),
        ],
    ),
    (
        "copying objects",
        &["read_only_all_objects", "insert_only_all_objects"],
        &[
            (O::BucketGet, 400, "Bucket not found"),
            (O::BucketCreate, 400, RLS),
            (O::Upload, 200, ""),
            (O::Upsert, 400, RLS),
            (O::Copy, 200, ""),
            (O::Delete, 400, ""),
            (O::BucketDelete, 400, "Bucket not found"),
        ],
    ),
    (
        "listing alone",
        &["read_only_list_objects"],
        &[(O::List, 200, ""), (O::Get, 400, "Object not found"), (O::Delete, 400, "Access denied")],
    ),
    (
        "listing and getting",
        &["read_list_or_get_objects"],
        &[(O::List, 200, ""), (O::Get, 200, ""), (O::Delete, 400, "Access denied")],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn operations_need_the_rights_that_they_need_in_supabase_storage() {
    let app = App::start().await;
    let mut count = 0;
    for (name, policies, steps) in CASES {
        allow(&app, policies).await;
        for (operation, status, message) in steps {
            count += 1;
            let bucket = format!("b{count}");
            bucket_of(&app, &bucket, ALICE).await;
            if operation.needs_object() {
                super::bed::upload_of(&app, &bucket, "object.txt", ALICE).await;
            }
            let answer = run(&app, &User::Is(ALICE), *operation, &bucket, "object.txt").await;
            let said = answer.json["message"].as_str().unwrap_or_default();
            assert!(
                answer.status == *status && said.contains(message),
                "{name}: {operation:?}: {} {} instead of {status} {message}",
                answer.status,
                answer.text
            );
            if *status == 200 && matches!(operation, O::List) {
                assert_eq!(super::bed::names(&answer.json), ["object.txt"], "{name}");
            }
        }
        disallow(&app, policies).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_about_metadata_see_it_before_the_first_byte() {
    let app = App::start().await;
    let alice = User::Is(ALICE);
    bucket_of(&app, "files", ALICE).await;
    allow(&app, &["insert_with_metadata_check", "read_only_all_objects"]).await;
    let engineering = department("engineering");
    let with = |name: &str| format!(",metadata {}", STANDARD.encode(json!({ "department": name }).to_string()));
    let denied = async |answer: behalf_tests::Answer, status: u16| {
        assert!(answer.status == status && answer.text.contains(RLS), "{} {}", answer.status, answer.text);
    };
    let put = async |name: &str, headers: &[(&str, &str)]| upload(&app, &alice, "files", name, headers).await;
    assert_eq!(put("a.jpg", &[("x-metadata", engineering.as_str())]).await.status, 200);
    denied(put("b.jpg", &[]).await, 400).await;
    assert_eq!(tus(&app, &alice, "files", "tus.jpg", &with("engineering")).await.status, 204);
    denied(tus(&app, &alice, "files", "tus2.jpg", "").await, 403).await;
    for (to, kept, metadata, status) in
        [("c1", true, None, 200), ("c2", false, Some("engineering"), 200), ("c3", false, Some("marketing"), 400)]
    {
        let body = json!({"bucketId": "files", "sourceKey": "a.jpg", "destinationKey": to, "copyMetadata": kept});
        let mut request = app.request(&alice, Method::POST, "/storage/v1/object/copy").json(&body);
        if let Some(name) = metadata {
            request = request.header("x-metadata", department(name));
        }
        let answer = behalf_tests::Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{to}: {}", answer.text);
    }
    for (name, metadata, status) in [("s1", Some(&engineering), 200), ("s2", None, 400)] {
        let mut request = app.request(&alice, Method::POST, &format!("/storage/v1/object/upload/sign/files/{name}"));
        if let Some(metadata) = metadata {
            request = request.header("x-metadata", metadata);
        }
        let answer = behalf_tests::Answer::of(request.json(&json!({})).send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
    }
    disallow(&app, &["insert_with_metadata_check", "read_only_all_objects"]).await;

    allow(&app, &["insert_only_images"]).await;
    let typed = |name: &str| format!(",contentType {}", STANDARD.encode(name));
    assert_eq!(put("i.jpg", &[("content-type", "image/jpeg")]).await.status, 200);
    denied(put("i.txt", &[("content-type", "text/plain")]).await, 400).await;
    assert_eq!(tus(&app, &alice, "files", "ti.jpg", &typed("image/jpeg")).await.status, 204);
    denied(tus(&app, &alice, "files", "ti.txt", &typed("text/plain")).await, 403).await;
    disallow(&app, &["insert_only_images"]).await;

    allow(&app, &["insert_max_size_limit"]).await;
    assert_eq!(put("small", &[]).await.status, 200);
    denied(upload_bytes(&app, &alice, "files", "large", &[], vec![0; 200_000]).await, 400).await;
    assert_eq!(tus(&app, &alice, "files", "small-tus", "").await.status, 204);
    disallow(&app, &["insert_max_size_limit"]).await;
}
