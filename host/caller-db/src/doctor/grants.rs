//! Says what `behalf migrate` granted on the app's tables when it ran first.

use super::check::{Check, sql};

pub(super) const CHECKS: &[Check] = &[Check {
    name: "public-grants",
    sound: "nothing was decided",
    sql: sql!(
        "select case when d.value = 'kept' and not exists (
                       select from pg_class c join space s on s.oid = c.relnamespace cross join person r
                       where s.name = 'public' and c.relkind in ('r', 'p', 'v', 'm', 'f')
                         and has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE'))
                   then 'skipped' else 'ok' end,
             case d.value when 'kept' then 'schema public had tables at the first migrate, which granted nothing on them or on later ones; grant anon and authenticated what callers need, table by table'
                          else 'schema public was empty at the first migrate, so callers may reach the tables that its owner creates, as on Supabase; policies decide which rows' end,
             ''
         from behalf.decisions d where d.name = 'public_grants'"
    ),
}];
