//! Running a host: its start, `behalf doctor`, `behalf completions`, keys and their replacement, limits, and many callers at once.

mod app_code;
mod completions;
mod databases;
mod dev;
mod doctor;
mod draining;
mod ending;
mod exposure;
mod keys;
mod kills;
mod load;
mod logged_texts;
mod memory;
mod observed;
mod outage;
mod owners;
mod sharing;
mod starting;
mod supabase_ports;
mod traces;

use behalf_caller_db::doctor::Scope;
use behalf_host_db::LoginNames;

/// What the checks of doctor look at in the tests.
fn scope(logins: &LoginNames) -> Scope {
    Scope {
        schemas: vec!["public".to_owned()],
        host_login: logins.host(),
        logins: logins.clone(),
        connections: 8,
        try_policies: false,
    }
}
