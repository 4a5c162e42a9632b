/// Something that holds for every call of a good plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// A stable name: a topic and a word.
    pub id: &'static str,
    /// The promise itself.
    pub sentence: &'static str,
    /// What goes wrong where it is broken.
    pub why: &'static str,
    /// What the suite does.
    pub how: &'static str,
    /// What to do about it.
    pub mend: &'static str,
}
