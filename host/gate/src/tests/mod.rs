//! Tests of the gate without a database, on the small catalog below.

mod attacks;
mod bounds;
mod hostile;
mod list;
mod ordinary;
mod swapped;

use std::sync::Arc;

use super::{Catalog, CatalogRow, DatabaseGrant, IDENTITY_FUNCTIONS, Policy};

/// what, schema, name, detail, extra: as the catalog query returns them.
const CATALOG: &str = "
relation public notes r
relation public documents r
relation public orders p
relation public open_orders v
relation public totals m
relation public elsewhere f
relation public order_seq S
relation public pg_stuff r
relation private secrets r
relation private shadowed r
relation auth users r
relation vault decrypted_secrets v
relation extensions pg_stat_statements v
function extensions uuid_generate_v4 extension
function extensions digest extension
function extensions unaccent extension unary
function extensions cosine_distance extension
function extensions similarity extension
function extensions word_similarity extension
function extensions word_similarity_op extension
function extensions texticlike extension
function extensions vector extension unary
function extensions set_limit denied unary
function extensions dblink denied unary
function extensions crosstab denied unary
function extensions lower inert unary
function extensions cube_dim inert unary
function auth uid plain
function auth jwt plain
function auth role plain
function auth email plain
function private wipe plain
function behalf_limits at_most plain
function public full_name plain unary
function public archive_note volatile unary
function public is_admin definer unary
function public exec_sql dynamic unary
function public mixed plain
function public mixed dynamic
function public upper dynamic unary
function public json_value dynamic
type extensions vector extension
type extensions citext extension
type extensions cube denied
type public mood plain
type public class_ref denied
type private inner plain
operator extensions <-> inert
operator extensions <=> inert
operator extensions % inert
operator public === public full_name
operator public !!! public exec_sql
";

/// Functions of `pg_catalog` that are on no list; `1` after those that take a single argument.
const BUILTINS: &str = "normalize1 pg_typeof1 set_config current_setting1 pg_sleep1 pg_notify pg_advisory_lock1 query_to_xml ts_stat1 ts_rewrite1 \
     lo_import1 lo_get1 pg_read_file1 nextval1 setval currval1 version current_database pg_terminate_backend1 to_regclass1 \
     has_table_privilege obj_description1 row_security_active1 txid_current inet_server_addr pg_get_viewdef1 lower1 upper1 \
     count1 to_json1 row_to_json1 name1 box_center1 format_type pg_ls_dir1 json_object1";

const BUILTIN_TYPES: &str = "text int4 regclass regproc regtype regrole _regclass pg_authid oid xid aclitem cstring internal \
     pg_lsn information name";

/// A row with what is missing left empty.
pub(super) fn row(words: &[&str]) -> CatalogRow {
    let mut words = words.iter().map(|word| (*word).to_owned());
    std::array::from_fn(|_| words.next().unwrap_or_default())
}

pub(super) fn catalog() -> Arc<Catalog> {
    let listed = CATALOG.lines().filter(|line| !line.is_empty());
    let rows = listed.map(|line| row(&line.split(' ').collect::<Vec<_>>()));
    let builtins = BUILTINS.split_whitespace().map(|name| {
        let unary = if name.ends_with('1') { "unary" } else { "" };
        row(&["builtin", "pg_catalog", name.trim_end_matches('1'), "", unary])
    });
    let types = BUILTIN_TYPES.split_whitespace().map(|name| row(&["builtin_type", "pg_catalog", name]));
    Arc::new(Catalog::from_rows(rows.chain(builtins).chain(types)))
}

pub(super) fn grant(write: bool) -> DatabaseGrant {
    let owned = |(schema, name): (&str, &str)| (schema.to_owned(), name.to_owned());
    DatabaseGrant {
        write,
        schemas: vec!["public".to_owned()],
        tables: Vec::new(),
        functions: IDENTITY_FUNCTIONS.map(owned).to_vec(),
        search_path: vec!["public".to_owned(), "extensions".to_owned()],
    }
}

/// A plugin that may read the schema `public`.
pub(super) fn reader() -> Policy {
    Policy::new(grant(false), catalog())
}

/// A plugin that may read and write it.
pub(super) fn writer() -> Policy {
    Policy::new(grant(true), catalog())
}
