//! Owners are served in turn, whoever has how many jobs, and no owner takes more places than allowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use behalf_host_db::HostTx;
use behalf_queue::{LaneOptions, NewJob, WorkerOptions};
use behalf_tests::{ALICE, BOB, User, eventually};
use serde_json::json;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::bed::{Bed, Host, LANE, Work, effect, job, options};

const CAROL: Uuid = Uuid::from_u128(0xca01_0000_0000_4000_8000_0000_0000_0003);

/// Whose jobs were done, in this order.
async fn order(bed: &Bed) -> Vec<Uuid> {
    bed.database.value("select array_agg(who order by n) from behalf.effects").await
}

fn lane(places: usize, per_owner: u32) -> WorkerOptions {
    WorkerOptions { lanes: vec![LaneOptions { name: LANE, places, per_owner }], ..options() }
}

/// Lets attempts end, one for each permit, and counts those that began.
#[derive(Clone)]
struct Gate {
    permits: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
}

impl Gate {
    fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), begun: Arc::default() }
    }

    fn work(&self) -> Work {
        let gate = self.clone();
        Work::new(move |job| {
            let gate = gate.clone();
            Box::pin(async move {
                gate.begun.fetch_add(1, Ordering::SeqCst);
                gate.permits.acquire().await.expect("it stays open").forget();
                effect(job, "done").await
            })
        })
    }

    fn open(&self, attempts: usize) {
        self.permits.add_permits(attempts);
    }

    async fn begun(&self, attempts: usize) {
        eventually(&format!("{attempts} began"), async || self.begun.load(Ordering::SeqCst) == attempts).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_many_jobs_delays_another_by_one_job_for_each_place() {
    let bed = Bed::new().await;
    bed.add_many(&User::Is(ALICE), 200).await;
    bed.add_many(&User::Is(BOB), 2).await;
    let gate = Gate::new();
    let work = gate.work();
    let _host = Host::with(&bed, lane(1, 8), 2, |workers| workers.handle(work)).await;
    gate.open(2);
    gate.begun(3).await;
    let first = order(&bed).await;
    assert!(first.contains(&ALICE) && first.contains(&BOB), "{first:?}");
    // Carol comes last of all, while a job of another is under way in the one place.
    bed.add_many(&User::Is(CAROL), 1).await;
    gate.open(2);
    eventually("two more are done", async || bed.effects().await == 4).await;
    assert_eq!(order(&bed).await[3], CAROL);
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_take_turns_and_each_ones_jobs_come_in_their_order() {
    let bed = Bed::new().await;
    for user in [ALICE, BOB, CAROL] {
        bed.add_many(&User::Is(user), 5).await;
    }
    let work = Work::new(|job| Box::pin(async move { effect(job, &job.payload.to_string()).await }));
    let _host = Host::with(&bed, lane(1, 8), 2, |workers| workers.handle(work)).await;
    eventually("all are done", async || bed.effects().await == 15).await;
    for round in order(&bed).await.chunks(3) {
        let (mut round, mut all) = (round.to_vec(), [ALICE, BOB, CAROL]);
        round.sort();
        all.sort();
        assert_eq!(round, all);
    }
    for user in [ALICE, BOB, CAROL] {
        let notes = format!("select string_agg(note, ' ' order by n) from behalf.effects where who = '{user}'");
        assert_eq!(bed.database.value::<String>(&notes).await, "0 1 2 3 4");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_has_so_many_places_on_all_hosts_together() {
    let bed = Bed::new().await;
    bed.add_many(&User::Is(ALICE), 20).await;
    let gate = Gate::new();
    let (one, other) = (gate.work(), gate.work());
    let _first = Host::with(&bed, lane(4, 2), 2, |workers| workers.handle(one)).await;
    let _second = Host::with(&bed, lane(4, 2), 2, |workers| workers.handle(other)).await;
    for done in 0..18 {
        let running = "select count(*) from behalf.jobs where state = 'running' and lane = 'tests'";
        gate.begun(done + 2).await;
        assert_eq!(bed.count(running).await, 2);
        gate.open(1);
    }
    // Another owner's job finds a place beside them.
    let of_bob = bed.add(&User::Is(BOB), json!({})).await;
    eventually("it is under way", async || bed.of_job(of_bob, "state").await == "running").await;
    gate.open(3);
    eventually("all are done", async || bed.effects().await == 21).await;
    bed.counts_are_true().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_kind_that_no_host_knows_stand_in_nobodys_way() {
    let bed = Bed::new().await;
    for number in 0..40_u128 {
        let user = User::Is(Uuid::from_u128(number + 1));
        bed.add_new(&user, &NewJob { kind: "tests.unknown", ..job() }).await;
    }
    bed.add_many(&User::Is(ALICE), 3).await;
    let _host = Host::with(&bed, lane(1, 8), 2, |workers| workers.handle(Work::effects("done"))).await;
    eventually("those that it knows are done", async || bed.effects().await == 3).await;
    assert_eq!(bed.count("select count(*) from behalf.jobs where kind = 'tests.unknown' and attempts = 0").await, 40);
    bed.counts_are_true().await;
}

/// Claims for no host, so that a test sees one claim after the other. Of few owners Postgres would read the whole table instead of the index.
const CLAIMS: &str = "
    create function public.claims() returns setof behalf.jobs language sql as
        $$ select * from behalf.claim_job('tests', array['tests.work'], gen_random_uuid(), 60, 2) $$;
    create procedure public.claim_and_end(times integer) language plpgsql as $$
    declare
        claimed uuid;
    begin
        for turn in 1..times loop
            select id into claimed from public.claims();
            commit;
            delete from behalf.jobs where id = claimed;
            commit;
        end loop;
    end
    $$;
    create function public.pages_of_a_claim(looks boolean) returns bigint language plpgsql
        set enable_seqscan = off set enable_bitmapscan = off as $$
    declare
        plan json;
    begin
        -- The first one of a session reads the catalogue as well.
        perform public.claims();
        update behalf.job_lanes set looked_at = case when looks then '-infinity' else 'infinity' end::timestamptz;
        execute 'explain (analyze, buffers, format json) select from public.claims()' into plan;
        return (plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (plan #>> '{0,Plan,Shared Read Blocks}')::bigint;
    end
    $$;";

/// Nobody looks at all owners while a test works.
const NOBODY_LOOKS: &str = "update behalf.job_lanes set looked_at = 'infinity'";
const SOMEBODY_LOOKS: &str = "update behalf.job_lanes set looked_at = '-infinity'";

impl Bed {
    /// Whose job is claimed next.
    async fn claims(&self) -> Uuid {
        self.database.value("select user_id from public.claims()").await
    }
}

/// A transaction that sees everything as it is now, until it is dropped: nothing that is deleted meanwhile can be cleared away.
async fn snapshot(bed: &Bed) -> HostTx {
    let mut tx = bed.db.begin_as_host().await.unwrap();
    for sql in ["declare held cursor for select from behalf.job_owners", "fetch 1 from held"] {
        sqlx::query(sql).execute(&mut *tx).await.unwrap();
    }
    tx
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_does_not_read_what_earlier_ones_left_behind() {
    const OWNERS: u128 = 30;
    let bed = Bed::new().await;
    for owner in 1..=OWNERS {
        bed.add_many(&User::Is(Uuid::from_u128(owner)), 40).await;
    }
    bed.database.execute(CLAIMS).await;
    let _snapshot = snapshot(&bed).await;
    bed.database.execute("call public.claim_and_end(1000)").await;
    let of_look = bed.count("select public.pages_of_a_claim(true)").await;
    assert!(of_look > 500, "{of_look} pages: there was nothing to step over");
    let of_claim = bed.count("select public.pages_of_a_claim(false)").await;
    assert!(of_claim < of_look / 4, "{of_claim} of {of_look} pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_to_wait_or_has_a_place_again_is_next() {
    let bed = Bed::new().await;
    bed.add_many(&User::Is(ALICE), 20).await;
    bed.add_many(&User::Is(BOB), 20).await;
    bed.database.execute(CLAIMS).await;
    let mut two = [bed.claims().await, bed.claims().await];
    two.sort();
    assert_eq!(two, [ALICE.min(BOB), ALICE.max(BOB)]);
    bed.database.execute(SOMEBODY_LOOKS).await;
    bed.claims().await;
    bed.database.execute(NOBODY_LOOKS).await;
    bed.claims().await;
    // Both have the two places that one owner may have.
    bed.add_many(&User::Is(CAROL), 3).await;
    assert_eq!([bed.claims().await, bed.claims().await], [CAROL, CAROL]);
    assert_eq!(bed.count("select count(*) from public.claims()").await, 0, "nobody has a place left");
    for (user, more) in [(BOB, 1), (ALICE, 1), (CAROL, 1)] {
        let end = format!(
            "delete from behalf.jobs where id in (
                select id from behalf.jobs where user_id = '{user}' and state = 'running' limit {more})"
        );
        bed.database.execute(&end).await;
        assert_eq!(bed.claims().await, user);
    }
    // Somebody who was locked when the turns went by is found when somebody looks.
    let end = "delete from behalf.jobs where state = 'running'";
    bed.database.execute(end).await;
    let late = "update behalf.job_owners set served_at = '-infinity'
                where owner = (select owner from behalf.job_owners where waits order by served_at desc limit 1)
                returning substr(owner, 6)::uuid";
    let late: Uuid = bed.database.value(late).await;
    assert_ne!(bed.claims().await, late);
    bed.database.execute(SOMEBODY_LOOKS).await;
    assert_eq!(bed.claims().await, late);
    bed.counts_are_true().await;
}
