//! Which columns of a row name the users that policies show it to.
//!
//! Most policies show a row to its owner: `user_id = auth.uid()`. Of a row that names somebody else the caller need not be asked, which
//! makes a change cost the same however many users follow the table. What is found here can only leave rows out: the policies themselves
//! are asked about all others.

use std::collections::BTreeSet;

use pg_query::protobuf::{BoolExprType, Node, SelectStmt, SubLinkType, node::Node as NodeEnum};
use serde::Deserialize;

use super::super::condition::{equality, is_plain, name, parsed};

/// Conditions are looked at to this depth.
const MAX_DEPTH: usize = 64;

/// What `auth.uid()` is made of where it returns the claim `behalf_uid` or `sub`: as the migrations of this project write it, and as those
/// of Supabase do (<https://github.com/supabase/auth>, migrations). Nothing else sets the older setting of one claim.
const KNOWN: [&str; 3] = [
    "select coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'behalf_uid', \
     nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid",
    "select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid",
    "select coalesce( nullif(current_setting('request.jwt.claim.sub', true), ''), \
     (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub') )::uuid",
];

/// A policy for reading, as the catalogue has it.
#[derive(Debug, Deserialize)]
pub(super) struct PolicyRow {
    /// Whether it shows rows. One that does not takes rows away from what others show.
    pub(super) is_permissive: bool,
    /// The roles of callers that it holds for.
    pub(super) roles: Vec<String>,
    /// Its condition; none where it accepts all.
    pub(super) condition: Option<String>,
}

/// Whether `auth.uid()` is one of those that return a known claim.
pub(super) fn is_known(body: &str) -> bool {
    let words: Vec<&str> = body.trim().trim_end_matches(';').split_whitespace().collect();
    KNOWN.contains(&words.join(" ").as_str())
}

/// The columns of which one holds the caller's id in each row that these policies show. None where a row can be visible otherwise.
pub(super) fn owners<'a>(policies: impl Iterator<Item = &'a PolicyRow>) -> Option<BTreeSet<String>> {
    let (mut shown, mut is_bounded) = (BTreeSet::new(), true);
    let mut narrower = None;
    for policy in policies {
        let columns = policy.condition.as_deref().and_then(parsed).and_then(|condition| named(&condition, 0));
        match (policy.is_permissive, columns) {
            (true, Some(columns)) => shown.extend(columns),
            (true, None) => is_bounded = false,
            (false, columns) => narrower = narrower.or(columns),
        }
    }
    if is_bounded { Some(shown) } else { narrower }
}

/// The columns of which one holds the caller's id wherever the condition is true.
fn named(condition: &Node, depth: usize) -> Option<BTreeSet<String>> {
    if depth > MAX_DEPTH {
        return None;
    }
    if let Some(NodeEnum::BoolExpr(expr)) = &condition.node {
        let mut each = expr.args.iter().map(|arg| named(arg, depth + 1));
        return match BoolExprType::try_from(expr.boolop).ok()? {
            BoolExprType::OrExpr => each.try_fold(BTreeSet::new(), |mut all, one| {
                all.extend(one?);
                Some(all)
            }),
            BoolExprType::AndExpr => each.flatten().next(),
            _ => None,
        };
    }
    let (left, right) = equality(condition)?;
    let column = match (is_uid(left, 0), is_uid(right, 0)) {
        (true, false) => column(right),
        (false, true) => column(left),
        _ => None,
    };
    column.map(|column| BTreeSet::from([column.to_owned()]))
}

/// A column of the policy's row: outside of sub-selects Postgres writes its bare name.
fn column(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::ColumnRef(column) => match column.fields.as_slice() {
            [only] => name(only),
            _ => None,
        },
        _ => None,
    }
}

/// `auth.uid()` or `(select auth.uid())`.
fn is_uid(node: &Node, depth: usize) -> bool {
    match &node.node {
        Some(NodeEnum::FuncCall(call)) => {
            let names: Vec<Option<&str>> = call.funcname.iter().map(name).collect();
            names == [Some("auth"), Some("uid")] && call.args.is_empty() && call.over.is_none()
        }
        Some(NodeEnum::SubLink(link)) if depth < MAX_DEPTH && link.sub_link_type == SubLinkType::ExprSublink as i32 => {
            match link.subselect.as_deref().and_then(|select| select.node.as_ref()) {
                Some(NodeEnum::SelectStmt(select)) => only_value(select).is_some_and(|value| is_uid(value, depth + 1)),
                _ => false,
            }
        }
        _ => false,
    }
}

/// The value of a select of one value and nothing else.
fn only_value(select: &SelectStmt) -> Option<&Node> {
    let [target] = select.target_list.as_slice() else { return None };
    let is_bare = is_plain(select) && select.from_clause.is_empty() && select.where_clause.is_none();
    match target.node.as_ref()? {
        NodeEnum::ResTarget(target) if is_bare => target.val.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(policies: &[(bool, Option<&str>)]) -> Option<Vec<String>> {
        let policies: Vec<PolicyRow> = policies
            .iter()
            .map(|(is_permissive, condition)| PolicyRow {
                is_permissive: *is_permissive,
                roles: Vec::new(),
                condition: condition.map(str::to_owned),
            })
            .collect();
        owners(policies.iter()).map(|columns| columns.into_iter().collect())
    }

    #[test]
    fn columns_that_name_the_owner_are_found_as_postgres_writes_them() {
        let owner = Some(vec!["user_id".to_owned()]);
        for condition in [
            "(user_id = auth.uid())",
            "(auth.uid() = user_id)",
            "(( SELECT auth.uid() AS uid) = user_id)",
            "((user_id = ( SELECT auth.uid() AS uid)) AND (NOT is_deleted))",
            "(is_open AND (length(title) > 3) AND (user_id = auth.uid()))",
        ] {
            assert_eq!(of(&[(true, Some(condition))]), owner, "{condition}");
        }
        let both = "((sender = auth.uid()) OR (receiver = ( SELECT auth.uid() AS uid)))";
        assert_eq!(of(&[(true, Some(both))]), Some(vec!["receiver".to_owned(), "sender".to_owned()]));
        let two = [(true, Some("(a = auth.uid())")), (true, Some("(b = auth.uid())"))];
        assert_eq!(of(&two), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(of(&[]), Some(Vec::new()), "without a policy nobody sees a row");
        let narrowed = [(true, Some("true")), (false, Some("(user_id = auth.uid())"))];
        assert_eq!(of(&narrowed), owner, "a restrictive policy takes away what others show");
    }

    #[test]
    fn whatever_else_can_show_a_row_leaves_it_to_the_policies() {
        for condition in [
            "true",
            "(user_id = public.uid())",
            "(user_id <> auth.uid())",
            "(NOT (user_id = auth.uid()))",
            "((user_id = auth.uid()) OR is_public)",
            "(user_id OPERATOR(public.=) auth.uid())",
            "(user_id = COALESCE(other, auth.uid()))",
            "(auth.uid() = auth.uid())",
            "((user_id)::text = (auth.uid())::text)",
            "(EXISTS ( SELECT 1 FROM public.members m WHERE ((m.room = rooms.id) AND (m.user_id = auth.uid()))))",
            "(user_id = ( SELECT auth.uid() AS uid FROM public.members))",
            "(user_id IN ( SELECT m.user_id FROM public.members m))",
            "(room.user_id = auth.uid())",
            "not SQL",
        ] {
            assert_eq!(of(&[(true, Some(condition))]), None, "{condition}");
        }
        assert_eq!(of(&[(true, None)]), None);
        assert_eq!(of(&[(true, Some("(user_id = auth.uid())")), (true, Some("is_public"))]), None);
    }

    #[test]
    fn only_the_known_function_returns_the_users_id() {
        assert!(is_known(" select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid; "));
        assert!(is_known(
            "\n  select \n  coalesce(\n    nullif(current_setting('request.jwt.claim.sub', true), ''),\n    \
             (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')\n  )::uuid\n"
        ));
        for migration in [
            include_str!("../../../../migrations/0002_auth.sql"),
            include_str!("../../../../migrations/0017_signing_keys.sql"),
        ] {
            let (_, made) = migration.split_once("function auth.uid() returns uuid").expect("it makes the function");
            assert!(is_known(made.split("$$").nth(1).expect("a body")), "{made}");
        }
        assert!(!is_known("select '00000000-0000-0000-0000-000000000000'::uuid"));
    }
}
