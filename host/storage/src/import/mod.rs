//! Buckets and objects of a dump of another project's schema `storage`, with their bytes from a folder.
//!
//! Objects keep their ids, owners, times and metadata, so that policies and rows that refer to them go on to hold. Each object is added
//! by itself, its bytes first, so an import that ended early is begun again: what is there already stays as it is.

mod files;
mod report;
mod rows;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Error as IoError};
use std::path::{Path, PathBuf};

use behalf_blobs::{BlobError, BlobPurpose, Blobs, WriteError};
use behalf_dump::{Dump, DumpError, WantedTable};
use behalf_host_db::HostDb;
use futures::stream::{self, StreamExt as _};
use thiserror::Error;

use crate::start::{TablesError, check_tables};
use crate::store::imported;
use rows::Checked;

pub use report::{ImportReport, Refused, TableReport};
pub(crate) use rows::{MovedBucket, MovedObject};

/// Objects that are looked up together.
const BATCH: usize = 200;

/// Objects whose bytes are copied at the same time.
const AT_ONCE: usize = 4;

/// Why a dump is not imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The dump cannot be read.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// The dump has neither.
    #[error(
        "the dump has no rows of storage.buckets and storage.objects; make one with pg_dump --data-only --schema=storage"
    )]
    Nothing,
    /// There is no such folder.
    #[error("{} is no folder with files", .0.display())]
    Folder(PathBuf),
    /// A file cannot be read.
    #[error("the file {} cannot be read", .0.display())]
    File(PathBuf, #[source] IoError),
    /// The tables of objects cannot be used.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// Bytes cannot be kept.
    #[error("the bytes of an object cannot be kept")]
    Blob(#[from] BlobError),
    /// The database failed, or a trigger of the app did.
    #[error("the database did not take a row; look at the app's triggers on storage.buckets and storage.objects")]
    Database(#[from] sqlx::Error),
}

/// A table whose rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Buckets,
    Objects,
}

impl WantedTable for Wanted {
    fn of(schema: &str, name: &str) -> Option<Self> {
        match (schema, name) {
            ("storage", "buckets") => Some(Self::Buckets),
            ("storage", "objects") => Some(Self::Objects),
            _ => None,
        }
    }

    fn full_name(self) -> &'static str {
        match self {
            Self::Buckets => "storage.buckets",
            Self::Objects => "storage.objects",
        }
    }
}

/// What to import, and how.
pub struct ImportOptions<'a> {
    /// The dump, in plain SQL.
    pub dump: &'a Path,
    /// The folder with a folder for each bucket.
    pub files: &'a Path,
    /// Whether all is looked at and nothing is written.
    pub dry_run: bool,
    /// Is told how far it is.
    pub progress: &'a (dyn Fn(&ImportReport) + Send + Sync),
}

/// Adds the buckets and objects of a dump. What was added before an error stays.
pub async fn import(db: &HostDb, blobs: &Blobs, options: &ImportOptions<'_>) -> Result<ImportReport, ImportError> {
    check_tables(db).await?;
    if !options.files.is_dir() {
        return Err(ImportError::Folder(options.files.to_owned()));
    }
    let mut work = Work { db, blobs, options, buckets: HashSet::new(), report: ImportReport::default() };
    // Nothing says that buckets stand before their objects.
    work.read_buckets().await?;
    work.buckets.extend(imported::bucket_ids(db).await?);
    work.read_objects().await?;
    if work.report.buckets.total() + work.report.objects.total() == 0 {
        return Err(ImportError::Nothing);
    }
    Ok(work.report)
}

/// An import under way.
struct Work<'a> {
    db: &'a HostDb,
    blobs: &'a Blobs,
    options: &'a ImportOptions<'a>,
    /// The buckets that are there, or would be.
    buckets: HashSet<String>,
    report: ImportReport,
}

/// What became of an object.
enum Outcome {
    Added(u64),
    Kept,
    Refused(&'static str),
}

impl Work<'_> {
    fn open(&self) -> Result<Dump<BufReader<File>, Wanted>, ImportError> {
        Ok(Dump::new(BufReader::new(File::open(self.options.dump).map_err(DumpError::Read)?)))
    }

    async fn read_buckets(&mut self) -> Result<(), ImportError> {
        let mut dump = self.open()?;
        while let Some(block) = dump.next_block()? {
            while let Some(row) = dump.next_row(&block)? {
                if block.table != Wanted::Buckets {
                    continue;
                }
                match rows::bucket(&block, &row).map_err(|fault| dump.wrong(&fault))? {
                    Checked::Fit(bucket) => self.add_bucket(row.line, bucket).await?,
                    Checked::Unfit { id, why } => self.report.refuse(Wanted::Buckets, row.line, id, why),
                }
            }
        }
        Ok(())
    }

    async fn add_bucket(&mut self, line: u64, bucket: MovedBucket) -> Result<(), ImportError> {
        let (there, with_name) = imported::find_bucket(self.db, &bucket).await?;
        if there {
            self.report.buckets.kept += 1;
        } else if with_name {
            self.report.refuse(Wanted::Buckets, line, bucket.id, "another bucket has its name");
        } else {
            if !self.options.dry_run {
                imported::add_bucket(self.db, &bucket).await?;
            }
            self.report.buckets.added += 1;
            self.buckets.insert(bucket.id);
        }
        Ok(())
    }

    async fn read_objects(&mut self) -> Result<(), ImportError> {
        let mut dump = self.open()?;
        while let Some(block) = dump.next_block()? {
            let mut batch = Vec::new();
            while let Some(row) = dump.next_row(&block)? {
                if block.table != Wanted::Objects {
                    continue;
                }
                match rows::object(&block, &row).map_err(|fault| dump.wrong(&fault))? {
                    Checked::Fit(object) if self.buckets.contains(&object.bucket) => batch.push((row.line, object)),
                    Checked::Fit(object) => {
                        self.report.refuse(Wanted::Objects, row.line, object.id.to_string(), "its bucket is not here");
                    }
                    Checked::Unfit { id, why } => self.report.refuse(Wanted::Objects, row.line, id, why),
                }
                if batch.len() >= BATCH {
                    self.add_objects(std::mem::take(&mut batch)).await?;
                }
            }
            self.add_objects(batch).await?;
        }
        Ok(())
    }

    async fn add_objects(&mut self, batch: Vec<(u64, MovedObject)>) -> Result<(), ImportError> {
        if batch.is_empty() {
            return Ok(());
        }
        let there = imported::objects_there(self.db, batch.iter().map(|(_, object)| object)).await?;
        let (new, kept): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|(_, object)| !there.contains(&(object.bucket.clone(), object.name.clone())));
        self.report.objects.kept += u64::try_from(kept.len()).unwrap_or(u64::MAX);
        let one = Copying { db: self.db, blobs: self.blobs, options: self.options };
        let mut copied = stream::iter(new)
            .map(|(line, object)| async move { (line, object.id, one.add(&object).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((line, id, outcome)) = copied.next().await {
            match outcome? {
                Outcome::Added(bytes) => {
                    self.report.objects.added += 1;
                    self.report.bytes += bytes;
                }
                Outcome::Kept => self.report.objects.kept += 1,
                Outcome::Refused(why) => self.report.refuse(Wanted::Objects, line, id.to_string(), why),
            }
            (self.options.progress)(&self.report);
        }
        Ok(())
    }
}

/// What copying one object needs.
#[derive(Clone, Copy)]
struct Copying<'a> {
    db: &'a HostDb,
    blobs: &'a Blobs,
    options: &'a ImportOptions<'a>,
}

impl Copying<'_> {
    async fn add(self, object: &MovedObject) -> Result<Outcome, ImportError> {
        let Some(path) = files::find(self.options.files, object) else {
            return Ok(Outcome::Refused("its name leads to no file of its own"));
        };
        let Some((file, size)) = files::open(&path).await.map_err(|error| ImportError::File(path.clone(), error))?
        else {
            return Ok(Outcome::Refused("there is no file for it"));
        };
        if object.size.is_some_and(|said| said != size) {
            return Ok(Outcome::Refused("its file is not as long as its row says"));
        }
        if self.options.dry_run {
            return Ok(Outcome::Added(size));
        }
        let mut blob = self.blobs.begin(BlobPurpose::Object { bucket: &object.bucket, name: &object.name }).await?;
        let stored = match blob.write(files::bytes(file), size).await {
            Ok(stored) if stored.size == size => stored,
            Ok(_) | Err(WriteError::TooLarge(_)) => return Ok(Outcome::Refused("its file changed meanwhile")),
            Err(WriteError::Source(error)) => return Err(ImportError::File(path, error)),
            Err(WriteError::Blob(error)) => return Err(error.into()),
        };
        if imported::add_object(self.db, object, &blob.id().to_string(), &object.facts(&stored)).await? {
            blob.keep();
            return Ok(Outcome::Added(size));
        }
        Ok(if imported::has_object(self.db, object).await? {
            Outcome::Kept
        } else {
            Outcome::Refused("another object has its id")
        })
    }
}
