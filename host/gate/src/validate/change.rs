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

impl Validator<'_> {
    pub(super) fn insert(&mut self, insert: &mut InsertStmt) -> Checked {
        let InsertStmt {
            relation,
            cols,
            select_stmt,
            on_conflict_clause,
            returning_clause,
            with_clause,
            r#override: _,
        } = insert;
        self.in_scope(with_clause.as_mut(), |validator| {
            validator.change_target("INSERT", relation.as_ref())?;
            validator.all(cols)?;
            validator.optional(select_stmt.as_deref_mut())?;
            let mut sources = validator.target_source(relation.as_ref());
            sources.push(("excluded".to_owned(), false));
            validator.among(sources, |validator| {
                if let Some(conflict) = on_conflict_clause {
                    validator.on_conflict(conflict)?;
                }
                validator.returning(returning_clause.as_mut())
            })
        })
    }

    pub(super) fn update(&mut self, update: &mut UpdateStmt) -> Checked {
        let UpdateStmt { relation, target_list, where_clause, from_clause, returning_clause, with_clause } = update;
        self.in_scope(with_clause.as_mut(), |validator| {
            validator.change_target("UPDATE", relation.as_ref())?;
            let mut sources = validator.target_source(relation.as_ref());
            sources.append(&mut validator.sources(from_clause));
            validator.among(sources, |validator| {
                validator.all(from_clause)?;
                validator.all(target_list)?;
                validator.optional(where_clause.as_deref_mut())?;
                validator.returning(returning_clause.as_mut())
            })
        })
    }

    pub(super) fn delete(&mut self, delete: &mut DeleteStmt) -> Checked {
        let DeleteStmt { relation, using_clause, where_clause, returning_clause, with_clause } = delete;
        self.in_scope(with_clause.as_mut(), |validator| {
            validator.change_target("DELETE", relation.as_ref())?;
            let mut sources = validator.target_source(relation.as_ref());
            sources.append(&mut validator.sources(using_clause));
            validator.among(sources, |validator| {
                validator.all(using_clause)?;
                validator.optional(where_clause.as_deref_mut())?;
                validator.returning(returning_clause.as_mut())
            })
        })
    }

    pub(super) fn merge(&mut self, merge: &mut MergeStmt) -> Checked {
        let MergeStmt { relation, source_relation, join_condition, merge_when_clauses, returning_clause, with_clause } =
            merge;
        self.in_scope(with_clause.as_mut(), |validator| {
            validator.change_target("MERGE", relation.as_ref())?;
            let mut sources = validator.target_source(relation.as_ref());
            sources.append(
                &mut validator.sources(source_relation.as_deref().map(std::slice::from_ref).unwrap_or_default()),
            );
            validator.among(sources, |validator| {
                validator.optional(source_relation.as_deref_mut())?;
                validator.optional(join_condition.as_deref_mut())?;
                validator.all(merge_when_clauses)?;
                validator.returning(returning_clause.as_mut())
            })
        })
    }

    pub(super) fn merge_when(&mut self, when: &mut MergeWhenClause) -> Checked {
        let MergeWhenClause { match_kind: _, command_type: _, r#override: _, condition, target_list, values } = when;
        self.optional(condition.as_deref_mut())?;
        self.all(target_list)?;
        self.all(values)
    }

    /// The target of a change. It is always a relation, even if a common table expression has the same name.
    fn change_target(&mut self, verb: &'static str, relation: Option<&RangeVar>) -> Checked {
        if !self.policy.write {
            return Err(Refusal::ReadOnly { verb });
        }
        self.writes = true;
        let relation = relation.ok_or(Refusal::Construct { what: "A change without a target" })?;
        alias(relation.alias.as_ref())?;
        self.policy.relation(relation, true)
    }

    fn on_conflict(&mut self, conflict: &mut OnConflictClause) -> Checked {
        let OnConflictClause { action: _, infer, target_list, where_clause, location: _ } = conflict;
        if let Some(infer) = infer {
            let InferClause { index_elems, where_clause, conname: _, location: _ } = infer.as_mut();
            index_elems.iter_mut().try_for_each(|element| self.index_element(element))?;
            self.optional(where_clause.as_deref_mut())?;
        }
        self.all(target_list)?;
        self.optional(where_clause.as_deref_mut())
    }

    fn index_element(&mut self, node: &mut Node) -> Checked {
        let Some(NodeEnum::IndexElem(element)) = &mut node.node else {
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
        } = element.as_mut();
        for name in [&*collation, &*opclass] {
            if !name.is_empty() {
                self.policy.auxiliary_name(name)?;
            }
        }
        super::empty(opclassopts)?;
        self.optional(expr.as_deref_mut())
    }

    fn returning(&mut self, returning: Option<&mut ReturningClause>) -> Checked {
        let Some(returning) = returning else { return Ok(()) };
        let ReturningClause { options, exprs } = returning;
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
    pub(super) fn target(&mut self, target: &mut ResTarget) -> Checked {
        let ResTarget { name: _, indirection, val, location: _ } = target;
        for step in indirection {
            match &mut step.node {
                // A field of the column. The statement stores into it, so it is never a call.
                Some(NodeEnum::String(_) | NodeEnum::AStar(_)) => {}
                Some(NodeEnum::AIndices(_)) => self.child(step)?,
                _ => return Err(Refusal::Construct { what: "A construct that the gate does not know" }),
            }
        }
        self.optional(val.as_deref_mut())
    }

    pub(super) fn multi_assign(&mut self, assign: &mut MultiAssignRef) -> Checked {
        let MultiAssignRef { source, colno: _, ncolumns: _ } = assign;
        self.optional(source.as_deref_mut())
    }
}
