//! Policies are tried as users who do not exist: whatever these see, everybody sees.

use behalf_caller_db::doctor::examine;
use behalf_pgwire::Target;
use behalf_telemetry::{Finding, Level};
use behalf_tests::TestDatabase;

use super::scope;

async fn tried(database: &TestDatabase) -> Vec<Finding> {
    let tools = Target::parse(&database.tool_url()).unwrap();
    let findings = examine(&database.host_url(), Some(&tools), &scope()).await;
    findings.into_iter().filter(|finding| finding.check == "policy-trial").collect()
}

/// A policy's condition, and whether it lets everybody in.
const CONDITIONS: [(&str, bool); 10] = [
    ("auth.role() = 'authenticated'", true),
    ("owner_id = auth.uid() or 1 = 1", true),
    ("true", true),
    ("owner_id is not distinct from auth.uid()", true),
    ("owner_id is null or owner_id = (select auth.uid())", true),
    ("auth.uid() is not null", true),
    ("exists (select from public.everybody e where e.id >= 0)", true),
    ("owner_id = (select auth.uid())", false),
    ("owner_id = auth.uid() and 1 = 1", false),
    ("tenant = (auth.jwt() -> 'app_metadata' ->> 'tenant')", false),
];

#[tokio::test]
async fn a_policy_that_lets_everybody_in_is_found_by_its_rows_or_without_any() {
    for with_rows in [true, false] {
        let database = TestDatabase::create().await;
        let mut sql = "create table everybody (id int); insert into everybody values (1); grant select on everybody to authenticated, anon;
            alter table everybody enable row level security; create policy p on everybody using (true);
            comment on table everybody is 'Same for all. behalf: reviewed';"
            .to_owned();
        for (at, (condition, _)) in CONDITIONS.iter().enumerate() {
            sql += &format!(
                "create table t{at} (owner_id uuid, tenant text, title text not null); alter table t{at} enable row level security;
                 grant select on t{at} to authenticated, anon; create policy p{at} on t{at} using ({condition});"
            );
            if with_rows {
                sql += &format!(
                    "insert into t{at} values (gen_random_uuid(), 'x', 'of somebody'), (null, 'y', 'of nobody');"
                );
            }
        }
        database.execute(&sql).await;
        let findings = tried(&database).await;
        for (at, (condition, is_open)) in CONDITIONS.iter().enumerate() {
            let of = |finding: &&Finding| finding.found.starts_with(&format!("public.t{at} "));
            let found: Vec<_> = findings.iter().filter(of).collect();
            assert_eq!(found.len(), usize::from(*is_open), "{condition}, rows {with_rows}: {findings:#?}");
            for finding in found {
                assert!(finding.level == Level::Warning && finding.found.contains(&format!("p{at}")), "{finding:?}");
                assert_eq!(finding.found.contains("shows rows to everybody"), with_rows, "{finding:?}");
            }
        }
    }
}

#[tokio::test]
async fn rows_are_counted_up_to_a_bound_and_nothing_is_written() {
    let database = TestDatabase::create().await;
    database
        .execute(
            "create table many (owner_id uuid); insert into many select null from generate_series(1, 1000);
             create table few (owner_id uuid); insert into few values (null), (null);
             create table seen (at timestamptz);
             create function note() returns boolean language plpgsql stable as $$ begin insert into public.seen values (now()); return true; end $$;
             create table noting (owner_id uuid); insert into noting values (null);
             alter table many enable row level security; alter table few enable row level security; alter table noting enable row level security;
             create policy p on many using (auth.role() = 'authenticated'); create policy p on few using (auth.uid() is null);
             create policy p on noting using (public.note());
             grant select on many, few, noting to authenticated, anon; grant insert on seen to authenticated, anon",
        )
        .await;
    let findings = tried(&database).await;
    let found = |words: &str| findings.iter().any(|finding| finding.found.contains(words));
    assert!(found("many shows rows to everybody: 100 or more to users who do not exist (policies p)"), "{findings:#?}");
    assert!(found("few shows rows to everybody: 2 to callers without a user"), "{findings:#?}");
    assert!(found("noting cannot be read by a user who does not exist"), "{findings:#?}");
    assert_eq!(database.value::<i64>("select count(*) from seen").await, 0);
    database
        .execute("comment on policy p on many is 'behalf: reviewed'; comment on table few is 'behalf: reviewed'")
        .await;
    let findings = tried(&database).await;
    assert!(!findings.iter().any(|finding| finding.found.contains("shows rows")), "{findings:#?}");
}

#[tokio::test]
async fn a_policy_that_could_do_something_is_not_tried_and_this_is_said() {
    let database = TestDatabase::create().await;
    database
        .execute(
            "create function public.ask() returns boolean language plpgsql volatile as $$ begin raise exception 'it was run'; end $$;
             create table own (owner_id uuid); create table builtin (owner_id uuid);
             insert into own values (null); insert into builtin values (null);
             alter table own enable row level security; alter table builtin enable row level security;
             create policy p on own using (public.ask()); create policy p on builtin using (random() < 2);
             grant select on own, builtin to authenticated, anon",
        )
        .await;
    let findings = tried(&database).await;
    let [only] = findings.as_slice() else { panic!("{findings:#?}") };
    assert_eq!(only.level, Level::Skipped);
    assert!(only.found.contains("volatile functions: public.builtin, public.own"), "{only:?}");
}
