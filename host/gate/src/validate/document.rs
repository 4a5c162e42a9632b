//! SQL's syntax for XML and JSON. All of it computes values in memory, so only the expressions inside and the result
//! types need a check. An older server reads some of the JSON keywords as ordinary function names.

use pg_query::protobuf::{
    JsonAggConstructor, JsonArgument, JsonArrayAgg, JsonArrayConstructor, JsonArrayQueryConstructor, JsonBehavior,
    JsonExprOp, JsonFormat, JsonFuncExpr, JsonIsPredicate, JsonKeyValue, JsonObjectAgg, JsonObjectConstructor,
    JsonOutput, JsonParseExpr, JsonReturning, JsonScalarExpr, JsonSerializeExpr, JsonTable, JsonTableColumn,
    JsonTablePathSpec, JsonValueExpr, RangeTableFunc, RangeTableFuncCol, XmlExpr, XmlExprOp, XmlSerialize,
};

use super::super::refusal::Refusal;
use super::query::alias;
use super::{Checked, Validator, absent, names};

impl<'a> Validator<'a> {
    /// A keyword that an older server may read as a function's name.
    pub(super) fn keyword(&mut self, name: &str) -> Checked {
        let effect = self.policy.keyword(name)?;
        self.record_effect(effect);
        Ok(())
    }

    pub(super) fn xml(&mut self, xml: &'a XmlExpr) -> Checked {
        let XmlExpr {
            xpr,
            op,
            name: _,
            named_args,
            arg_names,
            args,
            xmloption: _,
            indent: _,
            r#type: _,
            typmod: _,
            location: _,
        } = xml;
        absent(xpr.as_ref())?;
        if matches!(XmlExprOp::try_from(*op), Ok(XmlExprOp::Undefined) | Err(_)) {
            return Err(Refusal::Construct { what: "An XML function that the gate does not know" });
        }
        names(arg_names)?;
        self.all(named_args)?;
        self.all(args)
    }

    pub(super) fn xml_serialize(&mut self, xml: &'a XmlSerialize) -> Checked {
        let XmlSerialize { xmloption: _, expr, type_name, indent: _, location: _ } = xml;
        self.type_name(type_name.as_ref())?;
        self.optional(expr.as_deref())
    }

    pub(super) fn xml_table(&mut self, table: &'a RangeTableFunc) -> Checked {
        let RangeTableFunc { lateral: _, docexpr, rowexpr, namespaces, columns, alias: name, location: _ } = table;
        alias(name.as_ref())?;
        self.optional(docexpr.as_deref())?;
        self.optional(rowexpr.as_deref())?;
        self.all(namespaces)?;
        self.all(columns)
    }

    pub(super) fn xml_table_column(&mut self, column: &'a RangeTableFuncCol) -> Checked {
        let RangeTableFuncCol {
            colname: _,
            type_name,
            for_ordinality: _,
            is_not_null: _,
            colexpr,
            coldefexpr,
            location: _,
        } = column;
        self.type_name(type_name.as_ref())?;
        self.optional(colexpr.as_deref())?;
        self.optional(coldefexpr.as_deref())
    }

    pub(super) fn json_table(&mut self, table: &'a JsonTable) -> Checked {
        let JsonTable { context_item, pathspec, passing, columns, on_error, alias: name, lateral: _, location: _ } =
            table;
        self.keyword("json_table")?;
        alias(name.as_ref())?;
        self.json_item(context_item.as_deref())?;
        self.json_path(pathspec.as_deref())?;
        self.all(passing)?;
        self.all(columns)?;
        self.json_behavior(on_error.as_deref())
    }

    pub(super) fn json_table_column(&mut self, column: &'a JsonTableColumn) -> Checked {
        let JsonTableColumn {
            coltype: _,
            name: _,
            type_name,
            pathspec,
            format,
            wrapper: _,
            quotes: _,
            columns,
            on_empty,
            on_error,
            location: _,
        } = column;
        self.type_name(type_name.as_ref())?;
        json_format(format.as_ref());
        self.json_path(pathspec.as_deref())?;
        self.all(columns)?;
        self.json_behavior(on_empty.as_deref())?;
        self.json_behavior(on_error.as_deref())
    }

    /// `JSON_EXISTS`, `JSON_VALUE` and `JSON_QUERY`.
    pub(super) fn json_function(&mut self, function: &'a JsonFuncExpr) -> Checked {
        let JsonFuncExpr {
            op,
            column_name: _,
            context_item,
            pathspec,
            passing,
            output,
            on_empty,
            on_error,
            wrapper: _,
            quotes: _,
            location: _,
        } = function;
        self.keyword(match JsonExprOp::try_from(*op) {
            Ok(JsonExprOp::JsonExistsOp) => "json_exists",
            Ok(JsonExprOp::JsonValueOp) => "json_value",
            Ok(JsonExprOp::JsonQueryOp) => "json_query",
            Ok(JsonExprOp::JsonTableOp | JsonExprOp::Undefined) | Err(_) => {
                return Err(Refusal::Construct { what: "A JSON function that the gate does not know" });
            }
        })?;
        self.json_item(context_item.as_deref())?;
        self.optional(pathspec.as_deref())?;
        self.all(passing)?;
        self.json_output(output.as_ref())?;
        self.json_behavior(on_empty.as_deref())?;
        self.json_behavior(on_error.as_deref())
    }

    pub(super) fn json_argument(&mut self, argument: &'a JsonArgument) -> Checked {
        let JsonArgument { val, name: _ } = argument;
        self.json_item(val.as_deref())
    }

    pub(super) fn json_predicate(&mut self, predicate: &'a JsonIsPredicate) -> Checked {
        let JsonIsPredicate { expr, format, item_type: _, unique_keys: _, location: _ } = predicate;
        json_format(format.as_ref());
        self.optional(expr.as_deref())
    }

    pub(super) fn json_value(&mut self, value: &'a JsonValueExpr) -> Checked {
        let JsonValueExpr { raw_expr, formatted_expr, format } = value;
        absent(formatted_expr.as_ref())?;
        json_format(format.as_ref());
        self.optional(raw_expr.as_deref())
    }

    pub(super) fn json_key_value(&mut self, pair: &'a JsonKeyValue) -> Checked {
        let JsonKeyValue { key, value } = pair;
        self.optional(key.as_deref())?;
        self.json_item(value.as_deref())
    }

    pub(super) fn json_parse(&mut self, parse: &'a JsonParseExpr) -> Checked {
        let JsonParseExpr { expr, output, unique_keys: _, location: _ } = parse;
        self.keyword("json")?;
        self.json_item(expr.as_deref())?;
        self.json_output(output.as_ref())
    }

    pub(super) fn json_scalar(&mut self, scalar: &'a JsonScalarExpr) -> Checked {
        let JsonScalarExpr { expr, output, location: _ } = scalar;
        self.keyword("json_scalar")?;
        self.optional(expr.as_deref())?;
        self.json_output(output.as_ref())
    }

    pub(super) fn json_serialize(&mut self, serialize: &'a JsonSerializeExpr) -> Checked {
        let JsonSerializeExpr { expr, output, location: _ } = serialize;
        self.keyword("json_serialize")?;
        self.json_item(expr.as_deref())?;
        self.json_output(output.as_ref())
    }

    pub(super) fn json_object(&mut self, object: &'a JsonObjectConstructor) -> Checked {
        let JsonObjectConstructor { exprs, output, absent_on_null: _, unique: _, location: _ } = object;
        self.keyword("json_object")?;
        self.all(exprs)?;
        self.json_output(output.as_ref())
    }

    pub(super) fn json_array(&mut self, array: &'a JsonArrayConstructor) -> Checked {
        let JsonArrayConstructor { exprs, output, absent_on_null: _, location: _ } = array;
        self.keyword("json_array")?;
        self.all(exprs)?;
        self.json_output(output.as_ref())
    }

    pub(super) fn json_array_query(&mut self, array: &'a JsonArrayQueryConstructor) -> Checked {
        let JsonArrayQueryConstructor { query, output, format, absent_on_null: _, location: _ } = array;
        self.keyword("json_array")?;
        json_format(format.as_ref());
        self.optional(query.as_deref())?;
        self.json_output(output.as_ref())
    }

    pub(super) fn json_object_aggregate(&mut self, aggregate: &'a JsonObjectAgg) -> Checked {
        let JsonObjectAgg { constructor, arg, absent_on_null: _, unique: _ } = aggregate;
        self.keyword("json_objectagg")?;
        if let Some(pair) = arg {
            self.json_key_value(pair)?;
        }
        self.json_aggregate(constructor.as_deref())
    }

    pub(super) fn json_array_aggregate(&mut self, aggregate: &'a JsonArrayAgg) -> Checked {
        let JsonArrayAgg { constructor, arg, absent_on_null: _ } = aggregate;
        self.keyword("json_arrayagg")?;
        self.json_item(arg.as_deref())?;
        self.json_aggregate(constructor.as_deref())
    }

    fn json_aggregate(&mut self, constructor: Option<&'a JsonAggConstructor>) -> Checked {
        let Some(constructor) = constructor else { return Ok(()) };
        let JsonAggConstructor { output, agg_filter, agg_order, over, location: _ } = constructor;
        self.json_output(output.as_ref())?;
        self.optional(agg_filter.as_deref())?;
        self.all(agg_order)?;
        match over {
            Some(window) => self.nested(|validator| validator.window(window)),
            None => Ok(()),
        }
    }

    fn json_item(&mut self, item: Option<&'a JsonValueExpr>) -> Checked {
        match item {
            Some(item) => self.nested(|validator| validator.json_value(item)),
            None => Ok(()),
        }
    }

    fn json_path(&mut self, path: Option<&'a JsonTablePathSpec>) -> Checked {
        let Some(JsonTablePathSpec { string, name: _, name_location: _, location: _ }) = path else { return Ok(()) };
        self.optional(string.as_deref())
    }

    fn json_output(&mut self, output: Option<&'a JsonOutput>) -> Checked {
        let Some(JsonOutput { type_name, returning }) = output else { return Ok(()) };
        if let Some(JsonReturning { format, typid: _, typmod: _ }) = returning {
            json_format(format.as_ref());
        }
        self.type_name(type_name.as_ref())
    }

    fn json_behavior(&mut self, behavior: Option<&'a JsonBehavior>) -> Checked {
        let Some(JsonBehavior { btype: _, expr, coerce: _, location: _ }) = behavior else { return Ok(()) };
        self.optional(expr.as_deref())
    }
}

/// FORMAT JSON and its encoding, which need no check. Destructured so that a new field is a compile error.
fn json_format(format: Option<&JsonFormat>) {
    if let Some(JsonFormat { format_type: _, encoding: _, location: _ }) = format {}
}
