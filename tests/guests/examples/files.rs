//! Works in its workspace folder, and tries to get out of it. The tools whose names begin with `raw` hand their paths to the
//! host as they are; the others go through the standard library, which looks for a folder that fits.

use std::fs;
use std::io::{Error, Write as _};
use std::path::Path;

use behalf_guests::{Outcome, Tool, Value, json, number, text};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

const TOOLS: &[Tool] = &[
    ("folders", "{}: the folders it was given", folders),
    ("read", "{path}", |arguments| outcome(fs::read_to_string(text(arguments, "path")))),
    ("write", "{path, text}", write),
    ("append", "{path, text}", append),
    ("list", "{path}: the names in a folder", list),
    ("remove", "{path}", |arguments| outcome(fs::remove_file(text(arguments, "path")).map(|()| true))),
    ("rename", "{from, to}", rename),
    ("make_folder", "{path}: with all that lie above it", make_folder),
    ("size", "{path}", |arguments| outcome(fs::metadata(text(arguments, "path")).map(|metadata| metadata.len()))),
    ("set_size", "{path, bytes}: a file of that size that holds nothing", set_size),
    ("fill", "{path, bytes}: writes until it is stopped; says how far it got", fill),
    ("many_files", "{folder, count}: empty files; says how many it could make", many_files),
    ("deep_folders", "{depth}: folders in folders; says how deep it got", deep_folders),
    ("raw_read", "{path, follow?}: opens below the first folder", raw_read),
    ("raw_write", "{path, text}: creates below the first folder", raw_write),
    ("raw_link", "{target, path}: makes a symbolic link below the first folder", raw_link),
    ("raw_hard_link", "{target, path}: makes a hard link below the first folder", raw_hard_link),
];

behalf_guests::export_guest!(TOOLS);

fn outcome<T: Into<Value>>(result: Result<T, Error>) -> Outcome {
    Ok(match result {
        Ok(value) => json!({"ok": value.into()}),
        Err(error) => json!({"error": error.to_string()}),
    })
}

fn folders(_arguments: &Value) -> Outcome {
    Ok(get_directories().iter().map(|(_, path)| json!(path)).collect())
}

fn write(arguments: &Value) -> Outcome {
    outcome(fs::write(text(arguments, "path"), text(arguments, "text")).map(|()| true))
}

fn append(arguments: &Value) -> Outcome {
    let file = fs::OpenOptions::new().append(true).create(true).open(text(arguments, "path"));
    outcome(file.and_then(|mut file| file.write_all(text(arguments, "text").as_bytes())).map(|()| true))
}

fn list(arguments: &Value) -> Outcome {
    outcome(fs::read_dir(text(arguments, "path")).map(|entries| {
        let mut names: Vec<_> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }))
}

fn rename(arguments: &Value) -> Outcome {
    outcome(fs::rename(text(arguments, "from"), text(arguments, "to")).map(|()| true))
}

fn make_folder(arguments: &Value) -> Outcome {
    outcome(fs::create_dir_all(text(arguments, "path")).map(|()| true))
}

fn set_size(arguments: &Value) -> Outcome {
    let file = fs::File::create(text(arguments, "path"));
    outcome(file.and_then(|file| file.set_len(number(arguments, "bytes", 1 << 40))).map(|()| true))
}

fn fill(arguments: &Value) -> Outcome {
    let mut file = match fs::File::create(text(arguments, "path")) {
        Ok(file) => file,
        Err(error) => return outcome::<Value>(Err(error)),
    };
    let chunk = vec![b'x'; 1 << 16];
    let mut written = 0_u64;
    let wanted = number(arguments, "bytes", 1 << 40);
    while written < wanted {
        if let Err(error) = file.write_all(&chunk) {
            return Ok(json!({"bytes": written, "error": error.to_string()}));
        }
        written += 1 << 16;
    }
    Ok(json!({"bytes": written}))
}

fn many_files(arguments: &Value) -> Outcome {
    let folder = Path::new(text(arguments, "folder"));
    for index in 0..number(arguments, "count", 100_000) {
        if let Err(error) = fs::write(folder.join(index.to_string()), "") {
            return Ok(json!({"files": index, "error": error.to_string()}));
        }
    }
    Ok(json!({"files": number(arguments, "count", 100_000)}))
}

/// Step by step below the last one made, so that no path gets long.
fn deep_folders(arguments: &Value) -> Outcome {
    let mut folder = match first_folder() {
        Ok(folder) => folder,
        Err(error) => return raw_outcome::<Value>(Err(error)),
    };
    let depth = number(arguments, "depth", 10_000);
    for level in 0..depth {
        let made = folder.create_directory_at("d").and_then(|()| {
            folder.open_at(PathFlags::empty(), "d", OpenFlags::DIRECTORY, DescriptorFlags::MUTATE_DIRECTORY)
        });
        match made {
            Ok(below) => folder = below,
            Err(error) => return Ok(json!({"depth": level, "error": error.name()})),
        }
    }
    Ok(json!({"depth": depth}))
}

fn first_folder() -> Result<Descriptor, ErrorCode> {
    get_directories().into_iter().next().map(|(folder, _)| folder).ok_or(ErrorCode::NoEntry)
}

fn raw_outcome<T: Into<Value>>(result: Result<T, ErrorCode>) -> Outcome {
    Ok(match result {
        Ok(value) => json!({"ok": value.into()}),
        Err(error) => json!({"error": error.name()}),
    })
}

fn raw_read(arguments: &Value) -> Outcome {
    let follow = if arguments["follow"] == true { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() };
    let read = first_folder().and_then(|folder| {
        let file = folder.open_at(follow, text(arguments, "path"), OpenFlags::empty(), DescriptorFlags::READ)?;
        let (bytes, _) = file.read(1 << 16, 0)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    });
    raw_outcome(read)
}

fn raw_write(arguments: &Value) -> Outcome {
    let written = first_folder().and_then(|folder| {
        let file = folder.open_at(
            PathFlags::SYMLINK_FOLLOW,
            text(arguments, "path"),
            OpenFlags::CREATE,
            DescriptorFlags::WRITE,
        )?;
        file.write(text(arguments, "text").as_bytes(), 0)
    });
    raw_outcome(written)
}

fn raw_link(arguments: &Value) -> Outcome {
    let linked =
        first_folder().and_then(|folder| folder.symlink_at(text(arguments, "target"), text(arguments, "path")));
    raw_outcome(linked.map(|()| true))
}

fn raw_hard_link(arguments: &Value) -> Outcome {
    let linked = first_folder().and_then(|folder| {
        folder.link_at(PathFlags::empty(), text(arguments, "target"), &folder, text(arguments, "path"))
    });
    raw_outcome(linked.map(|()| true))
}
