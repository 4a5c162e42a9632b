//! What the generator knows of the fixture: columns with their types, and what can be embedded.

/// The type of a column, as far as it decides which operators and values fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole numbers.
    Int,
    /// Texts.
    Text,
    /// Booleans.
    Bool,
    /// Days.
    Date,
    /// `jsonb` objects.
    Json,
    /// Arrays of texts.
    Texts,
    /// Arrays of numbers.
    Ints,
    /// Numbers with a fraction.
    Numeric,
    /// The enum `mood`.
    Mood,
    /// Ranges of days.
    Range,
    /// `tsvector`.
    Words,
}

/// A table or view.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name.
    pub name: &'static str,
    /// The columns that make the order of its rows certain.
    pub key: &'static [&'static str],
    /// Its columns.
    pub columns: &'static [(&'static str, Kind)],
    /// Its relationships.
    pub embeds: &'static [Embed],
}

/// A relationship.
#[derive(Debug)]
pub(super) struct Embed {
    /// As `select` names it.
    pub select: &'static str,
    /// As filters name it.
    pub name: &'static str,
    /// The table on its other side.
    pub table: &'static str,
    /// Whether it gives several rows.
    pub many: bool,
}

const fn one(select: &'static str, name: &'static str, table: &'static str) -> Embed {
    Embed { select, name, table, many: false }
}

const fn many(select: &'static str, name: &'static str, table: &'static str) -> Embed {
    Embed { select, name, table, many: true }
}

/// The table of a name.
pub(super) fn table(name: &str) -> &'static Table {
    TABLES.iter().find(|table| table.name == name).expect("the embeddings name tables of the list")
}

/// Tables that every caller reads alike, and one that each reads otherwise.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "cities",
        key: &["id"],
        columns: &[
            ("id", Kind::Int),
            ("name", Kind::Text),
            ("country_code", Kind::Text),
            ("founded", Kind::Date),
            ("elevation", Kind::Int),
            ("tags", Kind::Texts),
            ("info", Kind::Json),
        ],
        embeds: &[one("countries", "countries", "countries"), many("people!home_city_id", "people", "people")],
    },
    Table {
        name: "countries",
        key: &["code"],
        columns: &[("code", Kind::Text), ("name", Kind::Text), ("population", Kind::Int), ("area", Kind::Numeric)],
        embeds: &[many("cities", "cities", "cities"), one("capital", "capital", "cities")],
    },
    Table {
        name: "people",
        key: &["id"],
        columns: &[
            ("id", Kind::Int),
            ("name", Kind::Text),
            ("email", Kind::Text),
            ("born", Kind::Date),
            ("mood", Kind::Mood),
            ("boss_id", Kind::Int),
            ("scores", Kind::Ints),
            ("active", Kind::Bool),
            ("note", Kind::Text),
        ],
        embeds: &[
            one("passports", "passports", "passports"),
            many("memberships", "memberships", "memberships"),
            one("home:cities!home_city_id", "home", "cities"),
            // Not the computed relationships: where `people` is embedded beside one, PostgREST writes a wrong statement.
        ],
    },
    Table {
        name: "projects",
        key: &["id"],
        columns: &[
            ("id", Kind::Int),
            ("title", Kind::Text),
            ("budget", Kind::Numeric),
            ("period", Kind::Range),
            ("closed", Kind::Bool),
        ],
        embeds: &[
            many("tasks", "tasks", "tasks"),
            one("owner:people!owner_id", "owner", "people"),
            many("memberships", "memberships", "memberships"),
        ],
    },
    Table {
        name: "tasks",
        key: &["id"],
        columns: &[
            ("id", Kind::Int),
            ("project_id", Kind::Int),
            ("title", Kind::Text),
            ("done", Kind::Bool),
            ("due", Kind::Date),
            ("priority", Kind::Int),
            ("details", Kind::Json),
            ("words", Kind::Words),
        ],
        embeds: &[
            one("projects", "projects", "projects"),
            many("labels!task_labels", "labels", "labels"),
            one("memberships", "memberships", "memberships"),
        ],
    },
    Table {
        name: "memberships",
        key: &["project_id", "person_id"],
        columns: &[("project_id", Kind::Int), ("person_id", Kind::Int), ("role", Kind::Text), ("since", Kind::Date)],
        embeds: &[one("projects", "projects", "projects"), one("people", "people", "people")],
    },
    Table {
        name: "labels",
        key: &["id"],
        columns: &[("id", Kind::Int), ("name", Kind::Text), ("color", Kind::Text)],
        embeds: &[many("tasks!task_labels", "tasks", "tasks")],
    },
    Table {
        name: "passports",
        key: &["person_id"],
        columns: &[("person_id", Kind::Int), ("number", Kind::Text), ("issuer", Kind::Text), ("valid", Kind::Range)],
        embeds: &[one("people", "people", "people"), one("countries", "countries", "countries")],
    },
    Table {
        name: "active_people",
        key: &["id"],
        columns: &[("id", Kind::Int), ("name", Kind::Text), ("email", Kind::Text), ("boss_id", Kind::Int)],
        embeds: &[one("passports", "passports", "passports"), many("memberships", "memberships", "memberships")],
    },
    Table {
        name: "diary",
        key: &["id"],
        columns: &[("id", Kind::Int), ("title", Kind::Text), ("public", Kind::Bool)],
        embeds: &[many("diary_pages", "diary_pages", "diary_pages")],
    },
    Table {
        name: "diary_pages",
        key: &["id"],
        columns: &[("id", Kind::Int), ("diary_id", Kind::Int), ("body", Kind::Text)],
        embeds: &[one("diary", "diary", "diary")],
    },
    Table {
        name: "counters",
        key: &["name"],
        columns: &[("name", Kind::Text), ("n", Kind::Int), ("note", Kind::Text)],
        embeds: &[],
    },
    Table {
        name: "prices",
        key: &["item", "currency"],
        columns: &[("item", Kind::Text), ("currency", Kind::Text), ("amount", Kind::Numeric), ("sku", Kind::Text)],
        embeds: &[],
    },
];
