//! Why a statement was not let through.

/// A refusal. The text says what and how to mend it, in words that may be shown to a model: it repeats names the statement
/// itself used and never the contents of a row. A relation that is missing and one that is not granted read the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The text is longer than the gate reads.
    #[error("The statement has {bytes} bytes, more than {limit}; pass long values as parameters ($1, $2 …).")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// There is a NUL character in the text.
    #[error("The statement contains a NUL character, which Postgres does not take; remove it.")]
    Nul,
    /// There is no statement in the text.
    #[error("The text holds no statement; send one SELECT, or one INSERT, UPDATE, DELETE or MERGE.")]
    Empty,
    /// There is more than one statement in the text.
    #[error("The text holds more than one statement; send them one at a time.")]
    Several,
    /// Postgres's parser does not understand the text.
    #[error("The statement cannot be parsed: {message}. Correct the syntax.")]
    Syntax {
        /// The parser's message, which quotes at most one word of the statement.
        message: String,
    },
    /// Nested deeper than the gate follows.
    #[error("The statement nests too deeply; split it, or use WITH for the inner parts.")]
    TooDeep,
    /// A kind of statement that tools may not run.
    #[error(
        "{verb} is not allowed; only SELECT, VALUES and TABLE, and INSERT, UPDATE, DELETE and MERGE where writing is granted."
    )]
    Statement {
        /// Its first word.
        verb: String,
    },
    /// The plugin may read only.
    #[error("This plugin may only read; {verb} needs `write` in its database grant.")]
    ReadOnly {
        /// What it tried.
        verb: &'static str,
    },
    /// SELECT INTO.
    #[error("SELECT INTO creates a table, which is not allowed; leave INTO out.")]
    Into,
    /// FOR UPDATE and its like.
    #[error("Row locks (FOR UPDATE, FOR SHARE …) are not allowed; leave the clause out.")]
    Locking,
    /// A function that is unknown or not allowed.
    #[error(
        "The function {name} is not allowed; use Postgres's plain functions on values, or functions of the granted schemas."
    )]
    Function {
        /// Its name as written.
        name: String,
    },
    /// A function that may do more than its caller can see, and was not granted by name.
    #[error("The function {name} is not allowed: {why}. The plugin's database grant can name it under `functions`.")]
    FunctionNeedsGrant {
        /// Its name with the schema.
        name: String,
        /// What about it is the reason.
        why: &'static str,
    },
    /// `x.f` where `f` is also a function that is not allowed.
    #[error(
        "`.{name}` could call a function of that name, which is not allowed; \
         if a column is meant, write it without the table in front."
    )]
    Attribute {
        /// The name after the dot.
        name: String,
    },
    /// A relation that is missing or not granted.
    #[error("The relation {name} does not exist or is not granted to this plugin.{}", .closest.as_ref().map(|c| format!(" Did you mean {c}?")).unwrap_or_default())]
    Relation {
        /// Its name as written.
        name: String,
        /// The granted relation whose name is nearest.
        closest: Option<String>,
    },
    /// A type that is unknown or not allowed.
    #[error("The type {name} is not allowed; use a plain data type, or one of the granted schemas.")]
    Type {
        /// Its name as written.
        name: String,
    },
    /// An operator that is unknown or not allowed.
    #[error("The operator {name} is not allowed; use Postgres's own operators.")]
    Operator {
        /// Its name as written.
        name: String,
    },
    /// A collation, an operator class or a sampling method outside what is allowed.
    #[error("The name {name} is not allowed here; leave it out, or use one that comes with Postgres.")]
    Name {
        /// Its name as written.
        name: String,
    },
    /// A parameter number outside the range of the protocol.
    #[error("The parameter ${number} is out of range; parameters run from $1 to ${limit}.")]
    Parameter {
        /// Its number.
        number: i32,
        /// The highest allowed.
        limit: i32,
    },
    /// Something in the statement that the gate has not been taught.
    #[error("{what} is not allowed; write the statement without it.")]
    Construct {
        /// What it is.
        what: &'static str,
    },
    /// The parser itself failed, or no thread was free to run it.
    #[error("The statement could not be examined, so it was not sent; try a simpler one, or again later.")]
    Unexamined,
}

impl Refusal {
    /// The rule that was broken, for the audit log: short, and the same for ever.
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

    /// Whether the reason may be that the catalog is older than the name: worth another look after a refresh.
    pub fn may_be_new_name(&self) -> bool {
        matches!(
            self,
            Self::Relation { .. }
                | Self::Function { .. }
                | Self::FunctionNeedsGrant { .. }
                | Self::Type { .. }
                | Self::Operator { .. }
        )
    }

    /// Whether the plugin's grant is what is missing, so that whoever installs it can mend that.
    pub fn is_missing_grant(&self) -> bool {
        matches!(self, Self::Relation { .. } | Self::FunctionNeedsGrant { .. } | Self::ReadOnly { .. })
    }
}
