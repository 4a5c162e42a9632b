//! Signed addresses of files, and attempts to make more of them than they are.

use behalf_tests::{ALICE, Answer, App, BOB, SECRET, User};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::json;

use super::bed::{Bed, alice, bob};
use super::documents::words;

/// The path and the token of a signed address.
async fn sign(bed: &Bed, user: &User, id: &str, seconds: i64) -> (String, String) {
    let answer = bed.post(user, &format!("/api/sources/{id}/download-url"), json!({ "expires_in": seconds })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let url = answer.json["signed_url"].as_str().unwrap();
    let rest = url.strip_prefix(&bed.url).unwrap_or_else(|| panic!("{url}"));
    let (path, token) = rest.split_once("?token=").unwrap();
    (path.to_owned(), token.to_owned())
}

/// What somebody gets who has nothing but the address.
async fn open(app: &App, path: &str, token: &str) -> Answer {
    let request = app.request(&User::Nobody, Method::GET, &format!("{path}?token={token}"));
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_opens_one_file_for_whoever_has_it() {
    let bed = Bed::start().await;
    let id = bed.read(&alice(), "hers.txt", words("hers", 1)).await;
    let (path, token) = sign(&bed, &alice(), &id, 60).await;
    let file = open(&bed, &path, &token).await;
    assert_eq!((file.status, file.text), (200, words("hers", 1)));
    let part = bed.request(&User::Nobody, Method::GET, &format!("{path}?token={token}")).header("range", "bytes=0-7");
    let part = part.send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.text().await.unwrap()), (206, words("hers", 1)[..8].to_owned()));
    for seconds in [json!(0), json!(-1), json!(604_801), json!("60"), json!(1.5)] {
        let refused =
            bed.post(&alice(), &format!("/api/sources/{id}/download-url"), json!({ "expires_in": seconds })).await;
        assert_eq!(refused.status, 400, "{seconds}: {}", refused.text);
    }
    assert_eq!(bed.post(&bob(), &format!("/api/sources/{id}/download-url"), json!({})).await.status, 404);
    // Its source is deleted: the address opens nothing any more, and nothing that comes later.
    assert_eq!(bed.send(&alice(), Method::DELETE, &format!("/api/sources/{id}"), json!({})).await.status, 200);
    assert_eq!(open(&bed, &path, &token).await.status, 404);
    let audit = bed.get(&alice(), "/api/audit-events?limit=100").await;
    assert!(audit.text.contains("source.signed") && !audit.text.contains(&token), "{}", audit.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_expired_or_foreign_address_opens_nothing() {
    let bed = Bed::start().await;
    let hers = bed.read(&alice(), "hers.txt", words("hers", 1)).await;
    let his = bed.read(&bob(), "his.txt", words("his", 1)).await;
    let (path, token) = sign(&bed, &alice(), &hers, 60).await;
    let (his_path, his_token) = sign(&bed, &bob(), &his, 60).await;
    assert_eq!(open(&bed, &his_path, &his_token).await.text, words("his", 1));
    let (head, rest) = token.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let (_, his_rest) = his_token.split_once('.').unwrap();
    let (his_body, _) = his_rest.split_once('.').unwrap();
    let blob: String = bed.database.value(&format!("select blob_id::text from ai.sources where id = '{hers}'")).await;
    let claims = json!({"scope": "source-file", "source": hers, "blob": blob, "iat": 0, "exp": 9_999_999_999_i64});
    let forged = |key: &str| {
        let key = EncodingKey::from_secret(key.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
    };
    // The key of access tokens, and that of the addresses of /storage/v1, sign no address of a source.
    bed.database.execute(include_str!("../../clients/supabase/sources.sql")).await;
    let object = bed.request(&alice(), Method::POST, &format!("/storage/v1/object/attachments/{ALICE}/a.txt"));
    assert_eq!(object.header("content-type", "text/plain").body("a").send().await.unwrap().status(), 200);
    let signed = bed
        .post(&alice(), &format!("/storage/v1/object/sign/attachments/{ALICE}/a.txt"), json!({"expiresIn": 60}))
        .await;
    let of_storage = signed.json["signedURL"].as_str().unwrap().split_once("token=").unwrap().1.to_owned();
    for (what, bad) in [
        ("another source's token", his_token.clone()),
        ("another body", format!("{head}.{his_body}.{signature}")),
        ("no signature", format!("{head}.{body}.")),
        ("no algorithm", format!("eyJhbGciOiJub25lIn0.{body}.")),
        ("the secret of access tokens", forged(SECRET)),
        ("an empty key", forged("")),
        ("an access token", behalf_tests::app::token(ALICE)),
        ("the service key", behalf_tests::app::service_key()),
        ("a token of /storage/v1", of_storage),
        ("nothing", String::new()),
        ("words", "words".to_owned()),
        ("a long one", "x".repeat(20_000)),
    ] {
        let refused = open(&bed, &path, &bad).await;
        assert!(matches!(refused.status, 401 | 403 | 414 | 431), "{what}: {} {}", refused.status, refused.text);
    }
    assert_eq!(open(&bed, &his_path, &token).await.status, 403);
    let without = bed.request(&User::Nobody, Method::GET, &path).send().await.unwrap();
    assert_eq!(without.status(), 403);
    // A token of an address is no access token, and none of /storage/v1.
    for bearer in [&token, &his_token] {
        let refused = bed.get(&User::Token(bearer.clone()), "/api/sources").await;
        assert_eq!(refused.status, 401, "{}", refused.text);
    }
    let swapped = open(&bed, &format!("/storage/v1/object/sign/attachments/{ALICE}/a.txt"), &token).await;
    assert_ne!(swapped.status, 200, "{}", swapped.text);
    let (path, token) = sign(&bed, &alice(), &hers, 1).await;
    behalf_tests::eventually("it does not expire", async || open(&bed, &path, &token).await.status == 403).await;
}

/// Who signed may lose the right to see it; the address was given to whoever has it until it expires.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_names_bytes_and_not_whatever_is_there_later() {
    let bed = Bed::start().await;
    let share = format!("create policy shared on ai.sources for select to authenticated using (auth.uid() = '{BOB}')");
    let id = bed.read(&alice(), "hers.txt", words("hers", 1)).await;
    assert_eq!(bed.post(&bob(), &format!("/api/sources/{id}/download-url"), json!({})).await.status, 404);
    bed.database.execute(&share).await;
    let (path, token) = sign(&bed, &bob(), &id, 60).await;
    assert_eq!(open(&bed, &path, &token).await.status, 200);
    bed.database.execute("drop policy shared on ai.sources").await;
    assert_eq!(bed.get(&bob(), &format!("/api/sources/{id}/download")).await.status, 404);
    assert_eq!(open(&bed, &path, &token).await.status, 200);
}
