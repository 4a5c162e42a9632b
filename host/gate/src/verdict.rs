//! The properties of an allowed statement.

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

/// An allowed statement and its properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The verb of the outermost statement.
    pub kind: Kind,
    /// Whether the statement may change data anywhere, also in a common table expression or a volatile function.
    pub writes: bool,
    /// Whether the statement returns rows: any SELECT, and a change with RETURNING.
    pub returns_rows: bool,
    /// `pg_query`'s fingerprint in hexadecimal; statements that differ only in constants have the same one.
    pub fingerprint: String,
    /// The statement without the comments and semicolons around it, and with checks in it where its cost needs them. This
    /// text was checked, and this text must be sent.
    pub statement: String,
    /// The highest `$n` in the statement; 0 without parameters.
    pub parameters: usize,
    /// How long the values of parameters may be, at most one entry for each. The application refuses a longer value before it
    /// sends the statement.
    pub parameter_bounds: Vec<ParameterBound>,
}

/// The most bytes of one parameter's value, in the text format of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterBound {
    /// The number of the parameter; the first is 1.
    pub index: usize,
    /// The most bytes.
    pub bytes: usize,
    /// The function or operator whose cost grows faster than this value.
    pub what: String,
}
