//! Manifests: which is meant in a folder, and what it says.

use super::report::Unreadable;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// How the names of manifests end, and how those begin that are being written.
const SUFFIX: &str = ".manifest";
const TEMPORARY: &str = "temp-";
/// Every manifest is shorter: it has lines of at most 1024 bytes, one a file.
const BYTES_MAX: u64 = 1 << 20;

/// The manifest in a folder.
pub(crate) fn manifest_in(folder: &Path) -> Result<PathBuf, Unreadable> {
    let mut names = manifests_in(folder)?;
    match names.len() {
        0 => Err(Unreadable::NoManifest),
        1 => Ok(folder.join(names.remove(0))),
        _ => Err(Unreadable::Manifests(names)),
    }
}

/// The names of manifests in a folder, in order.
pub(crate) fn manifests_in(folder: &Path) -> Result<Vec<String>, Unreadable> {
    let failed = |error| Unreadable::Io("list", error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_str().filter(|name| is_manifest_name(name));
        names.extend(name.map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

fn is_manifest_name(name: &str) -> bool {
    name.ends_with(SUFFIX) && !name.starts_with(TEMPORARY)
}

/// The text of a manifest.
pub(crate) fn read_manifest(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let failed = |error| Unreadable::Io("read", error);
    // To open a pipe would be to wait for whoever writes to it.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Unreadable::NoFile);
    }
    let mut text = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(Unreadable::LongManifest);
    }
    Ok(text)
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != OsStr::new("") => parent,
        _ => Path::new("."),
    }
}
