//! The signals that end a command.

/// Returns at Ctrl-C or SIGTERM, with the signal's name. From the first time that it is polled, SIGUSR1, which asks for a reload,
/// does not end the process either where nobody waits for it.
pub async fn stop_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let _reload = signal(SignalKind::user_defined1());
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        tokio::signal::ctrl_c().await.ok();
        return "SIGINT";
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
