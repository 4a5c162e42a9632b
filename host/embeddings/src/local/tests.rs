//! Tests of the local model with its real weights.

use behalf_problem::{Kind, Problem as _};
use futures::FutureExt as _;

use super::*;

/// Where `./dev` put the files.
pub(crate) fn weights() -> PathBuf {
    let folder = std::env::var_os("BEHALF_EMBEDDING_WEIGHTS");
    PathBuf::from(folder.expect("`./dev test` and `./dev exec` say where the weights are"))
}

fn local() -> Local {
    Local::new(Some(weights()), 2)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

const QUESTION: &str = "How do I reset my password?";
const ANSWER: &str = "To choose a new password, open the settings and click on “Forgot password”.";

/// The same network, written with numpy in double precision from the same file, gave these: the first numbers of the vector, the
/// sum of all, and the sum of all times cos(0), cos(1), ….
#[tokio::test]
async fn vectors_are_those_of_another_implementation() {
    let known: [(&str, [f32; 6], f32, f32); 2] = [
        (QUESTION, [0.006_903, -0.063_023, -0.072_044, -0.032_496, -0.042_709, 0.070_429], -0.048_388, 1.018_614),
        (
            "Naïve cafés in Zürich serve crème brûlée; 知識庫 is Chinese for knowledge base.",
            [0.042_039, -0.012_685, 0.020_927, 0.024_48, 0.029_132, -0.019_398],
            0.062_126,
            0.251_93,
        ),
    ];
    let vectors = local().vectors(Purpose::Query, &texts(&known.map(|(text, ..)| text))).await.expect("vectors");
    for ((text, first, sum, waved), vector) in known.iter().zip(&vectors) {
        assert_eq!(vector.len(), DIMS);
        for (ours, known) in vector.iter().zip(first) {
            assert!((ours - known).abs() < 2e-6, "{text}: {vector:?}");
        }
        let waves = (0..384_u16).map(|n| f32::from(n).cos());
        assert!((vector.iter().sum::<f32>() - sum).abs() < 2e-5, "{text}");
        assert!((vector.iter().zip(waves).map(|(x, wave)| x * wave).sum::<f32>() - waved).abs() < 2e-5, "{text}");
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-5, "{text}");
    }
}

#[tokio::test]
async fn a_question_is_nearer_to_its_answer_than_to_others() {
    let all = texts(&[
        QUESTION,
        ANSWER,
        "The office is closed on public holidays.",
        "Our soup of the day is made of carrots and ginger.",
        "Passports can be renewed at the town hall.",
    ]);
    let vectors = local().vectors(Purpose::Document, &all).await.expect("vectors");
    let (question, rest) = vectors.split_first().expect("vectors");
    let near: Vec<f32> = rest.iter().map(|vector| cosine(question, vector)).collect();
    let (answer, others) = near.split_first().expect("an answer");
    assert!(*answer > 0.6 && others.iter().all(|other| *other < 0.2), "{near:?}");
}

#[tokio::test]
async fn texts_of_many_lengths_get_the_vectors_that_each_gets_alone() {
    let local = local();
    let all: Vec<String> =
        (0..24).map(|n| format!("{n} {}", "the quick brown fox reads a book ".repeat(n * 7 % 24))).collect();
    let together = local.vectors(Purpose::Document, &all).await.expect("vectors");
    assert_eq!(together.len(), all.len());
    for (text, vector) in all.iter().zip(&together) {
        let alone = local.vectors(Purpose::Query, std::slice::from_ref(text)).await.expect("a vector");
        let alone = alone.first().expect("a vector");
        assert!(cosine(alone, vector) > 0.9999, "{} bytes", text.len());
    }
    let near = cosine(&together[0], &together[1]);
    assert!(near < 0.9999, "different texts differ: {near}");
}

#[tokio::test]
async fn every_text_has_a_vector_and_of_long_ones_the_beginning_counts() {
    let local = local();
    let long = "word ".repeat(600);
    let longer = format!("{long}{}", "something else ".repeat(10_000));
    let spaces = " ".repeat(1_000_000);
    let all = texts(&["", " \n\t", "\u{0}", "🦀", &long, &longer, &spaces]);
    let vectors = local.vectors(Purpose::Document, &all).await.expect("vectors");
    assert!(vectors.iter().flatten().all(|x| x.is_finite()));
    assert!(cosine(&vectors[4], &vectors[5]) > 0.9999);
    assert!(cosine(&vectors[0], &vectors[6]) > 0.9999);
    let words = local.files.words().expect("the tokenizer");
    assert_eq!(words.numbers(&longer).map(|numbers| numbers.len()), Ok(model::POSITIONS));
}

#[test]
fn tokens_are_counted_as_the_model_does_and_estimates_are_not_smaller_for_prose() {
    let tokens = local().tokens();
    assert!(tokens.is_exact());
    assert_eq!(tokens.count(QUESTION), 7);
    assert_eq!(tokens.count(""), 0);
    assert_eq!(tokens.count(&"word ".repeat(3_000)), 3_000);
    for prose in [QUESTION, ANSWER, include_str!("mod.rs"), include_str!("../error.rs")] {
        assert!(EstimatedTokens.count(prose) >= tokens.count(prose) * 9 / 10, "{}", prose.len());
    }
    let without = Local::new(None, 1).tokens();
    assert_eq!((without.is_exact(), without.count("cat")), (false, 1));
}

#[tokio::test]
async fn without_its_files_the_model_says_what_to_run_and_nothing_of_it_to_clients() {
    let dir = tempfile::tempdir().expect("a folder");
    let local = Local::new(Some(dir.path().to_owned()), 1);
    assert!(matches!(local.has_files(), Err(WeightsError::Missing(_))));
    let error = local.vectors(Purpose::Query, &texts(&["x"])).await.expect_err("no files");
    assert!(error.to_string().contains("./dev weights"), "{error}");
    assert_eq!(
        (error.kind(), error.detail().as_str()),
        (Kind::Unavailable, "the embedding model is not set up on this host")
    );
    for name in ["model.safetensors", "tokenizer.json"] {
        std::fs::write(dir.path().join(name), "x").expect("a file");
    }
    let changed = Local::new(Some(dir.path().to_owned()), 1);
    assert_eq!(changed.has_files(), Ok(()));
    let error = changed.vectors(Purpose::Document, &texts(&["x"])).await.expect_err("other files");
    assert!(matches!(error, EmbeddingError::Weights(WeightsError::Wrong(_))), "{error:?}");
}

#[tokio::test]
async fn queries_go_ahead_of_documents_and_dropped_documents_leave_nothing_behind() {
    let local = Local::new(Some(weights()), 1);
    // More than the threads can do while the queries are answered.
    let many = vec!["the quick brown fox jumps over the lazy dog ".repeat(40); 4_000];
    let mut documents = Box::pin(local.vectors(Purpose::Document, &many));
    assert!((&mut documents).now_or_never().is_none());
    for _ in 0..3 {
        local.vectors(Purpose::Query, &texts(&[QUESTION])).await.expect("a vector");
        assert!((&mut documents).now_or_never().is_none(), "4,000 documents take longer than a query");
    }
    drop(documents);
    assert_eq!(local.places.available_permits(), WAITING_BATCHES);
    // What waited is skipped, so the next document does not wait for the 4,000.
    local.vectors(Purpose::Document, &texts(&[ANSWER])).await.expect("a vector");
}
