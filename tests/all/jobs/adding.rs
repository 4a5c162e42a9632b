//! Who owns a job comes from the claims of the transaction that adds it, and nobody but the host reaches the tables.

use behalf_identity::{Principal, Role};
use behalf_queue::{AddError, Added, NewJob};
use behalf_tests::database::run;
use behalf_tests::{ALICE, BOB, User, eventually};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};

use super::bed::{Bed, KIND, LANE, job};

/// Every way to the tables and functions of jobs.
const WAYS: [&str; 15] = [
    "select from behalf.jobs",
    "insert into behalf.jobs (lane, kind) values ('tests', 'tests.work')",
    "update behalf.jobs set run_at = now()",
    "delete from behalf.jobs",
    "select from behalf.job_owners",
    "select from behalf.job_lanes",
    "insert into behalf.job_owners (lane, owner, ready) values ('tests', 'x', 1)",
    "select from behalf.schedules",
    "insert into behalf.schedules values ('x', now())",
    "select behalf.claim_job('tests', '{tests.work}', gen_random_uuid(), 60, 1)",
    "select behalf.count_job('tests', 'host', 1, 0)",
    "select behalf.job_with_key('tests.work', 'x')",
    "select behalf.prune_tool_calls(1, null, 1)",
    "select behalf.prune_audit_events(1, null, 1)",
    "select behalf.prune_usage(1, 1)",
];

/// What a statement is refused with; none where it is not.
async fn refusal(conn: &mut PgConnection, sql: &str) -> Option<String> {
    let result = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await;
    result.err().map(|error| {
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned()
    })
}

fn claims(claims: &serde_json::Value) -> String {
    format!("set local request.jwt.claims = '{claims}'")
}

#[tokio::test]
async fn no_role_of_the_api_and_no_login_of_tools_reaches_jobs() {
    let bed = Bed::new().await;
    bed.add(&User::Is(ALICE), json!({})).await;
    for role in ["anon", "authenticated", "service_role"] {
        let mut conn = bed.database.owner().await;
        run(&mut conn, &format!("set role {role}")).await;
        for way in WAYS {
            assert_eq!(refusal(&mut conn, way).await.as_deref(), Some("42501"), "{role}: {way}");
        }
    }
    for role in [Role::Anon, Role::Authenticated, Role::Service] {
        let mut conn = bed.database.login(&bed.database.logins.tool(role)).await;
        for way in WAYS {
            assert_eq!(refusal(&mut conn, way).await.as_deref(), Some("42501"), "{role}: {way}");
        }
    }
    // The list of ways is one that works for somebody.
    let mut host = bed.database.login(&bed.database.logins.host()).await;
    run(&mut host, &format!("begin; {}", claims(&json!({"role": "service_role", "act": {"sub": "host"}})))).await;
    for way in WAYS {
        assert_eq!(refusal(&mut host, way).await, None, "{way}");
    }
}

#[tokio::test]
async fn a_callers_transaction_adds_jobs_of_that_caller_only_and_sees_no_others() {
    let bed = Bed::new().await;
    let of_bob = bed.add(&User::Is(BOB), json!({})).await;
    let mut host = bed.database.login(&bed.database.logins.host()).await;
    run(&mut host, &format!("begin; {}", claims(&json!({"sub": ALICE, "role": "authenticated"})))).await;
    let insert = format!(
        "insert into behalf.jobs (lane, kind, owner, user_id) values ('{LANE}', '{KIND}', 'user:{BOB}', '{BOB}');
         update behalf.jobs set owner = 'service', user_id = null, identity = '{{}}', kind = 'x', payload = '9';
         delete from behalf.jobs where id = '{of_bob}';
         commit"
    );
    run(&mut host, &insert).await;
    let owners =
        "select string_agg(concat_ws(' ', owner, user_id, kind, payload, identity is null), '; ' order by owner)
                  from behalf.jobs where id <> $ID";
    let added: String = bed.database.value(&owners.replace("$ID", &format!("'{of_bob}'"))).await;
    assert_eq!(added, format!("user:{ALICE} {ALICE} {KIND} {{}} t"));
    assert_eq!(bed.of_job(of_bob, "owner").await, format!("user:{BOB}"));
    bed.counts_are_true().await;
}

#[tokio::test]
async fn who_has_no_identity_owns_no_job_and_the_lane_of_the_host_is_its_own() {
    let bed = Bed::new().await;
    let mut host = bed.database.login(&bed.database.logins.host()).await;
    let insert = format!("insert into behalf.jobs (lane, kind) values ('{LANE}', '{KIND}')");
    for nobody in [json!({"role": "anon"}), json!({"role": "anon", "act": {"sub": "host"}}), json!({})] {
        run(&mut host, &format!("begin; {}", claims(&nobody))).await;
        assert_eq!(refusal(&mut host, &insert).await.as_deref(), Some("42501"), "{nobody}");
        run(&mut host, "rollback").await;
    }
    let anon = bed.principal(&User::Anon).await;
    let mut tx = bed.db.begin(&anon).await.unwrap();
    assert!(bed.queue.add(&mut tx, &anon, &job()).await.is_err());
    drop(tx);
    for user in [User::Is(ALICE), User::Service] {
        let principal = bed.principal(&user).await;
        let mut tx = bed.db.begin(&principal).await.unwrap();
        let of_host = NewJob { lane: "host", ..job() };
        let AddError::Database(refused) = bed.queue.add(&mut tx, &principal, &of_host).await.unwrap_err() else {
            panic!("no bound is set")
        };
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("23514"), "{user:?}");
    }
    assert_eq!(bed.count("select count(*) from behalf.jobs").await, 0);
    let service = bed.add(&User::Service, json!({})).await;
    assert_eq!(bed.of_job(service, "owner").await, "service");
    let mut tx = bed.db.begin_as_host().await.unwrap();
    let own = bed.queue.add_as_host(&mut tx, &job()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(bed.of_job(own.id(), "owner").await, "host");
}

#[tokio::test]
async fn a_job_is_added_with_its_transaction_or_not_at_all() {
    let bed = Bed::new().await;
    let alice = bed.principal(&User::Is(ALICE)).await;
    let mut tx = bed.db.begin(&alice).await.unwrap();
    bed.queue.add(&mut tx, &alice, &job()).await.unwrap();
    drop(tx);
    assert_eq!(bed.count("select count(*) from behalf.jobs").await, 0);
    assert_eq!(bed.count("select count(*) from behalf.job_owners").await, 0);
    bed.add_many(&User::Is(ALICE), 3).await;
    assert_eq!(bed.count("select ready::bigint from behalf.job_owners").await, 3);
    bed.counts_are_true().await;
}

#[tokio::test]
async fn of_one_key_one_job_waits_whoever_adds_it() {
    let bed = Bed::new().await;
    let keyed = NewJob { unique_key: Some("source:1"), ..job() };
    let Added::New(first) = bed.add_new(&User::Is(ALICE), &keyed).await else { panic!("it is the first") };
    for user in [User::Is(ALICE), User::Is(BOB), User::Service] {
        assert_eq!(bed.add_new(&user, &keyed).await, Added::There(first), "{user:?}");
    }
    // Another kind has keys of its own.
    let other = NewJob { kind: "tests.other", ..keyed.clone() };
    assert!(matches!(bed.add_new(&User::Is(BOB), &other).await, Added::New(_)));
    // Many at the same moment: one is new.
    let (again, alice) = (NewJob { unique_key: Some("source:2"), ..job() }, User::Is(ALICE));
    let all = futures::future::join_all((0..8).map(|_| bed.add_new(&alice, &again))).await;
    assert_eq!(all.iter().filter(|added| matches!(added, Added::New(_))).count(), 1);
    assert!(all.iter().all(|added| added.id() == all[0].id()));
    // One that has ended stands in nobody's way.
    bed.cancel(&alice, first).await;
    assert!(matches!(bed.add_new(&User::Is(BOB), &keyed).await, Added::New(_)));
}

/// The last place is not given twice where two transactions see that it is free.
#[tokio::test]
async fn of_one_owner_no_more_jobs_wait_in_a_lane_than_may() {
    let bed = Bed::new().await;
    let queue = bed.queue.clone().with_max_waiting(3);
    let (alice, bob) = (bed.principal(&User::Is(ALICE)).await, bed.principal(&User::Is(BOB)).await);
    let add = async |principal: &Principal, job: &NewJob<'_>| {
        let mut tx = bed.db.begin(principal).await.unwrap();
        let added = queue.add(&mut tx, principal, job).await;
        tx.commit().await.unwrap();
        added
    };
    let first = add(&alice, &job()).await.unwrap().id();
    add(&alice, &NewJob { unique_key: Some("one"), ..job() }).await.unwrap();
    let mut third = bed.db.begin(&alice).await.unwrap();
    queue.add(&mut third, &alice, &job()).await.unwrap();
    let locked = "select count(*) from pg_locks l join pg_stat_activity a using (pid)
        where a.datname = current_database() and not l.granted";
    let more = job();
    let (fourth, ()) = futures::join!(add(&alice, &more), async {
        eventually("the fourth waits for the third", async || bed.count(locked).await == 1).await;
        third.commit().await.unwrap();
    });
    assert!(matches!(fourth, Err(AddError::Full(3))), "{fourth:?}");
    assert_eq!(bed.count("select count(*) from behalf.jobs").await, 3);
    bed.counts_are_true().await;
    // One that is there is no further one, and others have places of their own.
    assert!(matches!(add(&alice, &NewJob { unique_key: Some("one"), ..job() }).await, Ok(Added::There(_))));
    assert!(matches!(add(&alice, &NewJob { lane: "others", ..job() }).await, Ok(Added::New(_))));
    assert!(matches!(add(&bob, &job()).await, Ok(Added::New(_))));
    bed.cancel(&User::Is(ALICE), first).await;
    assert!(matches!(add(&alice, &job()).await, Ok(Added::New(_))));
    let mut own = bed.db.begin_as_host().await.unwrap();
    for _ in 0..3 {
        queue.add_as_host(&mut own, &job()).await.unwrap();
    }
    assert!(matches!(queue.add_as_host(&mut own, &job()).await, Err(AddError::Full(3))));
    own.commit().await.unwrap();
    assert_eq!(bed.count("select count(*) from behalf.jobs where owner = 'host'").await, 3);
    bed.counts_are_true().await;
}
