//! The grammar by examples.

use super::Query;
use super::ast::{Aggregate, Is, Join, Logic, Operand, Operation, Operator, Quantifier, Search, SelectItem};

fn query(raw: &str) -> Query {
    Query::parse(raw, false).unwrap_or_else(|error| panic!("{raw}: {error:?}"))
}

fn refused(raw: &str) -> String {
    match Query::parse(raw, false) {
        Ok(query) => panic!("{raw} was read as {query:?}"),
        Err(error) => format!("{} {}", error.message, error.details),
    }
}

#[test]
fn select_has_columns_renames_casts_and_paths() {
    let query = query("select=id,full:name::text,data->a->>0,x:\"a b\"->>k");
    let fields: Vec<_> = query
        .select
        .iter()
        .map(|item| match item {
            SelectItem::Field(field) => field,
            SelectItem::Embed(_) => panic!("an embed"),
        })
        .collect();
    assert_eq!(fields[0].field.name, "id");
    assert_eq!((fields[1].alias.as_deref(), fields[1].cast.as_deref()), (Some("full"), Some("text")));
    assert_eq!(fields[2].field.path[0].operand, Operand::Key("a".to_owned()));
    assert_eq!(fields[2].field.path[1].operand, Operand::Index("+0".to_owned()));
    assert_eq!(fields[3].field.name, "a b");
}

#[test]
fn select_has_embedded_resources() {
    let query =
        query("select=id,owner:users!owner_id!inner(name,tasks(*)),...clients!left(n:name),count(),total.sum()::text");
    let SelectItem::Embed(owner) = &query.select[1] else { panic!("no embed") };
    assert_eq!((owner.alias.as_deref(), owner.hint.as_deref()), (Some("owner"), Some("owner_id")));
    assert_eq!((owner.join, owner.items.len()), (Some(Join::Inner), 2));
    let SelectItem::Embed(spread) = &query.select[2] else { panic!("no spread") };
    assert!(spread.spread && spread.join == Some(Join::Left));
    let SelectItem::Field(count) = &query.select[3] else { panic!("no count") };
    assert_eq!(count.aggregate, Some(Aggregate::Count));
    let SelectItem::Field(sum) = &query.select[4] else { panic!("no sum") };
    assert_eq!((sum.aggregate, sum.aggregate_cast.as_deref()), (Some(Aggregate::Sum), Some("text")));
}

#[test]
fn filters_have_operators_quantifiers_and_lists() {
    let query =
        query("a=not.eq(any).{1,2}&b=in.(1,\"x,y\",z)&c=is.not_null&d=wfts(english).cat+dog&e=isdistinct.5&f=in.()");
    let operations: Vec<_> = query.filters.iter().map(|(_, filter)| &filter.operation).collect();
    assert_eq!(
        operations[0],
        &Operation::Compare { operator: Operator::Equal, quantifier: Some(Quantifier::Any), value: "{1,2}".to_owned() }
    );
    assert_eq!(operations[1], &Operation::In(vec!["1".to_owned(), "x,y".to_owned(), "z".to_owned()]));
    assert_eq!(operations[2], &Operation::Is(Is::NotNull));
    assert_eq!(
        operations[3],
        &Operation::Search { how: Search::Web, configuration: Some("english".to_owned()), value: "cat dog".to_owned() }
    );
    assert_eq!(operations[4], &Operation::IsDistinct("5".to_owned()));
    assert_eq!(operations[5], &Operation::In(vec![String::new()]));
}

#[test]
fn logic_nests_and_quotes() {
    let query = query("or=(a.eq.1,not.and(b.gt.2,c.in.(1,2)),d.eq.\"x,)y\",e.cs.{1,2})&clients.not.or=(a.is.null)");
    let Logic::Group { any: true, members, .. } = &query.logic[0].1 else { panic!("not an or") };
    assert_eq!(members.len(), 4);
    assert!(matches!(&members[1], Logic::Group { negated: true, any: false, members } if members.len() == 2));
    let (path, Logic::Group { negated: true, .. }) = &query.logic[1] else { panic!("not negated") };
    assert_eq!(path, &["clients".to_owned()]);
}

#[test]
fn order_has_directions_and_embedded_columns() {
    let query = query("order=a.desc.nullslast,clients(name).asc,data->>x.nullsfirst&clients.order=id");
    assert_eq!(query.order[0].1.len(), 3);
    assert_eq!(query.order[0].1[1].relation.as_deref(), Some("clients"));
    assert_eq!(query.order[1].0, ["clients".to_owned()]);
}

#[test]
fn errors_name_the_place() {
    assert!(refused("id=noop.0").contains("failed to parse filter (noop.0)"), "{}", refused("id=noop.0"));
    assert!(refused("id=noop.0").contains("(line 1, column 1)"));
    assert!(refused("order=id.dsc").contains("column 4"), "{}", refused("order=id.dsc"));
    refused("select=id,(");
    refused("or=(a.eq.1");
    refused("id=eq");
    refused("id=in.1,2");
}

#[test]
fn limits_are_numbers_or_nothing() {
    let query = query("limit=10&offset=x&clients.limit=-3&clients.offset=99999999999999999999");
    assert_eq!(query.limits, [(vec![], 10), (vec!["clients".to_owned()], -3)]);
    assert_eq!(query.offsets, [(vec!["clients".to_owned()], i64::MAX)]);
}

#[test]
fn arguments_are_what_has_no_operator() {
    let query = Query::parse("a=1&b=eq.2&c=in.x", true).unwrap();
    assert_eq!(query.arguments, [("a".to_owned(), "1".to_owned()), ("c".to_owned(), "in.x".to_owned())]);
    assert_eq!(query.filters.len(), 1);
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("and={}a.eq.1{}", "(and".repeat(10_000) + "(", ")".repeat(10_001));
    assert!(refused(&deep).contains("there may be 100"));
    let embeds = format!("select={}id{}", "a(".repeat(10_000), ")".repeat(10_000));
    assert!(refused(&embeds).contains("there may be 20"));
    let wide = format!("select={}", vec!["a(id)"; 200].join(","));
    assert!(refused(&wide).contains("there may be 100"));
}
