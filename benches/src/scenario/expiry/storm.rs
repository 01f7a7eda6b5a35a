//! One server while its keys fall due.
//!
//! One connection sends GETs of a key that stays, one after the other, from a second before the
//! first deadline until some time after the last key is gone. Now and then a question for the
//! number of keys goes out together with a GET, on a connection of its own; the one for the memory
//! goes between two GETs, and only once the keys are gone.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::Plan;
use super::probes::{Figures, Probe, Probes, Timeline};
use super::schedule::{Clock, Schedule, unix_ms};
use crate::load::client::{Client, Reply};
use crate::load::replies::Tally;
use crate::load::workload::value;
use crate::measure::cpu::{CpuAccount, OwnWait, RunTime};
use crate::measure::memory::Resident;
use crate::server::process::{Scratch, Server};
use crate::server::systems::System;

/// The key that is asked for, which stays.
const STAYING: &str = "stays:0000000000";
const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$16\r\nstays:0000000000\r\n";
const DBSIZE: &[u8] = b"*1\r\n$6\r\nDBSIZE\r\n";

/// GETs before the first deadline, for comparison.
const BEFORE: Duration = Duration::from_secs(1);

/// GETs when the last key is gone.
const AFTER_S: f64 = 0.5;

/// A filling with deadlines is finished so much before the GETs begin.
const MARGIN_S: f64 = 2.0;

/// How much longer than a filling without deadlines it may take.
const SLOWER: f64 = 2.5;

/// Between two questions for the number of keys, and for the memory, in seconds.
const KEYS_EVERY_S: f64 = 0.01;
const MEMORY_EVERY_S: f64 = 0.05;

/// How long keys may stay after the last deadline: so long, and so much longer for each.
const PATIENCE_S: f64 = 20.0;
const PATIENCE_PER_KEY_S: f64 = 6e-6;

/// How long memory is waited for when the last key is gone.
const MEMORY_PATIENCE_S: f64 = 5.0;

/// Memory is back when at most this part of what the keys took is still in use.
const RESIDUE: f64 = 0.1;

/// The part of the keys that may be left when most are gone.
const REST: f64 = 0.01;

/// Length of a part of the timeline of latencies, in seconds, as long as there are few.
const FINE_S: f64 = 0.01;

/// Points of a curve of keys at most.
const POINTS: usize = 800;

/// One measurement. Times are in seconds since the last deadline, unless they say otherwise.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StormRound {
    /// GETs before the first deadline.
    pub(crate) before: Figures,
    /// GETs from the first deadline until the last key was gone.
    pub(crate) storm: Figures,
    /// GETs in the half second after that.
    pub(crate) after: Figures,
    /// When 99 % of the keys were gone.
    pub(crate) most_gone_s: Option<f64>,
    /// When all were.
    pub(crate) gone_s: Option<f64>,
    /// When their memory was.
    pub(crate) memory_back_s: Option<f64>,
    /// Keys that were still there when patience ended.
    pub(crate) left: u64,
    /// The most keys that were there though their deadlines had passed.
    pub(crate) overdue: f64,
    /// Server CPU per expired key, in microseconds, without what the GETs cost before the storm.
    pub(crate) cpu_us_per_key: f64,
    /// Bytes of `used_memory` per key, where the server has such a figure.
    pub(crate) used: Option<f64>,
    /// Bytes of resident set per key.
    pub(crate) resident: f64,
    /// Bytes of resident set in the end above what it was before there were keys, per key.
    pub(crate) resident_kept: f64,
    /// Seconds since the first deadline, and how many keys there were.
    pub(crate) keys: Vec<(f64, u64)>,
    /// The longest GETs, in microseconds, since the first deadline.
    pub(crate) longest: Timeline,
}

impl StormRound {
    /// The most server CPU that a GET waited for since the first deadline, in milliseconds.
    pub(crate) fn stall_ms(&self) -> f64 {
        self.storm.cpu_us.max.max(self.after.cpu_us.max) / 1e3
    }

    /// The longest GET since the first deadline, in milliseconds.
    pub(crate) fn longest_ms(&self) -> f64 {
        self.storm.wall_us.max.max(self.after.wall_us.max) / 1e3
    }
}

/// Memory that a server takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    used: Option<u64>,
    resident: u64,
}

impl Room {
    pub(super) fn read(server: &Server, client: &mut Client) -> Result<Self> {
        Ok(Self {
            used: used_memory(client)?,
            resident: Resident::read(server.pid())?.now,
        })
    }

    /// Bytes of `used_memory` per key since then.
    pub(super) fn used_since(&self, before: &Self, keys: u32) -> Option<f64> {
        let (after, before) = self.used.zip(before.used)?;
        Some(after.saturating_sub(before) as f64 / f64::from(keys))
    }

    /// Bytes of resident set per key since then.
    pub(super) fn resident_since(&self, before: &Self, keys: u32) -> f64 {
        self.resident.saturating_sub(before.resident) as f64 / f64::from(keys)
    }
}

fn used_memory(client: &mut Client) -> Result<Option<u64>> {
    let text = client.info("memory", "used_memory")?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// What is measured of whom.
#[derive(Debug)]
pub(super) struct Storm<'a> {
    plan: &'a Plan,
    system: &'a System,
    scratch: &'a Scratch,
    spread: Duration,
    /// How long a filling without deadlines took, in seconds.
    fill_s: f64,
}

impl<'a> Storm<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        system: &'a System,
        scratch: &'a Scratch,
        spread: Duration,
        fill_s: f64,
    ) -> Self {
        Self {
            plan,
            system,
            scratch,
            spread,
            fill_s,
        }
    }

    /// Starts the server, fills it, and watches it until keys and memory are gone.
    pub(super) fn measure(&self) -> Result<StormRound> {
        let mut server = Server::start(self.system, &self.plan.pinning, self.scratch)?;
        let mut monitor = server.client()?;
        let kept = String::from_utf8(value(self.plan.value_bytes))?;
        expect_ok(&monitor.ask(&["SET", STAYING, &kept])?)?;
        let prober = server.client()?;
        let base = Room::read(&server, &mut monitor)?;
        let lead = BEFORE.as_secs_f64() + MARGIN_S + SLOWER * self.fill_s;
        let schedule = Schedule {
            first_ms: unix_ms()? + u64::try_from(Duration::from_secs_f64(lead).as_millis())?,
            spread_ms: u64::try_from(self.spread.as_millis())?,
        };
        let clock = Clock::of(&schedule)?;
        self.fill(&mut monitor, &schedule)?;
        let full = Room::read(&server, &mut monitor)?;
        let ahead = clock.first.saturating_duration_since(Instant::now());
        let pause = ahead
            .checked_sub(BEFORE)
            .context("the filling took too long")?;
        thread::sleep(pause);
        let watch = Watch {
            pid: server.pid(),
            account: RunTime::of_busiest_thread(server.pid())?,
            wait: OwnWait::of_this_thread()?,
            waited: 0,
            delayed: 0,
            prober,
            monitor,
            clock,
            schedule,
            total: self.plan.keys,
            asked: f64::NEG_INFINITY,
            keys: Vec::new(),
            longest: Timeline::new(-BEFORE.as_secs_f64(), FINE_S),
        };
        let mut round = watch.run(&base, &full)?;
        server.ensure_alive()?;
        let keys = self.plan.keys;
        let end = Resident::read(server.pid())?.now;
        round.used = full.used_since(&base, keys);
        round.resident = full.resident_since(&base, keys);
        round.resident_kept = end.saturating_sub(base.resident) as f64 / f64::from(keys);
        Ok(round)
    }

    fn fill(&self, client: &mut Client, schedule: &Schedule) -> Result<()> {
        let data = value(self.plan.value_bytes);
        let size = data.len();
        let write = |key: u32, out: &mut Vec<u8>| {
            out.extend_from_slice(
                format!("*5\r\n$3\r\nSET\r\n$16\r\nkey:{key:012}\r\n${size}\r\n").as_bytes(),
            );
            out.extend_from_slice(&data);
            let deadline = schedule.deadline(key).to_string();
            let digits = deadline.len();
            out.extend_from_slice(
                format!("\r\n$4\r\nPXAT\r\n${digits}\r\n{deadline}\r\n").as_bytes(),
            );
        };
        client.fill_with(self.plan.keys, &write, &mut |_| {})
    }
}

fn expect_ok(reply: &Reply) -> Result<()> {
    match reply {
        Reply::Text(Some(text)) if text == b"OK" => Ok(()),
        other => bail!("expected OK, the server answered {other:?}"),
    }
}

/// The GETs, and what they see.
#[derive(Debug)]
struct Watch {
    pid: u32,
    account: RunTime,
    wait: OwnWait,
    /// What the generator had waited for its core when it was asked last.
    waited: u64,
    /// What the server had waited for its core then.
    delayed: u64,
    prober: Client,
    monitor: Client,
    clock: Clock,
    schedule: Schedule,
    /// Keys that fall due.
    total: u32,
    /// When the number of keys was asked for last.
    asked: f64,
    keys: Vec<(f64, u64)>,
    longest: Timeline,
}

/// When what was gone, in seconds since the first deadline.
#[derive(Clone, Copy, Debug, Default)]
struct Going {
    most: Option<f64>,
    all: Option<f64>,
    /// Keys beside the one that stays.
    left: u64,
    overdue: f64,
}

impl Watch {
    fn run(mut self, base: &Room, full: &Room) -> Result<StormRound> {
        let cpu_begin = CpuAccount::read(self.pid)?;
        let mut before = Probes::new(self.forget()?)?;
        while self.clock.at(Instant::now()) < 0.0 {
            self.step(&mut before)?;
        }
        let cpu_first = CpuAccount::read(self.pid)?;
        before.pass(self.account.read()?);
        let mut storm = Probes::new(self.forget()?)?;
        let going = self.watch_keys(&mut storm)?;
        let cpu_gone = CpuAccount::read(self.pid)?;
        storm.pass(self.account.read()?);
        let mut after = Probes::new(self.forget()?)?;
        let back = self.watch_memory(&mut after, base, full)?;

        let per_get = cpu_first.since(&cpu_begin).run_ns as f64 / before.count().max(1) as f64;
        let spent = cpu_gone.since(&cpu_first).run_ns as f64 - per_get * storm.count() as f64;
        let spread_s = self.schedule.spread_ms as f64 / 1e3;
        let since_last = |at: f64| (at - spread_s).max(0.0);
        Ok(StormRound {
            before: before.figures(),
            storm: storm.figures(),
            after: after.figures(),
            most_gone_s: going.most.map(since_last),
            gone_s: going.all.map(since_last),
            memory_back_s: back.map(since_last),
            left: going.left,
            overdue: going.overdue,
            cpu_us_per_key: spent.max(0.0) / 1e3 / f64::from(self.total),
            used: None,
            resident: 0.0,
            resident_kept: 0.0,
            keys: self.keys,
            longest: self.longest,
        })
    }

    /// What was used and waited for until now belongs to no GET; what the server has used.
    fn forget(&mut self) -> Result<u64> {
        self.waited = self.wait.read()?;
        let [account, delayed] = self.account.read_with_wait()?;
        self.delayed = delayed;
        Ok(account)
    }

    /// GETs until no key is left that fell due.
    fn watch_keys(&mut self, probes: &mut Probes) -> Result<Going> {
        let spread_s = self.schedule.spread_ms as f64 / 1e3;
        let patience = spread_s + PATIENCE_S + PATIENCE_PER_KEY_S * f64::from(self.total);
        let mut going = Going::default();
        loop {
            let Some((at, keys)) = self.step(probes)? else {
                continue;
            };
            going.left = keys;
            let alive = self.schedule.alive(at) * f64::from(self.total);
            going.overdue = going.overdue.max(keys as f64 - alive);
            if keys as f64 <= REST * f64::from(self.total) {
                going.most = going.most.or(Some(at));
            }
            if keys == 0 {
                going.all = Some(at);
                return Ok(going);
            }
            if at > patience {
                return Ok(going);
            }
        }
    }

    /// GETs until memory is back, and for some time in any case, of which `probes` learns; returns
    /// when it was.
    fn watch_memory(
        &mut self,
        probes: &mut Probes,
        base: &Room,
        full: &Room,
    ) -> Result<Option<f64>> {
        let begin = self.clock.at(Instant::now());
        let enough = base
            .used
            .zip(full.used)
            .map(|(base, full)| base as f64 + RESIDUE * full.saturating_sub(base) as f64);
        let mut asked = f64::NEG_INFINITY;
        let mut back = None;
        // Waiting longer must not find longer GETs.
        let mut beyond = Probes::new(0)?;
        loop {
            let at = self.clock.at(Instant::now());
            let is_over = at - begin > MEMORY_PATIENCE_S || back.is_some() || enough.is_none();
            let is_beyond = at - begin > AFTER_S;
            if is_over && is_beyond {
                return Ok(back);
            }
            if back.is_none() && at - asked >= MEMORY_EVERY_S {
                asked = at;
                let used = used_memory(&mut self.monitor)?;
                if used
                    .zip(enough)
                    .is_some_and(|(used, enough)| used as f64 <= enough)
                {
                    back = Some(at);
                }
                // What the answer cost belongs to no GET.
                let account = self.forget()?;
                if !is_beyond {
                    probes.pass(account);
                }
            }
            self.step(if is_beyond { &mut beyond } else { probes })?;
        }
    }

    /// One GET, with a question for the number of keys if it is time for one; when the answer to
    /// that came, and what it was, without the key that stays.
    fn step(&mut self, probes: &mut Probes) -> Result<Option<(f64, u64)>> {
        let sent = Instant::now();
        let asks = self.clock.at(sent) - self.asked >= KEYS_EVERY_S;
        if asks {
            self.monitor.write(DBSIZE)?;
        }
        let mut tally = Tally::default();
        self.prober.write(GET)?;
        self.prober.collect(1, &mut tally)?;
        let came = Instant::now();
        if tally.nils > 0 || tally.first_error.is_some() {
            bail!("a key that stays was not found: {:?}", tally.first_error);
        }
        let waited = self.wait.read()?;
        let [account, delayed] = self.account.read_with_wait()?;
        let probe = Probe {
            wall: came.saturating_duration_since(sent),
            account,
            delayed: delayed.saturating_sub(self.delayed),
            waited: waited.saturating_sub(self.waited),
        };
        (self.waited, self.delayed) = (waited, delayed);
        let at = self.clock.at(came);
        self.longest.add(at, probe.wall.as_secs_f64() * 1e6);
        probes.add(probe);
        if !asks {
            return Ok(None);
        }
        let Reply::Number(keys) = self.monitor.answer()? else {
            bail!("the server does not say how many keys it has");
        };
        self.asked = self.clock.at(sent);
        let keys = u64::try_from(keys)?.saturating_sub(1);
        keep_point(&mut self.keys, (at, keys));
        Ok(Some((at, keys)))
    }
}

/// Keeps a point, and every second one when there are too many.
fn keep_point(points: &mut Vec<(f64, u64)>, point: (f64, u64)) {
    if points.len() >= 2 * POINTS {
        let mut index = 0;
        points.retain(|_| {
            index += 1;
            index % 2 == 1
        });
    }
    points.push(point);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_counted_per_key() {
        let room = |used, resident| Room {
            used: Some(used),
            resident,
        };
        let (before, after) = (room(100, 1_000), room(300, 1_400));
        assert_eq!(after.used_since(&before, 4), Some(50.0));
        assert_eq!(after.resident_since(&before, 4), 100.0);
        assert_eq!(before.resident_since(&after, 4), 0.0);
    }

    #[test]
    fn curves_stay_short_and_keep_their_last_point() {
        let mut points = Vec::new();
        for index in 0..10_000_u32 {
            keep_point(&mut points, (f64::from(index), 1));
        }
        assert!(points.len() <= 2 * POINTS);
        assert_eq!(points.last(), Some(&(9_999.0, 1)));
        assert_eq!(points.first(), Some(&(0.0, 1)));
    }
}
