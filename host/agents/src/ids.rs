//! Ids of runs and sessions.

use uuid::Uuid;

/// The id of a new run.
pub(crate) fn run_id() -> String {
    format!("run_{}", random())
}

/// The id of a new session.
pub(crate) fn session_id() -> String {
    format!("sess_{}", random())
}

/// The id of a run that took place elsewhere and is stored when its session is made.
pub(crate) fn seed_id() -> String {
    format!("seed_{}", random())
}

/// Twelve hexadecimal digits from the operating system's generator. A v4 uuid's first six bytes hold none of its fixed bits.
fn random() -> String {
    let mut digits = Uuid::new_v4().simple().to_string();
    digits.truncate(12);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_prefix_and_twelve_digits() {
        let id = run_id();
        assert!(
            id.len() == 16 && id.starts_with("run_") && id[4..].bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{id}"
        );
        assert_ne!(session_id(), session_id());
    }
}
