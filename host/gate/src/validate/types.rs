//! Type names in casts, column definitions and the results of XML and JSON syntax.

use pg_query::protobuf::{CollateClause, ColumnDef, Node, TypeCast, TypeName, node::Node as NodeEnum};

use super::super::names::string;
use super::super::refusal::Refusal;
use super::{Checked, Seen, Validator, absent, empty};

impl Validator<'_> {
    /// The type of a cast, a column definition, or the result of an XML or JSON function.
    pub(super) fn type_name(&mut self, name: Option<&mut TypeName>) -> Checked {
        let Some(name) = name else { return Ok(()) };
        let TypeName { names, type_oid, setof, pct_type, typmods, typemod: _, array_bounds, location: _ } = name;
        if *type_oid != 0 || *setof || *pct_type {
            return Err(Refusal::Construct { what: "SETOF or %TYPE" });
        }
        self.policy.named_type(names)?;
        if names.last().and_then(string).is_some_and(|name| name.trim_start_matches('_') == "jsonpath") {
            self.seen.insert(Seen::JsonPath);
        }
        typmods.iter_mut().try_for_each(|modifier| self.type_modifier(modifier))?;
        let bounds = array_bounds.iter().all(|bound| matches!(bound.node, Some(NodeEnum::Integer(_))));
        if bounds { Ok(()) } else { Err(Refusal::Construct { what: "A construct that the gate does not know" }) }
    }

    /// The modifiers of `numeric(10, 2)` and `geometry(Point, 4326)`: constants or bare words.
    fn type_modifier(&mut self, modifier: &mut Node) -> Checked {
        match &modifier.node {
            Some(NodeEnum::AConst(_)) => self.child(modifier),
            Some(NodeEnum::ColumnRef(column)) if column.fields.len() == 1 => self.child(modifier),
            _ => Err(Refusal::Construct { what: "An expression as a type modifier" }),
        }
    }

    pub(super) fn cast(&mut self, cast: &mut TypeCast) -> Checked {
        let TypeCast { arg, type_name, location: _ } = cast;
        self.type_name(type_name.as_mut())?;
        self.typed(arg.as_deref_mut())
    }

    pub(super) fn collate(&mut self, collate: &mut CollateClause) -> Checked {
        let CollateClause { arg, collname, location: _ } = collate;
        self.policy.auxiliary_name(collname)?;
        self.optional(arg.as_deref_mut())
    }

    /// A column of `json_to_record(…) as r(a int, b text)`.
    pub(super) fn column_definition(&mut self, column: &mut ColumnDef) -> Checked {
        let ColumnDef {
            colname: _,
            type_name,
            compression: _,
            inhcount: _,
            is_local: _,
            is_not_null: _,
            is_from_type: _,
            storage: _,
            storage_name: _,
            raw_default,
            cooked_default,
            identity: _,
            identity_sequence,
            generated: _,
            coll_clause,
            coll_oid: _,
            constraints,
            fdwoptions,
            location: _,
        } = column;
        absent(raw_default.as_ref())?;
        absent(cooked_default.as_ref())?;
        absent(identity_sequence.as_ref())?;
        empty(constraints)?;
        empty(fdwoptions)?;
        if let Some(collation) = coll_clause {
            self.collate(collation)?;
        }
        self.type_name(type_name.as_mut())
    }
}
