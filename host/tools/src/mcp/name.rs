//! The names that the host gives to the tools of MCP servers.

use sha2::{Digest, Sha256};

use crate::definition::MCP_PREFIX;

/// Characters of a tool's name that every provider of models accepts.
const MAX_NAME: usize = 64;
/// Characters of the digest at the end of a name that had to be changed.
const DIGEST: usize = 8;

/// `mcp__{server}__{tool}` in letters, digits, `_` and `-`. A name that is too long or has other characters is changed and gets a
/// digest of the tool's own name at its end, so that two tools never share a name.
pub(super) fn tool_name(server: &str, tool: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let whole: String = format!("{MCP_PREFIX}{server}__{}", tool.chars().map(clean).collect::<String>());
    if whole.len() <= MAX_NAME && tool.chars().all(|c| clean(c) == c) {
        return whole;
    }
    let digest = hex::encode(Sha256::digest(tool.as_bytes()));
    // Every character is ASCII, so each index is the boundary of one.
    let kept = &whole[..whole.len().min(MAX_NAME - 1 - DIGEST)];
    format!("{kept}_{}", &digest[..DIGEST])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

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
            assert!(seen.insert(name.clone()), "{name}");
        }
    }
}
