//! Requests from the grammar, by a seed.

use reqwest::Method;

use super::case::Case;
use super::random::Random;
use super::tables::{Embed, Kind, TABLES, Table, table};

/// Texts as they stand in rows, and texts that need care on their way to one.
const TEXTS: &[&str] = &[
    "Paris",
    "Rome",
    "Ada",
    "O'Neil",
    "Béla",
    "urgent",
    "tea",
    "EUR",
    "one",
    "FR",
    "DE",
    "member",
    "chief",
    "null",
    "",
    " ",
    "a,b",
    "(x)",
    "say \"hi\"",
    "back\\slash",
    "100%",
    "*",
    "снег",
    "{curly}",
    "1",
    "true",
    "and",
    "eq.1",
    "a.b",
    ":",
    "--",
    "';",
];
const DAYS: &[&str] = &["1237-10-28", "2023-02-01", "2024-02-29", "1990-09-13", "2022-01-01", "infinity"];
const NUMBERS: &[&str] = &["0", "1", "2", "3", "5", "7", "35", "-1", "100", "84000000"];
const FRACTIONS: &[&str] = &["0", "2.50", "800", "-0.5", "12000.5", "643801"];
const MOODS: &[&str] = &["sad", "ok", "happy"];
const RANGES: &[&str] =
    &["[2023-01-01,2024-01-01)", "[2024-03-01,2024-06-01)", "empty", "(,)", "[2023-06-01,)", "(,2021-01-01]"];
const ARRAYS: &[&str] = &["{}", "{river}", "{capital,river}", "{\"sea,side\"}", "{\"old town\",capital}"];
const LISTS: &[&str] = &["{}", "{1}", "{9}", "{1,2,3}", "{5,7,9}"];
const OBJECTS: &[&str] = &["{}", "{\"size\":\"big\"}", "{\"hills\":7}", "{\"river\":{\"name\":\"Seine\"}}"];
const WORDS: &[&str] = &["cat", "plan", "tree", "fat", "bridge"];

/// Makes requests.
#[derive(Debug)]
pub(super) struct Generator {
    random: Random,
}

/// What a query is made of.
#[derive(Default)]
struct Query(Vec<(String, String)>);

impl Query {
    fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// As it stands in an address; both sides are encoded, so that every text arrives as it is.
    fn text(&self) -> String {
        let pairs: Vec<_> =
            self.0.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
        pairs.join("&")
    }
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!()*,:>".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A value between double quotes, for lists and nested conditions.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl Generator {
    /// The generator of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed) }
    }

    /// The request of a number.
    pub(super) fn request(&mut self, number: usize) -> Case {
        let mut case = match self.random.below(10) {
            0 => self.insert(),
            1 => self.update_or_delete(),
            2 => self.call(),
            3 => self.aggregate(),
            _ => self.read(),
        };
        case.place = format!("generated {number}");
        case
    }

    fn case(&mut self, method: Method, path: &str, query: &Query) -> Case {
        let query = query.text();
        // Of several tables that anon may not read, the message names the one that the server looks at first.
        let others: &[&str] = if query.contains('(') { &[] } else { &["anon"] };
        let senders = [&["alice", "alice", "bob", "bob", "service", "service", "service", "alice"], others].concat();
        let sender = self.random.text(&senders);
        Case::new(String::new(), method, &format!("{path}?{query}"), sender)
    }

    // --- Reads ------------------------------------------------------------------------------------------------------

    fn read(&mut self) -> Case {
        let table = self.random.of(TABLES);
        let mut query = Query::default();
        let select = self.select(table, 2, "", &mut query);
        query.add("select", select);
        self.filters(table, "", &mut query, 3);
        self.order(table, "", &mut query);
        self.page("", &mut query);
        let method = if self.random.once_in(12) { Method::HEAD } else { Method::GET };
        let mut case = self.case(method, &format!("/{}", table.name), &query);
        self.read_headers(&mut case);
        case
    }

    fn read_headers(&mut self, case: &mut Case) {
        let has_embeddings = case.path.contains('(');
        let mut add = |name: &str, value: &str| case.headers.push((name.to_owned(), value.to_owned()));
        match self.random.below(12) {
            0 => add("Accept", "application/vnd.pgrst.object+json"),
            1 => add("Accept", "application/vnd.pgrst.array+json;nulls=stripped"),
            // JSON within CSV is a text, whose blanks count.
            2 if !has_embeddings => add("Accept", "text/csv"),
            3 => add("Accept", "application/json"),
            _ => {}
        }
        match self.random.below(10) {
            0 | 1 => add("Prefer", "count=exact"),
            2 => add("Prefer", "handling=lenient, count=exact, something=else"),
            3 => add("Range", "0-1"),
            _ => {}
        }
    }

    /// Columns and embeddings; conditions on the embedded rows go to the query.
    fn select(&mut self, table: &'static Table, depth: usize, prefix: &str, query: &mut Query) -> String {
        let mut items: Vec<String> = if self.random.once_in(5) {
            vec!["*".to_owned()]
        } else {
            self.random.some_of(table.columns, 2).into_iter().map(|column| self.item(*column)).collect()
        };
        if depth > 0 && !table.embeds.is_empty() && self.random.once_in(2) {
            for embed in self.random.some_of(table.embeds, 3) {
                items.push(self.embed(embed, depth, prefix, query));
            }
        }
        items.join(",")
    }

    fn item(&mut self, (column, kind): (&str, Kind)) -> String {
        let path = match kind {
            Kind::Json if self.random.once_in(2) => {
                self.random.text(&["->size", "->>size", "->river->>name", "->lines->0", "->pages", "->>note"])
            }
            Kind::Ints | Kind::Texts if self.random.once_in(4) => self.random.text(&["->0", "->>1"]),
            _ => "",
        };
        let cast = if self.random.once_in(8) { self.random.text(&["::text", "::varchar"]) } else { "" };
        let alias = if self.random.once_in(5) {
            format!("{}:", self.random.text(&["a", "другой", "x_1"]))
        } else {
            String::new()
        };
        // Two columns of one name are two members of one name, and clients see the last alone.
        let alias = if alias.is_empty() { alias } else { format!("{column}_{alias}") };
        format!("{alias}{column}{path}{cast}")
    }

    fn embed(&mut self, embed: &'static Embed, depth: usize, prefix: &str, query: &mut Query) -> String {
        let inside = table(embed.table);
        let path = format!("{prefix}{}.", embed.name);
        let join = self.random.text(&["", "", "", "!inner", "!left"]);
        let spread = if !embed.many && join.is_empty() && self.random.once_in(8) { "..." } else { "" };
        if self.random.once_in(3) {
            self.filters(inside, &path, query, 1);
        }
        if !spread.is_empty() {
            // Aliases keep the members of both rows apart.
            let (column, _) = self.random.of(inside.columns);
            let name = embed.select.split_once(':').map_or(embed.select, |(_, name)| name);
            return if name == embed.select {
                format!("...{name}(spread_{column}:{column})")
            } else {
                self.embed_plain(embed)
            };
        }
        if embed.many {
            self.order(inside, &path, query);
            if self.random.once_in(4) {
                self.page(&path, query);
            }
        }
        let columns = self.select(inside, depth - 1, &path, query);
        format!("{}{join}({columns})", embed.select)
    }

    fn embed_plain(&mut self, embed: &'static Embed) -> String {
        let (column, _) = self.random.of(table(embed.table).columns);
        format!("{}({column})", embed.select)
    }

    fn order(&mut self, table: &Table, prefix: &str, query: &mut Query) {
        let mut terms = Vec::new();
        if self.random.once_in(2) {
            let (column, kind) = *self.random.of(table.columns);
            let path = if kind == Kind::Json { "->>size" } else { "" };
            let direction =
                self.random.text(&["", ".asc", ".desc", ".desc.nullslast", ".asc.nullsfirst", ".nullslast"]);
            terms.push(format!("{column}{path}{direction}"));
        }
        terms.extend(table.key.iter().map(|&column| column.to_owned()));
        query.add(format!("{prefix}order"), terms.join(","));
    }

    fn page(&mut self, prefix: &str, query: &mut Query) {
        if self.random.once_in(4) {
            query.add(format!("{prefix}limit"), self.random.text(&["1", "2", "3", "10"]));
        }
        if self.random.once_in(6) {
            query.add(format!("{prefix}offset"), self.random.text(&["0", "1", "2", "9"]));
        }
    }

    // --- Conditions ---------------------------------------------------------------------------------------------------

    fn filters(&mut self, table: &Table, prefix: &str, query: &mut Query, most: usize) {
        for _ in 0..self.random.below(most + 1) {
            if self.random.once_in(4) {
                let not = if self.random.once_in(4) { "not." } else { "" };
                let word = self.random.text(&["and", "or"]);
                let tree = self.tree(table, 2);
                query.add(format!("{prefix}{not}{word}"), tree);
            } else {
                let (column, condition) = self.condition(table, false);
                query.add(format!("{prefix}{column}"), condition);
            }
        }
    }

    fn tree(&mut self, table: &Table, depth: usize) -> String {
        let parts: Vec<_> = (0..=self.random.below(3))
            .map(|_| {
                if depth > 0 && self.random.once_in(4) {
                    let word = self.random.text(&["and", "or", "not.and", "not.or"]);
                    format!("{word}{}", self.tree(table, depth - 1))
                } else {
                    let (column, condition) = self.condition(table, true);
                    format!("{column}.{condition}")
                }
            })
            .collect();
        format!("({})", parts.join(","))
    }

    /// A column and what it is compared with; `nested` values stand between quotes.
    fn condition(&mut self, table: &Table, nested: bool) -> (String, String) {
        let (column, kind) = *self.random.of(table.columns);
        let not = if self.random.once_in(5) { "not." } else { "" };
        if self.random.once_in(10) {
            return (column.to_owned(), format!("{not}is.null"));
        }
        let one = |text: &str| if nested { quoted(text) } else { text.to_owned() };
        let (path, operator, value) = match kind {
            Kind::Bool => ("", "is", (self.random.text(&["true", "false", "unknown"])).to_owned()),
            Kind::Words => {
                ("", self.random.text(&["fts", "plfts(english)", "wfts", "phfts"]), one(self.random.text(WORDS)))
            }
            Kind::Json if self.random.once_in(2) => ("->>size", "eq", one(self.random.text(TEXTS))),
            Kind::Json => ("", self.random.text(&["cs", "cd", "eq"]), one(self.random.text(OBJECTS))),
            Kind::Texts => ("", self.random.text(&["cs", "cd", "ov", "eq"]), one(self.random.text(ARRAYS))),
            Kind::Ints => ("", self.random.text(&["cs", "cd", "ov", "eq"]), one(self.random.text(LISTS))),
            Kind::Range => {
                let operators = ["cs", "cd", "ov", "sl", "sr", "nxl", "nxr", "adj", "eq", "neq"];
                ("", self.random.text(&operators), one(self.random.text(RANGES)))
            }
            Kind::Text if self.random.once_in(3) => {
                if self.random.once_in(2) {
                    (
                        "",
                        self.random.text(&["like", "ilike"]),
                        one(self.random.text(&["*a*", "*o", "P*", "%e%", "_", "*,*"])),
                    )
                } else {
                    (
                        "",
                        self.random.text(&["match", "imatch"]),
                        one(self.random.text(&["a", "o$", "^P", "[a-e]{2}", ".", "("])),
                    )
                }
            }
            scalar => self.scalar(scalar, nested),
        };
        (format!("{column}{path}"), format!("{not}{operator}.{value}"))
    }

    fn scalar(&mut self, kind: Kind, nested: bool) -> (&'static str, &'static str, String) {
        let values = match kind {
            Kind::Int => NUMBERS,
            Kind::Numeric => FRACTIONS,
            Kind::Date => DAYS,
            Kind::Mood => MOODS,
            _ => TEXTS,
        };
        // Once in a while a value of another type, whose refusal is Postgres's.
        let values = if self.random.once_in(40) { WORDS } else { values };
        match self.random.below(8) {
            0 | 1 => {
                let list: Vec<_> = (0..=self.random.below(3)).map(|_| quoted(self.random.text(values))).collect();
                ("", "in", format!("({})", list.join(",")))
            }
            2 => {
                let list: Vec<_> = (0..=self.random.below(2)).map(|_| quoted(self.random.text(values))).collect();
                let operator = self.random.text(&["eq(any)", "gt(all)", "lte(any)"]);
                let array = format!("{{{}}}", list.join(","));
                ("", operator, if nested { quoted(&array) } else { array })
            }
            3 => ("", "isdistinct", self.value(values, nested)),
            _ => ("", self.random.text(&["eq", "neq", "gt", "gte", "lt", "lte"]), self.value(values, nested)),
        }
    }

    fn value(&mut self, values: &[&str], nested: bool) -> String {
        let text = self.random.text(values);
        if nested { quoted(text) } else { text.to_owned() }
    }

    // --- Aggregates -----------------------------------------------------------------------------------------------------

    fn aggregate(&mut self) -> Case {
        let table = self.random.of(TABLES);
        let plain: Vec<_> = table
            .columns
            .iter()
            .filter(|(_, kind)| matches!(kind, Kind::Int | Kind::Text | Kind::Bool | Kind::Date | Kind::Numeric))
            .collect();
        let (column, kind) = **self.random.of(&plain);
        let mut query = Query::default();
        let function = match kind {
            Kind::Int | Kind::Numeric => self.random.text(&["sum", "avg", "min", "max", "count"]),
            Kind::Bool => "count",
            _ => self.random.text(&["min", "max", "count"]),
        };
        let (group, _) = **self.random.of(&plain);
        if group == column || self.random.once_in(3) {
            query.add("select", format!("n:count(),{column}.{function}()"));
        } else {
            query.add("select", format!("{group},n:count(),{column}.{function}()"));
            query.add("order", group);
        }
        self.filters(table, "", &mut query, 2);
        self.case(Method::GET, &format!("/{}", table.name), &query)
    }

    // --- Writes ---------------------------------------------------------------------------------------------------------

    fn row(&mut self, members: &[(&str, Kind)]) -> serde_json::Value {
        let pairs = members.iter().map(|(name, kind)| {
            let value = match kind {
                _ if self.random.once_in(15) => serde_json::Value::Null,
                Kind::Int => self.random.below(50).into(),
                Kind::Numeric => serde_json::json!(f64::from(u32::try_from(self.random.below(1000)).unwrap()) / 4.0),
                _ => (self.random.text(TEXTS)).into(),
            };
            ((*name).to_owned(), value)
        });
        serde_json::Value::Object(pairs.collect())
    }

    fn insert(&mut self) -> Case {
        let target = table(self.random.text(&["counters", "prices"]));
        let some: Vec<_> = self.random.some_of(target.columns, 2).into_iter().copied().collect();
        let needed = |name: &str| target.key.contains(&name) || name == "amount";
        let members: Vec<_> =
            target.columns.iter().filter(|column| needed(column.0) || some.contains(column)).copied().collect();
        let rows: Vec<_> = (0..=self.random.below(2)).map(|_| self.row(&members)).collect();
        let mut query = Query::default();
        if self.random.once_in(3) {
            let names: Vec<_> = members.iter().map(|(name, _)| *name).collect();
            query.add("columns", names.join(","));
        }
        let resolution = self.random.text(&["", "", "resolution=merge-duplicates, ", "resolution=ignore-duplicates, "]);
        if !resolution.is_empty() && self.random.once_in(2) {
            query.add("on_conflict", target.key.join(","));
        }
        let wanted = self.random.text(&["representation", "minimal", "headers-only"]);
        if wanted == "representation" && self.random.once_in(2) {
            let select = self.select(target, 0, "", &mut Query::default());
            query.add("select", select);
        }
        let mut case = self.case(Method::POST, &format!("/{}", target.name), &query);
        case.headers.push(("Prefer".to_owned(), format!("{resolution}return={wanted}")));
        let body = if rows.len() == 1 && self.random.once_in(2) { rows[0].clone() } else { rows.into() };
        case.body = Some(body.to_string().into_bytes());
        case
    }

    fn update_or_delete(&mut self) -> Case {
        let target = table(self.random.text(&["counters", "prices", "diary", "cities"]));
        let mut query = Query::default();
        let mut conditions = 1 + self.random.below(2);
        while conditions > 0 {
            // Nested conditions on rows that are written are a fault of the peer's.
            let (column, condition) = self.condition(target, false);
            query.add(column, condition);
            conditions -= 1;
        }
        let wanted = self.random.text(&["representation", "minimal", "headers-only"]);
        let method = if self.random.once_in(2) { Method::PATCH } else { Method::DELETE };
        let mut case = self.case(method.clone(), &format!("/{}", target.name), &query);
        let count = self.random.text(&["", ", count=exact"]);
        case.headers.push(("Prefer".to_owned(), format!("return={wanted}{count}")));
        if method == Method::PATCH {
            let changed: &[_] = match target.name {
                "counters" => &[("n", Kind::Int), ("note", Kind::Text)],
                "prices" => &[("amount", Kind::Numeric)],
                "diary" => &[("title", Kind::Text)],
                _ => &[("name", Kind::Text), ("elevation", Kind::Int)],
            };
            let members: Vec<_> = self.random.some_of(changed, 2).into_iter().copied().collect();
            case.body = Some(self.row(&members).to_string().into_bytes());
        }
        case
    }

    // --- Functions ------------------------------------------------------------------------------------------------------

    fn call(&mut self) -> Case {
        let number = |random: &mut Random| random.below(6).to_string();
        let (function, arguments): (&str, Vec<(&str, String)>) = match self.random.below(7) {
            0 => ("add", vec![("a", number(&mut self.random)), ("b", number(&mut self.random))]),
            1 => ("add_with_default", vec![("a", number(&mut self.random))]),
            2 => ("hello", vec![("name", (self.random.text(TEXTS)).to_owned())]),
            3 => ("set_of_ints", vec![("n", number(&mut self.random))]),
            4 => ("squares", vec![("n", number(&mut self.random))]),
            5 => ("takes_mood", vec![("m", (self.random.text(MOODS)).to_owned())]),
            _ => ("all_people", Vec::new()),
        };
        let mut query = Query::default();
        if function == "all_people" {
            let people = table("people");
            let embed = self.random.of(people.embeds);
            let item = self.embed_plain(embed);
            query.add("select", if embed.many { "*".to_owned() } else { format!("*,{item}") });
            self.filters(people, "", &mut query, 2);
            self.order(people, "", &mut query);
            self.page("", &mut query);
        }
        let path = format!("/rpc/{function}");
        if self.random.once_in(2) {
            arguments.iter().for_each(|(name, value)| query.add(*name, value.clone()));
            return self.case(Method::GET, &path, &query);
        }
        let mut case = self.case(Method::POST, &path, &query);
        let members = arguments.into_iter().map(|(name, value)| (name.to_owned(), serde_json::Value::String(value)));
        case.body = Some(serde_json::Value::Object(members.collect()).to_string().into_bytes());
        case
    }
}
