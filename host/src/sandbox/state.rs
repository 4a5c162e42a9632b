use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::capabilities::{LogCtx, LogStream, ProgressCtx};
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
    /// Time spent in the host on the guest's behalf.
    pub(super) host_time: Duration,
    pub(super) stdout: LogStream,
    pub(super) stderr: LogStream,
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
            host_time: Duration::ZERO,
            stdout: LogStream::default(),
            stderr: LogStream::default(),
            granted,
            table,
            wasi: None,
        }
    }

    /// What was granted; in `definitions` nothing was, and asking ends the guest.
    pub(super) fn granted(&self) -> wasmtime::Result<&Granted> {
        self.granted.as_ref().ok_or_else(|| wasmtime::format_err!("definitions run without any capability"))
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
    /// The profile `lite`, made when a guest first asks: clocks, random numbers, captured output. No environment, no
    /// arguments, no sockets, no names, no folders.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| {
            WasiCtxBuilder::new()
                .stdout(self.stdout.clone())
                .stderr(self.stderr.clone())
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false)
                .max_random_size(MAX_RANDOM)
                .build()
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}
