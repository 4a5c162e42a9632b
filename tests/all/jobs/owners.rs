//! A job is done only while its owner may act, and only as whom the project's secrets sealed into it.

use behalf_queue::JobId;
use behalf_tests::{ALICE, App, BOB, TestDatabase, User, eventually};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::bed::{Bed, Host, Work};

/// Changes rows as only the owner of the database can: a trigger keeps their owners and identities from all others.
async fn tamper(bed: &Bed, change: &str) {
    let sql = format!(
        "alter table behalf.jobs disable trigger own_job; {change}; alter table behalf.jobs enable trigger own_job"
    );
    bed.database.execute(&sql).await;
}

async fn is_refused(bed: &Bed, id: JobId, code: &str, who: &str) {
    bed.is_soon(id, "dead").await;
    assert_eq!(
        (bed.of_job(id, "error_code").await, bed.of_job(id, "attempts").await),
        (code.to_owned(), "1".to_owned())
    );
    assert_eq!(bed.ending(id).await, who);
    assert_eq!(bed.effects().await, 0, "nothing of it was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_identity_was_changed_is_not_done() {
    let bed = Bed::new().await;
    let add = async || (bed.add(&User::Is(ALICE), json!({})).await, bed.add(&User::Is(BOB), json!({})).await);
    let of = |id: JobId| format!("id = '{id}'");
    let (moved, of_bob) = add().await;
    tamper(
        &bed,
        &format!(
            "update behalf.jobs set identity = (select identity from behalf.jobs where {}) where {}",
            of(of_bob),
            of(moved)
        ),
    )
    .await;
    let (given, _) = add().await;
    tamper(&bed, &format!("update behalf.jobs set owner = 'user:{BOB}', user_id = '{BOB}' where {}", of(given))).await;
    let (raised, _) = add().await;
    tamper(&bed, &format!("update behalf.jobs set owner = 'service', user_id = null where {}", of(raised))).await;
    let (forged, _) = add().await;
    let forge = r"update behalf.jobs set identity = jsonb_set(identity, '{principal}', to_jsonb(replace(identity ->> 'principal', 'authenticated', 'service_role')))";
    tamper(&bed, &format!("{forge} where {}", of(forged))).await;
    let (lost, _) = add().await;
    tamper(&bed, &format!("update behalf.jobs set identity = null where {}", of(lost))).await;
    bed.database.execute(&format!("delete from behalf.jobs where owner = 'user:{BOB}' and not {}", of(given))).await;
    let host = Host::start(&bed, Work::effects("done")).await;
    for id in [moved, given, raised, forged, lost] {
        // The host tells the feature in its own name: whose job it was cannot be told.
        is_refused(&bed, id, "identity", "none service_role identity f").await;
    }
    host.stop().await;
    // Whoever owns the database can add work of the host's own; its handlers find no caller in it.
    let emptied = bed.add(&User::Is(ALICE), json!({})).await;
    tamper(
        &bed,
        &format!("update behalf.jobs set owner = 'host', user_id = null, identity = null where {}", of(emptied)),
    )
    .await;
    let _host = Host::start(
        &bed,
        Work::new(|job| {
            assert!(job.principal().is_err());
            Box::pin(super::bed::effect(job, "done"))
        }),
    )
    .await;
    eventually("the one without a caller ends", async || bed.of_job(emptied, "state").await == "gone").await;
    let who: String = bed
        .database
        .value("select string_agg(concat_ws(' ', coalesce(who::text, 'none'), role), ', ') from behalf.effects")
        .await;
    assert_eq!(who, "none service_role");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_sealed_with_another_secret_is_not_done() {
    let database = TestDatabase::create().await;
    let other = Bed::on(database.clone(), "another-secret-that-is-long-enough-for-hs256-tokens").await;
    let bed = Bed::on(database, behalf_tests::SECRET).await;
    let principal = bed.principal(&User::Is(ALICE)).await;
    let mut tx = other.db.begin(&principal).await.unwrap();
    let id = other.queue.add(&mut tx, &principal, &super::bed::job()).await.unwrap().id();
    tx.commit().await.unwrap();
    let _host = Host::start(&bed, Work::effects("done")).await;
    is_refused(&bed, id, "identity", "none service_role identity f").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banned_or_deleted_user_has_nothing_done_any_more() {
    let app = App::start().await;
    let bed = Bed::of(&app).await;
    let account = async |name: &str| -> Uuid {
        let body = json!({ "email": format!("{name}@people.example") });
        let made = app.post(&User::Service, "/auth/v1/admin/users", body).await;
        made.json["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).parse().unwrap()
    };
    let (banned, deleted, kept) = (account("banned").await, account("deleted").await, account("kept").await);
    let of_banned = bed.add(&User::Is(banned), json!({})).await;
    let of_deleted = bed.add(&User::Is(deleted), json!({})).await;
    let path = format!("/auth/v1/admin/users/{banned}");
    let answer = app.send(&User::Service, Method::PUT, &path, json!({ "ban_duration": "1h" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = app.send(&User::Service, Method::DELETE, &format!("/auth/v1/admin/users/{deleted}"), json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let _host = Host::start(&bed, Work::effects("done")).await;
    is_refused(&bed, of_banned, "owner_gone", &format!("{banned} authenticated owner_gone f")).await;
    is_refused(&bed, of_deleted, "owner_gone", &format!("{deleted} authenticated owner_gone f")).await;
    // Neither users who are there nor those of whom the host knows nothing are gone.
    let (of_kept, of_alice) = (bed.add(&User::Is(kept), json!({})).await, bed.add(&User::Is(ALICE), json!({})).await);
    for id in [of_kept, of_alice] {
        eventually("it is done", async || bed.of_job(id, "state").await == "gone").await;
    }
    assert_eq!(bed.effects().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_that_was_revoked_has_nothing_done_any_more() {
    let app = App::start().await;
    let bed = Bed::of(&app).await;
    let agent = app.post(&User::Service, "/api/agents", json!({ "name": "helper" })).await.json["id"].clone();
    let delegate = async || {
        let made = app.post(&User::Is(ALICE), "/api/delegations", json!({ "agent_id": agent })).await;
        let text = |name: &str| made.json[name].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
        (text("id"), User::Token(text("token")))
    };
    let ((id, revoked), (_, valid)) = (delegate().await, delegate().await);
    let of_revoked = bed.add(&revoked, json!({})).await;
    let of_valid = bed.add(&valid, json!({})).await;
    let answer = app.send(&User::Is(ALICE), Method::DELETE, &format!("/api/delegations/{id}"), json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let _host = Host::start(&bed, Work::effects("done")).await;
    eventually("the valid one has its job done", async || bed.of_job(of_valid, "state").await == "gone").await;
    bed.is_soon(of_revoked, "dead").await;
    assert_eq!(bed.ending(of_revoked).await, format!("{ALICE} authenticated owner_gone f"));
    assert_eq!(bed.effects().await, 1);
}
