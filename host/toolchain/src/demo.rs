//! The demo's users, tables and rows, with which `behalf dev` and every throw-away database begin.

use anyhow::Context;
use behalf_host_db::{MigrateError, run_script};
use uuid::Uuid;

/// A demo user.
pub const ALICE: Uuid = Uuid::from_u128(0xa11c_e000_0000_4000_8000_0000_0000_0001);
/// Another demo user.
pub const BOB: Uuid = Uuid::from_u128(0xb0b0_0000_0000_4000_8000_0000_0000_0002);

/// Alice's address.
pub const ALICE_EMAIL: &str = "alice@example.com";
/// Bob's address.
pub const BOB_EMAIL: &str = "bob@example.com";

/// SQL that makes the demo's tables and rows. It may run again.
pub const SEED: &str = include_str!("demo.sql");

/// The user that a command's word means.
pub(crate) fn user(word: &str) -> anyhow::Result<Uuid> {
    match word {
        "alice" => Ok(ALICE),
        "bob" => Ok(BOB),
        other => Uuid::try_parse(other)
            .ok()
            .with_context(|| format!("{other:?} is no uuid; users are known by their uuid, or alice and bob")),
    }
}

/// Makes the demo's tables and rows, as the owner of the database.
pub async fn seed(owner: &str) -> anyhow::Result<()> {
    run_script(owner, SEED).await.context("cannot make the demo's tables")
}

/// The SQLSTATE by which the scripts below say what they found.
const FOUND: &str = "BD001";

/// What a database of `behalf dev` has of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoState {
    /// Its tables and rows are as they were made.
    Intact,
    /// The app has changed or dropped them, or had tables of these names before. They are the app's, and stay as they are.
    Changed,
}

/// Makes the demo's tables and rows where it was not done before, as the owner of a migrated database, and returns what there is now.
pub async fn seed_once(owner: &str) -> anyhow::Result<DemoState> {
    let once = format!(
        "do $do$ begin
             if exists (select from behalf.decisions d where d.name = 'demo') then
                 raise exception 'the demo was made before' using errcode = '{FOUND}';
             end if;
         end $do$;
         {SEED}
         insert into behalf.decisions (name, value) values ('demo', 'made');"
    );
    match run_script(owner, &once).await {
        Ok(()) => return Ok(DemoState::Intact),
        Err(error) if sqlstate(&error).as_deref() == Some(FOUND) => {}
        // Tables of these names were there, with other columns.
        Err(error) if sqlstate(&error).is_some() => {
            let left_out =
                "insert into behalf.decisions (name, value) values ('demo', 'left out') on conflict do nothing";
            run_script(owner, left_out).await.context("cannot note that the demo is left out")?;
        }
        Err(error) => return Err(error).context("cannot make the demo's tables"),
    }
    match run_script(owner, &intact()).await {
        Ok(()) => Ok(DemoState::Intact),
        Err(error) if sqlstate(&error).is_some() => Ok(DemoState::Changed),
        Err(error) => Err(error).context("cannot read the demo's tables"),
    }
}

/// Fails where the demo's tables do not hold what the demo shows.
fn intact() -> String {
    format!(
        "do $do$ begin
             if not exists (select from public.notes n where n.owner_id = '{ALICE}' and n.body like '%tomatoes%' and n.title <> '')
                or not exists (select from public.notes n where n.owner_id = '{BOB}' and n.body like '%brakes%' and n.title <> '')
                or exists (select from public.notes n where n.owner_id <> '{ALICE}' and n.body like '%tomatoes%')
                or exists (select from public.notes n where n.owner_id <> '{BOB}' and n.body like '%brakes%')
                or exists (select from pg_catalog.pg_class c
                           where c.oid in ('public.notes'::regclass, 'public.expenses'::regclass, 'public.budgets'::regclass)
                             and not (c.relrowsecurity and has_table_privilege('authenticated', c.oid, 'SELECT')))
             then
                 raise exception 'the demo was changed' using errcode = '{FOUND}';
             end if;
             perform n.created_at from public.notes n limit 1;
             perform e.owner_id, e.spent_on, e.merchant, e.category, e.amount from public.expenses e limit 1;
             perform b.owner_id, b.category, b.monthly_limit from public.budgets b limit 1;
         end $do$;"
    )
}

/// The SQLSTATE of a script that the server refused.
fn sqlstate(error: &MigrateError) -> Option<String> {
    let MigrateError::Script(error) = error else { return None };
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned)
}
