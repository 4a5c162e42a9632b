//! The types and operators of `pg_catalog` that a statement may name.

/// The allowed data types, sorted. Left out: `reg*` (they look names up in the system catalogs), pseudo types, the
/// server's own types (`aclitem`, `pg_*`, `xid` …), `oid`, which identifies things and is no value, and three whose cost
/// nothing bounds (docs/statement-costs.md): `path`, `polygon` and `xml`.
const TYPES: [&str; 50] = [
    "bit",
    "bool",
    "box",
    "bpchar",
    "bytea",
    "char",
    "cidr",
    "circle",
    "date",
    "datemultirange",
    "daterange",
    "float4",
    "float8",
    "inet",
    "int2",
    "int4",
    "int4multirange",
    "int4range",
    "int8",
    "int8multirange",
    "int8range",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "numeric",
    "nummultirange",
    "numrange",
    "point",
    "text",
    "tid",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
    "uuid",
    "varbit",
    "varchar",
];

/// The allowed operators, sorted. None that Postgres 15 to 18 has under these names runs SQL text or has an effect.
const OPERATORS: [&str; 74] = [
    "!!", "!~", "!~*", "!~~", "!~~*", "#", "##", "#-", "#>", "#>>", "%", "&", "&&", "&<", "&<|", "&>", "*", "*<",
    "*<=", "*<>", "*=", "*>", "*>=", "+", "-", "->", "->>", "-|-", "/", "<", "<->", "<<", "<<=", "<<|", "<=", "<>",
    "<@", "<^", "=", ">", ">=", ">>", ">>=", ">^", "?", "?#", "?&", "?-", "?-|", "?|", "?||", "@", "@-@", "@>", "@?",
    "@@", "@@@", "^", "^@", "|", "|&>", "|/", "|>>", "||", "||/", "~", "~*", "~<=~", "~<~", "~=", "~>=~", "~>~", "~~",
    "~~*",
];

/// Whether a statement may use this type of `pg_catalog`, or the array type over it (`_int4`).
pub(super) fn is_type(name: &str) -> bool {
    let element = name.strip_prefix('_').unwrap_or(name);
    TYPES.binary_search(&element).is_ok()
}

/// Whether a statement may use this operator of `pg_catalog`.
pub(super) fn is_operator(name: &str) -> bool {
    OPERATORS.binary_search(&name).is_ok()
}
