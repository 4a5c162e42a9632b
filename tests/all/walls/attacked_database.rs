//! A database with rows, tables and functions that the attacks aim at.

use behalf_tests::database::run;
use behalf_tests::{ALICE, BOB, TestDatabase};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::attacks::{self, Attack, STEAL};

/// Tables, functions and rows that the attacks are about. Bob's values hold a marker that no attack knows.
const OBJECTS: &str = "
update public.notes set title = '{marker}', body = '{marker}' where owner_id = '{bob}';
insert into public.notes (id, owner_id, title, body) values ('{bob_note}', '{bob}', '{marker}', '{marker}');
-- Bob's rows come first where a table is read in its order.
update public.notes set title = title where owner_id <> '{bob}';
update public.expenses set merchant = '{marker}', note = '{marker}' where owner_id = '{bob}';
update public.budgets set category = '{marker}' where owner_id = '{bob}';

create table public.vault (secret text not null);
alter table public.vault enable row level security;
insert into public.vault values ('{marker}');

create view public.own_note with (security_invoker = true) as select * from public.notes;
create view public.every_note as select * from public.notes;

create function public.all_notes() returns setof text language sql stable security definer
    as 'select body from public.notes';
create function public.gist(public.notes) returns text language sql stable security definer
    as 'select string_agg(body, '','') from public.notes';
create function public.run_sql(statement text) returns text language plpgsql
    as 'declare answer text; begin execute statement into answer; return answer; end';
create function public.do_sql(statement text) returns text language plpgsql
    as 'begin execute statement; return null; end';
create function public.complain(value text) returns boolean language plpgsql immutable cost 0.0000001
    as 'begin raise exception ''saw %'', value; end';
create function public.becomes(value text) returns boolean language plpgsql stable
    as 'begin perform set_config(''request.jwt.claims'', value, true); return true; end';
create domain public.claims_text as text check (public.becomes(value));
create domain public.short_text as text check (length(value) < 100);
create sequence public.invoice_seq;

select lo_from_bytea(424242, '{marker}');
grant select on large object 424242 to public;

insert into ai.tool_calls (call_id, actor, user_id, role, tool, arguments_sha256, started_at, outcome, detail)
    values (gen_random_uuid(), '{bob}', '{bob}', 'authenticated', '{marker}', '', now(), 'ok', '{marker}');
analyze public.notes;
";

/// Grants PUBLIC the rights that wall 3 takes from it, and more.
const ALL_RIGHTS: &str = "
do $$
declare
    target regprocedure;
begin
    for target in select behalf.dangerous_functions() loop
        execute format('grant execute on function %s to public', target);
    end loop;
    execute format('grant temporary, create on database %I to public', current_database());
    execute format('alter role behalf_tool_authenticated in database %I set track_activities = on', current_database());
end
$$;
grant usage on language plpgsql, sql to public;
grant usage, create on schema public to public;
grant select on pg_catalog.pg_authid, pg_catalog.pg_shadow, pg_catalog.pg_statistic to public;
grant all on sequence public.invoice_seq to public;
";

/// A database in which Bob has rows that nobody else may read or change.
#[derive(Debug)]
pub(super) struct AttackedDatabase {
    pub(super) database: TestDatabase,
    /// A word in every row of Bob's and nowhere else. Letters only, so that nothing cuts or escapes it.
    pub(super) marker: String,
}

impl AttackedDatabase {
    pub(super) async fn new() -> Self {
        let letters = |c: char| char::from(b'g' + u8::try_from(c.to_digit(16).unwrap()).unwrap());
        let marker = Uuid::new_v4().simple().to_string().chars().map(letters).collect();
        let attacked = Self { database: TestDatabase::create().await, marker };
        attacked.database.execute(&attacked.fill(OBJECTS).replace("{marker}", &attacked.marker)).await;
        attacked
    }

    /// One in which PUBLIC has every right that wall 3 revokes.
    pub(super) async fn with_all_rights() -> Self {
        let attacked = Self::new().await;
        attacked.database.execute(ALL_RIGHTS).await;
        attacked
    }

    /// The table of attacks, aimed at Bob.
    pub(super) fn attacks(&self) -> Vec<Attack> {
        let mut all = attacks::all();
        all.iter_mut().flat_map(|attack| &mut attack.steps).for_each(|step| *step = self.fill(step));
        all
    }

    /// Puts values in place of the words in braces.
    #[expect(clippy::unused_self, reason = "the values belong to the database")]
    pub(super) fn fill(&self, text: &str) -> String {
        let bob = BOB.to_string();
        text.replace("{steal}", STEAL)
            .replace("{claims}", &format!(r#"{{"sub":"{bob}","role":"authenticated"}}"#))
            .replace("{bob_note}", "b0b00000-0000-4000-8000-00000000000e")
            .replace("{alice}", &ALICE.to_string())
            .replace("{bob}", &bob)
    }

    /// Whether something of Bob's is in these bytes.
    pub(super) fn is_stolen(&self, bytes: &[u8]) -> bool {
        bytes.windows(self.marker.len()).any(|window| window == self.marker.as_bytes())
    }

    /// A checksum of Bob's rows.
    pub(super) async fn sum_of_bobs_rows(&self, owner: &mut PgConnection) -> String {
        let sql = self.fill(
            "select md5(string_agg(row, '|' order by row)) from (
                 select n::text from notes n where owner_id = '{bob}' union all select v::text from vault v
                 union all select e::text from expenses e where owner_id = '{bob}'
                 union all select b::text from budgets b where owner_id = '{bob}') t (row)",
        );
        // A table that is empty has no sum.
        let sum: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(owner).await.unwrap();
        sum.unwrap_or_default()
    }

    /// A session of this login whose last query contained Bob's marker. It is visible to others until it is dropped.
    pub(super) async fn bystander(&self, login: &str) -> PgConnection {
        let mut conn = self.database.login(login).await;
        run(&mut conn, &format!("select '{}'", self.marker)).await;
        conn
    }
}
