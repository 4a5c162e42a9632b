//! One promise that a plugin keeps.

/// A rule that every call of a good plugin keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// A stable name: a topic and a word.
    pub id: &'static str,
    /// The promise itself.
    pub sentence: &'static str,
    /// Why it matters: what goes wrong where it is broken.
    pub why: &'static str,
    /// How the suite checks it.
    pub how: &'static str,
    /// How an author fixes a plugin that breaks it.
    pub fix: &'static str,
}
