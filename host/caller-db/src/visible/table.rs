//! A table as the catalogue has it.

use behalf_host_db::{HostDb, ReadError};
use behalf_identity::Role;
use futures::future::BoxFuture;
use serde::Deserialize;

use super::owner::{self, PolicyRow};
use super::statement::{VisibleText, visible_text};

/// The table, its columns, and what the roles of callers may read of it. A domain is described by what it is made of.
const TABLE: &str = "
    with role as (select r.oid, r.rolname, r.rolsuper or r.rolbypassrls as bypasses from pg_roles r
            where r.rolname in ('anon', 'authenticated', 'service_role'))
    select json_build_object(
        'schema', n.nspname, 'name', c.relname, 'has_policies', c.relrowsecurity,
        'uid', (select f.prosrc from pg_proc f where f.oid = to_regprocedure('auth.uid()')),
        'policies', (select json_agg(json_build_object('is_permissive', p.polpermissive,
                'condition', pg_get_expr(p.polqual, p.polrelid),
                'roles', (select coalesce(json_agg(r.rolname), '[]') from role r where p.polroles = '{0}' or exists (
                    select from unnest(p.polroles) o(role) where o.role <> 0 and pg_has_role(r.oid, o.role, 'usage')))))
            from pg_policy p where p.polrelid = c.oid and p.polcmd in ('r', '*')),
        'roles', (select json_agg(json_build_object('name', r.rolname, 'bypasses', r.bypasses,
                'may_use', has_schema_privilege(r.oid, n.oid, 'usage'))) from role r),
        'columns', (select json_agg(json_build_object(
                'name', a.attname, 'type_name', t.typname,
                'base', json_build_object('schema', bn.nspname, 'name', b.typname, 'kind', b.typtype::text,
                    'is_array', b.typcategory = 'A', 'element', coalesce(e.typname, '')),
                'labels', case when b.typtype = 'e' then
                    (select json_agg(l.enumlabel order by l.enumsortorder) from pg_enum l where l.enumtypid = b.oid) end,
                'key', (select json_build_object('place', k.n, 'schema', opn.nspname, 'equal', op.oprname)
                    from pg_index i
                    cross join lateral unnest(i.indkey::int2[]) with ordinality k (attnum, n)
                    join pg_opclass oc on oc.oid = (i.indclass::oid[])[k.n - 1]
                    join pg_amop ao on ao.amopfamily = oc.opcfamily and ao.amopstrategy = 3 and ao.amoppurpose = 's'
                        and ao.amoplefttype = oc.opcintype and ao.amoprighttype = oc.opcintype
                    join pg_operator op on op.oid = ao.amopopr join pg_namespace opn on opn.oid = op.oprnamespace
                    where i.indrelid = c.oid and i.indisprimary and k.n <= i.indnkeyatts and k.attnum = a.attnum),
                'readers', (select coalesce(json_agg(r.rolname), '[]') from role r
                    where has_column_privilege(r.oid, c.oid, a.attnum, 'select'))
            ) order by a.attnum)
            from pg_attribute a join pg_type t on t.oid = a.atttypid
            cross join lateral (
                with recursive made_of (oid, kind, next) as (
                    select t.oid, t.typtype, t.typbasetype
                    union all select d.oid, d.typtype, d.typbasetype from made_of m join pg_type d on d.oid = m.next
                    where m.kind = 'd')
                select m.oid from made_of m where m.kind <> 'd' limit 1) base
            join pg_type b on b.oid = base.oid join pg_namespace bn on bn.oid = b.typnamespace
            left join pg_type e on e.oid = b.typelem and b.typcategory = 'A'
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
        )::text
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid = $1::text::oid and c.relkind in ('r', 'p')";

/// A type that is no domain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BaseType {
    /// Its schema.
    pub schema: String,
    /// Its name, as `int4`.
    pub name: String,
    /// `b` for a base type, `e` for an enum, `c` for a composite one, `r` and `m` for ranges.
    pub kind: String,
    /// Whether it is an array.
    pub is_array: bool,
    /// The name of the type of its elements; empty where it is no array.
    pub element: String,
}

/// Who may read a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnRights([bool; 3]);

impl ColumnRights {
    /// Whether the role may.
    pub fn has(self, role: Role) -> bool {
        let [anon, authenticated, service] = self.0;
        match role {
            Role::Anon => anon,
            Role::Authenticated => authenticated,
            Role::Service => service,
        }
    }
}

/// A column.
#[derive(Clone, Debug)]
pub struct VisibleColumn {
    /// Its name.
    pub name: String,
    /// Its type's name.
    pub type_name: String,
    /// What its type is, or is made of.
    pub base: BaseType,
    /// The labels of an enum, in their order.
    pub labels: Vec<String>,
    /// Its place in the primary key, from 1.
    pub key: Option<usize>,
    /// Who may read it.
    pub readers: ColumnRights,
}

/// A table whose rows can be looked for.
#[derive(Clone, Debug)]
pub struct VisibleTable {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<VisibleColumn>,
    has_policies: bool,
    may_use: [bool; 3],
    bypasses: [bool; 3],
    owners: [Option<Vec<usize>>; 3],
    /// Places of the columns of the primary key, in its order.
    pub(super) key: Vec<usize>,
    pub(super) text: Option<VisibleText>,
}

#[derive(Deserialize)]
struct Row {
    schema: String,
    name: String,
    has_policies: bool,
    uid: Option<String>,
    policies: Option<Vec<PolicyRow>>,
    roles: Option<Vec<RoleRow>>,
    columns: Option<Vec<ColumnRow>>,
}

#[derive(Deserialize)]
struct RoleRow {
    name: String,
    bypasses: bool,
    may_use: bool,
}

#[derive(Deserialize)]
struct ColumnRow {
    name: String,
    type_name: String,
    base: BaseType,
    labels: Option<Vec<String>>,
    key: Option<KeyRow>,
    readers: Vec<String>,
}

/// A column's place in the primary key, and the operator by which the key compares it.
#[derive(Deserialize)]
struct KeyRow {
    place: usize,
    schema: String,
    equal: String,
}

impl VisibleTable {
    /// Reads it from the catalogue. None where there is no such table.
    pub fn read(host: &HostDb, oid: u32) -> BoxFuture<'_, Result<Option<Self>, ReadError>> {
        Box::pin(async move {
            let oid = oid.to_string();
            let rows = host.read(TABLE, &[Some(&oid)]).await?;
            let row = rows.first().and_then(|row| row.text(0)).and_then(|text| serde_json::from_str(text).ok());
            Ok(row.map(Self::of))
        })
    }

    fn of(row: Row) -> Self {
        let roles = row.roles.unwrap_or_default();
        let of_roles = |has: &dyn Fn(&RoleRow) -> bool| {
            Role::ALL.map(|role| roles.iter().any(|row| row.name == role.as_str() && has(row)))
        };
        let (may_use, bypasses) = (of_roles(&|row| row.may_use), of_roles(&|row| row.bypasses));
        let (mut columns, mut keys) = (Vec::new(), Vec::new());
        for column in row.columns.unwrap_or_default() {
            let readers = Role::ALL.map(|role| column.readers.iter().any(|name| name == role.as_str()));
            let place = column.key.as_ref().map(|key| key.place);
            if let Some(key) = column.key {
                keys.push((key.place, columns.len(), (key.schema, key.equal)));
            }
            columns.push(VisibleColumn {
                name: column.name,
                type_name: column.type_name,
                base: column.base,
                labels: column.labels.unwrap_or_default(),
                key: place,
                readers: ColumnRights(readers),
            });
        }
        keys.sort_by_key(|(place, ..)| *place);
        let text = visible_text(
            (&row.schema, &row.name),
            keys.iter().filter_map(|(_, at, equal)| Some((columns.get(*at)?, (equal.0.as_str(), equal.1.as_str())))),
        );
        let key = keys.into_iter().map(|(_, at, _)| at).collect();
        let policies = row.policies.unwrap_or_default();
        let is_known = row.uid.as_deref().is_some_and(owner::is_known);
        let owners = Role::ALL.map(|role| is_known.then(|| owners(&policies, role, &columns)).flatten());
        let (schema, name, has_policies) = (row.schema, row.name, row.has_policies);
        Self { schema, name, columns, has_policies, may_use, bypasses, owners, key, text }
    }

    /// Whether policies decide for the role which rows it sees.
    pub fn is_judged(&self, role: Role) -> bool {
        self.has_policies && !of(self.bypasses, role)
    }

    /// Places of columns of which one holds `auth.uid()` of the caller in each row that policies show to the role. None where they can
    /// show other rows as well.
    pub fn owners(&self, role: Role) -> Option<&[usize]> {
        let [anon, authenticated, service] = &self.owners;
        match role {
            Role::Anon => anon.as_deref(),
            Role::Authenticated => authenticated.as_deref(),
            Role::Service => service.as_deref(),
        }
    }

    /// Places of the columns of the primary key, in its order; none where it has no primary key.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// Whether the role may read a column.
    pub fn may_read(&self, role: Role, column: usize) -> bool {
        of(self.may_use, role) && self.columns.get(column).is_some_and(|column| column.readers.has(role))
    }

    /// Whether the role may read so much that a row can be passed on: its primary key, or anything where it has none.
    pub fn may_read_rows(&self, role: Role) -> bool {
        if self.key.is_empty() {
            return (0..self.columns.len()).any(|column| self.may_read(role, column));
        }
        self.key.iter().all(|column| self.may_read(role, *column))
    }

    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// The columns that policies for the role name as owners, all of them of type uuid: the log writes its values in one form only.
fn owners(policies: &[PolicyRow], role: Role, columns: &[VisibleColumn]) -> Option<Vec<usize>> {
    let of_role = policies.iter().filter(|policy| policy.roles.iter().any(|name| name == role.as_str()));
    let place = |name: String| {
        columns.iter().position(|one| one.name == name && one.base.schema == "pg_catalog" && one.base.name == "uuid")
    };
    owner::owners(of_role)?.into_iter().map(place).collect()
}

fn of(all: [bool; 3], role: Role) -> bool {
    ColumnRights(all).has(role)
}
