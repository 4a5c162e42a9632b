//! Kills of hosts and of Postgres, spread over the documents.

use anyhow::Context;

use super::super::killed_postgres::is_of_postgres;
use super::IngestArgs;
use super::found::Counter;
use super::stage::Stage;

/// Kills as often as asked. Between two kills some documents come to the end of `what`, so every kill meets others under way.
pub(super) async fn kill(
    stage: &mut Stage,
    (counter, what): (&Counter, &'static str),
    args: &IngestArgs,
    before: usize,
) -> anyhow::Result<()> {
    let all = args.kills + args.postgres_kills;
    for number in 0..all {
        let share = u64::from(args.documents) * u64::from(number) / u64::from(all.max(1));
        counter.wait(what, before + usize::try_from(share)?).await?;
        if is_of_postgres(number, all, args.postgres_kills) {
            stage.kill_postgres().await.context("killing Postgres")?;
        } else {
            stage.kill_host().await.context("killing the host")?;
        }
    }
    Ok(())
}
