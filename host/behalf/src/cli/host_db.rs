//! The database as commands use it: with the host's login, and few connections.

use behalf_config::{ConfigError, Settings};
use behalf_host_db::HostDb;

/// One command needs few connections.
const CONNECTIONS: u32 = 2;

/// Connects with the host's login. The caller closes it.
pub(super) async fn host_db(settings: &Settings) -> anyhow::Result<HostDb> {
    let missing = || ConfigError::Missing("HOST_DATABASE_URL", "docs/settings.md lists every setting");
    let address = settings.host_database_url.as_ref().ok_or_else(missing)?;
    Ok(HostDb::connect(address.expose(), CONNECTIONS).await?)
}
