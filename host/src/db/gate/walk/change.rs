//! INSERT, UPDATE, DELETE and MERGE.

use pg_query::protobuf::{
    DeleteStmt, IndexElem, InferClause, InsertStmt, MergeStmt, MergeWhenClause, MultiAssignRef, Node, OnConflictClause,
    RangeVar, ResTarget, ReturningClause, ReturningOption, UpdateStmt, node::Node as NodeEnum,
};

use super::super::refusal::Refusal;
use super::query::alias;
use super::{Walk, Walked};

/// Whether a change answers with rows.
pub(super) fn returns(returning: Option<&ReturningClause>) -> bool {
    returning.is_some_and(|returning| !returning.exprs.is_empty())
}

impl<'a> Walk<'a> {
    pub(super) fn insert(&mut self, insert: &'a InsertStmt) -> Walked {
        let InsertStmt {
            relation,
            cols,
            select_stmt,
            on_conflict_clause,
            returning_clause,
            with_clause,
            r#override: _,
        } = insert;
        self.within(with_clause.as_ref(), |walk| {
            walk.changed("INSERT", relation.as_ref())?;
            walk.all(cols)?;
            walk.maybe(select_stmt.as_deref())?;
            if let Some(conflict) = on_conflict_clause {
                walk.on_conflict(conflict)?;
            }
            walk.returning(returning_clause.as_ref())
        })
    }

    pub(super) fn update(&mut self, update: &'a UpdateStmt) -> Walked {
        let UpdateStmt { relation, target_list, where_clause, from_clause, returning_clause, with_clause } = update;
        self.within(with_clause.as_ref(), |walk| {
            walk.changed("UPDATE", relation.as_ref())?;
            walk.all(from_clause)?;
            walk.all(target_list)?;
            walk.maybe(where_clause.as_deref())?;
            walk.returning(returning_clause.as_ref())
        })
    }

    pub(super) fn delete(&mut self, delete: &'a DeleteStmt) -> Walked {
        let DeleteStmt { relation, using_clause, where_clause, returning_clause, with_clause } = delete;
        self.within(with_clause.as_ref(), |walk| {
            walk.changed("DELETE", relation.as_ref())?;
            walk.all(using_clause)?;
            walk.maybe(where_clause.as_deref())?;
            walk.returning(returning_clause.as_ref())
        })
    }

    pub(super) fn merge(&mut self, merge: &'a MergeStmt) -> Walked {
        let MergeStmt { relation, source_relation, join_condition, merge_when_clauses, returning_clause, with_clause } =
            merge;
        self.within(with_clause.as_ref(), |walk| {
            walk.changed("MERGE", relation.as_ref())?;
            walk.maybe(source_relation.as_deref())?;
            walk.maybe(join_condition.as_deref())?;
            walk.all(merge_when_clauses)?;
            walk.returning(returning_clause.as_ref())
        })
    }

    pub(super) fn merge_when(&mut self, when: &'a MergeWhenClause) -> Walked {
        let MergeWhenClause { match_kind: _, command_type: _, r#override: _, condition, target_list, values } = when;
        self.maybe(condition.as_deref())?;
        self.all(target_list)?;
        self.all(values)
    }

    /// The target of a change: always a relation, even where a common table expression has its name.
    fn changed(&mut self, verb: &'static str, relation: Option<&'a RangeVar>) -> Walked {
        if !self.policy.write {
            return Err(Refusal::ReadOnly { verb });
        }
        self.writes = true;
        let relation = relation.ok_or(Refusal::Construct { what: "A change without a target" })?;
        alias(relation.alias.as_ref())?;
        self.policy.relation(relation, true)
    }

    fn on_conflict(&mut self, conflict: &'a OnConflictClause) -> Walked {
        let OnConflictClause { action: _, infer, target_list, where_clause, location: _ } = conflict;
        if let Some(infer) = infer {
            let InferClause { index_elems, where_clause, conname: _, location: _ } = infer.as_ref();
            index_elems.iter().try_for_each(|element| self.index_element(element))?;
            self.maybe(where_clause.as_deref())?;
        }
        self.all(target_list)?;
        self.maybe(where_clause.as_deref())
    }

    fn index_element(&mut self, node: &'a Node) -> Walked {
        let Some(NodeEnum::IndexElem(element)) = &node.node else {
            return Err(Refusal::Construct { what: "A construct that the gate does not know" });
        };
        let IndexElem {
            name: _,
            expr,
            indexcolname: _,
            collation,
            opclass,
            opclassopts,
            ordering: _,
            nulls_ordering: _,
        } = element.as_ref();
        for name in [collation, opclass] {
            if !name.is_empty() {
                self.policy.minor(name)?;
            }
        }
        super::empty(opclassopts)?;
        self.maybe(expr.as_deref())
    }

    fn returning(&mut self, returning: Option<&'a ReturningClause>) -> Walked {
        let Some(ReturningClause { options, exprs }) = returning else { return Ok(()) };
        for option in options {
            // WITH (OLD AS o, NEW AS n): two names.
            let Some(NodeEnum::ReturningOption(ReturningOption { option: _, value: _, location: _ })) = &option.node
            else {
                return Err(Refusal::Construct { what: "A construct that the gate does not know" });
            };
        }
        self.all(exprs)
    }

    /// An item of a select list, a column to be set, or a column to be filled.
    pub(super) fn target(&mut self, target: &'a ResTarget) -> Walked {
        let ResTarget { name: _, indirection, val, location: _ } = target;
        for step in indirection {
            match &step.node {
                // A field of the column: stored into, so never a call.
                Some(NodeEnum::String(_) | NodeEnum::AStar(_)) => {}
                Some(NodeEnum::AIndices(_)) => self.child(step)?,
                _ => return Err(Refusal::Construct { what: "A construct that the gate does not know" }),
            }
        }
        self.maybe(val.as_deref())
    }

    pub(super) fn multi_assign(&mut self, assign: &'a MultiAssignRef) -> Walked {
        let MultiAssignRef { source, colno: _, ncolumns: _ } = assign;
        self.maybe(source.as_deref())
    }
}
