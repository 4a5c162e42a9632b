//! A plain SQL dump, read line by line: the rows of the wanted tables, each with the number of its line.

use std::io::{BufRead, Error as IoError, Read as _};
use std::marker::PhantomData;

use thiserror::Error;

use super::copy;
use super::fault::Fault;
use super::statement::{Scan, Statement, Table};

/// The longest line. Postgres holds no value that is longer as text than a gigabyte; the rows that are read here are short.
const MAX_LINE: u64 = 64 * 1024 * 1024;

/// The tables whose rows an import reads.
pub trait WantedTable: Copy {
    /// The table of this schema and name, if it is one of them.
    fn of(schema: &str, name: &str) -> Option<Self>;

    /// Its schema and name, as people write them: `auth.users`.
    fn full_name(self) -> &'static str;
}

/// Why a dump cannot be read.
#[derive(Debug, Error)]
pub enum DumpError {
    /// The file cannot be read.
    #[error("the dump cannot be read")]
    Read(#[source] IoError),
    /// A line is not what it should be.
    #[error("line {line}: {why}")]
    Line {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
}

/// The head of rows.
#[derive(Clone, Debug)]
pub struct Block<T> {
    /// Whose rows they are.
    pub table: T,
    /// Their columns.
    pub columns: Vec<String>,
}

/// A row.
#[derive(Clone, Debug)]
pub struct Row {
    /// The line of the file.
    pub line: u64,
    /// A value for each column of its block.
    pub values: Vec<Option<String>>,
}

/// Reads a dump.
pub struct Dump<R, T> {
    reader: R,
    buffer: Vec<u8>,
    line: u64,
    bytes: u64,
    scan: Scan,
    tables: PhantomData<T>,
}

impl<R: BufRead, T: WantedTable> Dump<R, T> {
    /// Begins at the start of a dump.
    pub fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), line: 0, bytes: 0, scan: Scan::default(), tables: PhantomData }
    }

    /// How many bytes were read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next rows of a wanted table; `None` at the end of the dump.
    pub fn next_block(&mut self) -> Result<Option<Block<T>>, DumpError> {
        while self.read_line()? {
            if self.line == 1 {
                self.check_start()?;
            }
            // Commands of psql, such as `\restrict`.
            if self.scan.is_between() && self.buffer.first() == Some(&b'\\') {
                continue;
            }
            let line = std::mem::take(&mut self.buffer);
            let mut rest = line.as_slice();
            while let Some((statement, after)) = self.scan.read(rest) {
                rest = after;
                if let Some(block) = self.take(statement, rest)? {
                    return Ok(Some(block));
                }
            }
            self.buffer = line;
        }
        if self.scan.is_between() { Ok(None) } else { Err(self.wrong(&Fault::Unfinished)) }
    }

    /// The next row of the block.
    pub fn next_row(&mut self, block: &Block<T>) -> Result<Option<Row>, DumpError> {
        if !self.read_line()? {
            return Err(self.wrong(&Fault::UnfinishedRows));
        }
        if self.buffer == b"\\." {
            return Ok(None);
        }
        let values = copy::fields(&self.buffer).map_err(|error| self.wrong(&Fault::Row(error)))?;
        if values.len() != block.columns.len() {
            return Err(self.wrong(&Fault::Fields { found: values.len(), expected: block.columns.len() }));
        }
        Ok(Some(Row { line: self.line, values }))
    }

    /// An error in the line that was read last.
    pub fn wrong(&self, fault: &Fault) -> DumpError {
        DumpError::Line { line: self.line, why: fault.to_string() }
    }

    fn take(&mut self, statement: Statement, rest: &[u8]) -> Result<Option<Block<T>>, DumpError> {
        match statement {
            Statement::Other => Ok(None),
            Statement::OldStrings => Err(self.wrong(&Fault::OldStrings)),
            Statement::Insert(table) => match wanted::<T>(&table) {
                Some(table) => Err(self.wrong(&Fault::Inserts(table.full_name()))),
                None => Ok(None),
            },
            Statement::Copy { table, columns, has_options } => {
                if !rest.iter().all(u8::is_ascii_whitespace) {
                    return Err(self.wrong(&Fault::AfterCopy));
                }
                let Some(table) = wanted::<T>(&table) else { return self.skip_rows().map(|()| None) };
                let columns =
                    columns.filter(|_| !has_options).ok_or_else(|| self.wrong(&Fault::Form(table.full_name())))?;
                self.check_columns(&columns)?;
                Ok(Some(Block { table, columns }))
            }
        }
    }

    fn skip_rows(&mut self) -> Result<(), DumpError> {
        while self.read_line()? {
            if self.buffer == b"\\." {
                return Ok(());
            }
        }
        Err(self.wrong(&Fault::UnfinishedRows))
    }

    fn check_columns(&self, columns: &[String]) -> Result<(), DumpError> {
        for (place, column) in columns.iter().enumerate() {
            if columns.iter().take(place).any(|earlier| earlier == column) {
                return Err(self.wrong(&Fault::Twice(column.clone())));
            }
        }
        Ok(())
    }

    /// Archives of other kinds begin with signs of their own.
    fn check_start(&self) -> Result<(), DumpError> {
        let start = self.buffer.as_slice();
        if start.starts_with(b"PGDMP") {
            return Err(self.wrong(&Fault::Archive));
        }
        if start.starts_with(b"\x1f\x8b") || start.starts_with(b"\x28\xb5\x2f\xfd") || start.starts_with(b"PK") {
            return Err(self.wrong(&Fault::Compressed));
        }
        Ok(())
    }

    /// Reads a line without its end; `false` at the end of the file.
    fn read_line(&mut self) -> Result<bool, DumpError> {
        self.buffer.clear();
        let read = (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut self.buffer).map_err(DumpError::Read)?;
        if read == 0 {
            return Ok(false);
        }
        self.line += 1;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(read);
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        } else if read == MAX_LINE {
            return Err(self.wrong(&Fault::Long));
        }
        if self.buffer.last() == Some(&b'\r') {
            self.buffer.pop();
        }
        Ok(true)
    }
}

fn wanted<T: WantedTable>(table: &Table) -> Option<T> {
    T::of(table.schema.as_deref()?, &table.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Wanted {
        Users,
        Identities,
    }

    impl WantedTable for Wanted {
        fn of(schema: &str, name: &str) -> Option<Self> {
            match (schema, name) {
                ("auth", "users") => Some(Self::Users),
                ("auth", "identities") => Some(Self::Identities),
                _ => None,
            }
        }

        fn full_name(self) -> &'static str {
            match self {
                Self::Users => "auth.users",
                Self::Identities => "auth.identities",
            }
        }
    }

    fn read(dump: &str) -> Result<Vec<(Wanted, Row)>, DumpError> {
        let mut dump = Dump::new(dump.as_bytes());
        let mut rows = Vec::new();
        while let Some(block) = dump.next_block()? {
            while let Some(row) = dump.next_row(&block)? {
                rows.push((block.table, row));
            }
        }
        Ok(rows)
    }

    fn fault(dump: &str) -> String {
        read(dump).expect_err("the dump is broken").to_string()
    }

    #[test]
    fn rows_of_users_are_found_in_a_whole_dump() {
        let dump = "\\restrict abc\n--\n-- PostgreSQL database dump\n--\n\nSET standard_conforming_strings = on;\n\n\
            COPY auth.audit_log_entries (id, payload) FROM stdin;\n1\tCOPY auth.users (id) FROM stdin;\n\\.\n\n\
            COPY auth.identities (id) FROM stdin;\na\n\\.\n\nCOPY auth.users (id, email) FROM stdin;\nb\t\\N\nc\tx\n\\.\n\n\
            COPY public.users (id) FROM stdin;\nd\n\\.\n\n\\unrestrict abc\n";
        let rows = read(dump).expect("a dump");
        let found: Vec<_> = rows.iter().map(|(table, row)| (*table, row.line, row.values.clone())).collect();
        let text = |value: &str| Some(value.to_owned());
        assert_eq!(
            found,
            [
                (Wanted::Identities, 13, vec![text("a")]),
                (Wanted::Users, 17, vec![text("b"), None]),
                (Wanted::Users, 18, vec![text("c"), text("x")])
            ]
        );
    }

    #[test]
    fn rows_that_a_user_of_the_app_wrote_into_their_own_are_none() {
        let forged = "INSERT INTO public.notes (body) VALUES ('\nCOPY auth.users (id) FROM stdin;\nevil\n\\.\n');\n";
        assert!(read(forged).expect("a dump").is_empty());
    }

    #[test]
    fn a_broken_dump_names_the_line() {
        let users = "COPY auth.users (id, email) FROM stdin;\n";
        assert!(fault(&format!("{users}a\tb\nc\n\\.\n")).starts_with("line 3: "));
        assert!(fault(&format!("{users}a\tb\n")).contains("ends inside of rows"));
        assert!(fault(&format!("{users}a\tb\\\n\\.\n")).contains("line 2: an escape"));
        assert!(fault("INSERT INTO auth.users (id) VALUES ('a');\n").contains("pg_dump --data-only --schema=auth"));
        assert!(fault("COPY auth.users FROM stdin;\na\n\\.\n").contains("line 1"));
        assert!(fault("COPY auth.users (id, id) FROM stdin;\na\ta\n\\.\n").contains("twice"));
        assert!(fault("COPY auth.users (id) FROM stdin CSV;\na\n\\.\n").contains("line 1"));
        assert!(fault("SELECT 'a\n").contains("ends inside of a statement"));
        assert!(fault("PGDMP\u{1}\n").contains("pg_restore"));
        assert!(fault("SET standard_conforming_strings = off;\n").contains("line 1"));
    }

    #[test]
    fn lines_may_end_as_on_windows() {
        let rows = read("COPY auth.users (id) FROM stdin;\r\na\r\n\\.\r\n").expect("a dump");
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].1.values, [Some("a".to_owned())]);
    }
}
