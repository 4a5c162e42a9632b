//! SELECT, WITH, and what stands in FROM.

use pg_query::protobuf::{
    Alias, CommonTableExpr, CteCycleClause, CteSearchClause, GroupingSet, JoinExpr, Node, RangeFunction,
    RangeSubselect, RangeTableSample, RangeVar, SelectStmt, SortBy, WindowDef, WithClause, node::Node as NodeEnum,
};

use super::super::names::{dotted, written};
use super::super::refusal::Refusal;
use super::{Walk, Walked, names};

impl<'a> Walk<'a> {
    pub(super) fn select(&mut self, select: &'a SelectStmt) -> Walked {
        self.within(select.with_clause.as_ref(), |walk| walk.select_body(select))
    }

    /// Walks a statement inside the scope of its WITH clause.
    pub(super) fn within(&mut self, with: Option<&'a WithClause>, body: impl FnOnce(&mut Self) -> Walked) -> Walked {
        let outside = self.scope.len();
        let walked = with.map_or(Ok(()), |with| self.with(with)).and_then(|()| body(self));
        self.scope.truncate(outside);
        walked
    }

    fn select_body(&mut self, select: &'a SelectStmt) -> Walked {
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
        self.all(from_clause)?;
        self.all(target_list)?;
        // A plain DISTINCT is a list of one empty node.
        if !matches!(distinct_clause.as_slice(), [Node { node: None }]) {
            self.all(distinct_clause)?;
        }
        self.maybe(where_clause.as_deref())?;
        self.all(group_clause)?;
        self.maybe(having_clause.as_deref())?;
        self.all(window_clause)?;
        self.all(values_lists)?;
        self.all(sort_clause)?;
        self.maybe(limit_offset.as_deref())?;
        self.maybe(limit_count.as_deref())?;
        for side in [larg, rarg].into_iter().flatten() {
            self.deeper(|walk| walk.select(side))?;
        }
        Ok(())
    }

    /// As the server does: after RECURSIVE all the names are visible to all of the queries, and otherwise each to those
    /// that come after it.
    fn with(&mut self, with: &'a WithClause) -> Walked {
        let WithClause { ctes, recursive, location: _ } = with;
        let ctes: Vec<&CommonTableExpr> = ctes.iter().map(common_table).collect::<Result<_, _>>()?;
        if *recursive {
            self.scope.extend(ctes.iter().map(|cte| cte.ctename.as_str()));
        }
        for cte in ctes {
            self.deeper(|walk| walk.common_table(cte))?;
            if !recursive {
                self.scope.push(&cte.ctename);
            }
        }
        Ok(())
    }

    fn common_table(&mut self, cte: &'a CommonTableExpr) -> Walked {
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
        self.maybe(ctequery.as_deref())
    }

    fn cycle(&mut self, cycle: &'a CteCycleClause) -> Walked {
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
        self.maybe(cycle_mark_value.as_deref())?;
        self.maybe(cycle_mark_default.as_deref())
    }

    /// A relation that is read. A bare name is a common table expression wherever one of that name is in scope.
    pub(super) fn range(&mut self, relation: &'a RangeVar) -> Walked {
        alias(relation.alias.as_ref())?;
        let bare = relation.catalogname.is_empty() && relation.schemaname.is_empty();
        if bare && self.scope.contains(&relation.relname.as_str()) {
            return Ok(());
        }
        self.policy.relation(relation, false)
    }

    pub(super) fn range_subselect(&mut self, range: &'a RangeSubselect) -> Walked {
        let RangeSubselect { lateral: _, subquery, alias: name } = range;
        alias(name.as_ref())?;
        self.maybe(subquery.as_deref())
    }

    pub(super) fn range_function(&mut self, range: &'a RangeFunction) -> Walked {
        let RangeFunction { lateral: _, ordinality: _, is_rowsfrom: _, functions, alias: name, coldeflist } = range;
        alias(name.as_ref())?;
        for function in functions {
            // Each is a pair: the call, and its column definitions or an empty node.
            let Some(NodeEnum::List(pair)) = &function.node else {
                return Err(Refusal::Construct { what: "A construct that the gate does not know" });
            };
            match pair.items.as_slice() {
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
    pub(super) fn sample(&mut self, sample: &'a RangeTableSample) -> Walked {
        let RangeTableSample { relation, method, args, repeatable, location: _ } = sample;
        match dotted(method) {
            Some((None | Some("pg_catalog"), "bernoulli" | "system")) => {}
            _ => return Err(Refusal::Name { name: written(method) }),
        }
        self.maybe(relation.as_deref())?;
        self.all(args)?;
        self.maybe(repeatable.as_deref())
    }

    pub(super) fn join(&mut self, join: &'a JoinExpr) -> Walked {
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
        self.maybe(larg.as_deref())?;
        self.maybe(rarg.as_deref())?;
        self.maybe(quals.as_deref())
    }

    pub(super) fn sort(&mut self, sort: &'a SortBy) -> Walked {
        let SortBy { node, sortby_dir: _, sortby_nulls: _, use_op, location: _ } = sort;
        if !use_op.is_empty() {
            self.operator(use_op)?;
        }
        self.maybe(node.as_deref())
    }

    pub(super) fn window(&mut self, window: &'a WindowDef) -> Walked {
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
        self.maybe(start_offset.as_deref())?;
        self.maybe(end_offset.as_deref())
    }

    pub(super) fn grouping_set(&mut self, set: &'a GroupingSet) -> Walked {
        let GroupingSet { kind: _, content, location: _ } = set;
        self.all(content)
    }
}

/// A table alias with its column names.
pub(super) fn alias(alias: Option<&Alias>) -> Walked {
    match alias {
        Some(Alias { aliasname: _, colnames }) => names(colnames),
        None => Ok(()),
    }
}

fn common_table(node: &Node) -> Result<&CommonTableExpr, Refusal> {
    match &node.node {
        Some(NodeEnum::CommonTableExpr(cte)) => Ok(cte),
        _ => Err(Refusal::Construct { what: "A construct that the gate does not know" }),
    }
}
