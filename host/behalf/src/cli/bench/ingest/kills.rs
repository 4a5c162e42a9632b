//! Kills of hosts and of Postgres, spread over the documents.

use anyhow::Context;

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

/// Whether the kill of this number is one of so many of Postgres, which are spread over all.
fn is_of_postgres(number: u32, all: u32, of_postgres: u32) -> bool {
    (number + 1) * of_postgres / all > number * of_postgres / all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_of_postgres_are_as_many_as_asked_and_spread() {
        for (all, of_postgres) in [(13, 3), (10, 0), (3, 3), (1, 1), (1_000, 7)] {
            let numbers: Vec<u32> = (0..all).filter(|number| is_of_postgres(*number, all, of_postgres)).collect();
            assert_eq!(numbers.len(), usize::try_from(of_postgres).expect("a few"), "{all}");
            assert!(numbers.windows(2).all(|two| two[1] - two[0] >= all / of_postgres), "{numbers:?}");
        }
    }
}
