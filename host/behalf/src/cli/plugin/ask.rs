//! Questions that an operator answers with yes or no.

use std::io::{Write as _, stderr, stdin};

use anyhow::{Context, bail};

/// Asks a question on standard error. Only `y` and `yes` agree; where nobody answers, the command ends.
pub(super) fn agrees(question: &str) -> anyhow::Result<bool> {
    let mut err = stderr();
    write!(err, "{question} [y/N] ").and_then(|()| err.flush()).context("cannot ask")?;
    let mut answer = String::new();
    if stdin().read_line(&mut answer).context("cannot read the answer")? == 0 {
        bail!("nobody answered, so nothing was changed; --help names the options that answer beforehand");
    }
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_agrees() {
        assert!(is_yes("y\n") && is_yes(" YES \r\n"));
        for other in ["", "\n", "n", "no", "yesterday", "yy"] {
            assert!(!is_yes(other), "{other:?}");
        }
    }
}
