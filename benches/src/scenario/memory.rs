//! Bytes per key: how much a server grows when it is filled with keys of one shape.
//!
//! Two figures: the growth of the resident set, which is what a machine has to have, and the growth
//! of `used_memory`, which is what a memory limit is compared with.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use serde::Serialize;

use super::{Named, Preamble, progress};
use crate::load::client::{Client, Filling, Reply};
use crate::measure::cpu::CpuAccount;
use crate::measure::memory::Resident;
use crate::report::{memory_table, say, write_json};
use crate::server::pinning::Pinning;
use crate::server::process::{Scratch, Server};
use crate::server::systems::{Kind, Selection, System};

/// How long a resident set must stay the same to be taken for settled, and how long that may take.
const SETTLED: Duration = Duration::from_millis(500);
const SETTLING: Duration = Duration::from_secs(10);

/// Growth of the resident set that counts as none, in bytes.
const STILL: u64 = 256 * 1024;

/// Keys that are written and deleted before; fewer of a shape whose values are large, because what
/// an allocator keeps of them is missing from the growth.
const WARM_KEYS: u32 = 1_000;

/// One shape of key and value: a row of [`SHAPES`].
#[derive(Debug)]
pub(crate) struct Shape {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What is written, in one request per key.
    filling: fn() -> Filling,
    /// Elements in each value; 1 for a string.
    elements: u32,
    /// How many of the plan's keys make one of these: large values, fewer keys.
    weight: u32,
}

const fn string(name: &'static str, filling: fn() -> Filling) -> Shape {
    collection(name, 1, filling)
}

/// A value of so many elements; the data of all keys together stay about as large as with strings.
const fn collection(name: &'static str, elements: u32, filling: fn() -> Filling) -> Shape {
    Shape {
        name,
        filling,
        elements,
        weight: if elements > 10 {
            elements / 2
        } else {
            elements
        },
    }
}

/// Every shape; keys have 16 bytes. Members of sets and sorted sets have 13, unless they are
/// numbers or said to be short (4); elements of lists and values of hashes have 16, and fields of
/// hashes 6. Numbers in `set100ints` need 4 bytes, those in `zset100ints` one or two digits.
pub(crate) static SHAPES: &[Shape] = &[
    string("str16", || Filling::strings(16)),
    string("str100", || Filling::strings(100)),
    string("int8", Filling::counters),
    string("str16-ttl", || Filling::expiring_strings(16)),
    collection("hash10x16", 10, || {
        filled("HSET", 10, |n| format!("fld{n:03} __data__"))
    }),
    collection("hash1000", 1_000, || {
        filled("HSET", 1_000, |n| format!("fld{n:03} __data__"))
    }),
    collection("list100", 100, || {
        filled("RPUSH", 100, |_| "__data__".to_owned())
    }),
    collection("list10000", 10_000, || {
        filled("RPUSH", 10_000, |_| "__data__".to_owned())
    }),
    collection("set100ints", 100, || {
        filled("SADD", 100, |n| (1_000_000 + 7 * n).to_string())
    }),
    collection("set100short", 100, || {
        filled("SADD", 100, |n| format!("m{n:03}"))
    }),
    collection("set1000", 1_000, || {
        filled("SADD", 1_000, |n| format!("member:{n:06}"))
    }),
    collection("zset100", 100, || {
        filled("ZADD", 100, |n| format!("{} member:{n:06}", 1_000 + n))
    }),
    collection("zset100ints", 100, || {
        filled("ZADD", 100, |n| format!("{n} {n}"))
    }),
    collection("zset1000", 1_000, || {
        filled("ZADD", 1_000, |n| format!("{} member:{n:06}", 1_000 + n))
    }),
];

/// A command, a key, and what `element` says so many times.
fn filled(command: &str, elements: u32, element: fn(u32) -> String) -> Filling {
    let elements: Vec<String> = (0..elements).map(element).collect();
    Filling::of(&format!("{command} key:__key__ {}", elements.join(" ")), 16)
}

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Which servers.
    pub(crate) selection: Selection,
    /// On which cores.
    pub(crate) pinning: Pinning,
    /// Names of shapes; empty for all.
    pub(crate) shapes: Vec<String>,
    /// How many keys.
    pub(crate) keys: u32,
    /// Decides the order of the servers.
    pub(crate) seed: u64,
    /// Where the record goes.
    pub(crate) json: Option<PathBuf>,
}

/// One server filled with one shape.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Growth {
    /// The server's name.
    pub(crate) system: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Bytes of resident set per key.
    pub(crate) resident: f64,
    /// Bytes of resident set per key at the highest.
    pub(crate) peak: f64,
    /// Bytes of `used_memory` per key, where the server has such a figure.
    pub(crate) used: Option<f64>,
    /// Microseconds of server CPU per key written.
    pub(crate) cpu_us: f64,
    /// What the server calls the encoding of the first key, where it says.
    pub(crate) encoding: Option<String>,
}

/// One shape and who grew how much.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShapeRecord {
    /// The shape's name.
    pub(crate) shape: String,
    /// Keys written.
    pub(crate) keys: u32,
    /// Elements of each.
    pub(crate) elements: u32,
    /// Every server.
    pub(crate) growths: Vec<Growth>,
}

#[derive(Clone, Debug, Serialize)]
struct Record {
    scenario: &'static str,
    preamble: Preamble,
    systems: Vec<Named>,
    keys: u32,
    shapes: Vec<ShapeRecord>,
}

/// Measures and reports.
///
/// # Errors
/// If a shape is unknown, or a server cannot be started or filled.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let shapes = chosen(&plan.shapes)?;
    let systems = plan.selection.systems()?;
    let preamble = Preamble::begin(plan.pinning, plan.seed)?;
    let scratch = Scratch::create()?;
    let mut record = Record {
        scenario: "memory",
        preamble,
        systems: vec![],
        keys: plan.keys,
        shapes: vec![],
    };
    let all: u64 = shapes.iter().map(|shape| u64::from(shape.keys(plan))).sum();
    let bar = progress(systems.len() as u64 * all);
    for shape in shapes {
        let mut growths = Vec::new();
        for system in &systems {
            bar.set_message(format!("{}: {}", shape.name, system.name));
            let (growth, named) = measure(plan, shape, system, &scratch, &bar)?;
            growths.push(growth);
            if !record.systems.iter().any(|known| known.name == named.name) {
                bar.suspend(|| say(&format!("  {:<22} {}", named.name, named.version)));
                record.systems.push(named);
            }
        }
        let measured = ShapeRecord {
            shape: shape.name.to_owned(),
            keys: shape.keys(plan),
            elements: shape.elements,
            growths,
        };
        bar.suspend(|| say(&memory_table(&measured)));
        record.shapes.push(measured);
        if let Some(path) = &plan.json {
            write_json(path, &record)?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<&'static Shape>> {
    if names.is_empty() {
        return Ok(SHAPES.iter().collect());
    }
    let find = |name: &String| {
        SHAPES
            .iter()
            .find(|shape| shape.name == *name)
            .with_context(|| {
                let known: Vec<_> = SHAPES.iter().map(|shape| shape.name).collect();
                format!(
                    "no shape is called '{name}'; there are {}",
                    known.join(", ")
                )
            })
    };
    names.iter().map(find).collect()
}

fn measure(
    plan: &Plan,
    shape: &Shape,
    system: &System,
    scratch: &Scratch,
    bar: &ProgressBar,
) -> Result<(Growth, Named)> {
    let mut server = Server::start(system, &plan.pinning, scratch)?;
    let mut client = server.client()?;
    // The first keys pay for buffers and tables that every server has once.
    let filling = (shape.filling)();
    let keys = shape.keys(plan);
    client.fill((WARM_KEYS / shape.weight).max(1), &filling, &mut |_| {})?;
    expect_ok(client.ask(&["FLUSHALL"])?)?;
    let before = settled(&server)?;
    let used_before = used_memory(&mut client)?;
    let cpu_before = CpuAccount::read(server.pid())?;
    let position = bar.position();
    client.fill(keys, &filling, &mut |keys| {
        bar.set_position(position + u64::from(keys));
    })?;
    let cpu = CpuAccount::read(server.pid())?.since(&cpu_before);
    let after = settled(&server)?;
    let used_after = used_memory(&mut client)?;
    server.ensure_alive()?;
    let stored = client.ask(&["DBSIZE"])?;
    if stored != Reply::Number(i64::from(keys)) {
        bail!(
            "{} holds {stored:?} after {keys} keys were written",
            system.name
        );
    }
    let per_key = |bytes: u64| bytes as f64 / f64::from(keys);
    let used = used_after.zip(used_before);
    let growth = Growth {
        system: system.name.clone(),
        kind: system.kind.clone(),
        resident: per_key(after.now.saturating_sub(before.now)),
        peak: per_key(after.peak.saturating_sub(before.now)),
        used: used.map(|(after, before)| per_key(after.saturating_sub(before))),
        cpu_us: cpu.run_ns as f64 / 1e3 / f64::from(keys),
        encoding: encoding(&mut client)?,
    };
    Ok((growth, Named::of(&server)))
}

impl Shape {
    /// How many keys are written where the plan speaks of its own.
    fn keys(&self, plan: &Plan) -> u32 {
        (plan.keys / self.weight).max(1)
    }
}

/// What the server calls the encoding of the first key of either prefix.
fn encoding(client: &mut Client) -> Result<Option<String>> {
    for prefix in ["key:", "cnt:"] {
        let reply = client.ask(&["OBJECT", "ENCODING", &format!("{prefix}000000000000")])?;
        if let Reply::Text(Some(text)) = reply {
            return Ok(Some(String::from_utf8_lossy(&text).into_owned()));
        }
    }
    Ok(None)
}

fn expect_ok(reply: Reply) -> Result<()> {
    match reply {
        Reply::Text(Some(text)) if text == b"OK" => Ok(()),
        other => bail!("expected OK, the server answered {other:?}"),
    }
}

fn used_memory(client: &mut Client) -> Result<Option<u64>> {
    Ok(client
        .info("memory", "used_memory")?
        .and_then(|text| text.parse().ok()))
}

/// Waits until the server has finished what it does on its own after a load.
fn settled(server: &Server) -> Result<Resident> {
    let deadline = Instant::now() + SETTLING;
    let mut last = Resident::read(server.pid())?;
    let mut since = Instant::now();
    while since.elapsed() < SETTLED && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
        let now = Resident::read(server.pid())?;
        if now.now.abs_diff(last.now) > STILL {
            last = now;
            since = Instant::now();
        }
    }
    Ok(Resident::read(server.pid())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_chosen_by_name() {
        assert_eq!(chosen(&[]).unwrap().len(), SHAPES.len());
        assert_eq!(chosen(&["int8".to_owned()]).unwrap()[0].name, "int8");
        assert!(
            chosen(&["int9".to_owned()])
                .unwrap_err()
                .to_string()
                .contains("int8")
        );
    }
}
