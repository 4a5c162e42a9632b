//! Every operation on buckets and objects, as requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use behalf_tests::{Answer, App, User};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bed::upload_bytes;

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    BucketCreate,
    BucketGet,
    BucketList,
    BucketUpdate,
    BucketDelete,
    BucketEmpty,
    Upload,
    UploadImage,
    UploadLarge,
    /// With metadata of the client's own.
    UploadDepartment,
    Upsert,
    Get,
    Info,
    List,
    ListV2,
    Sign,
    SignMany,
    SignUpload,
    Move,
    Copy,
    Delete,
    DeleteMany,
    Tus,
}

impl Operation {
    /// All of them.
    pub(super) const ALL: [Self; 23] = [
        Self::BucketCreate,
        Self::BucketGet,
        Self::BucketList,
        Self::BucketUpdate,
        Self::BucketDelete,
        Self::BucketEmpty,
        Self::Upload,
        Self::UploadImage,
        Self::UploadLarge,
        Self::UploadDepartment,
        Self::Upsert,
        Self::Get,
        Self::Info,
        Self::List,
        Self::ListV2,
        Self::Sign,
        Self::SignMany,
        Self::SignUpload,
        Self::Move,
        Self::Copy,
        Self::Delete,
        Self::DeleteMany,
        Self::Tus,
    ];

    /// Whether it is about an object that has to be there.
    pub(super) fn needs_object(self) -> bool {
        !matches!(self, Self::BucketCreate | Self::BucketDelete)
    }
}

/// Base64 of the metadata that one of the policies asks for.
pub(super) fn department(name: &str) -> String {
    STANDARD.encode(json!({ "department": name }).to_string())
}

/// Runs it on an object of a bucket. New objects have names of their own.
pub(super) async fn run(app: &App, user: &User, operation: Operation, bucket: &str, object: &str) -> Answer {
    let get = async |path: String| app.get(user, &path).await;
    let send = async |method: Method, path: String, body: Value| app.send(user, method, &path, body).await;
    let new = format!("new-{object}");
    let put = async |name: &str, headers: &[(&str, &str)], bytes: usize| {
        upload_bytes(app, user, bucket, name, headers, vec![b'x'; bytes]).await
    };
    match operation {
        Operation::BucketCreate => {
            let name = format!("new-{}", Uuid::new_v4().simple());
            send(Method::POST, "/storage/v1/bucket".to_owned(), json!({ "name": name })).await
        }
        Operation::BucketGet => get(format!("/storage/v1/bucket/{bucket}")).await,
        Operation::BucketList => get("/storage/v1/bucket".to_owned()).await,
        Operation::BucketUpdate => {
            send(Method::PUT, format!("/storage/v1/bucket/{bucket}"), json!({"public": true})).await
        }
        Operation::BucketDelete => send(Method::DELETE, format!("/storage/v1/bucket/{bucket}"), json!({})).await,
        Operation::BucketEmpty => send(Method::POST, format!("/storage/v1/bucket/{bucket}/empty"), json!({})).await,
        Operation::Upload => put(&new, &[], 5).await,
        Operation::UploadImage => put(&new, &[("content-type", "image/jpeg")], 5).await,
        Operation::UploadLarge => put(&new, &[], 200_000).await,
        Operation::UploadDepartment => put(&new, &[("x-metadata", department("engineering").as_str())], 5).await,
        Operation::Upsert => put(object, &[("x-upsert", "true")], 6).await,
        Operation::Get => get(format!("/storage/v1/object/authenticated/{bucket}/{object}")).await,
        Operation::Info => get(format!("/storage/v1/object/info/{bucket}/{object}")).await,
        Operation::List => send(Method::POST, format!("/storage/v1/object/list/{bucket}"), json!({"prefix": ""})).await,
        Operation::ListV2 => send(Method::POST, format!("/storage/v1/object/list-v2/{bucket}"), json!({})).await,
        Operation::Sign => {
            send(Method::POST, format!("/storage/v1/object/sign/{bucket}/{object}"), json!({"expiresIn": 60})).await
        }
        Operation::SignMany => {
            let body = json!({"expiresIn": 60, "paths": [object]});
            send(Method::POST, format!("/storage/v1/object/sign/{bucket}"), body).await
        }
        Operation::SignUpload => {
            send(Method::POST, format!("/storage/v1/object/upload/sign/{bucket}/{new}"), json!({})).await
        }
        Operation::Move => {
            let body = json!({"bucketId": bucket, "sourceKey": object, "destinationKey": new});
            send(Method::POST, "/storage/v1/object/move".to_owned(), body).await
        }
        Operation::Copy => {
            let body = json!({"bucketId": bucket, "sourceKey": object, "destinationKey": new, "copyMetadata": true});
            send(Method::POST, "/storage/v1/object/copy".to_owned(), body).await
        }
        Operation::Delete => send(Method::DELETE, format!("/storage/v1/object/{bucket}/{object}"), json!({})).await,
        Operation::DeleteMany => {
            send(Method::DELETE, format!("/storage/v1/object/{bucket}"), json!({"prefixes": [object]})).await
        }
        Operation::Tus => tus(app, user, bucket, &new, "").await,
    }
}

/// Uploads five bytes in one part, with more fields of the header `upload-metadata`.
pub(super) async fn tus(app: &App, user: &User, bucket: &str, name: &str, more: &str) -> Answer {
    let fields = format!("bucketName {},objectName {}{more}", STANDARD.encode(bucket), STANDARD.encode(name));
    let request = app.request(user, Method::POST, "/storage/v1/upload/resumable");
    let request =
        request.header("tus-resumable", "1.0.0").header("upload-length", "5").header("upload-metadata", fields);
    let begun = request.send().await.unwrap();
    let location = begun.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let begun = Answer::of(begun).await;
    let Some(location) = location.filter(|_| begun.status == 201) else { return begun };
    let path = location.find("/storage/v1").map_or(location.as_str(), |at| &location[at..]);
    let request = app.request(user, Method::PATCH, path).header("tus-resumable", "1.0.0").header("upload-offset", "0");
    let request = request.header("content-type", "application/offset+octet-stream").body("hello");
    Answer::of(request.send().await.unwrap()).await
}
