//! INSERT, UPDATE, DELETE and MERGE.

use pg_query::protobuf::{
    DeleteStmt, IndexElem, InferClause, InsertStmt, MergeStmt, MergeWhenClause, MultiAssignRef, Node, OnConflictClause,
    RangeVar, ResTarget, ReturningClause, ReturningOption, UpdateStmt, node::Node as NodeEnum,
};

use super::super::refusal::Refusal;
use super::query::alias;
use super::{Checked, Validator};

/// Whether a change returns rows.
pub(super) fn returns(returning: Option<&ReturningClause>) -> bool {
    returning.is_some_and(|returning| !returning.exprs.is_empty())
}

impl<'a> Validator<'a> {
    pub(super) fn insert(&mut self, insert: &'a InsertStmt) -> Checked {
        let InsertStmt {
            relation,
            cols,
            select_stmt,
            on_conflict_clause,
            returning_clause,
            with_clause,
            r#override: _,
        } = insert;
        self.in_scope(with_clause.as_ref(), |validator| {
            validator.change_target("INSERT", relation.as_ref())?;
            validator.all(cols)?;
            validator.optional(select_stmt.as_deref())?;
            if let Some(conflict) = on_conflict_clause {
                validator.on_conflict(conflict)?;
            }
            validator.returning(returning_clause.as_ref())
        })
    }

    pub(super) fn update(&mut self, update: &'a UpdateStmt) -> Checked {
        let UpdateStmt { relation, target_list, where_clause, from_clause, returning_clause, with_clause } = update;
        self.in_scope(with_clause.as_ref(), |validator| {
            validator.change_target("UPDATE", relation.as_ref())?;
            validator.all(from_clause)?;
            validator.all(target_list)?;
            validator.optional(where_clause.as_deref())?;
            validator.returning(returning_clause.as_ref())
        })
    }

    pub(super) fn delete(&mut self, delete: &'a DeleteStmt) -> Checked {
        let DeleteStmt { relation, using_clause, where_clause, returning_clause, with_clause } = delete;
        self.in_scope(with_clause.as_ref(), |validator| {
            validator.change_target("DELETE", relation.as_ref())?;
            validator.all(using_clause)?;
            validator.optional(where_clause.as_deref())?;
            validator.returning(returning_clause.as_ref())
        })
    }

    pub(super) fn merge(&mut self, merge: &'a MergeStmt) -> Checked {
        let MergeStmt { relation, source_relation, join_condition, merge_when_clauses, returning_clause, with_clause } =
            merge;
        self.in_scope(with_clause.as_ref(), |validator| {
            validator.change_target("MERGE", relation.as_ref())?;
            validator.optional(source_relation.as_deref())?;
            validator.optional(join_condition.as_deref())?;
            validator.all(merge_when_clauses)?;
            validator.returning(returning_clause.as_ref())
        })
    }

    pub(super) fn merge_when(&mut self, when: &'a MergeWhenClause) -> Checked {
        let MergeWhenClause { match_kind: _, command_type: _, r#override: _, condition, target_list, values } = when;
        self.optional(condition.as_deref())?;
        self.all(target_list)?;
        self.all(values)
    }

    /// The target of a change. It is always a relation, even if a common table expression has the same name.
    fn change_target(&mut self, verb: &'static str, relation: Option<&'a RangeVar>) -> Checked {
        if !self.policy.write {
            return Err(Refusal::ReadOnly { verb });
        }
        self.writes = true;
        let relation = relation.ok_or(Refusal::Construct { what: "A change without a target" })?;
        alias(relation.alias.as_ref())?;
        self.policy.relation(relation, true)
    }

    fn on_conflict(&mut self, conflict: &'a OnConflictClause) -> Checked {
        let OnConflictClause { action: _, infer, target_list, where_clause, location: _ } = conflict;
        if let Some(infer) = infer {
            let InferClause { index_elems, where_clause, conname: _, location: _ } = infer.as_ref();
            index_elems.iter().try_for_each(|element| self.index_element(element))?;
            self.optional(where_clause.as_deref())?;
        }
        self.all(target_list)?;
        self.optional(where_clause.as_deref())
    }

    fn index_element(&mut self, node: &'a Node) -> Checked {
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
                self.policy.auxiliary_name(name)?;
            }
        }
        super::empty(opclassopts)?;
        self.optional(expr.as_deref())
    }

    fn returning(&mut self, returning: Option<&'a ReturningClause>) -> Checked {
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
    pub(super) fn target(&mut self, target: &'a ResTarget) -> Checked {
        let ResTarget { name: _, indirection, val, location: _ } = target;
        for step in indirection {
            match &step.node {
                // A field of the column. The statement stores into it, so it is never a call.
                Some(NodeEnum::String(_) | NodeEnum::AStar(_)) => {}
                Some(NodeEnum::AIndices(_)) => self.child(step)?,
                _ => return Err(Refusal::Construct { what: "A construct that the gate does not know" }),
            }
        }
        self.optional(val.as_deref())
    }

    pub(super) fn multi_assign(&mut self, assign: &'a MultiAssignRef) -> Checked {
        let MultiAssignRef { source, colno: _, ncolumns: _ } = assign;
        self.optional(source.as_deref())
    }
}
