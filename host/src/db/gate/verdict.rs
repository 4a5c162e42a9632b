//! What the gate found out about a statement it lets through.

/// The verb of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// SELECT, VALUES or TABLE.
    Select,
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// MERGE.
    Merge,
}

/// A statement that may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The verb of the outermost statement.
    pub kind: Kind,
    /// Whether it may change data anywhere: in a common table expression, or in a volatile function of the project.
    pub writes: bool,
    /// Whether rows come back: any SELECT, and a change with RETURNING.
    pub returns_rows: bool,
    /// `pg_query`'s fingerprint in hexadecimal: equal for statements that differ in constants alone.
    pub fingerprint: String,
    /// The one statement, without the comments and semicolons around it. This text was judged, and this text must be sent.
    pub statement: String,
    /// The highest `$n` in it, and 0 without parameters.
    pub parameters: usize,
}
