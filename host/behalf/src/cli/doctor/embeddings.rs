//! Checks of the model that makes vectors of texts.

use behalf_config::Settings;
use behalf_embeddings::{Embeddings, LOCAL, Purpose};
use behalf_problem::LogText as _;
use behalf_telemetry::Finding;

use crate::app::{embedding_options, embedding_weights};

const NAME: &str = "embeddings";

/// Whether the model of knowledge bases that name none makes vectors. It is tried only where `asks_others`: that asks a server,
/// or reads 91 MB.
pub(super) async fn examine(settings: &Settings, asks_others: bool) -> Finding {
    let embeddings = match Embeddings::new(embedding_options(settings)) {
        Ok(embeddings) => embeddings,
        Err(error) => return Finding::error(NAME, error.to_string(), "docs/settings.md describes EMBEDDING_MODEL"),
    };
    let model = embeddings.default_model();
    if embeddings.has_files().is_err() {
        let folder = embedding_weights(settings);
        let folder = folder.display();
        return Finding::warning(
            NAME,
            format!("the files of {model} are not in {folder}, so knowledge bases find nothing by meaning"),
            format!(
                "`./dev weights {folder}` fetches them, or set BEHALF_EMBEDDING_MODEL and BEHALF_EMBEDDING_BASE_URL"
            ),
        );
    }
    if !asks_others {
        return Finding::ok(NAME, format!("{model} makes vectors of texts"));
    }
    match embeddings.embed(model, Purpose::Query, &["Does it work?".to_owned()]).await {
        Ok(vectors) => {
            let numbers = vectors.first().map_or(0, Vec::len);
            Finding::ok(NAME, format!("{model} makes vectors of {numbers} numbers"))
        }
        Err(error) => {
            let fix = if model == LOCAL {
                "`./dev weights FOLDER` fetches the files; BEHALF_EMBEDDING_WEIGHTS is the folder"
            } else {
                "check BEHALF_EMBEDDING_MODEL, BEHALF_EMBEDDING_BASE_URL and BEHALF_EMBEDDING_API_KEY"
            };
            Finding::error(NAME, format!("{model} makes no vectors: {}", error.log_text()), fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use behalf_telemetry::Level;

    use super::*;

    async fn found(pairs: &[(&'static str, String)], asks_others: bool) -> (Level, String) {
        let settings = Settings::from_pairs(pairs.iter().cloned()).expect("settings");
        let finding = examine(&settings, asks_others).await;
        (finding.level, finding.found)
    }

    #[tokio::test]
    async fn a_model_that_makes_no_vectors_is_found() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = ("embedding_weights", dir.path().display().to_string());
        assert_eq!(found(std::slice::from_ref(&folder), false).await.0, Level::Warning, "no files");
        for name in ["model.safetensors", "tokenizer.json"] {
            std::fs::write(dir.path().join(name), "x").expect("a file");
        }
        assert_eq!(found(std::slice::from_ref(&folder), false).await.0, Level::Ok);
        assert_eq!(found(&[folder], true).await.0, Level::Error, "other files");
        let text = |name, value: &str| (name, value.to_owned());
        assert_eq!(found(&[text("embedding_model", "mystery/m")], false).await.0, Level::Error);
        let away = [text("embedding_model", "ollama/m"), text("embedding_base_url", "http://127.0.0.1:1")];
        assert_eq!(found(&away, false).await.0, Level::Ok);
        assert_eq!(found(&away, true).await.0, Level::Error);
    }

    #[tokio::test]
    async fn the_local_model_is_tried_with_its_files() {
        let weights = std::env::var_os("BEHALF_EMBEDDING_WEIGHTS").expect("`./dev test` says where the weights are");
        let folder = ("embedding_weights", weights.into_string().expect("a path"));
        let known = format!("{LOCAL} makes vectors of 384 numbers");
        assert_eq!(found(&[folder], true).await, (Level::Ok, known));
    }
}
