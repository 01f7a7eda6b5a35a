//! Reading the configuration from files, standard input and options; replacing the file atomically.

use crate::cli::{Sources, StandardInput};
use anyhow::{Result, anyhow};
use dovetail_engine::base::glob::{self, CaseFold};
use dovetail_engine::command::CommandTable;
use dovetail_engine::commands::FAMILIES;
use dovetail_engine::config::{Config, ConfigSource, LoadError, Text, text};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

/// A configuration and where it came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What holds.
    pub(crate) config: Config,
    /// The absolute path of its file.
    pub(crate) file: Option<PathBuf>,
}

/// Reads everything that `sources` name. The working directory is that of `dir` afterwards.
///
/// # Errors
/// With the whole text for standard error: what was read, and why it is wrong.
pub(crate) fn load(sources: &Sources) -> Result<Loaded> {
    let file = sources
        .file
        .as_deref()
        .map(std::path::absolute)
        .transpose()?;
    let mut source = Files {
        commands: CommandTable::new(FAMILIES),
        read: Vec::new(),
    };
    let mut lines = match &file {
        Some(path) => source.read(path.as_os_str().as_bytes()).map_err(|reason| {
            let path = path.as_os_str().as_bytes().to_vec();
            anyhow!(LoadError::Open { path, reason }.to_string())
        })?,
        None => Vec::new(),
    };
    if sources.stdin == StandardInput::Read {
        lines.push(b'\n');
        io::stdin().read_to_end(&mut lines)?;
    }
    let lines = text::with_options(&lines, &sources.options);
    let mut config = Config::default();
    config
        .load(&lines, &mut source)
        .map_err(|error| explain(&error, &source))?;
    // Later names are relative to it.
    config.process.dir = working_directory()?;
    Ok(Loaded { config, file })
}

/// Makes `path` the working directory. Returns it as a path that works everywhere.
///
/// # Errors
/// When it is none, or may not be entered.
pub(crate) fn enter(path: &[u8]) -> io::Result<Text> {
    std::env::set_current_dir(OsStr::from_bytes(path))?;
    working_directory()
}

fn working_directory() -> io::Result<Text> {
    let here = std::env::current_dir()?;
    Ok(Text::from(here.as_os_str().as_bytes()))
}

/// The error's own text, and the file that a refused line stands in.
fn explain(error: &LoadError, source: &Files) -> anyhow::Error {
    let LoadError::Line { number, line, .. } = error else {
        return anyhow!(error.to_string());
    };
    let place = match source.holder(*number, line) {
        Some(path) => format!("in the file {}", String::from_utf8_lossy(path)),
        None => "on the command line or standard input".to_owned(),
    };
    anyhow!("{error}({place})")
}

/// The system's reason without the number that Rust puts behind it.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

/// What a configuration may ask for while it is read.
#[derive(Debug)]
struct Files {
    commands: CommandTable,
    /// The files read so far and their texts, for errors.
    read: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Files {
    /// The file whose line of that number is `line`; the last, when several are alike.
    fn holder(&self, number: usize, line: &[u8]) -> Option<&[u8]> {
        let holds = |text: &[u8]| text::lines(text).any(|found| found == (number, line));
        let found = self.read.iter().rev().find(|(_, text)| holds(text));
        found.map(|(path, _)| path.as_slice())
    }
}

impl ConfigSource for Files {
    fn read(&mut self, path: &[u8]) -> Result<Vec<u8>, String> {
        let text = fs::read(OsStr::from_bytes(path)).map_err(|error| reason(&error))?;
        self.read.push((path.to_vec(), text.clone()));
        Ok(text)
    }

    fn expand(&mut self, pattern: &[u8]) -> Vec<Vec<u8>> {
        expand(Path::new(OsStr::from_bytes(pattern)))
    }

    fn change_directory(&mut self, path: &[u8]) -> Result<(), String> {
        std::env::set_current_dir(OsStr::from_bytes(path)).map_err(|error| reason(&error))
    }

    fn has_command(&self, name: &[u8]) -> bool {
        self.commands.find(name).is_some()
    }
}

/// The paths that match `pattern`, sorted; each of its components may hold wild cards. Names that
/// begin with a dot are matched only by a component that begins with one.
fn expand(pattern: &Path) -> Vec<Vec<u8>> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        found = found
            .iter()
            .flat_map(|base| step(base, component))
            .collect();
    }
    let mut paths: Vec<Vec<u8>> = found
        .into_iter()
        .map(|path| path.into_os_string().into_vec())
        .collect();
    paths.sort();
    paths
}

/// What `component` leads to from `base`.
fn step(base: &Path, component: Component<'_>) -> Vec<PathBuf> {
    let wanted = component.as_os_str().as_bytes();
    if !matches!(component, Component::Normal(_)) {
        return vec![base.join(component)];
    }
    if !glob::is_pattern(wanted) {
        let path = base.join(component);
        return if path.exists() {
            vec![path]
        } else {
            Vec::new()
        };
    }
    let folder = if base.as_os_str().is_empty() {
        Path::new(".")
    } else {
        base
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .filter(|name| {
            let name = name.as_bytes();
            let is_hidden = name.first() == Some(&b'.') && wanted.first() != Some(&b'.');
            !is_hidden && glob::matches(wanted, name, CaseFold::Sensitive)
        })
        .map(|name| base.join(name))
        .collect()
}

/// Replaces the file at `path` by `edit` of its contents: either all of it or nothing, even when
/// the power fails. A file that is gone is made anew; its mode stays otherwise.
///
/// # Errors
/// When a step fails; the file is then as it was.
pub(crate) fn rewrite(path: &Path, edit: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> io::Result<()> {
    let old = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    let mode = fs::metadata(path).map_or(0o644, |about| about.permissions().mode());
    // The name behind a link is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let temporary = temporary_name(&path);
    let done = replace(&temporary, &path, &edit(&old), mode);
    if done.is_err() {
        // What cannot be removed was not made.
        let _leftover = fs::remove_file(&temporary);
    }
    done
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    PathBuf::from(name)
}

fn replace(temporary: &Path, path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    file.write_all(text)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    // The new name is durable only with its directory.
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("dovetail-config-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        }

        fn sources(&self, name: &str, options: &[&str]) -> Sources {
            let options = options
                .iter()
                .map(|word| word.as_bytes().to_vec())
                .collect();
            Sources {
                file: Some(self.0.join(name)),
                options,
                ..Sources::default()
            }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap_or_default();
        }
    }

    #[test]
    fn wild_cards_match_in_every_component_and_sorted() {
        let folder = Folder::new();
        for name in [
            "b.conf", "a.conf", ".c.conf", "d.txt", "x/1.conf", "y/2.conf",
        ] {
            folder.write(name, "");
        }
        let names = |pattern: &str| -> Vec<String> {
            let root = format!("{}/", folder.0.display());
            let found = expand(&folder.0.join(pattern)).into_iter();
            found
                .map(|path| String::from_utf8(path).unwrap().replace(&root, ""))
                .collect()
        };
        assert_eq!(names("*.conf"), ["a.conf", "b.conf"]);
        assert_eq!(names(".*.conf"), [".c.conf"]);
        assert_eq!(names("?/[12].conf"), ["x/1.conf", "y/2.conf"]);
        assert_eq!(names("nothing/*.conf"), [""; 0]);
    }

    #[test]
    fn options_win_over_includes_and_includes_over_lines_before_them() {
        let folder = Folder::new();
        let part = folder.write("parts/1.conf", "port 2\nhz 20\n");
        let pattern = part.with_file_name("*.conf");
        folder.write(
            "main.conf",
            &format!("port 1\ninclude {}\n", pattern.display()),
        );
        let loaded = load(&folder.sources("main.conf", &["--hz", "30"])).unwrap();
        assert_eq!(
            (loaded.config.network.port, loaded.config.network.hz),
            (2, 30)
        );
        assert_eq!(loaded.file, Some(folder.0.join("main.conf")));
    }

    #[test]
    fn a_wrong_line_is_shown_with_its_number() {
        let folder = Folder::new();
        folder.write("bad.conf", "port 1\nbogus x\n");
        let error = load(&folder.sources("bad.conf", &[]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("at line 2\n>>> 'bogus x'\nBad directive"),
            "{error}"
        );
        assert!(error.ends_with("bad.conf)"), "{error}");
        folder.write("good.conf", "port 1\n");
        let error = load(&folder.sources("good.conf", &["--bogus"]));
        let error = error.unwrap_err().to_string();
        assert!(
            error.ends_with("(on the command line or standard input)"),
            "{error}"
        );
        let error = load(&folder.sources("none.conf", &[]))
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("none.conf': No such file or directory\n"),
            "{error}"
        );
    }

    #[test]
    fn a_rewritten_file_keeps_its_mode_and_leaves_nothing_behind() {
        let folder = Folder::new();
        let path = folder.write("a.conf", "port 1\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        rewrite(&path, &mut |old| [old, b"hz 7\n"].concat()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "port 1\nhz 7\n");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn reasons_are_those_of_the_system() {
        let error = fs::read("/nonexistent/file").unwrap_err();
        assert_eq!(reason(&error), "No such file or directory");
    }
}
