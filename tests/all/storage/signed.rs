//! Signed addresses, and attempts to make more of them than they are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_tests::{ALICE, Answer, App, SECRET, User};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::folders::{
    alice, anon, app, app_with, assert_refused, bob, bytes, hers, his, post, request, send, text, upload,
};
use super::tus::{Client, SIGNED, text_in};

/// A request to a signed address by somebody who has nothing else.
async fn ask(app: &App, method: Method, address: &str) -> Response {
    request(app, &User::Nobody, method, address).send().await.unwrap()
}

/// Uploads to a signed address.
async fn put(app: &App, address: &str, bytes: &'static str) -> Answer {
    let request = request(app, &User::Nobody, Method::PUT, address).header("content-type", "text/plain").body(bytes);
    Answer::of(request.send().await.unwrap()).await
}

/// The address at which an object can be read.
async fn sign(app: &App, user: &User, name: &str) -> String {
    let answer = post(app, user, &format!("/object/sign/box/{name}"), json!({"expiresIn": 60})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json["signedURL"].as_str().unwrap().to_owned()
}

/// The address at which an object can be written.
async fn sign_upload(app: &App, user: &User, name: &str, upsert: bool) -> String {
    let request = request(app, user, Method::POST, &format!("/object/upload/sign/box/{name}"));
    let answer = Answer::of(request.header("x-upsert", upsert.to_string()).send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let url = answer.json["url"].as_str().unwrap().to_owned();
    assert_eq!(url, format!("/object/upload/sign/box/{name}?token={}", answer.json["token"].as_str().unwrap()));
    url
}

fn token(address: &str) -> &str {
    address.split_once("?token=").unwrap().1
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_address_reads_as_every_download_does() {
    let app = app().await;
    upload(&app, &alice(), "box", &hers("a cat.txt"), "0123456789").await;
    let address = sign(&app, &alice(), &hers("a cat.txt")).await;
    assert!(address.starts_with(&format!("/object/sign/box/{ALICE}/a cat.txt?token=")), "{address}");
    let said = claims(token(&address));
    assert_eq!((&said["url"], &said["scope"]), (&json!(format!("box/{ALICE}/a cat.txt")), &json!("download")));
    assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 60);
    let whole = ask(&app, Method::GET, &address).await;
    assert_eq!(whole.status(), 200);
    let header = |name: &str| whole.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("content-type").as_deref(), Some("text/plain"));
    assert!(header("expires").is_some(), "caches keep it no longer than the address");
    let tag = header("etag").unwrap();
    assert_eq!(whole.text().await.unwrap(), "0123456789");
    let part = request(&app, &User::Nobody, Method::GET, &address).header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!((part.status().as_u16(), &*part.text().await.unwrap()), (206, "234"));
    let same = request(&app, &User::Nobody, Method::GET, &address).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((same.status().as_u16(), &*same.text().await.unwrap()), (304, ""));
    let head = ask(&app, Method::HEAD, &address).await;
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, "10"));
    let named = ask(&app, Method::GET, &format!("{address}&download=dog.txt&cacheNonce=1")).await;
    assert!(named.headers()["content-disposition"].to_str().unwrap().contains("dog.txt"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_read_an_object_signs_for_it() {
    let app = app().await;
    upload(&app, &alice(), "box", &hers("a"), "secret").await;
    let body = json!({"expiresIn": 60});
    for (user, name) in [(bob(), hers("a")), (anon(), hers("a")), (alice(), hers("none")), (bob(), hers("none"))] {
        let answer = post(&app, &user, &format!("/object/sign/box/{name}"), body.clone()).await;
        assert_refused(&answer, "404", "not_found");
    }
    let paths = json!({"expiresIn": "60", "paths": [hers("none"), hers("a"), his("b"), "\"},{", ""]});
    upload(&app, &bob(), "box", &his("b"), "his").await;
    let answer = post(&app, &alice(), "/object/sign/box", paths.clone()).await;
    let many = answer.json.as_array().unwrap();
    let names: Vec<_> = many.iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(names, [&*hers("none"), &*hers("a"), &*his("b"), "\"},{", ""]);
    let signed: Vec<_> = many.iter().map(|one| (one["signedURL"].is_string(), one["error"].is_string())).collect();
    assert_eq!(signed, [(false, true), (true, false), (false, true), (false, true), (false, true)], "{}", answer.text);
    let address = many[1]["signedURL"].as_str().unwrap();
    assert_eq!(ask(&app, Method::GET, address).await.text().await.unwrap(), "secret");
    let nobody = request(&app, &User::Nobody, Method::POST, "/object/sign/box").json(&paths).send().await.unwrap();
    assert_eq!(nobody.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terms_of_an_address_are_checked() {
    let app = app().await;
    upload(&app, &alice(), "box", &hers("a"), "secret").await;
    for (path, paths) in
        [(format!("/object/sign/box/{}", hers("a")), None), ("/object/sign/box".to_owned(), Some([hers("a")]))]
    {
        for seconds in [json!(0), json!(-5), json!(1e21), json!(1.5), json!(null), json!("soon"), json!(i64::MAX)] {
            let answer = post(&app, &alice(), &path, json!({"expiresIn": seconds, "paths": paths})).await;
            assert_eq!(answer.status, 400, "{path} {seconds}: {}", answer.text);
            assert!(answer.json["message"].as_str().unwrap().contains("expiresIn"), "{seconds}: {}", answer.text);
        }
        assert_eq!(post(&app, &alice(), &path, json!({"paths": paths})).await.status, 400);
    }
    for amount in [0, 1001] {
        let paths = vec!["a"; amount];
        let answer = post(&app, &alice(), "/object/sign/box", json!({"expiresIn": 60, "paths": paths})).await;
        assert_refused(&answer, "400", "Error");
    }
    let answer = post(&app, &alice(), "/object/sign/sources/a", json!({"expiresIn": 60})).await;
    assert_eq!(answer.json["statusCode"], "404", "the platform's bucket is nobody's: {}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_address_opens_its_own_object_for_its_own_purpose() {
    let app = app().await;
    for name in ["a", "b"] {
        upload(&app, &alice(), "box", &hers(name), "secret").await;
        upload(&app, &alice(), "attic", &hers(name), "secret").await;
    }
    let read = sign(&app, &alice(), &hers("a")).await;
    let write = sign_upload(&app, &alice(), &hers("c"), false).await;
    let (reading, writing) = (token(&read), token(&write));
    for address in [
        format!("/object/sign/box/{}?token={reading}", hers("b")),
        format!("/object/sign/attic/{}?token={reading}", hers("a")),
        format!("/object/sign/box/{}?token={writing}", hers("c")),
        format!("/object/sign/box/{}?token={writing}", hers("a")),
        format!("/object/sign/box/{}?token={reading}x", hers("a")),
        format!("/object/sign/box/{}?token=", hers("a")),
        format!("/object/sign/box/{}?token=not-a-jwt", hers("a")),
        format!("/object/sign/box/{}", hers("a")),
    ] {
        let answer = Answer::of(ask(&app, Method::GET, &address).await).await;
        assert_eq!((answer.status, &answer.json["statusCode"]), (400, &json!("400")), "{address}: {}", answer.text);
        assert!(!answer.text.contains("secret"));
    }
    for (name, token) in [("a", reading), ("c", reading), ("d", writing), ("c", "not-a-jwt")] {
        let answer = put(&app, &format!("/object/upload/sign/box/{}?token={token}", hers(name)), "enemy").await;
        assert_eq!((answer.status, &answer.json["statusCode"]), (400, &json!("400")), "{name}: {}", answer.text);
    }
    assert_eq!(put(&app, &format!("/object/upload/sign/box/{}", hers("c")), "enemy").await.status, 400);
    assert_eq!(text(&app, &alice(), "box", &hers("a")).await.as_deref(), Some("secret"));
    // Each still does what it is for, and nothing with another method.
    assert_eq!(ask(&app, Method::GET, &read).await.status(), 200);
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        assert!(ask(&app, method.clone(), &read).await.status().is_client_error(), "{method}");
    }
    assert!(ask(&app, Method::DELETE, &write).await.status().is_client_error());
    assert_eq!(put(&app, &write, "hers").await.json["Key"], json!(format!("box/{}", hers("c"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_changed_or_made_elsewhere_opens_nothing() {
    let app = app().await;
    upload(&app, &alice(), "box", &hers("a"), "secret").await;
    let address = sign(&app, &alice(), &hers("a")).await;
    let good = token(&address);
    let said = claims(good);
    let parts: Vec<&str> = good.split('.').collect();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut longer = said.clone();
    longer["exp"] = json!(said["exp"].as_i64().unwrap() + 1000);
    let made = |algorithm, claims: &Value, key: &str| {
        jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
    };
    let mut last = parts[2].to_owned();
    let first = if last.starts_with('A') { "B" } else { "A" };
    last.replace_range(0..1, first);
    for bad in [
        format!("{}.{}.{}", parts[0], encode(&longer), parts[2]),
        format!("{}.{}.{last}", parts[0], parts[1]),
        format!("{}.{}.", encode(&json!({"alg": "none"})), parts[1]),
        format!("{}.{}.{}", encode(&json!({"alg": "HS512", "typ": "JWT"})), parts[1], parts[2]),
        made(Algorithm::HS256, &said, SECRET),
        made(Algorithm::HS256, &said, ""),
        behalf_tests::app::token(ALICE),
        behalf_tests::app::service_key(),
        behalf_tests::app::anon_key(),
    ] {
        let answer =
            Answer::of(ask(&app, Method::GET, &format!("/object/sign/box/{}?token={bad}", hers("a"))).await).await;
        assert_refused(&answer, "400", "InvalidJWT");
        let answer = put(&app, &format!("/object/upload/sign/box/{}?token={bad}", hers("b")), "enemy").await;
        assert_refused(&answer, "400", "InvalidJWT");
    }
    // And the other way round: an address says who signed it, and is no access for them.
    let upload = sign_upload(&app, &alice(), &hers("b"), true).await;
    for token in [good, token(&upload)] {
        let user = User::Token(token.to_owned());
        let answer = send(&app, &user, Method::GET, &format!("/object/authenticated/box/{}", hers("a")), None).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(!answer.text.contains("secret"));
        assert!([401, 403].contains(&app.get(&user, "/rest/v1/notes").await.status));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_ends_when_it_said_so() {
    let app = app_with(vec![("storage_signed_upload_seconds", "1".to_owned())]).await;
    upload(&app, &alice(), "box", &hers("a"), "secret").await;
    let body = json!({"expiresIn": 1});
    let answer = post(&app, &alice(), &format!("/object/sign/box/{}", hers("a")), body).await;
    let read = answer.json["signedURL"].as_str().unwrap().to_owned();
    let write = sign_upload(&app, &alice(), &hers("b"), false).await;
    behalf_tests::eventually("reading ends", async || {
        let answer = Answer::of(ask(&app, Method::GET, &read).await).await;
        assert!(
            answer.status == 200 || answer.json["message"] == "\"exp\" claim timestamp check failed",
            "{}",
            answer.text
        );
        answer.status == 400
    })
    .await;
    behalf_tests::eventually("writing ends", async || {
        let answer = put(&app, &write, "late").await;
        answer.json["error"] == "InvalidJWT"
    })
    .await;
    let upload = Client::signed(&app, token(&write));
    let said = upload.begin(&text_in("box", &hers("b")), 1).await;
    assert_eq!((said.status, &*said.text), (400, "\"exp\" claim timestamp check failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_upload_is_the_signers_and_replaces_only_if_that_was_signed() {
    let app = app().await;
    let write = sign_upload(&app, &alice(), &hers("new"), false).await;
    assert_eq!(claims(token(&write))["owner"], json!(ALICE.to_string()));
    assert_eq!(put(&app, &write, "first").await.status, 200);
    let owner: String =
        app.database.value("select owner::text || ' ' || owner_id from storage.objects where name like '%/new'").await;
    assert_eq!(owner, format!("{ALICE} {ALICE}"));
    assert_refused(&put(&app, &write, "second").await, "409", "Duplicate");
    assert_eq!(text(&app, &alice(), "box", &hers("new")).await.as_deref(), Some("first"));
    let forced = request(&app, &User::Nobody, Method::PUT, &write).header("x-upsert", "true").body("second");
    assert_refused(&Answer::of(forced.send().await.unwrap()).await, "409", "Duplicate");
    let again = sign_upload(&app, &alice(), &hers("new"), true).await;
    for bytes in ["second", "third"] {
        assert_eq!(put(&app, &again, bytes).await.status, 200);
        assert_eq!(text(&app, &alice(), "box", &hers("new")).await.as_deref(), Some(bytes));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_write_an_object_signs_for_its_upload() {
    let app = app().await;
    upload(&app, &alice(), "box", &hers("a"), "secret").await;
    let sign = async |user: &User, path: &str, upsert: &str| {
        let request = request(&app, user, Method::POST, &format!("/object/upload/sign/{path}"));
        Answer::of(request.header("x-upsert", upsert).send().await.unwrap()).await
    };
    for upsert in ["false", "true"] {
        for user in [bob(), anon()] {
            for name in ["a", "none"] {
                let answer = sign(&user, &format!("box/{}", hers(name)), upsert).await;
                assert_refused(&answer, "403", "Unauthorized");
            }
        }
    }
    assert_refused(&sign(&alice(), &format!("box/{}", hers("a")), "false").await, "409", "Duplicate");
    assert_eq!(sign(&alice(), &format!("box/{}", hers("a")), "true").await.status, 200);
    assert_eq!(sign(&alice(), &format!("nowhere/{}", hers("a")), "false").await.json["statusCode"], "404");
    assert_eq!(sign(&User::Service, "sources/a", "false").await.json["statusCode"], "404");
    assert_eq!(app.database.value::<i64>("select count(*) from storage.objects").await, 1, "signing writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_parts_goes_by_a_signature_as_well() {
    let app = app().await;
    let write = sign_upload(&app, &alice(), &hers("parts"), false).await;
    let client = Client::signed(&app, token(&write));
    let begun = client.begin(&text_in("box", &hers("parts")), 11).await;
    let upload_at = begun.upload();
    assert!(upload_at.starts_with(&format!("{SIGNED}/")), "{upload_at}");
    assert_eq!(client.append(&upload_at, 0, "hello ").await.offset(), 6);
    assert_eq!(client.look(&upload_at).await.offset(), 6);
    // Whoever has no signature, or another one, has nothing.
    let mine = upload_at.replace("/sign/", "/");
    assert_eq!(Client::new(&app, alice()).append(&mine, 6, "enemy").await.status, 404);
    upload(&app, &alice(), "box", &hers("other"), "secret").await;
    let others = sign_upload(&app, &alice(), &hers("elsewhere"), false).await;
    let read = sign(&app, &alice(), &hers("other")).await;
    for bad in [token(&others), token(&read), "not-a-jwt"] {
        let other = Client::signed(&app, bad);
        assert_eq!(other.append(&upload_at, 6, "enemy").await.status, 400, "{bad}");
        assert_eq!(other.look(&upload_at).await.status, 400, "{bad}");
        let said = other.begin(&text_in("box", &hers("parts")), 5).await;
        assert_eq!(said.status, 400, "{said:?}");
        // Nobody learns from it which buckets there are.
        let nowhere = other.begin(&text_in("nowhere", &hers("parts")), 5).await;
        assert_eq!((nowhere.status, nowhere.text), (said.status, said.text), "{bad}");
    }
    let unsigned = Client { signature: Some(String::new()), ..Client::signed(&app, "") };
    let said = unsigned.begin(&text_in("box", &hers("parts")), 5).await;
    assert_eq!((said.status, &*said.text), (400, "Missing x-signature header"));
    assert_eq!(client.append(&upload_at, 6, "world").await.status, 204);
    assert_eq!(bytes(&app, &alice(), "box", &hers("parts")).await.as_deref(), Some(&b"hello world"[..]));
    let owner: String = app.database.value("select owner_id from storage.objects where name like '%/parts'").await;
    assert_eq!(owner, ALICE.to_string());
    // The address was for one object that was not there.
    let said = client.begin(&text_in("box", &hers("parts")), 5).await;
    assert_eq!((said.status, &*said.text), (409, "The resource already exists"));
}
