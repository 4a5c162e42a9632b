//! Hosts on one database that are killed and started again, each with its own state folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::sync::watch;

use super::host::HostProcess;

/// Where each host is now.
pub(super) type Addresses = Vec<watch::Receiver<SocketAddr>>;

/// Hosts with the same settings.
pub(super) struct KilledHosts {
    settings: Vec<(&'static str, String)>,
    places: Vec<Place>,
}

/// A host that is killed and started again.
struct Place {
    state: PathBuf,
    /// None while it starts.
    running: Option<HostProcess>,
    address: watch::Sender<SocketAddr>,
}

impl KilledHosts {
    /// Starts so many hosts, with state folders in `folder`.
    pub(super) async fn start(
        settings: Vec<(&'static str, String)>,
        folder: &Path,
        count: usize,
    ) -> anyhow::Result<Self> {
        let mut places = Vec::new();
        for number in 0..count {
            let state = folder.join(format!("host-{number}"));
            std::fs::create_dir(&state)?;
            let running = HostProcess::start(&settings, &state).await?;
            let (address, _) = watch::channel(running.address);
            places.push(Place { state, running: Some(running), address });
        }
        Ok(Self { settings, places })
    }

    /// Where they are.
    pub(super) fn addresses(&self) -> Addresses {
        self.places.iter().map(|place| place.address.subscribe()).collect()
    }

    /// Those that are there, with their numbers.
    pub(super) fn running(&self) -> impl Iterator<Item = (usize, &HostProcess)> {
        self.places.iter().enumerate().filter_map(|(number, place)| Some((number, place.running.as_ref()?)))
    }

    /// Kills a host as `kill -9` does. Returns what starts it again; it is there again with [`KilledHosts::is_back`].
    pub(super) async fn kill(
        &mut self,
        number: usize,
    ) -> anyhow::Result<impl Future<Output = anyhow::Result<HostProcess>> + Send + 'static> {
        let place = self.places.get_mut(number).context("no host")?;
        place.running.take().context("the host is not there")?.stop().await?;
        let (settings, state) = (self.settings.clone(), place.state.clone());
        Ok(async move { HostProcess::start(&settings, &state).await })
    }

    /// From now on clients find the host that was started again.
    pub(super) fn is_back(&mut self, number: usize, host: HostProcess) -> anyhow::Result<()> {
        let place = self.places.get_mut(number).context("no host")?;
        place.address.send_replace(host.address);
        place.running = Some(host);
        Ok(())
    }

    /// Ends all hosts.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        for host in self.places.into_iter().filter_map(|place| place.running) {
            host.stop().await?;
        }
        Ok(())
    }
}
