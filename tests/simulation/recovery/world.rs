//! The script of a run: who writes what, what goes wrong when, and what is checked.

mod turns;

use super::Kind;
use super::history::{Crash, Stores};
use super::life::{Life, at};
use super::model::{Op, asked};
use dovetail_engine::base::rng::Rng;
use dovetail_engine::config::{AppendFsync, Config, SavePoint, SavePoints};
use dovetail_tests::sim::{Call, Pace, SimDisk, Tear};
use std::collections::VecDeque;
use std::fmt::Write as _;

/// The longest that a turn takes, in microseconds.
const TURN_US_MAX: u64 = 40_000;
/// Events that are shown of a run that has failed.
const SHOWN_EVENTS: usize = 400;
/// Microseconds in which service must have resumed after the last fault.
const HEALING_US: u64 = 20_000_000;

/// What a client waits for.
#[derive(Clone, Debug)]
enum What {
    /// An operation: the moment behind it if it changed anything, and the answer if it was done.
    Write {
        moment: Option<usize>,
        answer: Vec<u8>,
        is_done: bool,
        would_change: bool,
    },
    /// A read at this moment.
    Read { moment: usize, answer: Vec<u8> },
    /// That everything before this moment is durable, if that can be said.
    Wait { moment: Option<usize> },
    /// A command to the server.
    Admin(String),
}

/// Something asked, and when.
#[derive(Debug)]
struct Asked {
    what: What,
    replies: usize,
    since_us: u64,
}

/// One client.
#[derive(Debug, Default)]
struct Client {
    conn: usize,
    db: u32,
    asked: VecDeque<Asked>,
    heard: Vec<u8>,
    /// Its last change in this life.
    last: Option<usize>,
}

/// Everything.
pub(crate) struct World {
    kind: Kind,
    rng: Rng,
    disk: SimDisk,
    us: u64,
    pid: u32,
    config: Config,
    stores: Stores,
    /// How the last life ended.
    crash: Crash,
    clients: Vec<Client>,
    /// The longest that a sync takes, in microseconds.
    sync_us: u64,
    /// The last time at which nothing was promised for later.
    weak_us: u64,
    /// The last time at which answers did not wait for a sync.
    loose_us: u64,
    /// Syncs that have failed so far, and those before the last base was begun.
    failed_syncs: u64,
    failed_at_fork: u64,
    /// What is in memory of the log may not be what is on the disk.
    doubt: bool,
    /// And the process that knows of it has gone.
    is_spoiled: bool,
    /// The power was lost, and the log may have what nobody has written: a failed sync has taken what
    /// was there, or it is a disk with garbage.
    is_damaged: bool,
    story: Vec<String>,
    words: u64,
    /// The batch of this turn, and whether it was done where that can be told by now.
    sent: Option<Sent>,
}

/// What was sent in a turn, by client, and whether it was done.
type Sent = (Vec<(usize, Op)>, Option<bool>);

/// A number below `bound` that fits anything.
fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).expect("a number below a usize is one")
}

impl World {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        Self {
            kind,
            rng: Rng::new(seed ^ 0x5eed),
            disk,
            us: 1_000_000,
            pid: 100,
            config: Config::default(),
            stores: Stores::new(),
            crash: Crash::Process,
            clients: Vec::new(),
            sync_us: 0,
            weak_us: 0,
            loose_us: 0,
            failed_syncs: 0,
            failed_at_fork: 0,
            doubt: false,
            is_spoiled: false,
            is_damaged: false,
            story: Vec::new(),
            words: 0,
            sent: None,
        }
    }

    pub(crate) fn set_tears(&mut self, tears: &[Tear]) {
        self.disk.set_tears(tears);
    }

    /// What has happened lately.
    pub(crate) fn story(&self) -> String {
        let skipped = self.story.len().saturating_sub(SHOWN_EVENTS);
        let mut text = format!("  ({skipped} events before)\n");
        for line in &self.story[skipped..] {
            writeln!(text, "  {line}").expect("a string takes everything");
        }
        text
    }

    fn tell(&mut self, what: impl AsRef<str>) {
        let millis = self.us / 1000;
        let calls = self.disk.tally().calls;
        self.story
            .push(format!("{millis} #{calls} {}", what.as_ref()));
    }

    fn chance(&mut self, of_256: u64) -> bool {
        self.rng.below(256) < of_256
    }

    fn unix_ms(&self) -> u64 {
        at(self.us).unix_ms()
    }

    /// One run.
    ///
    /// # Errors
    /// The broken promise.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        self.draw_config();
        for _ in 0..2 + self.rng.below(6) {
            let Some(mut life) = self.recover()? else {
                return Ok(());
            };
            self.live(&mut life)?;
            drop(life);
            self.end_life();
        }
        self.recover().map(drop)
    }

    fn draw_config(&mut self) {
        let mut config = Config::default();
        config.process.dir = SimDisk::HOME.into();
        config.lab.loading_process_events_interval_bytes = 1024;
        let has_points = self.chance(70);
        let has_log = !self.chance(60);
        let fsync = match self.rng.below(10) {
            0 => AppendFsync::No,
            1..=4 => AppendFsync::EverySec,
            _ => AppendFsync::Always,
        };
        let this = &mut config.persistence;
        let points = if has_points {
            let (seconds, changes) = (1, 1);
            vec![SavePoint { seconds, changes }]
        } else {
            Vec::new()
        };
        this.save = SavePoints(points);
        this.appendonly = has_log;
        this.appendfsync = fsync;
        this.aof_use_rdb_preamble = self.rng.below(2) == 0;
        this.aof_checksum = self.kind == Kind::Garbage || self.rng.below(2) == 0;
        this.aof_timestamp_enabled = self.rng.below(4) == 0;
        this.no_appendfsync_on_rewrite = self.rng.below(8) == 0;
        this.aof_disable_auto_gc = self.rng.below(8) == 0;
        this.auto_aof_rewrite_min_size = 1000 + self.rng.below(20_000);
        this.auto_aof_rewrite_percentage = 50;
        self.config = config;
    }

    fn describe_config(&self) -> String {
        let this = &self.config.persistence;
        let mut text = format!("appendonly {}, {:?}", this.appendonly, this.appendfsync);
        let flags = [
            (this.aof_use_rdb_preamble, "preamble"),
            (this.aof_checksum, "checksum"),
            (this.aof_timestamp_enabled, "timestamps"),
            (this.no_appendfsync_on_rewrite, "no fsync on rewrite"),
            (this.aof_disable_auto_gc, "history stays"),
            (!this.save.0.is_empty(), "save points"),
        ];
        for (_, name) in flags.iter().filter(|(is_on, _)| *is_on) {
            text += ", ";
            text += name;
        }
        text
    }

    /// The next process, with everything that was promised; `None` when there is to be none.
    fn recover(&mut self) -> Result<Option<Life>, String> {
        if self.chance(25) {
            let this = &mut self.config.persistence;
            this.appendonly = !this.appendonly;
        }
        loop {
            self.us += 1 + self.rng.below(3_000_000);
            self.pid += 1;
            self.disturb_start();
            let faults = self.disk.tally().faults;
            let told = format!("process {}: {}", self.pid, self.describe_config());
            self.tell(told);
            let mut life = Life::begin(&self.disk, self.config.clone(), self.pid, at(self.us));
            life.load(at(self.us));
            let failure = life.engine.failure().map(str::to_owned);
            let seen = match failure {
                None if !self.disk.is_dead() => life.dataset(at(self.us)),
                _ => None,
            };
            for (_, line) in life.process.take_lines() {
                self.tell(format!("log: {line}"));
            }
            let Some(seen) = seen else {
                let has_faults = self.disk.tally().faults > faults || self.disk.is_dead();
                if !has_faults && self.is_damaged {
                    // Refused by name is what a damaged file is to be.
                    return Ok(None);
                }
                if !has_faults {
                    let why = failure.unwrap_or_default();
                    return Err(format!("the process does not start: {why}"));
                }
                self.tell(format!("does not start: {failure:?}"));
                drop(life);
                self.die();
                continue;
            };
            self.disk.die_at(None);
            self.disk.forgive();
            self.note_syncs();
            self.compare(&seen)?;
            return Ok(Some(life));
        }
    }

    fn compare(&mut self, seen: &super::model::Model) -> Result<(), String> {
        let this = &self.config.persistence;
        let is_synced = this.appendfsync != AppendFsync::No;
        let how = (this.appendonly, self.crash);
        let now_ms = self.unix_ms();
        let found = self.stores.recovered(how, seen, now_ms, is_synced)?;
        self.tell(format!("found {found}"));
        self.crash = Crash::Process;
        // A log that was not read may be no better than before.
        self.is_damaged &= !self.config.persistence.appendonly;
        (self.weak_us, self.loose_us) = (self.us, self.us);
        Ok(())
    }

    /// What may go wrong in a start.
    fn disturb_start(&mut self) {
        if self.chance(40) {
            self.arrange_death(60);
        } else if self.kind == Kind::Faults && self.chance(50) {
            self.fail_a_call();
        }
    }

    /// Some call within so many will be the last: any, or one of the rare ones that crashes are
    /// about.
    fn arrange_death(&mut self, within: u64) {
        const CALLS: &[Call] = &[
            Call::Rename,
            Call::SyncFolder,
            Call::SyncFolder,
            Call::Open,
            Call::StartSync,
            Call::Truncate,
            Call::Remove,
        ];
        if self.chance(128) {
            let last = self.disk.tally().calls + 1 + self.rng.below(within);
            self.tell(format!("dies at call {last}"));
            self.disk.die_at(Some(last));
        } else {
            let call = CALLS[below(&mut self.rng, CALLS.len())];
            let nth = 1 + self.rng.below(within / 20);
            self.tell(format!("dies in {call:?} number {nth}"));
            self.disk.die_in(call, nth);
        }
    }

    fn fail_a_call(&mut self) {
        const CALLS: &[(Call, i32)] = &[
            (Call::Open, libc::EMFILE),
            (Call::Length, libc::EIO),
            (Call::Write, libc::ENOSPC),
            (Call::Write, libc::EIO),
            (Call::Read, libc::EIO),
            (Call::Truncate, libc::EIO),
            (Call::Sync, libc::EIO),
            (Call::Sync, libc::EIO),
            (Call::StartSync, libc::EIO),
            (Call::Rename, libc::ENOSPC),
            (Call::Remove, libc::EIO),
            (Call::SyncFolder, libc::EIO),
            (Call::MakeFolder, libc::ENOSPC),
            (Call::Names, libc::EIO),
        ];
        let (call, errno) = CALLS[below(&mut self.rng, CALLS.len())];
        if self.chance(180) {
            let nth = 1 + self.rng.below(3);
            self.tell(format!("{call:?} number {nth} will fail"));
            self.disk.fail_nth(call, nth, errno);
        } else {
            let often = if self.chance(128) { 256 } else { 100 };
            self.tell(format!("{call:?} fails {often} times of 256"));
            self.disk.fail_often(call, often, errno);
        }
    }

    /// The process or the machine is no more.
    fn die(&mut self) {
        let is_power = !self.is_spoiled && self.rng.below(2) == 0;
        self.note_syncs();
        if is_power {
            self.crash = Crash::Power;
            self.disk.crash_power();
            // Garbage may be anywhere behind what was synced.
            self.is_damaged |= self.doubt || self.kind == Kind::Garbage;
            self.doubt = false;
        } else {
            self.disk.crash_process();
            self.is_spoiled |= self.doubt;
        }
        self.disk.forgive();
        self.tell(if is_power { "power lost" } else { "killed" });
    }

    fn end_life(&mut self) {
        self.clients.clear();
        self.crash = Crash::Process;
        self.die();
    }

    fn note_syncs(&mut self) {
        let failed = self.disk.tally().failed_syncs;
        if failed > self.failed_syncs {
            self.failed_syncs = failed;
            self.doubt = true;
        }
    }

    /// A life, until something ends it.
    fn live(&mut self, life: &mut Life) -> Result<(), String> {
        self.begin_life(life);
        let most = if self.chance(128) { 20 } else { 200 };
        for _ in 0..5 + self.rng.below(most) {
            self.event(life)?;
            if self.disk.is_dead() || life.engine.failure().is_some() {
                return Ok(());
            }
        }
        if self.kind == Kind::Faults && self.chance(128) {
            self.heal(life)?;
        }
        if !self.disk.is_dead() && self.chance(40) {
            self.shut_down(life)?;
        }
        Ok(())
    }

    fn begin_life(&mut self, life: &mut Life) {
        let steps = if self.chance(30) { 40 } else { 4 };
        self.disk.set_sync_steps(1..=steps);
        self.sync_us = steps * TURN_US_MAX;
        let short_writes = if self.chance(80) { 60 } else { 0 };
        self.disk.set_short_writes(short_writes);
        let pace = if self.chance(100) {
            Pace::AtOnce {
                told_after: self.rng.below(5),
            }
        } else {
            Pace::Calls(1 + self.rng.below(6))
        };
        life.process.set_pace(pace);
        for number in 0..6 {
            let now = at(self.us);
            let (conn, db) = (life.connect(now), u32::from(number == 2));
            life.deliver(now, conn, &asked(&["SELECT", &db.to_string()]));
            let mut client = Client {
                conn,
                db,
                ..Client::default()
            };
            client.asked.push_back(Asked {
                what: What::Admin("SELECT".to_owned()),
                replies: 1,
                since_us: self.us,
            });
            self.clients.push(client);
        }
        if self.chance(128) {
            self.arrange_death(250);
        }
    }

    /// After the last fault everything goes well again by itself.
    fn heal(&mut self, life: &mut Life) -> Result<(), String> {
        self.tell("nothing fails any more");
        self.disk.forgive();
        life.process.forgive();
        let until = self.us + HEALING_US;
        loop {
            if self.trial(life)? || self.disk.is_dead() {
                return Ok(());
            }
            if self.us > until {
                let waiting: Vec<_> = self.clients.iter().flat_map(|who| &who.asked).collect();
                return Err(format!(
                    "service has not resumed: logging {}, doubt {}, waiting {waiting:?}",
                    self.stores.is_logging(),
                    self.doubt
                ));
            }
        }
    }
}
