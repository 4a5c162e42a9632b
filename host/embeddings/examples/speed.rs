//! How fast the local model is: `./dev exec cargo run --release --example speed -- THREADS`.

#![expect(clippy::print_stdout, reason = "it is a command")]

use std::time::{Duration, Instant};

use behalf_embeddings::{EmbeddingOptions, Embeddings, LOCAL, Purpose};

/// A passage of 173 tokens, the marks around it included, with a number that tells it from others.
fn passage(n: usize) -> String {
    let words = "the quick brown fox jumps over the lazy dog while a farmer looks at the rain and thinks of his cows ";
    format!("{:04} {}", n % 10_000, words.repeat(8).split(' ').take(169).collect::<Vec<_>>().join(" "))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(1), |text| text.parse())?;
    let weights = std::env::var_os("BEHALF_EMBEDDING_WEIGHTS").map(Into::into);
    let embeddings = Embeddings::new(EmbeddingOptions { weights, threads, ..EmbeddingOptions::default() })?;
    let embed = |purpose, texts: Vec<String>| {
        let embeddings = &embeddings;
        async move { embeddings.embed(LOCAL, purpose, &texts).await }
    };
    let begun = Instant::now();
    embed(Purpose::Query, vec!["first".to_owned()]).await?;
    println!(
        "first vector: {:?}; a passage has {} tokens and two marks",
        begun.elapsed(),
        embeddings.tokens(LOCAL).count(&passage(1))
    );
    for batch in [1_usize, 16, 256] {
        let (begun, busy, mut done) = (Instant::now(), processor_time(), 0_usize);
        while begun.elapsed() < Duration::from_secs(8) {
            embed(Purpose::Document, (done..done + batch).map(passage).collect()).await?;
            done += batch;
        }
        let count = f64::from(u32::try_from(done)?);
        let (per_second, per_busy) = (count / begun.elapsed().as_secs_f64(), count / (processor_time() - busy));
        println!(
            "{batch} passages at a time, {threads} threads: {per_second:.1} passages/s, {per_busy:.1} per second of processor time"
        );
    }
    queries("alone", &embed).await?;
    let documents: Vec<String> = (0..5_000).map(passage).collect();
    tokio::select! {
        result = embed(Purpose::Document, documents) => drop(result?),
        result = queries("beside documents", &embed) => result?,
    }
    Ok(())
}

/// Seconds of processor time of this process so far, on Linux. They say how fast it is while the machine does other things.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    // Ticks in user and kernel mode, a hundredth of a second each.
    after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

async fn queries<E: std::error::Error + 'static, F: Future<Output = Result<Vec<Vec<f32>>, E>>>(
    when: &str,
    embed: &impl Fn(Purpose, Vec<String>) -> F,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut times = Vec::new();
    for n in 0..200 {
        let begun = Instant::now();
        embed(Purpose::Query, vec![format!("How do I reset password number {n} of {when}?")]).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    println!("queries {when}: median {:?}, 95th percentile {:?}", at(50), at(95));
    Ok(())
}
