//! Sources whose owners are banned, deleted or lose their rights while their documents wait.

use behalf_tests::{Answer, User};
use reqwest::Method;
use serde_json::{Value, json};

use super::bed::Bed;
use super::documents::{pdf, words};

const PASSWORD: &str = "a long password of a person";

/// A person with an account, signed in: the id and the token.
async fn person(bed: &Bed, name: &str) -> (String, User) {
    let email = format!("{name}@people.example");
    let body = json!({"email": email, "password": PASSWORD, "email_confirm": true});
    let made = bed.post(&User::Service, "/auth/v1/admin/users", body).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let signed_in = json!({"email": email, "password": PASSWORD});
    let signed_in = bed.post(&User::Anon, "/auth/v1/token?grant_type=password", signed_in).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.text);
    let token = signed_in.json["access_token"].as_str().unwrap().to_owned();
    (made.json["id"].as_str().unwrap().to_owned(), User::Token(token))
}

/// Bans a person for a time, or no longer.
async fn ban(bed: &Bed, id: &str, time: &str) {
    let path = format!("/auth/v1/admin/users/{id}");
    let answer = bed.send(&User::Service, Method::PUT, &path, json!({ "ban_duration": time })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// A source as the service role sees it.
async fn seen(bed: &Bed, id: &str) -> Value {
    bed.ended(&User::Service, id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_owner_was_banned_meanwhile_is_not_read() {
    let bed = Bed::start().await;
    let ((anna, as_anna), (_, as_ben)) = (person(&bed, "anna").await, person(&bed, "ben").await);
    bed.hold().await;
    let hers = bed.added(&as_anna, "hers.pdf", pdf("hers", 1)).await;
    let his = bed.added(&as_ben, "his.pdf", pdf("his", 1)).await;
    ban(&bed, &anna, "24h").await;
    bed.let_go().await;
    let source = seen(&bed, &hers).await;
    let shown = (&source["extraction_status"], &source["error_code"]);
    assert_eq!(shown, (&json!("failed"), &json!("owner_gone")), "{source}");
    assert_eq!(seen(&bed, &his).await["extraction_status"], "extracted");
    let pages = format!("select count(*) from ai.source_pages where source_id = '{hers}'");
    assert_eq!(bed.database.value::<i64>(&pages).await, 0);
    // Nor is anything taken from her, while her token may be valid still.
    let refused = bed.add(&as_anna, "more.pdf", pdf("more", 1)).await;
    assert!(matches!(refused.status, 401 | 403), "{}", refused.text);
    // The operators see why, and have it done once she may.
    let dead = bed.get(&User::Service, "/api/jobs?state=dead").await;
    assert_eq!(
        (&dead.json["jobs"][0]["error_code"], dead.json["total"].as_i64()),
        (&json!("owner_gone"), Some(1)),
        "{}",
        dead.text
    );
    ban(&bed, &anna, "none").await;
    let anew = bed.post(&User::Service, &format!("/api/sources/{hers}/reextract"), json!({})).await;
    assert_eq!(anew.status, 200, "{}", anew.text);
    assert_eq!(seen(&bed, &hers).await["extraction_status"], "extracted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_owner_was_deleted_meanwhile_is_not_read() {
    let bed = Bed::start().await;
    let (anna, as_anna) = person(&bed, "anna").await;
    let read = bed.read(&as_anna, "read.pdf", pdf("read", 1)).await;
    bed.hold().await;
    let waits = bed.added(&as_anna, "waits.pdf", pdf("waits", 1)).await;
    let deleted = bed.send(&User::Service, Method::DELETE, &format!("/auth/v1/admin/users/{anna}"), json!({})).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text);
    bed.let_go().await;
    let left = format!("select count(*) from ai.source_pages where source_id = '{waits}'");
    let running = "select count(*) from behalf.jobs where state in ('ready', 'running', 'delayed')";
    behalf_tests::eventually("its job is not ended", async || bed.database.value::<i64>(running).await == 0).await;
    assert_eq!(bed.database.value::<i64>(&left).await, 0);
    for id in [&read, &waits] {
        let answer = bed.get(&as_anna, &format!("/api/sources/{id}")).await;
        assert!(matches!(answer.status, 401 | 403 | 404), "{}", answer.text);
    }
}

/// The service role acts for a user: the document is that user's, and is read as theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_for_whom_the_service_role_acts_counts_as_the_owner() {
    let bed = Bed::start().await;
    let (anna, as_anna) = person(&bed, "anna").await;
    let acting = User::ServiceFor(anna.parse().unwrap());
    bed.hold().await;
    let waits = bed.added(&acting, "waits.txt", words("waits", 1)).await;
    let jobs = bed.get(&User::Service, &format!("/api/jobs?owner=user:{anna}")).await;
    assert_eq!(jobs.json["total"], 1, "{}", jobs.text);
    for hidden in ["identity", "payload"] {
        assert!(jobs.json["jobs"][0].get(hidden).is_none(), "{}", jobs.text);
    }
    ban(&bed, &anna, "24h").await;
    bed.let_go().await;
    let source = seen(&bed, &waits).await;
    assert_eq!(source["error_code"], "owner_gone", "{source}");
    let refused = bed.add(&acting, "more.txt", words("more", 1)).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(matches!(bed.get(&as_anna, "/api/sources").await.status, 401 | 403 | 200));
}

/// Whoever can change the rows of jobs still reads nothing as somebody else: the stored identity is sealed, and for its own job.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_stored_caller_was_changed_reads_nothing() {
    let bed = Bed::start().await;
    let ((_, as_anna), (_, as_ben)) = (person(&bed, "anna").await, person(&bed, "ben").await);
    bed.hold().await;
    let hers = bed.added(&as_anna, "hers.txt", words("hers", 1)).await;
    let his = bed.added(&as_ben, "his.txt", words("his", 1)).await;
    // Her job gets his sealed identity, as the owner of the database can do it.
    bed.database
        .execute(
            "alter table behalf.jobs disable trigger own_job;
             update behalf.jobs j set identity = o.identity from behalf.jobs o
             where o.id <> j.id and j.created_at = (select min(created_at) from behalf.jobs);
             alter table behalf.jobs enable trigger own_job;",
        )
        .await;
    bed.let_go().await;
    let source = seen(&bed, &hers).await;
    assert_eq!(source["extraction_status"], "failed", "{source}");
    assert_eq!(seen(&bed, &his).await["extraction_status"], "extracted");
    let dead = bed.get(&User::Service, "/api/jobs?state=dead").await;
    assert_eq!(dead.json["jobs"][0]["error_code"], "identity", "{}", dead.text);
    let pages = format!("select count(*) from ai.source_pages where source_id = '{hers}'");
    assert_eq!(bed.database.value::<i64>(&pages).await, 0);
    let asked =
        Answer::of(bed.request(&as_anna, Method::GET, &format!("/api/sources/{hers}")).send().await.unwrap()).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
}
