//! The cache of scripts: sources, their SHA1 names, and the machine that holds them compiled.

use super::exchange::{Resume, Step};
use super::machine::Machine;
use super::shebang::{self, Declared};
use super::{Busy, Run};
use crate::base::map::{self, Map};
use bytes::Bytes;

/// A script's name: the SHA1 of its source in small hexadecimal digits.
pub type Sha = [u8; 40];
/// A script's place in the cache.
pub type ScriptId = usize;

/// Scripts that EVAL may leave in the cache; the one that was run longest ago makes room. Those of
/// SCRIPT LOAD do not count and stay.
const EVALUATED_MAX: usize = 500;

/// How a script came into the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Evaluated,
    Loaded,
}

/// One cached script.
#[derive(Debug)]
struct Script {
    sha: Sha,
    source: Bytes,
    declared: Declared,
    origin: Origin,
    /// Counts runs of all scripts; the value at its last run.
    used: u64,
}

/// The scripts of a server.
#[derive(Debug)]
pub struct Scripts {
    scripts: Vec<Option<Script>>,
    by_sha: Map<Sha, ScriptId>,
    by_source: Map<Bytes, ScriptId>,
    evaluated: usize,
    uses: u64,
    seed: u64,
    /// Where they run; made with the first script.
    pub machine: Option<Box<Machine>>,
    /// What the script that is to be run next is run with; set by the command, taken by the
    /// executor.
    pub next: Option<Run>,
    /// A script is being run, or is in its middle.
    pub is_running: bool,
    /// The script that keeps the server busy.
    pub busy: Option<Busy>,
    /// Scripts of EVAL that have made room for others.
    pub evicted: u64,
}

impl Scripts {
    /// No scripts; `seed` gives the tables their order.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            scripts: Vec::new(),
            by_sha: map::map(seed),
            by_source: map::map(seed),
            evaluated: 0,
            uses: 0,
            seed,
            machine: None,
            next: None,
            is_running: false,
            busy: None,
            evicted: 0,
        }
    }

    /// How many scripts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_sha.len()
    }

    /// None.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_sha.is_empty()
    }

    /// Bytes that the machine holds.
    #[must_use]
    pub fn machine_memory(&self) -> usize {
        self.machine
            .as_ref()
            .map_or(0, |machine| machine.desk().memory.get())
    }

    /// Bytes of the cache beside the machine.
    #[must_use]
    pub fn cache_memory(&self) -> usize {
        let sources: usize = self.scripts.iter().flatten().map(|s| s.source.len()).sum();
        sources + self.len() * (size_of::<Script>() + size_of::<(Sha, ScriptId)>())
    }

    /// The script of this name, in digits of either case.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<ScriptId> {
        let mut sha: Sha = name.try_into().ok()?;
        sha.make_ascii_lowercase();
        self.by_sha.get(&sha).copied()
    }

    /// The name of a script.
    #[must_use]
    pub fn sha(&self, id: ScriptId) -> Sha {
        self.get(id).map_or([b'0'; 40], |script| script.sha)
    }

    /// What a script has declared.
    #[must_use]
    pub fn declared(&self, id: ScriptId) -> Declared {
        self.get(id)
            .map(|script| script.declared)
            .unwrap_or_default()
    }

    fn get(&self, id: ScriptId) -> Option<&Script> {
        self.scripts.get(id).and_then(Option::as_ref)
    }

    /// The script with this source, compiled if it is new.
    ///
    /// # Errors
    /// What is wrong with it, as an error line.
    pub fn evaluate(&mut self, source: &[u8]) -> Result<ScriptId, Vec<u8>> {
        if let Some(id) = self.by_source.get(source) {
            return Ok(*id);
        }
        self.make_room();
        self.add(source, Origin::Evaluated)
    }

    /// The same, to stay in the cache.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn load(&mut self, source: &[u8]) -> Result<ScriptId, Vec<u8>> {
        if let Some(&id) = self.by_source.get(source) {
            if let Some(Some(script)) = self.scripts.get_mut(id)
                && script.origin == Origin::Evaluated
            {
                script.origin = Origin::Loaded;
                self.evaluated -= 1;
            }
            return Ok(id);
        }
        self.add(source, Origin::Loaded)
    }

    fn add(&mut self, source: &[u8], origin: Origin) -> Result<ScriptId, Vec<u8>> {
        let (declared, from) = shebang::read(source)?;
        let free = self.scripts.iter().position(Option::is_none);
        let id = free.unwrap_or(self.scripts.len());
        self.compile(id, &source[from..])?;
        let mut sha: Sha = [0; 40];
        let digest = sha1_smol::Sha1::from(source).digest().to_string();
        sha.copy_from_slice(digest.as_bytes());
        let source = Bytes::copy_from_slice(source);
        self.by_sha.insert(sha, id);
        self.by_source.insert(source.clone(), id);
        self.evaluated += usize::from(origin == Origin::Evaluated);
        let script = Some(Script {
            sha,
            source,
            declared,
            origin,
            used: self.uses,
        });
        if id == self.scripts.len() {
            self.scripts.push(script);
        } else {
            self.scripts[id] = script;
        }
        Ok(id)
    }

    fn compile(&mut self, id: ScriptId, source: &[u8]) -> Result<(), Vec<u8>> {
        let no_machine = || b"ERR there is no memory for a Lua machine".to_vec();
        if self.machine.is_none() {
            self.machine = Some(Box::new(Machine::new().ok_or_else(no_machine)?));
        }
        let machine = self.machine.as_mut().ok_or_else(no_machine)?;
        let mut text = machine.desk().text.borrow_mut();
        text.clear();
        text.extend_from_slice(source);
        drop(text);
        match machine.resume(Resume::Compile { id }) {
            Some(Step::Compiled(true)) => Ok(()),
            Some(_) => {
                let reason = machine.desk().text.borrow();
                let before = b"ERR Error compiling script (new function): ".as_slice();
                Err([before, &reason].concat())
            }
            None => {
                self.machine = None;
                Err(no_machine())
            }
        }
    }

    /// Forgets the script of EVAL that was run longest ago, if there are too many.
    fn make_room(&mut self) {
        if self.evaluated < EVALUATED_MAX {
            return;
        }
        let evaluated = self.scripts.iter().enumerate().filter_map(|(id, script)| {
            let script = script.as_ref()?;
            (script.origin == Origin::Evaluated).then_some((script.used, id))
        });
        let Some((_, id)) = evaluated.min() else {
            return;
        };
        if let Some(script) = self.scripts[id].take() {
            self.by_sha.remove(&script.sha);
            self.by_source.remove(&script.source);
            self.evaluated -= 1;
            self.evicted += 1;
        }
        if let Some(machine) = &mut self.machine {
            machine.resume(Resume::Forget { id });
        }
    }

    /// Notes that a script is run now, with the words on the desk of the machine.
    pub fn stage(&mut self, run: Run) {
        self.uses += 1;
        let used = self.uses;
        if let Some(Some(script)) = self.scripts.get_mut(run.script) {
            script.used = used;
        }
        self.next = Some(run);
    }

    /// Forgets all scripts, and the machine with them.
    pub fn flush(&mut self) {
        let evicted = self.evicted;
        *self = Self::new(self.seed);
        self.evicted = evicted;
    }
}
