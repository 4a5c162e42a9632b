//! Why a password is weak.

use zxcvbn::zxcvbn;

/// Characters that are looked at together: the time grows faster than their number.
const MAX_LOOKED_AT: usize = 32;
/// Whoever tries common passwords first needs fewer tries than this for one of the 30,000 of the lists, with a capital or digits
/// for letters.
const MIN_GUESSES: u64 = 100_000;
/// What keyboards have beside letters and digits.
const SYMBOLS: &str = "!@#$%^&*()_+-=[]{};'\\:\"|<>?,./`~";

/// What a password has to be.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The least characters.
    pub min_length: usize,
    /// Classes of which it needs one character each: `lower`, `upper`, `digit`, `symbol`, or a list of characters.
    pub classes: Vec<String>,
    /// Whether it may be one that is commonly used.
    pub may_be_common: bool,
}

/// The reasons why a password is weak, by the names that clients know: `length`, `characters`, and `pwned` for one that is commonly
/// used, or is one of the `inputs`, such as the user's own address.
pub fn weakness(password: &str, policy: &Policy, inputs: &[&str]) -> Vec<&'static str> {
    let mut reasons = Vec::new();
    if password.chars().count() < policy.min_length {
        reasons.push("length");
    }
    if !policy.classes.iter().all(|class| has(password, class)) {
        reasons.push("characters");
    }
    // Every short one is soon guessed; saying so twice helps nobody.
    let is_guessed = || !policy.may_be_common && !reasons.contains(&"length") && is_common(password);
    if is_input(password, inputs) || is_guessed() {
        reasons.push("pwned");
    }
    reasons
}

fn has(password: &str, class: &str) -> bool {
    match class {
        "" => true,
        "lower" => password.chars().any(char::is_lowercase),
        "upper" => password.chars().any(char::is_uppercase),
        "digit" => password.chars().any(char::is_numeric),
        "symbol" => password.chars().any(|c| SYMBOLS.contains(c)),
        list => password.chars().any(|c| list.contains(c)),
    }
}

/// The whole input, or the part of an address before the `@`.
fn is_input(password: &str, inputs: &[&str]) -> bool {
    let password = password.to_lowercase();
    inputs.iter().any(|input| {
        let input = input.to_lowercase();
        let name = input.split_once('@').map_or("", |(name, _)| name);
        !password.is_empty() && (password == input || password == name)
    })
}

/// Whether a guesser who knows lists, keyboards, dates and repetitions soon comes to the password: to each part of a long one.
fn is_common(password: &str) -> bool {
    let characters: Vec<char> = password.chars().collect();
    let is_guessed = |part: &[char]| zxcvbn(&part.iter().collect::<String>(), &[]).guesses() < MIN_GUESSES;
    !characters.is_empty() && characters.chunks(MAX_LOOKED_AT).all(is_guessed)
}
