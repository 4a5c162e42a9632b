//! `/realtime/v1`: its options, and its parts put together.

use std::time::Duration;

use behalf_caller_db::CallerDb;
use behalf_config::{ConfigError, Face, Secret, Settings};
use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_pgwire::Target;
use behalf_queue::Workers;
use behalf_realtime::{Realtime, RealtimeOptions, RealtimeParts};
use behalf_web::{Routes, Web};

/// Less is of use to nobody.
const LEAST_MESSAGE_BYTES: usize = 1024;

/// Sockets that are closed at the same moment come back at the same moment.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// What `/realtime/v1` is made of, read before anything is connected.
pub(crate) struct RealtimePlan {
    options: RealtimeOptions,
    replication_url: Option<String>,
}

impl RealtimePlan {
    /// Reads the settings; nothing where channels are served elsewhere, or not at all.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, ConfigError> {
        let realtime = &settings.realtime;
        if realtime.realtime_messages_days == 0 {
            return Err(value("realtime_messages_days must be at least 1".to_owned()));
        }
        if realtime.realtime_max_message_bytes < LEAST_MESSAGE_BYTES {
            return Err(value(format!("realtime_max_message_bytes must be at least {LEAST_MESSAGE_BYTES}")));
        }
        let replication_url = realtime.replication_database_url.as_ref().map(Secret::expose);
        if let Some(Err(error)) = replication_url.map(Target::parse) {
            return Err(value(format!("replication_database_url: {error}")));
        }
        if realtime.face != Face::On {
            return Ok(None);
        }
        let options = RealtimeOptions {
            public_channels: realtime.realtime_public_channels,
            sockets: realtime.realtime_sockets,
            sockets_user: realtime.realtime_sockets_user,
            channels: realtime.realtime_channels,
            joins: realtime.realtime_joins,
            messages: realtime.realtime_messages,
            presences: realtime.realtime_presences,
            max_message_bytes: realtime.realtime_max_message_bytes,
            max_waiting_bytes: realtime.realtime_max_waiting_bytes,
            withhold_deletes: realtime.realtime_withhold_deletes,
            max_wal_mib: realtime.realtime_max_wal_mib,
            ..RealtimeOptions::default()
        };
        Ok(Some(Self { options, replication_url: replication_url.map(str::to_owned) }))
    }
}

/// Puts the feature together, where it is served here. Messages that were stored are deleted in time on every host: SQL stores some also
/// where nobody listens.
pub(super) fn start(
    plan: Option<RealtimePlan>,
    settings: &Settings,
    (web, db, caller_db): (&Web, &HostDb, &CallerDb),
    (jobs, workers): (&Jobs, &mut Workers),
) -> Option<Realtime> {
    behalf_realtime::keep_messages(db, settings.realtime.realtime_messages_days, plan.is_some(), workers);
    let RealtimePlan { options, replication_url } = plan?;
    let (web, db, caller_db) = (web.clone(), db.clone(), caller_db.clone());
    Some(Realtime::start(RealtimeParts { web, db, caller_db, replication_url, options }, jobs, workers))
}

/// The routes of channels, or what they answer where they are not served here.
pub(super) fn routes(realtime: Option<Realtime>, settings: &Settings) -> Routes {
    match realtime {
        Some(realtime) => behalf_realtime::routes(realtime),
        None => behalf_realtime::elsewhere(settings.realtime.face.address()),
    }
}

/// Closes all sockets, where there are any: their clients go to another host.
pub(super) async fn close(realtime: Option<Realtime>) {
    if let Some(realtime) = realtime {
        realtime.close(CLOSE_WITHIN).await;
    }
}

fn value(text: String) -> ConfigError {
    ConfigError::Value(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Option<RealtimePlan>, ConfigError> {
        let pairs = pairs.iter().map(|(name, text)| (*name, (*text).to_owned()));
        RealtimePlan::read(&Settings::from_pairs(pairs)?)
    }

    #[test]
    fn channels_are_served_unless_a_setting_says_otherwise() {
        let plan = read(&[("realtime_channels", "7")]).expect("a plan").expect("they are served");
        assert_eq!((plan.options.channels, plan.options.public_channels), (7, true));
        assert!(plan.replication_url.is_none());
        for elsewhere in ["off", "https://a.example/realtime/v1"] {
            assert!(read(&[("realtime", elsewhere)]).expect("a plan").is_none(), "{elsewhere}");
        }
    }

    #[test]
    fn a_wrong_option_is_said_before_anything_is_connected() {
        for pair in [
            ("realtime_messages_days", "0"),
            ("realtime_max_message_bytes", "10"),
            ("replication_database_url", "no address"),
            ("realtime", "maybe"),
        ] {
            assert!(read(&[pair]).is_err(), "{pair:?}");
        }
    }
}
