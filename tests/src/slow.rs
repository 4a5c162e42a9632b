//! Statements that take as long as a test wants: some end when they are cancelled, others do not.

use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::TestDatabase;

/// Reads a view whose rows take ten minutes, and ends at once when it is cancelled.
pub const NAP: &str = "select n from naps";

/// Reads a view that works on when it is cancelled, and ends when its process is told to.
pub const DEAF: &str = "select n from deaf_naps";

/// Reads a view that goes on through every signal until [`Stuck::release`].
pub const STUCK: &str = "select body from stuck";

const NAPS: &str = "
create function public.nap() returns int language sql volatile security definer as 'select 1 from pg_sleep(600)';
create view public.naps with (security_invoker = true) as select public.nap() as n;
grant select on public.naps to anon, authenticated, service_role;

create function public.deaf_nap() returns int language plpgsql volatile security definer as $$
begin
    loop
        begin
            perform pg_sleep(600);
        exception when query_canceled then
            null;
        end;
    end loop;
end
$$;
create view public.deaf_naps with (security_invoker = true) as select public.deaf_nap() as n;
grant select on public.deaf_naps to anon, authenticated, service_role;
";

impl TestDatabase {
    /// Adds the views of [`NAP`] and [`DEAF`].
    pub async fn add_naps(&self) {
        self.execute(NAPS).await;
    }

    /// Adds the view of [`STUCK`].
    pub async fn add_stuck(&self) -> Stuck {
        let stuck = Stuck::new();
        let path = stuck.path.to_str().unwrap();
        // The server waits in the operating system for somebody who writes to the pipe, and is not interrupted there.
        self.execute(&format!(
            "create function public.read_pipe() returns text language sql volatile security definer
                 as $$ select pg_read_file('{path}') $$;
             create view public.stuck with (security_invoker = true) as select public.read_pipe() as body;
             grant select on public.stuck to anon, authenticated, service_role;"
        ))
        .await;
        stuck
    }
}

/// Statements that are stuck until this lets them go.
#[derive(Debug)]
pub struct Stuck {
    path: PathBuf,
    _folder: TempDir,
}

impl Stuck {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server may run as another user.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg("-m").arg("666").arg(&path).status().unwrap().success());
        Self { path, _folder: folder }
    }

    /// Lets the statements end that are stuck now.
    pub fn release(&self) {
        // Open for both directions, a pipe waits for nobody, and everybody who waits for a writer has one.
        drop(OpenOptions::new().read(true).write(true).open(&self.path).unwrap());
    }
}

impl Drop for Stuck {
    /// A test that fails leaves no stuck process on the server.
    fn drop(&mut self) {
        self.release();
    }
}

/// The grants of a probe that may read and write `public` and whose calls may take this long.
pub fn timed_grants(timeout_ms: u64) -> Value {
    let mut grants = crate::write_grants();
    grants["limits"] = json!({ "timeout_ms": timeout_ms });
    grants
}
