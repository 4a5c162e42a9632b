//! The reasons for which a statement is refused.

/// Why a statement is refused. The text names the fault and the fix, and may be shown to a model: it repeats names from
/// the statement and never the contents of a row. A missing relation and one that is not granted give the same text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The text is too long.
    #[error("The statement has {bytes} bytes, more than {limit}; pass long values as parameters ($1, $2 …).")]
    TooLong {
        /// The length of the text.
        bytes: usize,
        /// The greatest length.
        limit: usize,
    },
    /// The text contains a NUL character.
    #[error("The statement contains a NUL character, which Postgres does not take; remove it.")]
    Nul,
    /// The text holds no statement.
    #[error("The text holds no statement; send one SELECT, or one INSERT, UPDATE, DELETE or MERGE.")]
    Empty,
    /// The text holds more than one statement.
    #[error("The text holds more than one statement; send them one at a time.")]
    Several,
    /// Postgres's parser cannot parse the text.
    #[error("The statement cannot be parsed: {message}. Correct the syntax.")]
    Syntax {
        /// The parser's message, which quotes at most one word of the statement.
        message: String,
    },
    /// The statement nests too deeply.
    #[error("The statement nests too deeply; split it, or use WITH for the inner parts.")]
    TooDeep,
    /// The kind of statement is never allowed, such as CREATE TABLE.
    #[error(
        "{verb} is not allowed; only SELECT, VALUES and TABLE, and INSERT, UPDATE, DELETE and MERGE where writing is granted."
    )]
    Statement {
        /// The statement's first word.
        verb: String,
    },
    /// The statement writes, and the grant allows reading only.
    #[error("This plugin may only read; {verb} needs `write` in its database grant.")]
    ReadOnly {
        /// INSERT, UPDATE, DELETE or MERGE.
        verb: &'static str,
    },
    /// The statement is SELECT INTO.
    #[error("SELECT INTO creates a table, which is not allowed; leave INTO out.")]
    Into,
    /// The statement locks rows: FOR UPDATE, FOR SHARE and the like.
    #[error("Row locks (FOR UPDATE, FOR SHARE …) are not allowed; leave the clause out.")]
    Locking,
    /// The function is unknown or not allowed.
    #[error(
        "The function {name} is not allowed; use Postgres's plain functions on values, or functions of the granted schemas."
    )]
    Function {
        /// Its name as written.
        name: String,
    },
    /// The function may do more than the grant allows.
    #[error("The function {name} is not allowed: {why}.")]
    FunctionNeedsGrant {
        /// The function's name with its schema.
        name: String,
        /// The reason for which it needs a grant.
        why: &'static str,
    },
    /// A literal is too long for a function or operator whose cost grows faster than its input.
    #[error("{what} takes at most {limit} bytes here, and the statement gives it {bytes}; use a shorter text.")]
    TooLarge {
        /// The function or operator.
        what: String,
        /// The length of the literal.
        bytes: usize,
        /// The greatest length.
        limit: usize,
    },
    /// The cost of a function or operator has to be bounded, and the database has no function for that.
    #[error(
        "{what} is not allowed in this database, because nothing bounds its cost; \
         use it with literals, or create the function behalf_limits.at_most, as `behalf migrate` does."
    )]
    Unbounded {
        /// The function or operator.
        what: String,
    },
    /// In `x.f`, the name `f` is also a function, and that function is not allowed.
    #[error(
        "`.{name}` could call a function of that name, which is not allowed; \
         if a column is meant, write it without the table in front."
    )]
    Attribute {
        /// The name `f`.
        name: String,
    },
    /// The relation does not exist or is not granted.
    #[error("The relation {name} does not exist or is not granted to this plugin.{}", .closest.as_ref().map(|c| format!(" Did you mean {c}?")).unwrap_or_default())]
    Relation {
        /// Its name as written.
        name: String,
        /// The granted relation with the most similar name.
        closest: Option<String>,
    },
    /// The type is unknown or not allowed.
    #[error("The type {name} is not allowed; use a plain data type, or one of the granted schemas.")]
    Type {
        /// Its name as written.
        name: String,
    },
    /// The operator is unknown or not allowed.
    #[error("The operator {name} is not allowed; use Postgres's own operators.")]
    Operator {
        /// Its name as written.
        name: String,
    },
    /// The collation, operator class or sampling method is not allowed.
    #[error("The name {name} is not allowed here; leave it out, or use one that comes with Postgres.")]
    Name {
        /// Its name as written.
        name: String,
    },
    /// The parameter's number is outside the range of the protocol.
    #[error("The parameter ${number} is out of range; parameters run from $1 to ${limit}.")]
    Parameter {
        /// The parameter's number.
        number: i32,
        /// The highest allowed number.
        limit: i32,
    },
    /// The statement contains a construct that the gate does not know.
    #[error("{what} is not allowed; write the statement without it.")]
    Construct {
        /// The construct.
        what: &'static str,
    },
    /// The parser failed, or no thread could run it.
    #[error("The statement could not be examined, so it was not sent; try a simpler one, or again later.")]
    Unexamined,
}

impl Refusal {
    /// The broken rule as a short name for the audit log. The names do not change between versions.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "text_too_long",
            Self::Nul => "nul_character",
            Self::Empty => "empty",
            Self::Several => "several_statements",
            Self::Syntax { .. } => "syntax",
            Self::TooDeep => "too_deep",
            Self::Statement { .. } => "statement_not_allowed",
            Self::ReadOnly { .. } => "write_not_granted",
            Self::Into => "select_into",
            Self::Locking => "locking_clause",
            Self::Function { .. } => "function_not_allowed",
            Self::FunctionNeedsGrant { .. } => "function_not_granted",
            Self::TooLarge { .. } => "value_too_large",
            Self::Unbounded { .. } => "cost_not_bounded",
            Self::Attribute { .. } => "attribute_not_allowed",
            Self::Relation { .. } => "relation_not_granted",
            Self::Type { .. } => "type_not_allowed",
            Self::Operator { .. } => "operator_not_allowed",
            Self::Name { .. } => "name_not_allowed",
            Self::Parameter { .. } => "parameter_out_of_range",
            Self::Construct { .. } => "construct_not_allowed",
            Self::Unexamined => "unexamined",
        }
    }

    /// Whether the catalog may be older than the refused name. Then refresh the catalog and check again.
    pub fn may_be_new_name(&self) -> bool {
        matches!(
            self,
            Self::Relation { .. }
                | Self::Function { .. }
                | Self::FunctionNeedsGrant { .. }
                | Self::Type { .. }
                | Self::Operator { .. }
                | Self::Unbounded { .. }
        )
    }

    /// Whether a wider grant would allow the statement.
    pub fn is_missing_grant(&self) -> bool {
        matches!(self, Self::Relation { .. } | Self::FunctionNeedsGrant { .. } | Self::ReadOnly { .. })
    }
}
