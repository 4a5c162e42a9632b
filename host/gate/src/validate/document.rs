//! SQL's syntax for XML and JSON. All of it computes values in memory, so only the expressions inside, the result types and
//! the sizes of JSON documents need a check. An older server reads some of the JSON keywords as ordinary function names.

use pg_query::protobuf::{
    JsonAggConstructor, JsonArgument, JsonArrayAgg, JsonArrayConstructor, JsonArrayQueryConstructor, JsonBehavior,
    JsonExprOp, JsonFormat, JsonFuncExpr, JsonIsPredicate, JsonKeyValue, JsonObjectAgg, JsonObjectConstructor,
    JsonOutput, JsonParseExpr, JsonReturning, JsonScalarExpr, JsonSerializeExpr, JsonTable, JsonTableColumn,
    JsonTablePathSpec, JsonValueExpr, Node, XmlExpr, XmlExprOp, node::Node as NodeEnum,
};

use super::super::refusal::Refusal;
use super::bound::path_text;
use super::query::alias;
use super::{Checked, Seen, Validator, absent, names};

impl Validator<'_> {
    /// A keyword that an older server may read as a function's name.
    pub(super) fn keyword(&mut self, name: &str) -> Checked {
        let effect = self.policy.keyword(name)?;
        self.record_effect(effect);
        Ok(())
    }

    pub(super) fn xml(&mut self, xml: &mut XmlExpr) -> Checked {
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
        // The others read XML, at a cost that grows with the square of its attributes and that nothing interrupts.
        if !matches!(
            XmlExprOp::try_from(*op),
            Ok(XmlExprOp::IsXmlelement | XmlExprOp::IsXmlforest | XmlExprOp::IsXmlpi)
        ) {
            return Err(Refusal::Construct { what: "Reading XML in SQL" });
        }
        self.seen.insert(Seen::Xml);
        names(arg_names)?;
        self.all(named_args)?;
        self.all(args)
    }

    pub(super) fn json_table(&mut self, table: &mut JsonTable) -> Checked {
        let JsonTable { context_item, pathspec, passing, columns, on_error, alias: name, lateral: _, location: _ } =
            table;
        self.keyword("json_table")?;
        alias(name.as_ref())?;
        self.json_item(context_item.as_deref_mut())?;
        self.json_path(pathspec.as_deref_mut())?;
        self.all(passing)?;
        self.all(columns)?;
        self.json_behavior(on_error.as_deref_mut())?;
        let mut paths = vec![table_path(pathspec.as_deref())];
        columns.iter().for_each(|column| add_paths(column, &mut paths));
        self.bound_json(context_item.as_deref_mut(), &paths, passing, "JSON_TABLE")
    }

    pub(super) fn json_table_column(&mut self, column: &mut JsonTableColumn) -> Checked {
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
        self.type_name(type_name.as_mut())?;
        json_format(format.as_ref());
        self.json_path(pathspec.as_deref_mut())?;
        self.all(columns)?;
        self.json_behavior(on_empty.as_deref_mut())?;
        self.json_behavior(on_error.as_deref_mut())
    }

    /// `JSON_EXISTS`, `JSON_VALUE` and `JSON_QUERY`.
    pub(super) fn json_function(&mut self, function: &mut JsonFuncExpr) -> Checked {
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
        self.json_item(context_item.as_deref_mut())?;
        self.optional(pathspec.as_deref_mut())?;
        self.all(passing)?;
        self.json_output(output.as_mut())?;
        self.json_behavior(on_empty.as_deref_mut())?;
        self.json_behavior(on_error.as_deref_mut())?;
        self.bound_json(context_item.as_deref_mut(), &[path_text(pathspec.as_deref())], passing, "the JSON function")
    }

    pub(super) fn json_argument(&mut self, argument: &mut JsonArgument) -> Checked {
        let JsonArgument { val, name: _ } = argument;
        self.json_item(val.as_deref_mut())
    }

    pub(super) fn json_predicate(&mut self, predicate: &mut JsonIsPredicate) -> Checked {
        let JsonIsPredicate { expr, format, item_type: _, unique_keys: _, location: _ } = predicate;
        json_format(format.as_ref());
        self.optional(expr.as_deref_mut())
    }

    pub(super) fn json_value(&mut self, value: &mut JsonValueExpr) -> Checked {
        let JsonValueExpr { raw_expr, formatted_expr, format } = value;
        absent(formatted_expr.as_ref())?;
        json_format(format.as_ref());
        self.optional(raw_expr.as_deref_mut())
    }

    pub(super) fn json_key_value(&mut self, pair: &mut JsonKeyValue) -> Checked {
        let JsonKeyValue { key, value } = pair;
        self.optional(key.as_deref_mut())?;
        self.json_item(value.as_deref_mut())
    }

    pub(super) fn json_parse(&mut self, parse: &mut JsonParseExpr) -> Checked {
        let JsonParseExpr { expr, output, unique_keys: _, location: _ } = parse;
        self.keyword("json")?;
        self.json_item(expr.as_deref_mut())?;
        self.json_output(output.as_mut())
    }

    pub(super) fn json_scalar(&mut self, scalar: &mut JsonScalarExpr) -> Checked {
        let JsonScalarExpr { expr, output, location: _ } = scalar;
        self.keyword("json_scalar")?;
        self.optional(expr.as_deref_mut())?;
        self.json_output(output.as_mut())
    }

    pub(super) fn json_serialize(&mut self, serialize: &mut JsonSerializeExpr) -> Checked {
        let JsonSerializeExpr { expr, output, location: _ } = serialize;
        self.keyword("json_serialize")?;
        self.json_item(expr.as_deref_mut())?;
        self.json_output(output.as_mut())
    }

    pub(super) fn json_object(&mut self, object: &mut JsonObjectConstructor) -> Checked {
        let JsonObjectConstructor { exprs, output, absent_on_null: _, unique: _, location: _ } = object;
        self.keyword("json_object")?;
        self.all(exprs)?;
        self.json_output(output.as_mut())
    }

    pub(super) fn json_array(&mut self, array: &mut JsonArrayConstructor) -> Checked {
        let JsonArrayConstructor { exprs, output, absent_on_null: _, location: _ } = array;
        self.keyword("json_array")?;
        self.all(exprs)?;
        self.json_output(output.as_mut())
    }

    pub(super) fn json_array_query(&mut self, array: &mut JsonArrayQueryConstructor) -> Checked {
        let JsonArrayQueryConstructor { query, output, format, absent_on_null: _, location: _ } = array;
        self.keyword("json_array")?;
        json_format(format.as_ref());
        self.optional(query.as_deref_mut())?;
        self.json_output(output.as_mut())
    }

    pub(super) fn json_object_aggregate(&mut self, aggregate: &mut JsonObjectAgg) -> Checked {
        let JsonObjectAgg { constructor, arg, absent_on_null: _, unique: _ } = aggregate;
        self.keyword("json_objectagg")?;
        if let Some(pair) = arg {
            self.json_key_value(pair)?;
        }
        self.json_aggregate(constructor.as_deref_mut())
    }

    pub(super) fn json_array_aggregate(&mut self, aggregate: &mut JsonArrayAgg) -> Checked {
        let JsonArrayAgg { constructor, arg, absent_on_null: _ } = aggregate;
        self.keyword("json_arrayagg")?;
        self.json_item(arg.as_deref_mut())?;
        self.json_aggregate(constructor.as_deref_mut())
    }

    fn json_aggregate(&mut self, constructor: Option<&mut JsonAggConstructor>) -> Checked {
        let Some(constructor) = constructor else { return Ok(()) };
        let JsonAggConstructor { output, agg_filter, agg_order, over, location: _ } = constructor;
        self.json_output(output.as_mut())?;
        self.optional(agg_filter.as_deref_mut())?;
        self.all(agg_order)?;
        match over {
            Some(window) => self.nested(|validator| validator.window(window)),
            None => Ok(()),
        }
    }

    fn json_item(&mut self, item: Option<&mut JsonValueExpr>) -> Checked {
        match item {
            Some(item) => self.nested(|validator| validator.json_value(item)),
            None => Ok(()),
        }
    }

    fn json_path(&mut self, path: Option<&mut JsonTablePathSpec>) -> Checked {
        let Some(path) = path else { return Ok(()) };
        let JsonTablePathSpec { string, name: _, name_location: _, location: _ } = path;
        self.optional(string.as_deref_mut())
    }

    fn json_output(&mut self, output: Option<&mut JsonOutput>) -> Checked {
        let Some(output) = output else { return Ok(()) };
        let JsonOutput { type_name, returning } = output;
        if let Some(JsonReturning { format, typid: _, typmod: _ }) = returning {
            json_format(format.as_ref());
        }
        self.type_name(type_name.as_mut())
    }

    fn json_behavior(&mut self, behavior: Option<&mut JsonBehavior>) -> Checked {
        let Some(behavior) = behavior else { return Ok(()) };
        let JsonBehavior { btype: _, expr, coerce: _, location: _ } = behavior;
        self.optional(expr.as_deref_mut())
    }
}

/// The path of a JSON table or column; that of a column may be left out, and is then its name.
fn table_path(path: Option<&JsonTablePathSpec>) -> String {
    path.map_or_else(String::new, |path| path_text(path.string.as_deref()))
}

/// The paths of a column of a JSON table, with those of the columns nested in it.
fn add_paths(column: &Node, paths: &mut Vec<String>) {
    if let Some(NodeEnum::JsonTableColumn(column)) = &column.node {
        paths.push(table_path(column.pathspec.as_deref()));
        column.columns.iter().for_each(|nested| add_paths(nested, paths));
    }
}

/// FORMAT JSON and its encoding, which need no check. Destructured so that a new field is a compile error.
fn json_format(format: Option<&JsonFormat>) {
    if let Some(JsonFormat { format_type: _, encoding: _, location: _ }) = format {}
}
