//! Tests of the list of functions.

use super::super::functions;

/// Functions any of which would defeat the gate.
const NEVER: &str = "set_config current_setting query_to_xml query_to_xmlschema query_to_xml_and_xmlschema table_to_xml \
     table_to_xmlschema table_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema schema_to_xml schema_to_xmlschema \
     schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema database_to_xml_and_xmlschema ts_stat ts_rewrite \
     ts_debug ts_parse ts_token_type ts_lexize nextval setval currval lastval setseed version session_user system_user \
     current_user current_database current_catalog current_schema current_schemas current_query getpgusername \
     getdatabaseencoding row_security_active format_type obj_description col_description shobj_description \
     aclexplode acldefault aclinsert makeaclitem loread lowrite regclass regproc amvalidate currtid2 unique_key_recheck \
     suppress_redundant_updates_trigger tsvector_update_trigger gtsquery_compress fmgr_sql_validator plpgsql_call_handler \
     plpgsql_inline_handler textin textout array_in record_in record_recv domain_in xml_in textsend bernoulli system \
     dblink dblink_exec array_agg_transfn string_agg_transfn pg_sleep pg_notify like_regex";

#[test]
fn the_list_is_sorted_and_each_name_is_on_it_once() {
    let names: Vec<&str> = functions::names().collect();
    for pair in names.windows(2) {
        let [before, after] = pair else { continue };
        assert!(before < after, "{before} before {after}");
    }
    assert!(names.len() > 400);
    let plain = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    assert!(names.iter().all(|name| plain(name)));
}

#[test]
fn what_must_never_be_on_the_list_is_not() {
    for name in NEVER.split_whitespace() {
        assert!(!functions::is_allowed(name), "{name}");
    }
}

#[test]
fn no_family_of_dangerous_functions_is_on_the_list() {
    // The five of this family that only measure or name the type of a value.
    let harmless = ["pg_collation_for", "pg_column_size", "pg_size_bytes", "pg_size_pretty", "pg_typeof"];
    let families =
        ["pg_", "lo_", "has_", "to_reg", "txid_", "inet_client", "inet_server", "acl", "binary_upgrade", "gin", "brin"];
    let endings = [
        "_to_xml",
        "_to_xmlschema",
        "_handler",
        "_trigger",
        "recv",
        "send",
        "typmodin",
        "typmodout",
        "sel",
        "_transfn",
    ];
    for name in functions::names().filter(|name| !harmless.contains(name)) {
        assert!(!families.iter().any(|start| name.starts_with(start)), "{name}");
        assert!(!endings.iter().any(|end| name.ends_with(end)), "{name}");
    }
}

#[test]
fn what_the_grammar_itself_calls_is_on_the_list() {
    let written = "timezone extract overlay position substring btrim ltrim rtrim like_escape similar_to_escape normalize \
         is_normalized pg_collation_for overlaps json_object";
    for name in written.split_whitespace() {
        assert!(functions::is_allowed(name), "{name}");
    }
}
