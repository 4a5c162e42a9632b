//! SELECT, WITH, and the items of FROM.

use std::collections::HashMap;

use pg_query::protobuf::{
    Alias, CommonTableExpr, CteCycleClause, CteSearchClause, GroupingSet, JoinExpr, Node, RangeFunction,
    RangeSubselect, RangeTableSample, RangeVar, SelectStmt, SortBy, WindowDef, WithClause, node::Node as NodeEnum,
};

use super::super::names::{dotted, written};
use super::super::refusal::Refusal;
use super::super::{information, tree};
use super::{Checked, Validator, names, sources};

/// How often a statement may name views of the information schema: each becomes a query.
const MAX_INFORMATION: usize = 16;

/// The queries that stand for views of the information schema in a statement.
#[derive(Default)]
pub(super) struct Information {
    /// By the name of the view, parsed.
    queries: HashMap<String, NodeEnum>,
    mentions: usize,
}

impl Validator<'_> {
    pub(super) fn select(&mut self, select: &mut SelectStmt) -> Checked {
        let outside = self.scope.len();
        let with = select.with_clause.as_mut().map_or(Ok(()), |with| self.with(with));
        let checked = with.and_then(|()| self.select_body(select));
        self.scope.truncate(outside);
        checked
    }

    /// Validates a statement inside the scope of its WITH clause.
    pub(super) fn in_scope(
        &mut self,
        with: Option<&mut WithClause>,
        body: impl FnOnce(&mut Self) -> Checked,
    ) -> Checked {
        let outside = self.scope.len();
        let checked = with.map_or(Ok(()), |with| self.with(with)).and_then(|()| body(self));
        self.scope.truncate(outside);
        checked
    }

    fn select_body(&mut self, select: &mut SelectStmt) -> Checked {
        let SelectStmt {
            distinct_clause,
            into_clause,
            target_list,
            from_clause,
            where_clause,
            group_clause,
            group_distinct: _,
            having_clause,
            window_clause,
            values_lists,
            sort_clause,
            limit_offset,
            limit_count,
            limit_option: _,
            locking_clause,
            with_clause: _,
            op: _,
            all: _,
            larg,
            rarg,
        } = select;
        if into_clause.is_some() {
            return Err(Refusal::Into);
        }
        if !locking_clause.is_empty() {
            return Err(Refusal::Locking);
        }
        let sources = self.sources(from_clause);
        self.among(sources, |validator| {
            validator.all(from_clause)?;
            validator.all(target_list)?;
            // A plain DISTINCT is a list of one empty node.
            if !matches!(distinct_clause.as_slice(), [Node { node: None }]) {
                validator.all(distinct_clause)?;
            }
            validator.optional(where_clause.as_deref_mut())?;
            validator.all(group_clause)?;
            validator.optional(having_clause.as_deref_mut())?;
            validator.all(window_clause)?;
            validator.all(values_lists)?;
            validator.all(sort_clause)?;
            validator.typed(limit_offset.as_deref_mut())?;
            validator.typed(limit_count.as_deref_mut())
        })?;
        for side in [larg, rarg].into_iter().flatten() {
            self.nested(|validator| validator.select(side))?;
        }
        Ok(())
    }

    /// Brings names into scope as the server does: with RECURSIVE, every query sees all names; otherwise a query sees
    /// those before it.
    fn with(&mut self, with: &mut WithClause) -> Checked {
        let WithClause { ctes, recursive, location: _ } = with;
        let ctes: Vec<&mut CommonTableExpr> = ctes.iter_mut().map(common_table).collect::<Result<_, _>>()?;
        if *recursive {
            self.scope.extend(ctes.iter().map(|cte| cte.ctename.clone()));
        }
        for cte in ctes {
            self.nested(|validator| validator.common_table(cte))?;
            if !*recursive {
                self.scope.push(cte.ctename.clone());
            }
        }
        Ok(())
    }

    fn common_table(&mut self, cte: &mut CommonTableExpr) -> Checked {
        let CommonTableExpr {
            ctename: _,
            aliascolnames,
            ctematerialized: _,
            ctequery,
            search_clause,
            cycle_clause,
            location: _,
            cterecursive: _,
            cterefcount: _,
            ctecolnames,
            ctecoltypes,
            ctecoltypmods,
            ctecolcollations,
        } = cte;
        names(aliascolnames)?;
        for analysed in [ctecolnames, ctecoltypes, ctecoltypmods, ctecolcollations] {
            super::empty(analysed)?;
        }
        if let Some(CteSearchClause { search_col_list, search_breadth_first: _, search_seq_column: _, location: _ }) =
            search_clause
        {
            names(search_col_list)?;
        }
        if let Some(cycle) = cycle_clause {
            self.cycle(cycle)?;
        }
        self.optional(ctequery.as_deref_mut())
    }

    fn cycle(&mut self, cycle: &mut CteCycleClause) -> Checked {
        let CteCycleClause {
            cycle_col_list,
            cycle_mark_column: _,
            cycle_mark_value,
            cycle_mark_default,
            cycle_path_column: _,
            location: _,
            cycle_mark_type: _,
            cycle_mark_typmod: _,
            cycle_mark_collation: _,
            cycle_mark_neop: _,
        } = cycle;
        names(cycle_col_list)?;
        self.implied_operator("=")?;
        self.implied_operator("<>")?;
        self.optional(cycle_mark_value.as_deref_mut())?;
        self.optional(cycle_mark_default.as_deref_mut())
    }

    /// A relation that is read. A bare name is a common table expression if one of that name is in scope.
    pub(super) fn range(&mut self, relation: &RangeVar) -> Checked {
        alias(relation.alias.as_ref())?;
        let bare = relation.catalogname.is_empty() && relation.schemaname.is_empty();
        if bare && self.scope.contains(&relation.relname) {
            return Ok(());
        }
        self.policy.relation(relation, false)
    }

    /// Puts a query in the place of a view of the information schema, which shows only what was granted.
    pub(super) fn hide_names(&mut self, node: &mut Node) -> Checked {
        let Some(NodeEnum::RangeVar(relation)) = &node.node else { return Ok(()) };
        if relation.schemaname != "information_schema" {
            return Ok(());
        }
        if self.information.mentions == MAX_INFORMATION {
            return Err(Refusal::Construct { what: "A statement with more than 16 views of information_schema" });
        }
        self.information.mentions += 1;
        let query = if let Some(query) = self.information.queries.get(&relation.relname) {
            query.clone()
        } else {
            let query = tree::parse(&information::narrowed(&relation.relname, self.policy))?;
            self.information.queries.insert(relation.relname.clone(), query.clone());
            query
        };
        let named = || Alias { aliasname: relation.relname.clone(), colnames: Vec::new() };
        let range = RangeSubselect {
            lateral: false,
            alias: Some(relation.alias.clone().unwrap_or_else(named)),
            subquery: Some(Box::new(Node { node: Some(query) })),
        };
        node.node = Some(NodeEnum::RangeSubselect(Box::new(range)));
        self.rewritten = true;
        Ok(())
    }

    pub(super) fn range_subselect(&mut self, range: &mut RangeSubselect) -> Checked {
        let RangeSubselect { lateral: _, subquery, alias: name } = range;
        alias(name.as_ref())?;
        self.optional(subquery.as_deref_mut())
    }

    pub(super) fn range_function(&mut self, range: &mut RangeFunction) -> Checked {
        let RangeFunction { lateral: _, ordinality: _, is_rowsfrom: _, functions, alias: name, coldeflist } = range;
        alias(name.as_ref())?;
        for function in functions {
            if let Some("pg_typeof") = sources::called(function) {
                return Err(Refusal::Construct { what: "pg_typeof in FROM" });
            }
            // Each is a pair: the call, and its column definitions or an empty node.
            let Some(NodeEnum::List(pair)) = &mut function.node else {
                return Err(Refusal::Construct { what: "A construct that the gate does not know" });
            };
            match pair.items.as_mut_slice() {
                [call, Node { node: None }] => self.child(call)?,
                [call, columns] => {
                    self.child(call)?;
                    self.child(columns)?;
                }
                _ => return Err(Refusal::Construct { what: "A construct that the gate does not know" }),
            }
        }
        self.all(coldeflist)
    }

    /// TABLESAMPLE, with the two methods that come with Postgres.
    pub(super) fn sample(&mut self, sample: &mut RangeTableSample) -> Checked {
        let RangeTableSample { relation, method, args, repeatable, location: _ } = sample;
        match dotted(method) {
            Some((None | Some("pg_catalog"), "bernoulli" | "system")) => {}
            _ => return Err(Refusal::Name { name: written(method) }),
        }
        self.optional(relation.as_deref_mut())?;
        self.all(args)?;
        self.optional(repeatable.as_deref_mut())
    }

    pub(super) fn join(&mut self, join: &mut JoinExpr) -> Checked {
        // Inside of a join with an alias, the names that the alias hides are in sight.
        let hidden = if join.alias.is_some() { self.joined(join) } else { Vec::new() };
        self.among(hidden, |validator| validator.join_body(join))
    }

    fn join_body(&mut self, join: &mut JoinExpr) -> Checked {
        let JoinExpr {
            jointype: _,
            is_natural,
            larg,
            rarg,
            using_clause,
            join_using_alias,
            quals,
            alias: name,
            rtindex: _,
        } = join;
        if *is_natural || !using_clause.is_empty() {
            self.implied_operator("=")?;
        }
        names(using_clause)?;
        alias(join_using_alias.as_ref())?;
        alias(name.as_ref())?;
        self.optional(larg.as_deref_mut())?;
        self.optional(rarg.as_deref_mut())?;
        self.optional(quals.as_deref_mut())
    }

    pub(super) fn sort(&mut self, sort: &mut SortBy) -> Checked {
        let SortBy { node, sortby_dir: _, sortby_nulls: _, use_op, location: _ } = sort;
        if !use_op.is_empty() {
            self.operator(use_op)?;
        }
        self.optional(node.as_deref_mut())
    }

    pub(super) fn window(&mut self, window: &mut WindowDef) -> Checked {
        let WindowDef {
            name: _,
            refname: _,
            partition_clause,
            order_clause,
            frame_options: _,
            start_offset,
            end_offset,
            location: _,
        } = window;
        self.all(partition_clause)?;
        self.all(order_clause)?;
        self.optional(start_offset.as_deref_mut())?;
        self.optional(end_offset.as_deref_mut())
    }

    pub(super) fn grouping_set(&mut self, set: &mut GroupingSet) -> Checked {
        let GroupingSet { kind: _, content, location: _ } = set;
        self.all(content)
    }
}

/// A table alias with its column names.
pub(super) fn alias(alias: Option<&Alias>) -> Checked {
    match alias {
        Some(Alias { aliasname: _, colnames }) => names(colnames),
        None => Ok(()),
    }
}

fn common_table(node: &mut Node) -> Result<&mut CommonTableExpr, Refusal> {
    match &mut node.node {
        Some(NodeEnum::CommonTableExpr(cte)) => Ok(cte),
        _ => Err(Refusal::Construct { what: "A construct that the gate does not know" }),
    }
}
