//! The files of the local model. They are the ones that this version was made for, or they are not used.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::WeightsError;

/// A file and the SHA-256 of what it holds.
pub(super) struct Pinned {
    name: &'static str,
    sha256: &'static str,
}

/// The weights, of the model's revision 1110a243.
pub(super) const WEIGHTS: Pinned =
    Pinned { name: "model.safetensors", sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db" };
/// The words, and how texts are cut into them.
pub(super) const TOKENIZER: Pinned =
    Pinned { name: "tokenizer.json", sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037" };

impl Pinned {
    /// The file's content.
    pub(super) fn read(&self, folder: Option<&Path>) -> Result<Vec<u8>, WeightsError> {
        let path = self.path(folder)?;
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(WeightsError::Missing(path)),
            Err(error) => return Err(WeightsError::Unreadable(path, error.kind())),
        };
        if hex::encode(Sha256::digest(&bytes)) == self.sha256 { Ok(bytes) } else { Err(WeightsError::Wrong(path)) }
    }

    /// Whether the file is there. What it holds is not looked at.
    pub(super) fn is_there(&self, folder: Option<&Path>) -> Result<(), WeightsError> {
        let path = self.path(folder)?;
        if path.is_file() { Ok(()) } else { Err(WeightsError::Missing(path)) }
    }

    fn path(&self, folder: Option<&Path>) -> Result<PathBuf, WeightsError> {
        Ok(folder.ok_or(WeightsError::NoFolder)?.join(self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_missing_or_others_are_told() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(TOKENIZER.read(None), Err(WeightsError::NoFolder));
        let path = dir.path().join("tokenizer.json");
        assert_eq!(TOKENIZER.read(Some(dir.path())), Err(WeightsError::Missing(path.clone())));
        assert_eq!(TOKENIZER.is_there(Some(dir.path())), Err(WeightsError::Missing(path.clone())));
        std::fs::write(&path, "{}").expect("a file");
        assert_eq!(TOKENIZER.is_there(Some(dir.path())), Ok(()));
        assert_eq!(TOKENIZER.read(Some(dir.path())), Err(WeightsError::Wrong(path)));
        std::fs::create_dir(dir.path().join("model.safetensors")).expect("a folder");
        assert!(matches!(WEIGHTS.read(Some(dir.path())), Err(WeightsError::Unreadable(..))));
        for error in [WeightsError::NoFolder, WeightsError::Missing(PathBuf::from("x"))] {
            assert!(error.to_string().contains("./dev weights"), "{error}");
        }
    }
}
