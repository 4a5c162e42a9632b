use std::collections::HashSet;

use sha2::{Digest, Sha256};

use crate::tools::custom::MANAGED_PREFIX;

/// Characters of a tool's name that every provider of models takes.
const MAX_NAME: usize = 64;
/// Characters of the digest that tells names apart which had to be changed.
const DIGEST: usize = 8;

/// `mcp__{server}__{tool}` in letters, digits, `_` and `-`. A tool whose own name does not fit as it is gets a digest of it
/// at the end, so that no two tools are one, and none takes the place of another.
pub(super) fn tool_name(server: &str, tool: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let whole: String = format!("{MANAGED_PREFIX}{server}__{}", tool.chars().map(clean).collect::<String>());
    if whole.len() <= MAX_NAME && tool.chars().all(|c| clean(c) == c) {
        return whole;
    }
    let digest = hex::encode(Sha256::digest(tool.as_bytes()));
    // All of it is ASCII by now.
    let kept = &whole[..whole.len().min(MAX_NAME - 1 - DIGEST)];
    format!("{kept}_{}", &digest[..DIGEST])
}

/// Whether a name is new.
pub(super) fn is_new(seen: &mut HashSet<String>, name: &str) -> bool {
    seen.insert(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_models_and_stay_apart() {
        assert_eq!(tool_name("crm", "look-up_2"), "mcp__crm__look-up_2");
        let hostile = ["a\nb", "a b", "a\u{202e}b", "ü", "", &"x".repeat(500), &"x".repeat(501), "../../etc"];
        let mut seen = HashSet::new();
        for tool in hostile {
            let name = tool_name("a-server-with-a-name-of-32-chars", tool);
            assert!(
                name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'),
                "{name}"
            );
            assert!(is_new(&mut seen, &name), "{name}");
        }
    }
}
