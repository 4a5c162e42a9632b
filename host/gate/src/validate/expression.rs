//! Expressions.

use pg_query::protobuf::{
    AArrayExpr, AConst, AExpr, AExprKind, AIndices, AIndirection, BoolExpr, BooleanTest, CaseExpr, CaseWhen,
    CoalesceExpr, ColumnRef, FuncCall, GroupingFunc, List, MergeSupportFunc, MinMaxExpr, NamedArgExpr, Node, NullTest,
    ParamRef, RowExpr, SetToDefault, SqlValueFunction, SqlValueFunctionOp, SubLink, a_const::Val,
    node::Node as NodeEnum,
};

use super::super::names::{dotted, string};
use super::super::refusal::Refusal;
use super::{Checked, MAX_PARAMETER, Seen, Validator, absent, names};

impl Validator<'_> {
    pub(super) fn list(&mut self, list: &mut List) -> Checked {
        let List { items } = list;
        self.all(items)
    }

    pub(super) fn constant(constant: &AConst) -> Checked {
        let AConst { isnull, location: _, val } = constant;
        match val {
            Some(Val::Ival(_) | Val::Fval(_) | Val::Boolval(_) | Val::Sval(_) | Val::Bsval(_)) => Ok(()),
            None if *isnull => Ok(()),
            None => Err(Refusal::Construct { what: "A constant that the gate cannot read" }),
        }
    }

    pub(super) fn parameter(&mut self, parameter: ParamRef) -> Checked {
        let ParamRef { number, location: _ } = parameter;
        match usize::try_from(number) {
            Ok(index) if (1..=MAX_PARAMETER).contains(&number) => self.parameters = self.parameters.max(index),
            _ => return Err(Refusal::Parameter { number, limit: MAX_PARAMETER }),
        }
        Ok(())
    }

    /// A column. If no column has the name after a dot, the server calls a function of that name on the row.
    pub(super) fn column(&mut self, column: &ColumnRef) -> Checked {
        let ColumnRef { fields, location: _ } = column;
        match fields.as_slice() {
            [Node { node: Some(NodeEnum::String(_) | NodeEnum::AStar(_)) }] => Ok(()),
            [qualifiers @ .., Node { node: Some(NodeEnum::AStar(_)) }] => names(qualifiers),
            [qualifiers @ .., last] => {
                names(qualifiers)?;
                self.policy
                    .attribute(string(last).ok_or(Refusal::Construct { what: "A construct in place of a name" })?)
            }
            [] => Err(Refusal::Construct { what: "A column without a name" }),
        }
    }

    /// `(expression).field[1].*`
    pub(super) fn indirection(&mut self, indirection: &mut AIndirection) -> Checked {
        let AIndirection { arg, indirection: steps } = indirection;
        self.optional(arg.as_deref_mut())?;
        for step in steps {
            match &mut step.node {
                Some(NodeEnum::String(field)) => self.policy.attribute(&field.sval)?,
                Some(NodeEnum::AStar(_)) => {}
                Some(NodeEnum::AIndices(_)) => self.child(step)?,
                _ => return Err(Refusal::Construct { what: "A construct that the gate does not know" }),
            }
        }
        Ok(())
    }

    pub(super) fn subscript(&mut self, subscript: &mut AIndices) -> Checked {
        let AIndices { is_slice: _, lidx, uidx } = subscript;
        self.optional(lidx.as_deref_mut())?;
        self.optional(uidx.as_deref_mut())
    }

    pub(super) fn operation(&mut self, operation: &mut AExpr) -> Checked {
        let AExpr { kind, name, lexpr, rexpr, rexpr_list_start: _, rexpr_list_end: _, location: _ } = operation;
        match AExprKind::try_from(*kind) {
            Ok(
                AExprKind::AexprOp
                | AExprKind::AexprOpAny
                | AExprKind::AexprOpAll
                | AExprKind::AexprDistinct
                | AExprKind::AexprNotDistinct
                | AExprKind::AexprNullif
                | AExprKind::AexprIn
                | AExprKind::AexprLike
                | AExprKind::AexprIlike
                | AExprKind::AexprSimilar,
            ) => self.operator(name)?,
            // The tree has the name BETWEEN; the server uses these operators.
            Ok(
                AExprKind::AexprBetween
                | AExprKind::AexprNotBetween
                | AExprKind::AexprBetweenSym
                | AExprKind::AexprNotBetweenSym,
            ) => ["<", "<=", ">", ">="].into_iter().try_for_each(|name| self.implied_operator(name))?,
            Ok(AExprKind::Undefined) | Err(_) => {
                return Err(Refusal::Construct { what: "An operation that the gate does not know" });
            }
        }
        let left_has_type = self.is_typed_by(lexpr.as_deref(), rexpr.as_deref());
        let right_has_type = self.is_typed_by(rexpr.as_deref(), lexpr.as_deref());
        for (side, has_type) in [(lexpr.as_deref_mut(), left_has_type), (rexpr.as_deref_mut(), right_has_type)] {
            if has_type { self.typed(side)? } else { self.optional(side)? }
        }
        self.bound_operation(name, lexpr.as_deref_mut(), rexpr.as_deref_mut())
    }

    /// Whether this is a parameter or a list, and a column beside it gives it a type.
    fn is_typed_by(&self, value: Option<&Node>, beside: Option<&Node>) -> bool {
        let may_need_type = value.is_some_and(|v| matches!(v.node, Some(NodeEnum::ParamRef(_) | NodeEnum::List(_))));
        may_need_type && beside.is_some_and(|beside| self.is_of_table(beside))
    }

    pub(super) fn operator(&mut self, name: &[Node]) -> Checked {
        let effect = self.policy.operator(name)?;
        self.record_effect(effect);
        Ok(())
    }

    pub(super) fn implied_operator(&mut self, name: &str) -> Checked {
        let effect = self.policy.implied_operator(name)?;
        self.record_effect(effect);
        Ok(())
    }

    pub(super) fn boolean(&mut self, boolean: &mut BoolExpr) -> Checked {
        let BoolExpr { xpr, boolop: _, args, location: _ } = boolean;
        absent(xpr.as_ref())?;
        self.all(args)
    }

    pub(super) fn null_test(&mut self, test: &mut NullTest) -> Checked {
        let NullTest { xpr, arg, nulltesttype: _, argisrow: _, location: _ } = test;
        absent(xpr.as_ref())?;
        self.optional(arg.as_deref_mut())
    }

    pub(super) fn boolean_test(&mut self, test: &mut BooleanTest) -> Checked {
        let BooleanTest { xpr, arg, booltesttype: _, location: _ } = test;
        absent(xpr.as_ref())?;
        self.optional(arg.as_deref_mut())
    }

    pub(super) fn call(&mut self, call: &mut FuncCall) -> Checked {
        let FuncCall {
            funcname,
            args,
            agg_order,
            agg_filter,
            over,
            agg_within_group: _,
            agg_star: _,
            agg_distinct: _,
            func_variadic: _,
            funcformat: _,
            location: _,
        } = call;
        let effect = self.policy.function(funcname)?;
        self.record_effect(effect);
        // The grammar turns OVERLAPS and LIKE … ESCAPE into calls; the check above sees their names too.
        debug_assert!(dotted(funcname).is_some(), "the check refuses other names");
        if funcname.last().and_then(string) == Some("xmlagg") {
            self.seen.insert(Seen::Xml);
        }
        self.all(args)?;
        self.bound_call(funcname, args)?;
        self.all(agg_order)?;
        self.optional(agg_filter.as_deref_mut())?;
        match over {
            Some(window) => self.nested(|validator| validator.window(window)),
            None => Ok(()),
        }
    }

    pub(super) fn named_argument(&mut self, argument: &mut NamedArgExpr) -> Checked {
        let NamedArgExpr { xpr, arg, name: _, argnumber: _, location: _ } = argument;
        absent(xpr.as_ref())?;
        self.optional(arg.as_deref_mut())
    }

    /// EXISTS, IN, ANY, ALL, ARRAY and a query as a value.
    pub(super) fn sublink(&mut self, sublink: &mut SubLink) -> Checked {
        let SubLink { xpr, sub_link_type: _, sub_link_id: _, testexpr, oper_name, subselect, location: _ } = sublink;
        absent(xpr.as_ref())?;
        if oper_name.is_empty() {
            // `IN (select …)` compares without naming the operator.
            self.implied_operator("=")?;
        } else {
            self.operator(oper_name)?;
            Self::bound_sublink(oper_name)?;
        }
        self.optional(testexpr.as_deref_mut())?;
        self.optional(subselect.as_deref_mut())
    }

    pub(super) fn case(&mut self, case: &mut CaseExpr) -> Checked {
        let CaseExpr { xpr, casetype: _, casecollid: _, arg, args, defresult, location: _ } = case;
        absent(xpr.as_ref())?;
        if arg.is_some() {
            self.implied_operator("=")?;
        }
        self.optional(arg.as_deref_mut())?;
        self.all(args)?;
        self.optional(defresult.as_deref_mut())
    }

    pub(super) fn case_when(&mut self, when: &mut CaseWhen) -> Checked {
        let CaseWhen { xpr, expr, result, location: _ } = when;
        absent(xpr.as_ref())?;
        self.optional(expr.as_deref_mut())?;
        self.optional(result.as_deref_mut())
    }

    pub(super) fn array(&mut self, array: &mut AArrayExpr) -> Checked {
        let AArrayExpr { elements, list_start: _, list_end: _, location: _ } = array;
        self.all(elements)
    }

    pub(super) fn row(&mut self, row: &mut RowExpr) -> Checked {
        let RowExpr { xpr, args, row_typeid: _, row_format: _, colnames, location: _ } = row;
        absent(xpr.as_ref())?;
        names(colnames)?;
        self.all(args)
    }

    pub(super) fn coalesce(&mut self, coalesce: &mut CoalesceExpr) -> Checked {
        let CoalesceExpr { xpr, coalescetype: _, coalescecollid: _, args, location: _ } = coalesce;
        absent(xpr.as_ref())?;
        self.all(args)
    }

    /// GREATEST and LEAST.
    pub(super) fn min_max(&mut self, min_max: &mut MinMaxExpr) -> Checked {
        let MinMaxExpr { xpr, minmaxtype: _, minmaxcollid: _, inputcollid: _, op: _, args, location: _ } = min_max;
        absent(xpr.as_ref())?;
        self.all(args)
    }

    /// A keyword that stands for a value. The time, the role and the current schema are allowed; the host's login
    /// (`SESSION_USER`) and database (`CURRENT_CATALOG`) are hidden.
    pub(super) fn value_function(function: &SqlValueFunction) -> Checked {
        use SqlValueFunctionOp as Op;
        let SqlValueFunction { xpr, op, r#type: _, typmod: _, location: _ } = function;
        absent(xpr.as_ref())?;
        match Op::try_from(*op) {
            Ok(
                Op::SvfopCurrentDate
                | Op::SvfopCurrentTime
                | Op::SvfopCurrentTimeN
                | Op::SvfopCurrentTimestamp
                | Op::SvfopCurrentTimestampN
                | Op::SvfopLocaltime
                | Op::SvfopLocaltimeN
                | Op::SvfopLocaltimestamp
                | Op::SvfopLocaltimestampN
                | Op::SvfopCurrentRole
                | Op::SvfopCurrentUser
                | Op::SvfopUser
                | Op::SvfopCurrentSchema,
            ) => Ok(()),
            Ok(Op::SvfopSessionUser) => Err(Refusal::Function { name: "session_user".to_owned() }),
            Ok(Op::SvfopCurrentCatalog) => Err(Refusal::Function { name: "current_catalog".to_owned() }),
            Ok(Op::SqlvalueFunctionOpUndefined) | Err(_) => {
                Err(Refusal::Construct { what: "A value that the gate does not know" })
            }
        }
    }

    pub(super) fn grouping(&mut self, grouping: &mut GroupingFunc) -> Checked {
        let GroupingFunc { xpr, args, refs, agglevelsup: _, location: _ } = grouping;
        absent(xpr.as_ref())?;
        super::empty(refs)?;
        self.all(args)
    }

    pub(super) fn default_value(value: &SetToDefault) -> Checked {
        let SetToDefault { xpr, type_id: _, type_mod: _, collation: _, location: _ } = value;
        absent(xpr.as_ref())
    }

    /// `merge_action()`, which servers before Postgres 17 read as a function call.
    pub(super) fn merge_action(&mut self, function: &MergeSupportFunc) -> Checked {
        let MergeSupportFunc { xpr, msftype: _, msfcollid: _, location: _ } = function;
        absent(xpr.as_ref())?;
        self.keyword("merge_action")
    }
}
