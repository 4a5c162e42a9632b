//! Uploads in parts where requests, clients and hosts break off, and others go on.

use std::sync::Arc;

use behalf_tests::{App, HostProcess, Options, TestDatabase, eventually};
use bytes::Bytes;
use reqwest::Body;
use tokio::sync::mpsc;

use super::folders::{alice, app, bytes, database, hers, text};
use super::tus::{Client, text_in};

/// A body whose bytes come when the test sends them.
fn fed() -> (mpsc::Sender<Result<Bytes, std::io::Error>>, Body) {
    let (feed, pieces) = mpsc::channel(4);
    let stream = futures::stream::unfold(pieces, |mut pieces| async move { Some((pieces.recv().await?, pieces)) });
    (feed, Body::wrap_stream(stream))
}

async fn received(database: &TestDatabase) -> i64 {
    database.value("select received from storage.behalf_uploads").await
}

async fn is_locked(database: &TestDatabase) -> bool {
    database.value("select exists (select from storage.behalf_uploads where locked_until > now())").await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_take_turns_with_one_upload() {
    let database = database().await;
    let (one, other) =
        (App::on(database.clone(), Options::default()).await, App::on(database.clone(), Options::default()).await);
    let (first, second) = (Client::new(&one, alice()), Client::new(&other, alice()));
    let upload = first.begin(&text_in("box", &hers("shared")), 10).await.upload();
    for (n, client) in [&first, &second, &first, &second, &first].into_iter().enumerate() {
        assert_eq!(client.look(&upload).await.offset(), n * 2);
        assert_eq!(client.append(&upload, n * 2, "ab").await.status, 204);
    }
    for host in [&one, &other] {
        assert_eq!(text(host, &alice(), "box", &hers("shared")).await.as_deref(), Some("ababababab"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_at_the_same_place_one_appends() {
    let database = database().await;
    let hosts =
        [App::on(database.clone(), Options::default()).await, App::on(database.clone(), Options::default()).await];
    let client = Client::new(&hosts[0], alice());
    let upload = client.begin(&text_in("box", &hers("raced")), 5).await.upload();
    let requests = (0..8).map(|n| {
        let (host, upload) = (&hosts[n % 2], upload.clone());
        async move {
            let body = n.to_string().repeat(5);
            let said = Client::new(host, alice()).append(&upload, 0, body.clone()).await;
            (said.status, body)
        }
    });
    let answers = futures::future::join_all(requests).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 204);
    assert_eq!(won.len(), 1, "{won:?} {lost:?}");
    assert!(lost.iter().all(|(status, _)| *status == 409), "{lost:?}");
    assert_eq!(text(&hosts[0], &alice(), "box", &hers("raced")).await.as_ref(), Some(&won[0].1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_breaks_off_goes_on_where_it_was() {
    let app = app().await;
    let client = Client::new(&app, alice());
    let upload = client.begin(&text_in("box", &hers("cut")), 11).await.upload();
    let (feed, body) = fed();
    let request = tokio::spawn(client.appending(&upload, 0, body).send());
    feed.send(Ok(Bytes::from_static(b"hello "))).await.unwrap();
    eventually("the host works on it", async || is_locked(&app.database).await).await;
    feed.send(Err(std::io::Error::other("the network is gone"))).await.unwrap();
    request.await.unwrap().expect_err("it broke off");
    let offset = client.look(&upload).await.offset();
    assert!(offset == 6 || offset == 0, "{offset}: what came before the end is kept, if it had come at all");
    assert_eq!(received(&app.database).await, i64::try_from(offset).unwrap());
    assert_eq!(client.append(&upload, offset, &"hello world"[offset..]).await.status, 204);
    assert_eq!(text(&app, &alice(), "box", &hers("cut")).await.as_deref(), Some("hello world"));
}

/// The network of a client is gone, and its host has not heard of that: the client comes back, and is not kept waiting.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fell_silent_makes_room_for_the_next() {
    let database = database().await;
    let (one, other) =
        (App::on(database.clone(), Options::default()).await, App::on(database.clone(), Options::default()).await);
    let client = Client::new(&one, alice());
    let upload = client.begin(&text_in("box", &hers("silent")), 11).await.upload();
    let (feed, body) = fed();
    let silent = tokio::spawn(client.appending(&upload, 0, body).send());
    feed.send(Ok(Bytes::from_static(b"hello "))).await.unwrap();
    eventually("the host works on it", async || is_locked(&database).await).await;
    let back = Client::new(&other, alice());
    let offset = back.look(&upload).await.offset();
    assert_eq!(offset, 6);
    let said = silent.await.unwrap().unwrap();
    assert_eq!((said.status().as_u16(), &*said.text().await.unwrap()), (400, "Request aborted due to lock acquired"));
    assert_eq!(back.append(&upload, 6, "world").await.status, 204);
    assert_eq!(text(&one, &alice(), "box", &hers("silent")).await.as_deref(), Some("hello world"));
    drop(feed);
}

/// A host is killed while bytes come. What it had stored is not sent again, and another host goes on.
#[tokio::test(flavor = "multi_thread")]
async fn another_host_goes_on_where_a_killed_one_was() {
    const PIECE: usize = 16 * 1024 * 1024;
    let database = database().await;
    let mut killed = HostProcess::start(&database, &[]).await;
    let whole: Arc<Vec<u8>> = Arc::new((0..PIECE + 5_000_000).map(|n| u8::try_from(n % 251).unwrap()).collect());
    let client = Client::new(&killed, alice());
    let upload = client.begin(&text_in("box", &hers("killed")), whole.len()).await.upload();
    let (feed, body) = fed();
    let request = tokio::spawn(client.appending(&upload, 0, body).send());
    for chunk in whole[..PIECE + 1_000_000].chunks(1_000_000) {
        feed.send(Ok(Bytes::copy_from_slice(chunk))).await.unwrap();
    }
    eventually("the first piece is stored", async || received(&database).await > 0).await;
    killed.kill();
    request.await.unwrap().expect_err("its host is gone");
    let other = App::on(database.clone(), Options::default()).await;
    let client = Client::new(&other, alice());
    let looked = client.look(&upload).await;
    assert_eq!((looked.status, looked.offset()), (200, PIECE), "{looked:?}");
    assert_eq!(bytes(&other, &alice(), "box", &hers("killed")).await, None);
    let last = client.append(&upload, PIECE, whole[PIECE..].to_vec()).await;
    assert_eq!((last.status, last.offset()), (204, whole.len()), "{last:?}");
    let there = bytes(&other, &alice(), "box", &hers("killed")).await.unwrap();
    assert!(there == *whole, "other bytes than were sent");
}

/// A host was killed between the last byte and the object's row: whoever hears that all bytes are there finds the object.
#[tokio::test(flavor = "multi_thread")]
async fn all_bytes_are_there_only_when_the_object_is() {
    let app = app().await;
    let client = Client::new(&app, alice());
    let upload = client.begin(&text_in("box", &hers("late")), 5).await.upload();
    // No row can be written for now: the host is in the middle of the end.
    app.database
        .execute(
            "create function public.refuse() returns trigger language plpgsql as
                 $$ begin raise exception 'not now' using errcode = '57P03'; end $$;
             create trigger refuse before insert on storage.objects for each row execute function public.refuse();",
        )
        .await;
    assert!(client.append(&upload, 0, "whole").await.status >= 500);
    assert!(client.look(&upload).await.status >= 500, "a client would take the object for written");
    app.database.execute("drop trigger refuse on storage.objects").await;
    let looked = client.look(&upload).await;
    assert_eq!((looked.status, looked.offset()), (200, 5));
    assert_eq!(text(&app, &alice(), "box", &hers("late")).await.as_deref(), Some("whole"));
}

/// The same where the row was written and the upload's own row could not say so.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_there_already_is_not_written_or_deleted_again() {
    let app = app().await;
    let client = Client::new(&app, alice());
    let upload = client.begin_with(&text_in("box", &hers("done")), 5, "whole").await.upload();
    app.database.execute("update storage.behalf_uploads set completed_at = null").await;
    let looked = client.look(&upload).await;
    assert_eq!((looked.status, looked.offset()), (200, 5), "its own row is no conflict");
    app.database.execute("update storage.behalf_uploads set completed_at = null, expires_at = now()").await;
    let other = App::on(app.database.clone(), Options::default()).await;
    app.database.execute(super::resumable::EXPIRY_IS_DUE).await;
    eventually("the upload is deleted", async || {
        app.database.value::<i64>("select count(*) from storage.behalf_uploads").await == 0
    })
    .await;
    assert_eq!(text(&other, &alice(), "box", &hers("done")).await.as_deref(), Some("whole"));
}
