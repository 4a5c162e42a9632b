//! The items of the package: each with its name, its type as WIT writes it, and its documentation.

use wit_parser::{Function, Handle, Resolve, Type, TypeDef, TypeDefKind, TypeId, WorldItem, WorldKey};

use super::package::{Package, Sources};

/// Something that has a name and should have documentation.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// `database`, `database.value`, `database.value.null`, `database.query`; `world tool-plugin`.
    pub(super) path: String,
    /// Its type, as plugins use it; empty for items that only contain others.
    pub(super) shape: String,
    pub(super) docs: Option<String>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Interface,
    Type,
    /// A field or a case.
    Part,
    Function,
    World,
}

impl Package {
    /// Everything that is in the package.
    pub(super) fn items(&self) -> Vec<Item> {
        let package = &self.resolve.packages[self.id];
        let mut items = Vec::new();
        for (name, id) in &package.interfaces {
            let interface = &self.resolve.interfaces[*id];
            let docs = interface.docs.contents.clone();
            items.push(Item { path: name.clone(), shape: String::new(), docs, kind: Kind::Interface });
            for (type_name, id) in &interface.types {
                self.add_type(&mut items, &format!("{name}.{type_name}"), *id);
            }
            for (function_name, function) in &interface.functions {
                items.push(Item {
                    path: format!("{name}.{function_name}"),
                    shape: function_shape(&self.resolve, function),
                    docs: function.docs.contents.clone(),
                    kind: Kind::Function,
                });
            }
        }
        for (name, id) in &package.worlds {
            let world = &self.resolve.worlds[*id];
            let (path, docs) = (format!("world {name}"), world.docs.contents.clone());
            items.push(Item { path, shape: String::new(), docs, kind: Kind::World });
        }
        items
    }

    fn add_type(&self, items: &mut Vec<Item>, path: &str, id: TypeId) {
        let definition = &self.resolve.types[id];
        let shape = type_shape(&self.resolve, definition);
        items.push(Item { path: path.to_owned(), shape, docs: definition.docs.contents.clone(), kind: Kind::Type });
        let mut part = |name: &str, shape: String, docs: &wit_parser::Docs| {
            let (path, docs) = (format!("{path}.{name}"), docs.contents.clone());
            items.push(Item { path, shape, docs, kind: Kind::Part });
        };
        let resolve = &self.resolve;
        match &definition.kind {
            TypeDefKind::Record(record) => {
                record.fields.iter().for_each(|one| part(&one.name, spelled(resolve, &one.ty), &one.docs));
            }
            TypeDefKind::Variant(variant) => variant.cases.iter().for_each(|one| {
                part(&one.name, one.ty.map(|ty| spelled(resolve, &ty)).unwrap_or_default(), &one.docs);
            }),
            TypeDefKind::Enum(all) => all.cases.iter().for_each(|one| part(&one.name, String::new(), &one.docs)),
            TypeDefKind::Flags(all) => all.flags.iter().for_each(|one| part(&one.name, String::new(), &one.docs)),
            _ => {}
        }
    }

    /// The interfaces a world imports and those it exports.
    pub(super) fn world_interfaces(&self, name: &str) -> (Vec<String>, Vec<String>) {
        let world = &self.resolve.worlds[self.world(name)];
        let names = |items: &mut dyn Iterator<Item = (&WorldKey, &WorldItem)>| -> Vec<String> {
            items
                .map(|(key, item)| match item {
                    WorldItem::Interface { id, .. } => self.resolve.interfaces[*id].name.clone().unwrap(),
                    _ => self.resolve.name_world_key(key),
                })
                .collect()
        };
        (names(&mut world.imports.iter()), names(&mut world.exports.iter()))
    }
}

fn type_shape(resolve: &Resolve, definition: &TypeDef) -> String {
    let list = |word: &str, parts: Vec<String>| format!("{word} {{ {} }}", parts.join(", "));
    match &definition.kind {
        TypeDefKind::Record(record) => list(
            "record",
            record.fields.iter().map(|field| format!("{}: {}", field.name, spelled(resolve, &field.ty))).collect(),
        ),
        TypeDefKind::Variant(variant) => list(
            "variant",
            variant
                .cases
                .iter()
                .map(|case| match &case.ty {
                    Some(ty) => format!("{}({})", case.name, spelled(resolve, ty)),
                    None => case.name.clone(),
                })
                .collect(),
        ),
        TypeDefKind::Enum(all) => list("enum", all.cases.iter().map(|case| case.name.clone()).collect()),
        TypeDefKind::Flags(all) => list("flags", all.flags.iter().map(|flag| flag.name.clone()).collect()),
        TypeDefKind::Resource => "resource".to_owned(),
        kind => format!("type {}", unnamed(resolve, kind)),
    }
}

fn function_shape(resolve: &Resolve, function: &Function) -> String {
    let parameters: Vec<_> =
        function.params.iter().map(|param| format!("{}: {}", param.name, spelled(resolve, &param.ty))).collect();
    let result = function.result.map(|ty| format!(" -> {}", spelled(resolve, &ty))).unwrap_or_default();
    format!("func({}){result}", parameters.join(", "))
}

fn spelled(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Id(id) => {
            let definition = &resolve.types[*id];
            definition.name.clone().unwrap_or_else(|| unnamed(resolve, &definition.kind))
        }
        Type::Bool => "bool".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::S8 => "s8".to_owned(),
        Type::S16 => "s16".to_owned(),
        Type::S32 => "s32".to_owned(),
        Type::S64 => "s64".to_owned(),
        Type::F32 => "f32".to_owned(),
        Type::F64 => "f64".to_owned(),
        Type::Char => "char".to_owned(),
        Type::String => "string".to_owned(),
        Type::ErrorContext => "error-context".to_owned(),
    }
}

fn unnamed(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let optional = |ty: &Option<Type>| ty.map_or_else(|| "_".to_owned(), |ty| spelled(resolve, &ty));
    match kind {
        TypeDefKind::Option(ty) => format!("option<{}>", spelled(resolve, ty)),
        TypeDefKind::List(ty) => format!("list<{}>", spelled(resolve, ty)),
        TypeDefKind::FixedLengthList(ty, length) => format!("list<{}, {length}>", spelled(resolve, ty)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", spelled(resolve, key), spelled(resolve, value)),
        TypeDefKind::Result(result) => format!("result<{}, {}>", optional(&result.ok), optional(&result.err)),
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", tuple.types.iter().map(|ty| spelled(resolve, ty)).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Future(ty) => format!("future<{}>", optional(ty)),
        TypeDefKind::Stream(ty) => format!("stream<{}>", optional(ty)),
        TypeDefKind::Handle(Handle::Own(id)) => spelled(resolve, &Type::Id(*id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", spelled(resolve, &Type::Id(*id))),
        TypeDefKind::Type(ty) => spelled(resolve, ty),
        other => panic!("a {} without a name", other.as_str()),
    }
}

/// Items without documentation.
fn undocumented(package: &Package) -> Vec<String> {
    let silent = |docs: &Option<String>| docs.as_ref().is_none_or(|docs| docs.trim().is_empty());
    package.items().into_iter().filter(|item| silent(&item.docs)).map(|item| item.path).collect()
}

#[test]
fn every_item_is_documented() {
    let package = Sources::current().package();
    assert!(package.items().len() > 60, "{} items are not all", package.items().len());
    assert_eq!(undocumented(&package), Vec::<String>::new());
}

#[test]
fn an_item_without_documentation_is_found_wherever_it_is() {
    let docs = [
        ("log.wit", "/// For the tool's author.\n", "log.level.debug"),
        ("database.wit", "/// pgvector's `vector`.\n", "database.value.vector"),
        ("database.wit", "/// One column of an answer.\n", "database.column"),
        ("tool.wit", "/// Shown to the model.\n", "tool.error.message"),
        ("caller.wit", "/// Milliseconds left before the host ends the call.\n", "caller.remaining-ms"),
        ("tool.wit", "/// What a plugin is.\n", "tool"),
        ("tool.wit", "/// A tool that computes and nothing else.\n", "world pure-tool"),
    ];
    for (file, line, path) in docs {
        assert_eq!(undocumented(&Sources::current().with(file, line, "").package()), [path]);
    }
}
