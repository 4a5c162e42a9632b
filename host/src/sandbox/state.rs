use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::capabilities::{FilesCtx, FilesView, HttpCtx, LogCtx, LogStream, OpenWorkspace, ProgressCtx};
use super::limits::Meter;
use crate::db::GuestDb;
use crate::identity::Principal;

/// Calls into the host that one call may make. A loop of them ends here rather than at the deadline.
const MAX_HOST_CALLS: u32 = 50_000;

/// Handles of WASI resources one call may hold.
const MAX_RESOURCES: usize = 1_000;

/// Random bytes that one request of a guest may ask for.
const MAX_RANDOM: u64 = 64 * 1024;

/// What a call was granted. A store that only asks for definitions has none of it.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) principal: Arc<Principal>,
    pub(super) call: String,
    pub(super) settings: Arc<str>,
    pub(super) deadline: Instant,
    pub(super) database: Option<Arc<Mutex<GuestDb>>>,
}

/// The T of `Store<T>`: everything of one call, gone with it.
pub(super) struct CallState {
    pub(super) meter: Meter,
    pub(super) log: LogCtx,
    pub(super) progress: ProgressCtx,
    pub(super) host_calls: HostCalls,
    /// Work of the host's own on statements: the gate, the driver. Not what it waited for.
    pub(super) database_time: Duration,
    pub(super) stdout: LogStream,
    pub(super) stderr: LogStream,
    /// Outbound HTTP; by itself it sends nothing.
    pub(super) http: HttpCtx,
    files: FilesCtx,
    granted: Option<Granted>,
    table: ResourceTable,
    wasi: Option<WasiCtx>,
}

impl CallState {
    pub(super) fn new(meter: Meter, granted: Option<Granted>, progress: ProgressCtx) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self {
            meter,
            log: LogCtx::default(),
            progress,
            host_calls: HostCalls::default(),
            database_time: Duration::ZERO,
            stdout: LogStream::default(),
            stderr: LogStream::default(),
            http: HttpCtx::default(),
            files: FilesCtx::default(),
            granted,
            table,
            wasi: None,
        }
    }

    /// What was granted; in `definitions` nothing was, and asking ends the guest.
    pub(super) fn granted(&self) -> wasmtime::Result<&Granted> {
        self.granted.as_ref().ok_or_else(|| wasmtime::format_err!("definitions run without any capability"))
    }

    /// Gives the call its folder, as `/`. It must not have asked for WASI yet.
    pub(super) fn open_workspace(&mut self, workspace: &OpenWorkspace) -> wasmtime::Result<()> {
        let mut builder = lite(&self.stdout, &self.stderr);
        builder.preopened_dir(&workspace.path, "/", FsPerms::ReadWrite)?;
        self.wasi = Some(builder.build());
        self.files = FilesCtx::new(workspace);
        Ok(())
    }

    pub(super) fn files(&mut self) -> FilesView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| lite(&self.stdout, &self.stderr).build());
        let inner = WasiFilesystemCtxView { ctx: wasi.filesystem(), table: &mut self.table };
        FilesView { inner, files: &mut self.files }
    }

    pub(super) fn http_parts(&mut self) -> (&mut HttpCtx, &mut ResourceTable) {
        (&mut self.http, &mut self.table)
    }

    /// Takes the log out, with what was printed.
    pub(super) fn take_log(&mut self) -> LogCtx {
        let mut log = std::mem::take(&mut self.log);
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            stream.text().lines().for_each(|line| log.write(name, line));
        }
        log
    }
}

/// Counts calls into the host.
#[derive(Debug, Default)]
pub(super) struct HostCalls(u32);

/// The guest called into the host too often.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the tool made more than {MAX_HOST_CALLS} calls into the host")]
pub(super) struct TooManyHostCalls;

impl HostCalls {
    pub(super) fn count(&mut self) -> wasmtime::Result<()> {
        self.0 += 1;
        if self.0 > MAX_HOST_CALLS { Err(TooManyHostCalls.into()) } else { Ok(()) }
    }
}

impl WasiView for CallState {
    /// Made when a guest first asks: most never do.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| lite(&self.stdout, &self.stderr).build());
        WasiCtxView { ctx, table: &mut self.table }
    }
}

/// The profile `lite`: clocks, random numbers, captured output. No environment, no arguments, no sockets, no names, no
/// folders.
fn lite(stdout: &LogStream, stderr: &LogStream) -> WasiCtxBuilder {
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(stdout.clone())
        .stderr(stderr.clone())
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(MAX_RANDOM);
    builder
}
