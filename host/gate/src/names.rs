//! Resolves the names of functions, relations, types and operators in a statement, and decides whether each is allowed.
//!
//! A bare name is looked up where the server would look: in `pg_catalog` first, then along the search path. The server
//! chooses functions and operators by the types of their arguments, which the gate does not know; so every candidate
//! must be allowed. Candidates count even in a schema that the role cannot use: that refuses too much, never too
//! little.

use pg_query::protobuf::{Node, RangeVar, node::Node as NodeEnum};

use super::catalog::{Class, Operator, Overloads, TypeClass};
use super::policy::Policy;
use super::refusal::Refusal;
use super::text::cut;
use super::{bounds, builtin, functions};

/// The effect of using a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It changes nothing.
    None,
    /// It may change data.
    Writes,
}

/// A dotted name of one or two parts: schema and name.
pub(super) fn dotted(parts: &[Node]) -> Option<(Option<&str>, &str)> {
    match parts {
        [name] => Some((None, string(name)?)),
        [schema, name] => Some((Some(string(schema)?), string(name)?)),
        _ => None,
    }
}

/// The text of a node that is a name.
pub(super) fn string(node: &Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::String(string) => Some(&string.sval),
        _ => None,
    }
}

/// A dotted name as the statement has it, cut to a readable length, for messages.
pub(super) fn written(parts: &[Node]) -> String {
    let parts: Vec<&str> = parts.iter().filter_map(string).take(4).collect();
    cut(&parts.join("."))
}

impl Policy {
    /// Whether a function may be called by this name.
    pub(super) fn function(&self, parts: &[Node]) -> Result<Effect, Refusal> {
        let unknown = || Refusal::Function { name: written(parts) };
        match dotted(parts).ok_or_else(unknown)? {
            (Some("pg_catalog"), name) if functions::is_allowed(name) => Ok(Effect::None),
            (Some("pg_catalog"), _) => Err(unknown()),
            (Some(schema), name) => {
                let overloads = self.catalog.functions(schema, name).ok_or_else(unknown)?;
                self.overloads(schema, name, overloads, false)
            }
            (None, name) => self.bare_function(name)?.ok_or_else(unknown),
        }
    }

    /// Whether a statement may contain `x.name`. The server reads it as a column if there is one of that name, and
    /// otherwise as a call of the function `name` with `x`, a row or any other value, as its only argument.
    pub(super) fn attribute(&self, name: &str) -> Result<(), Refusal> {
        let refused = || Refusal::Attribute { name: cut(name) };
        // Only as a call is `pg_typeof` made to give a text, and is the cost of a function bounded.
        let allowed = functions::is_allowed(name) && !matches!(name, "normalize" | "pg_typeof" | "xmlagg");
        if self.catalog.may_have_unary_builtin(name) && !allowed {
            return Err(refused());
        }
        for schema in &self.search_path {
            if let Some(overloads) = self.catalog.functions(schema, name).filter(|overloads| overloads.unary) {
                match self.overloads(schema, name, overloads, allowed) {
                    Ok(Effect::None) => {}
                    _ => return Err(refused()),
                }
            }
        }
        Ok(())
    }

    /// Whether SQL syntax that an older server may read as a call of a function is harmless in either reading. For
    /// example, `json_scalar(x)` is syntax in Postgres 17 and a function call before.
    pub(super) fn keyword(&self, name: &str) -> Result<Effect, Refusal> {
        let allowed = functions::is_allowed(name);
        if self.catalog.has_builtin(name) && !allowed {
            return Err(Refusal::Function { name: name.to_owned() });
        }
        let mut effect = Effect::None;
        for schema in &self.search_path {
            if let Some(overloads) = self.catalog.functions(schema, name)
                && self.overloads(schema, name, overloads, allowed)? == Effect::Writes
            {
                effect = Effect::Writes;
            }
        }
        Ok(effect)
    }

    fn bare_function(&self, name: &str) -> Result<Option<Effect>, Refusal> {
        let allowed = functions::is_allowed(name);
        if self.catalog.has_builtin(name) && !allowed {
            return Ok(None);
        }
        let mut found = allowed.then_some(Effect::None);
        for schema in &self.search_path {
            if let Some(overloads) = self.catalog.functions(schema, name) {
                let effect = self.overloads(schema, name, overloads, allowed)?;
                if found != Some(Effect::Writes) {
                    found = Some(effect);
                }
            }
        }
        Ok(found)
    }

    /// Whether all functions of this name in this schema may be called. With `shadowing`, the name is already allowed
    /// for another reason, and harmless functions may share it.
    fn overloads(&self, schema: &str, name: &str, overloads: &Overloads, shadowing: bool) -> Result<Effect, Refusal> {
        let full = || cut(&format!("{schema}.{name}"));
        let granted = self.names_function(schema, name);
        let mut effect = Effect::None;
        for class in &overloads.classes {
            let reason = match class {
                Class::Extension => continue,
                Class::Inert if shadowing => continue,
                Class::Plain if self.grants_all_of(schema) => continue,
                Class::Volatile if self.write && (granted || self.grants_all_of(schema)) => {
                    effect = Effect::Writes;
                    continue;
                }
                Class::Inert | Class::Denied => return Err(Refusal::Function { name: full() }),
                _ if granted => continue,
                // The name of what is in a schema that was not granted is not said.
                _ if !self.grants_schema(schema) => return Err(Refusal::Function { name: full() }),
                Class::Plain => "it reaches beyond the tables that the plugin was granted; grant the whole schema",
                Class::Volatile if self.write => {
                    "it is not declared STABLE or IMMUTABLE, so it may reach beyond the tables that the plugin was granted"
                }
                Class::Volatile => {
                    "it is not declared STABLE or IMMUTABLE, so it may write, and the plugin may only read; \
                     declare it STABLE if it only reads"
                }
                Class::Definer => "it runs with its owner's rights; make it SECURITY INVOKER",
                Class::Dynamic => {
                    "it may run SQL text, or its language cannot be read; write it in SQL without EXECUTE"
                }
            };
            return Err(Refusal::FunctionNeedsGrant { name: full(), why: reason });
        }
        Ok(effect)
    }

    /// Whether a statement may read this relation or, if it is the `target`, change it. The caller has ruled out that
    /// the name is a common table expression in scope.
    pub(super) fn relation(&self, relation: &RangeVar, target: bool) -> Result<(), Refusal> {
        let RangeVar { catalogname, schemaname, relname, inh: _, relpersistence, alias: _, location: _ } = relation;
        let allowed = match (schemaname.as_str(), relname.as_str()) {
            _ if !catalogname.is_empty() || relpersistence != "p" => false,
            // The server finds such a bare name in `pg_catalog` first, whatever the search path holds.
            ("", name) if name.starts_with("pg_") => false,
            ("", name) => match self.search_path.iter().find(|schema| self.catalog.relation(schema, name).is_some()) {
                Some(schema) => self.grants_relation(schema, name),
                None => false,
            },
            ("information_schema", view) => !target && self.grants_information(view),
            (schema, name) => self.grants_relation(schema, name),
        };
        if allowed {
            return Ok(());
        }
        let name = [catalogname, schemaname, relname].into_iter().filter(|part| !part.is_empty());
        let name = name.map(String::as_str).collect::<Vec<_>>().join(".");
        Err(Refusal::Relation { name: cut(&name), closest: self.closest_relation(relname) })
    }

    /// Whether a value may be given this type.
    pub(super) fn named_type(&self, parts: &[Node]) -> Result<(), Refusal> {
        let allowed = match dotted(parts) {
            Some((Some("pg_catalog"), name)) => builtin::is_type(name),
            Some((Some(schema), name)) => self.project_type(schema, name).unwrap_or(false),
            Some((None, name)) if builtin::is_type(name) => true,
            Some((None, name)) if self.catalog.has_builtin_type(name) || name.starts_with("pg_") => false,
            Some((None, name)) => {
                self.search_path.iter().find_map(|schema| self.project_type(schema, name)).unwrap_or(false)
            }
            None => false,
        };
        if allowed { Ok(()) } else { Err(Refusal::Type { name: written(parts) }) }
    }

    /// Whether a type outside `pg_catalog` is allowed; `None` if it does not exist. A table is also a type, that of its
    /// rows.
    fn project_type(&self, schema: &str, name: &str) -> Option<bool> {
        match self.catalog.named_type(schema, name) {
            Some(TypeClass::Extension) => Some(true),
            Some(TypeClass::Plain) => Some(self.grants_schema(schema)),
            Some(TypeClass::Denied) => Some(false),
            None => self.catalog.relation(schema, name).map(|_| self.grants_relation(schema, name)),
        }
    }

    /// Whether an operator may be used.
    pub(super) fn operator(&self, parts: &[Node]) -> Result<Effect, Refusal> {
        let unknown = || Refusal::Operator { name: written(parts) };
        match dotted(parts).ok_or_else(unknown)? {
            (Some("pg_catalog"), name) if builtin::is_operator(name) => Ok(Effect::None),
            (Some("pg_catalog"), _) => Err(unknown()),
            (Some(schema), name) => {
                let operators = self.catalog.operators(schema, name).ok_or_else(unknown)?;
                self.operators(operators).ok_or_else(unknown)
            }
            (None, name) => self.bare_operator(name).ok_or_else(unknown),
        }
    }

    /// Whether syntax that uses this operator without naming it (`IN`, `CASE x WHEN`, `JOIN … USING`) is allowed.
    pub(super) fn implied_operator(&self, name: &str) -> Result<Effect, Refusal> {
        self.bare_operator(name).ok_or_else(|| Refusal::Operator { name: name.to_owned() })
    }

    fn bare_operator(&self, name: &str) -> Option<Effect> {
        let mut found = builtin::is_operator(name).then_some(Effect::None);
        for schema in &self.search_path {
            if let Some(operators) = self.catalog.operators(schema, name) {
                let effect = self.operators(operators)?;
                if found != Some(Effect::Writes) {
                    found = Some(effect);
                }
            }
        }
        found
    }

    fn operators(&self, operators: &[Operator]) -> Option<Effect> {
        let mut effect = Effect::None;
        for operator in operators {
            let Operator::Function(schema, name) = operator else { continue };
            // An operator over a built-in function is allowed if that function is.
            if schema == "pg_catalog" && functions::is_allowed(name) {
                // An operator of another name would get past the bound on the function's cost.
                if bounds::of_function(name).is_some() || name == "pg_typeof" {
                    return None;
                }
                continue;
            }
            let overloads = self.catalog.functions(schema, name)?;
            if self.overloads(schema, name, overloads, true).ok()? == Effect::Writes {
                effect = Effect::Writes;
            }
        }
        Some(effect)
    }

    /// Whether a collation or an operator class may be named.
    pub(super) fn auxiliary_name(&self, parts: &[Node]) -> Result<(), Refusal> {
        match dotted(parts) {
            Some((None | Some("pg_catalog"), _)) => Ok(()),
            Some((Some(schema), _)) if self.grants_schema(schema) => Ok(()),
            _ => Err(Refusal::Name { name: written(parts) }),
        }
    }
}
