//! What is derived of policies.

use super::derive::sources;
use super::policies::{Policies, TablePolicies};
use super::statement::ReachText;

/// Conditions as `pg_get_expr` writes them.
fn policies(permissive: &[&str], restrictive: &[&str]) -> TablePolicies {
    let owned = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect();
    TablePolicies { enabled: true, permissive: owned(permissive), restrictive: owned(restrictive) }
}

/// The conditions and the selects that were derived, as text, where nothing is known of policies on sources.
fn derived(permissive: &[&str], restrictive: &[&str]) -> Option<String> {
    written(&Policies { chunks: policies(permissive, restrictive), sources: TablePolicies::default() })
}

/// What is derived for the default policy on chunks and these policies on sources.
fn followed(permissive: &[&str], restrictive: &[&str]) -> String {
    let chunks = policies(&["(source_id IN ( SELECT s.id FROM ai.sources s))"], &[]);
    written(&Policies { chunks, sources: policies(permissive, restrictive) }).expect("derived")
}

fn written(policies: &Policies) -> Option<String> {
    let sources = sources(policies)?;
    let text = ReachText::new(&sources).expect("what is derived can be written");
    let text = text.counting();
    let (_, rest) = text.split_once("select (").expect("its beginning");
    let (yes, rest) = rest.split_once(") as see_all), raw as materialized (select a.id from (").expect("its middle");
    let (ids, _) = rest.split_once(") a(id) where not").expect("its end");
    let ids = ids.replace("select q.id::pg_catalog.uuid from (", "").replace(") q(id)", "");
    let yes = yes.replace("coalesce((", "").replace(")::pg_catalog.bool, false)", "");
    Some(format!("{yes} | {}", ids.replace("select null::pg_catalog.uuid where false", "-")))
}

fn one(condition: &str) -> Option<String> {
    derived(&[condition], &[])
}

#[test]
fn the_default_policy_asks_for_the_sources_that_the_caller_sees() {
    let condition = "(source_id IN ( SELECT s.id FROM ai.sources s))";
    assert_eq!(one(condition).as_deref(), Some("false | SELECT s.id FROM ai.sources s"));
}

#[test]
fn the_policy_of_the_cookbook_is_understood_in_both_forms() {
    let direct =
        "(source_id IN ( SELECT documents.source_id FROM public.documents WHERE (documents.owner_id = auth.uid())))";
    assert_eq!(
        one(direct).as_deref(),
        Some("false | SELECT documents.source_id FROM public.documents WHERE documents.owner_id = auth.uid()")
    );
    let indexed =
        "(source_id IN ( SELECT i.source_id FROM ai.indexed_sources i WHERE (i.source_id IN ( SELECT d.source_id
        FROM public.documents d WHERE (d.owner_id = auth.uid())))))";
    assert!(
        one(indexed).expect("derived").contains("FROM ai.indexed_sources i WHERE i.source_id IN (SELECT d.source_id")
    );
}

#[test]
fn memberships_may_be_joins_or_correlated() {
    let join = "(source_id IN ( SELECT d.source_id FROM (public.docs d JOIN public.members m ON ((m.team = d.team)))
        WHERE (m.user_id = ( SELECT auth.uid() AS uid))))";
    assert!(one(join).expect("derived").contains("JOIN public.members m ON m.team = d.team"));
    let exists = "(EXISTS ( SELECT 1 FROM (public.docs d JOIN public.members m ON ((m.team = d.team)))
        WHERE ((d.source_id = chunks.source_id) AND (m.user_id = ( SELECT auth.uid() AS uid)))))";
    let text = one(exists).expect("derived");
    assert!(text.starts_with("false | SELECT d.source_id FROM public.docs d JOIN"), "{text}");
    assert!(text.contains("m.user_id = (SELECT auth.uid() AS uid)") && !text.contains("chunks."), "{text}");
    let turned = "(EXISTS ( SELECT FROM ai.sources s WHERE (chunks.source_id = s.id)))";
    assert_eq!(one(turned).as_deref(), Some("false | SELECT s.id FROM ai.sources s"));
    let scalar = "( SELECT true AS bool FROM ai.sources s WHERE (s.id = chunks.source_id))";
    assert_eq!(one(scalar).as_deref(), Some("false | SELECT s.id FROM ai.sources s"));
}

#[test]
fn what_else_a_correlated_select_asks_of_the_chunk_is_left_out() {
    let exists = "(EXISTS ( SELECT 1 FROM public.docs d WHERE ((d.source_id = chunks.source_id)
        AND (d.base = chunks.knowledge_base_id) AND d.is_public)))";
    assert_eq!(one(exists).as_deref(), Some("false | SELECT d.source_id FROM public.docs d WHERE d.is_public"));
    let within = "(source_id IN ( SELECT d.source_id FROM public.docs d WHERE (d.base = chunks.knowledge_base_id)))";
    assert_eq!(one(within).as_deref(), Some("false | SELECT d.source_id FROM public.docs d"));
    // A condition of a join or of a bound cannot be left out like that.
    let bound =
        "(source_id IN ( SELECT d.source_id FROM public.docs d WHERE (d.base = chunks.knowledge_base_id) LIMIT 1))";
    assert_eq!(one(bound), None);
    let joined = "(EXISTS ( SELECT 1 FROM (public.docs d JOIN public.m m ON ((m.id = chunks.id))) WHERE (d.source_id = chunks.source_id)))";
    assert_eq!(one(joined), None);
}

#[test]
fn conditions_on_the_caller_decide_for_all_rows() {
    let admin = "((auth.jwt() ->> 'role'::text) = 'admin'::text)";
    assert!(one(admin).expect("derived").ends_with(" | -"));
    let either = format!("({admin} OR (source_id IN ( SELECT s.id FROM ai.sources s)))");
    let text = one(&either).expect("derived");
    assert!(
        text.contains("auth.jwt() ->> 'role'::text") && text.ends_with("| SELECT s.id FROM ai.sources s"),
        "{text}"
    );
    let both = format!("({admin} AND (source_id IN ( SELECT s.id FROM ai.sources s)))");
    assert_eq!(one(&both).as_deref(), Some("false | SELECT s.id FROM ai.sources s"));
    assert!(one("public.is_admin()").expect("derived").contains("public.is_admin()"));
    assert!(one("( SELECT public.is_admin() AS is_admin)").expect("derived").ends_with("| -"));
}

#[test]
fn values_and_arrays_are_understood() {
    let array = "(source_id = ANY (ARRAY( SELECT d.source_id FROM public.docs d)))";
    assert_eq!(
        one(array).as_deref(),
        Some("false | SELECT pg_catalog.unnest(ARRAY(SELECT d.source_id FROM public.docs d))")
    );
    let function = "(source_id = ANY (public.my_sources()))";
    assert_eq!(one(function).as_deref(), Some("false | SELECT pg_catalog.unnest(public.my_sources())"));
    let claim = "(source_id = ((auth.jwt() ->> 'source'::text))::uuid)";
    assert!(one(claim).expect("derived").contains("SELECT (auth.jwt() ->> 'source'::text)::uuid"));
    let list = "(source_id IN ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002'))";
    assert!(one(list).expect("derived").contains("unnest(ARRAY["));
}

#[test]
fn several_policies_add_up_and_restrictive_ones_take_away() {
    let (a, b) = ("(source_id IN ( SELECT a.id FROM public.a))", "(source_id IN ( SELECT b.id FROM public.b))");
    let opaque = "public.may_read(id)";
    assert_eq!(
        derived(&[a, b], &[]).as_deref(),
        Some("false | SELECT a.id FROM public.a union all SELECT b.id FROM public.b")
    );
    assert_eq!(derived(&[a, opaque], &[]), None);
    assert_eq!(derived(&["true"], &[a]).as_deref(), Some("false | SELECT a.id FROM public.a"));
    assert_eq!(derived(&[opaque], &[b]).as_deref(), Some("false | SELECT b.id FROM public.b"));
    assert_eq!(
        derived(&[a], &["public.is_open(knowledge_base_id)"]).as_deref(),
        Some("false | SELECT a.id FROM public.a")
    );
    assert_eq!(derived(&[], &[]).as_deref(), Some("false | -"));
    assert_eq!(derived(&[], &[a]).as_deref(), Some("false | -"));
}

#[test]
fn constants_are_all_or_nothing() {
    assert_eq!(one("true").as_deref(), Some("(SELECT true) | -"));
    assert_eq!(one("false").as_deref(), Some("false | -"));
    assert_eq!(one("NULL::boolean").as_deref(), Some("false | -"));
    let open = TablePolicies { enabled: true, permissive: vec![None], restrictive: Vec::new() };
    let open = Policies { chunks: open, ..Policies::default() };
    assert_eq!(sources(&open), sources(&Policies::default()));
    let shut = "(false OR (source_id IN ( SELECT a.id FROM public.a)))";
    assert_eq!(one(shut).as_deref(), Some("false | SELECT a.id FROM public.a"));
}

#[test]
fn what_is_not_understood_derives_nothing() {
    for opaque in [
        "public.may_read(source_id)",
        "(NOT (source_id IN ( SELECT a.id FROM public.a)))",
        "(source_id <> ALL (ARRAY( SELECT a.id FROM public.a)))",
        "((meta ->> 'owner'::text) = (auth.uid())::text)",
        "(id IN ( SELECT a.chunk_id FROM public.a))",
        "((source_id)::text IN ( SELECT a.id FROM public.a))",
        "(source_id OPERATOR(public.=) ANY (ARRAY( SELECT a.id FROM public.a)))",
        "((source_id = auth.uid()) OR (id = auth.uid()))",
        "(source_id = id)",
        "(EXISTS ( SELECT 1 FROM public.a WHERE (a.id > chunks.source_id)))",
        "(EXISTS ( SELECT count(*) AS count FROM public.a WHERE (a.id = chunks.source_id) HAVING (count(*) > 1)))",
        "(source_id IN ( WITH w AS ( SELECT chunks.id ) SELECT w.id FROM w))",
        "public.f(chunks.*)",
    ] {
        assert_eq!(one(opaque), None, "{opaque}");
    }
}

#[test]
fn names_that_look_like_sql_stay_names() {
    let hostile = r#"(source_id IN ( SELECT "d""; drop table x; --"."source_id) union select id from ai.sources" FROM
        "Evil""schema"."d""; drop table x; --"))"#;
    let text = one(hostile).expect("derived");
    assert!(text.contains(r#""d""; drop table x; --"."source_id) union select id from ai.sources""#), "{text}");
    // A table of the same name in another schema has another name in the condition.
    let same = "(EXISTS ( SELECT 1 FROM public.chunks chunks_1 WHERE (chunks_1.source_id = chunks.source_id)))";
    assert_eq!(one(same).as_deref(), Some("false | SELECT chunks_1.source_id FROM public.chunks chunks_1"));
    for text in ["true) union select (true", "true; drop table x", "true -- ", "'"] {
        assert!(one(text).is_none_or(|text| !text.contains("drop") && !text.contains("union")), "{text}");
    }
}

#[test]
fn deep_conditions_end() {
    let deep = format!("{}source_id = id{}", "(NOT ".repeat(300), ")".repeat(300));
    assert_eq!(one(&deep), None);
    let and = format!("{}true{}", "(source_id = id AND ".repeat(200), ")".repeat(200));
    // Postgres's parser flattens these.
    drop(one(&and));
}

/// The text for a policy on sources that nothing is derived of: the sources are read under it.
const READ: &str = "false | SELECT s.id FROM ai.sources s";

#[test]
fn a_policy_on_sources_by_their_id_is_asked_instead_of_every_source() {
    let members = "SELECT d.source_id FROM public.docs d JOIN public.members m ON m.team = d.team WHERE m.user_id = (SELECT auth.uid() AS uid)";
    assert_eq!(followed(&[&format!("(id IN ( {members}))")], &[]), format!("false | {members}"));
    let exists = "(EXISTS ( SELECT 1 FROM public.docs d WHERE ((d.source_id = sources.id) AND d.is_public)))";
    assert_eq!(followed(&[exists], &[]), "false | SELECT d.source_id FROM public.docs d WHERE d.is_public");
    let array = "(id = ANY (public.my_sources()))";
    assert_eq!(followed(&[array], &[]), "false | SELECT pg_catalog.unnest(public.my_sources())");
    // A restrictive one is enough.
    assert_eq!(followed(&["true"], &[array]), "false | SELECT pg_catalog.unnest(public.my_sources())");
    // Nobody sees a source without a policy, so nobody sees a chunk of one.
    assert_eq!(followed(&[], &[]), "false | -");
}

#[test]
fn parts_of_a_policy_on_sources_are_asked_one_by_one() {
    let by_id = "(id IN ( SELECT a.id FROM public.a))";
    let owner = "(owner_id = ( SELECT auth.uid() AS uid))";
    let both = "false | SELECT a.id FROM public.a union all SELECT sources.id FROM ai.sources sources WHERE owner_id = (SELECT auth.uid() AS uid)";
    assert_eq!(followed(&[by_id, owner], &[]), both);
    assert_eq!(followed(&[&format!("({by_id} OR {owner})")], &[]), both);
    let admin = "((auth.jwt() ->> 'role'::text) = 'admin'::text)";
    let text = followed(&[by_id, admin], &[]);
    assert!(text.ends_with("FROM ai.sources sources WHERE auth.jwt() ->> 'role'::text = 'admin'::text"), "{text}");
    let correlated = "(EXISTS ( SELECT 1 FROM public.b WHERE (b.name = sources.name)))";
    assert!(
        followed(&[by_id, correlated], &[])
            .contains("FROM ai.sources sources WHERE EXISTS (SELECT 1 FROM public.b WHERE b.name = sources.name)")
    );
}

#[test]
fn sources_are_read_under_policies_that_decide_by_something_else() {
    for opaque in [
        "(owner_id = ( SELECT auth.uid() AS uid))",
        "((metadata ->> 'tenant'::text) = ( SELECT (auth.jwt() ->> 'sub'::text)))",
        "true",
        "public.may_read(id)",
        "(NOT (id IN ( SELECT a.id FROM public.a)))",
        "(source_id IN ( SELECT a.id FROM public.a))",
        "(owner_id IN ( SELECT a.id FROM public.a))",
        "(id OPERATOR(public.=) ANY (ARRAY( SELECT a.id FROM public.a)))",
    ] {
        assert_eq!(followed(&[opaque], &[]), READ, "{opaque}");
    }
    let everybody = TablePolicies { enabled: true, permissive: vec![None], restrictive: Vec::new() };
    let chunks = policies(&["(source_id IN ( SELECT s.id FROM ai.sources s))"], &[]);
    assert_eq!(written(&Policies { chunks, sources: everybody }).as_deref(), Some(READ));
}

#[test]
fn only_a_select_of_every_source_is_replaced() {
    let by_id = policies(&["(id IN ( SELECT a.id FROM public.a))"], &[]);
    for select in [
        "SELECT s.id FROM ai.sources s WHERE s.owner_id = auth.uid()",
        "SELECT s.owner_id FROM ai.sources s",
        "SELECT s.id FROM public.sources s",
        "SELECT s.id FROM ai.sources s JOIN public.a ON a.id = s.id",
        "SELECT s.id FROM ai.sources s LIMIT 1",
        "SELECT s.id FROM ai.sources s(owner, id)",
        "SELECT s.id FROM ai.sources s UNION SELECT a.id FROM public.a",
    ] {
        let chunks = policies(&[&format!("(source_id IN ( {select}))")], &[]);
        let text = written(&Policies { chunks, sources: by_id.clone() }).expect("derived");
        assert!(text.contains("sources s") && !text.contains("| SELECT a.id FROM public.a"), "{select}: {text}");
    }
}
