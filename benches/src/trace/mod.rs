//! Requests in the order in which they came: traces of real caches, and made-up ones.

pub(crate) mod format;
pub(crate) mod synthetic;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use self::synthetic::{Shape, Synthetic};

/// The traces that this program brings along: CC BY 4.0, see `benches/traces/ATTRIBUTION.md`.
static BUILT_IN: &[(&str, &[u8])] = &[
    ("web12", include_bytes!("../../traces/web12.dvt.zst")),
    ("orm-busy", include_bytes!("../../traces/orm-busy.dvt.zst")),
];

/// What has to be said wherever [`BUILT_IN`] traces are used.
pub(crate) const ATTRIBUTION: &str = "web12 and orm-busy: cache2k benchmark traces, copyright headissue GmbH, Jens Wilke, CC BY 4.0, \
     keys renumbered";

/// Requests of a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// What it is called.
    pub(crate) name: String,
    /// The key of each request; keys are numbered in the order of first appearance.
    pub(crate) keys: Vec<u32>,
    /// Bytes of each key's object; 1 each where the source has no sizes.
    pub(crate) sizes: Vec<u32>,
}

impl Trace {
    /// How many keys there are.
    pub(crate) fn distinct(&self) -> usize {
        self.sizes.len()
    }

    /// What all objects take together.
    pub(crate) fn footprint(&self) -> u64 {
        self.sizes.iter().copied().map(u64::from).sum()
    }

    /// Whether objects have sizes; otherwise each takes 1.
    pub(crate) fn has_sizes(&self) -> bool {
        self.sizes.iter().any(|&size| size != 1)
    }

    /// The size of the object of a key.
    #[inline]
    pub(crate) fn size(&self, key: u32) -> u32 {
        self.sizes[key as usize]
    }

    /// What all requests ask for together.
    pub(crate) fn bytes_asked(&self) -> u64 {
        let sizes = self.keys.iter().map(|&key| u64::from(self.size(key)));
        sizes.sum()
    }

    /// A part of its footprint, in millionths; `None` of a part that holds fewer than [`FEWEST`]
    /// objects of mean size.
    pub(crate) fn capacity(&self, millionths: u32) -> Option<u64> {
        let part = |whole: u64| {
            let part = u128::from(whole) * u128::from(millionths) / 1_000_000;
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        (part(self.distinct() as u64) >= FEWEST).then(|| part(self.footprint()))
    }
}

/// Objects that a cache must hold to be worth measuring.
const FEWEST: u64 = 40;

/// Which traces are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// A folder of traces.
    pub(crate) folder: Option<PathBuf>,
    /// Names; empty for all there are.
    pub(crate) names: Vec<String>,
    /// How large those are that are made up.
    pub(crate) synthetic: Synthetic,
}

impl Wanted {
    /// Reads and makes them: those of the folder, those built in, and those made up.
    ///
    /// # Errors
    /// If a file is damaged, a folder has no traces, or a name is unknown. All files of the folder
    /// are read whose names are wanted, before anything else is done.
    pub(crate) fn load(&self) -> Result<Vec<Trace>> {
        let files = match &self.folder {
            Some(folder) => format::files(folder)?,
            None => Vec::new(),
        };
        let is_file = |name: &str| files.iter().any(|(known, _)| known == name);
        let built_in = || BUILT_IN.iter().filter(|(name, _)| !is_file(name));
        let shapes = || Shape::ALL.iter().filter(|shape| !is_file(shape.name()));
        let known: Vec<&str> = files
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(built_in().map(|(name, _)| *name))
            .chain(shapes().map(|shape| shape.name()))
            .collect();
        if let Some(name) = self
            .names
            .iter()
            .find(|name| !known.contains(&name.as_str()))
        {
            bail!(
                "no trace is called '{name}'; there are {}",
                known.join(", ")
            );
        }
        let wants = |name: &str| self.names.is_empty() || self.names.iter().any(|own| own == name);
        let mut traces = Vec::new();
        for (name, path) in files.iter().filter(|(name, _)| wants(name)) {
            traces.push(read(name, path)?);
        }
        for (name, bytes) in built_in().filter(|(name, _)| wants(name)) {
            let trace = format::decode(name, bytes);
            traces.push(trace.with_context(|| format!("the trace {name} within this program"))?);
        }
        for shape in shapes().filter(|shape| wants(shape.name())) {
            traces.push(self.synthetic.make(*shape));
        }
        Ok(traces)
    }
}

fn read(name: &str, path: &Path) -> Result<Trace> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let trace = if path.extension().is_some_and(|end| end == "zst") {
        format::decode(name, &bytes)
    } else {
        format::parse(name, &mut bytes.as_slice())
    };
    trace.with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let name = format!("dovetail-bench-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn load(folder: &Path, name: &str) -> Result<Vec<Trace>> {
        let wanted = Wanted {
            folder: Some(folder.to_owned()),
            names: vec![name.to_owned()],
            ..Wanted::default()
        };
        wanted.load()
    }

    fn small() -> Trace {
        Trace {
            name: "small".to_owned(),
            keys: vec![0, 1, 0],
            sizes: vec![5, 7],
        }
    }

    #[test]
    fn traces_of_a_folder_go_before_those_built_in() {
        let folder = folder("own");
        let bytes = format::written(&small());
        std::fs::write(folder.join("web12.dvt"), bytes).unwrap();
        std::fs::write(folder.join("README.md"), "words").unwrap();
        let own = load(&folder, "web12").unwrap();
        let unknown = load(&folder, "web13").unwrap_err();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(own[0].keys, small().keys);
        assert!(unknown.to_string().contains("web12, orm-busy, zipf"));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_name() {
        let folder = folder("sick");
        let empty = format!("{:#}", load(&folder, "web12").unwrap_err());
        let bytes = format::written(&small());
        std::fs::write(folder.join("torn.dvt"), &bytes[..60]).unwrap();
        let torn = format!("{:#}", load(&folder, "torn").unwrap_err());
        std::fs::create_dir(folder.join("dir.dvt.zst")).unwrap();
        let unreadable = format!("{:#}", load(&folder, "dir").unwrap_err());
        std::fs::remove_dir_all(&folder).unwrap();
        let gone = format!("{:#}", load(&folder, "web12").unwrap_err());
        assert!(empty.contains("holds no trace"), "{empty}");
        assert!(
            torn.contains("torn.dvt: ends after 1 of 3 records"),
            "{torn}"
        );
        assert!(unreadable.contains("dir.dvt.zst"), "{unreadable}");
        assert!(gone.contains(&folder.display().to_string()), "{gone}");
    }

    #[test]
    fn capacities_are_whole_parts_that_hold_some_objects() {
        let trace = Trace {
            sizes: vec![3; 13_756],
            ..Trace::default()
        };
        assert_eq!(trace.capacity(1_000), None);
        assert_eq!(trace.capacity(10_000), Some(412));
        assert_eq!(trace.capacity(1_000_000), Some(trace.footprint()));
    }

    #[test]
    fn traces_built_in_are_whole() {
        let wanted = Wanted {
            names: vec!["web12".to_owned(), "orm-busy".to_owned()],
            ..Wanted::default()
        };
        let traces = wanted.load().unwrap();
        let sums = traces
            .iter()
            .map(|trace| (trace.keys.len(), trace.distinct()));
        assert_eq!(
            sums.collect::<Vec<_>>(),
            [(95_607, 13_756), (5_000_000, 76_349)]
        );
    }
}
