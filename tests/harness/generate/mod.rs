//! Seeded streams of commands over several connections.
//!
//! Shape: rows of templates by family, chosen by weight, filled from a small vocabulary; one in
//! ten is damaged on purpose. The whole stream is made beforehand, so that it can be shrunk.

mod hashes;
mod lists;
mod members;
mod mixed;
mod rows;
mod scripts;
mod sets;
mod sorted_sets;
mod sorting;
mod template;
mod vocabulary;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

pub use rows::Family;
use rows::{Care, Row};
use template::Template;

/// All rows, one table per file.
const TABLES: &[&[Row]] = &[
    rows::ROWS,
    lists::ROWS,
    hashes::ROWS,
    sets::ROWS,
    sorted_sets::ROWS,
    sorting::ROWS,
    mixed::ROWS,
];

/// What whole iterations walk through besides the keyspace.
const SCANNED: &[(Family, &str)] = &[
    (Family::Hashes, "HSCAN {h}"),
    (Family::Sets, "SSCAN {s}"),
    (Family::SortedSets, "ZSCAN {z}"),
];

/// A command's words.
pub type Command = Vec<Vec<u8>>;

/// What is done to both servers at once; the next step waits for all replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Commands sent in one go over one connection.
    Send {
        /// The connection's number.
        conn: usize,
        /// The commands, in order.
        commands: Vec<Command>,
    },
    /// A whole iteration of SCAN, HSCAN, SSCAN or ZSCAN with these options.
    Scan {
        /// The connection's number.
        conn: usize,
        /// What precedes the cursor.
        head: Command,
        /// What follows the cursor.
        options: Vec<Vec<u8>>,
    },
    /// Everything that was pushed to this connection.
    Drain {
        /// The connection's number.
        conn: usize,
    },
}

/// What a stream is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed: the same plan gives the same stream.
    pub seed: u64,
    /// The families drawn from.
    pub families: Vec<Family>,
    /// About how many commands.
    pub commands: usize,
    /// How many connections talk; the odd ones begin in RESP3.
    pub talkers: usize,
    /// How many connections listen to channels.
    pub listeners: usize,
}

impl Plan {
    /// Makes the stream.
    #[must_use]
    pub fn stream(&self) -> Vec<Step> {
        let mut generator = Generator::new(self);
        let mut steps = generator.opening();
        while generator.made < self.commands {
            generator.step(&mut steps);
        }
        generator.closing(&mut steps);
        steps
    }
}

struct Generator<'a> {
    plan: &'a Plan,
    rng: SmallRng,
    rows: Vec<(u32, Care, Template)>,
    listening: Vec<Template>,
    total: u32,
    in_multi: Vec<bool>,
    made: usize,
}

impl<'a> Generator<'a> {
    fn new(plan: &'a Plan) -> Self {
        let rows: Vec<(u32, Care, Template)> = TABLES
            .iter()
            .copied()
            .flatten()
            .filter(|row| plan.families.contains(&row.family))
            .map(|row| (row.weight, row.care, Template::parse(row.template)))
            .collect();
        let total = rows.iter().map(|(weight, ..)| weight).sum();
        Self {
            plan,
            rng: SmallRng::seed_from_u64(plan.seed),
            rows,
            listening: rows::LISTENING
                .iter()
                .map(|text| Template::parse(text))
                .collect(),
            total,
            in_multi: vec![false; plan.talkers],
            made: 0,
        }
    }

    fn opening(&self) -> Vec<Step> {
        (0..self.plan.talkers + self.plan.listeners)
            .filter(|conn| conn % 2 == 1)
            .map(|conn| Step::Send {
                conn,
                commands: vec![words("HELLO 3")],
            })
            .collect()
    }

    fn closing(&self, steps: &mut Vec<Step>) {
        for conn in 0..self.plan.talkers {
            let commands = vec![words("RESET")];
            steps.push(Step::Send { conn, commands });
        }
        self.drain(steps);
    }

    fn step(&mut self, steps: &mut Vec<Step>) {
        if self.plan.listeners > 0 && self.rng.random_bool(0.25) {
            self.listen(steps);
            return;
        }
        let conn = self.rng.random_range(0..self.plan.talkers);
        if self.in_multi[conn] {
            self.inside_multi(conn, steps);
        } else if self.has(Family::Transactions) && self.rng.random_bool(0.08) {
            self.begin_multi(conn, steps);
        } else if self.rng.random_bool(0.02)
            && let Some(head) = self.scanned()
        {
            let options = self.scan_options(&head);
            let step = Step::Scan {
                conn,
                head,
                options,
            };
            steps.push(step);
            self.made += 1;
        } else {
            let commands = self.batch(Care::Alone);
            self.send(conn, commands, steps);
        }
        if self.rng.random_bool(0.2) {
            self.drain(steps);
        }
    }

    fn has(&self, family: Family) -> bool {
        self.plan.families.contains(&family)
    }

    fn send(&mut self, conn: usize, commands: Vec<Command>, steps: &mut Vec<Step>) {
        self.made += commands.len();
        steps.push(Step::Send { conn, commands });
    }

    fn drain(&self, steps: &mut Vec<Step>) {
        for conn in self.plan.talkers..self.plan.talkers + self.plan.listeners {
            steps.push(Step::Drain { conn });
        }
    }

    fn listen(&mut self, steps: &mut Vec<Step>) {
        let conn = self.plan.talkers + self.rng.random_range(0..self.plan.listeners);
        let which = self.rng.random_range(0..self.listening.len());
        let commands = self.listening[which].expand(&mut self.rng);
        self.made += commands.len();
        steps.push(Step::Send { conn, commands });
    }

    fn begin_multi(&mut self, conn: usize, steps: &mut Vec<Step>) {
        let mut commands = Vec::new();
        if self.rng.random_bool(0.5) {
            commands.extend(Template::parse("WATCH <{k}>").expand(&mut self.rng));
        }
        commands.push(words("MULTI"));
        self.in_multi[conn] = true;
        self.send(conn, commands, steps);
    }

    fn inside_multi(&mut self, conn: usize, steps: &mut Vec<Step>) {
        let mut commands = self.batch(Care::Whole);
        let end = match self.rng.random_range(0..10) {
            0..=3 => Some("EXEC"),
            4 => Some("DISCARD"),
            5 => Some("RESET"),
            _ => None,
        };
        if let Some(end) = end {
            commands.push(words(end));
            self.in_multi[conn] = false;
        }
        self.send(conn, commands, steps);
    }

    /// Commands for one send; inside MULTI no rows that stand `Alone`.
    fn batch(&mut self, allowed: Care) -> Vec<Command> {
        let count = match self.rng.random_range(0..10) {
            0..=4 => 1,
            5..=8 => self.rng.random_range(2..8),
            _ => self.rng.random_range(8..40),
        };
        let mut commands = Vec::new();
        for _ in 0..count {
            let at = self.row(allowed);
            let care = self.rows[at].1;
            let mut group = self.rows[at].2.expand(&mut self.rng);
            for command in &mut group {
                self.disguise(command, care);
            }
            commands.append(&mut group);
        }
        commands
    }

    fn row(&mut self, allowed: Care) -> usize {
        loop {
            let mut ticket = self.rng.random_range(0..self.total);
            for (at, (weight, care, _)) in self.rows.iter().enumerate() {
                if ticket < *weight {
                    if *care <= allowed {
                        return at;
                    }
                    break;
                }
                ticket -= weight;
            }
        }
    }

    /// Changes the case of the name, and damages one in ten of the commands that allow it.
    fn disguise(&mut self, command: &mut Command, care: Care) {
        if self.rng.random_bool(0.2) {
            command[0].make_ascii_lowercase();
        }
        if care != Care::Free || !self.rng.random_bool(0.1) {
            return;
        }
        let at = self.rng.random_range(1..=command.len());
        match self.rng.random_range(0..4) {
            0 if at < command.len() => {
                command.remove(at);
            }
            1 if at < command.len() => command[at] = vocabulary::junk(&mut self.rng),
            2 if at < command.len() => {
                let repeated = command[at].clone();
                command.insert(at, repeated);
            }
            _ => command.insert(at, vocabulary::junk(&mut self.rng)),
        }
    }

    /// What a whole iteration may walk through, given the families drawn from.
    fn scanned(&mut self) -> Option<Command> {
        let mut heads: Vec<&str> = SCANNED
            .iter()
            .filter(|(family, _)| self.has(*family))
            .map(|(_, head)| *head)
            .collect();
        if self.has(Family::Keys) {
            heads.push("SCAN");
        }
        let head = Template::parse(heads.choose(&mut self.rng)?);
        Some(head.expand(&mut self.rng).remove(0))
    }

    fn scan_options(&mut self, head: &Command) -> Vec<Vec<u8>> {
        let template = Template::parse(match head.len() {
            1 => "[MATCH {pattern}] [COUNT (1|2|10|1000)] [TYPE {type}]",
            _ => "[MATCH ({pattern}|e*|*1*)] [COUNT (1|2|10|1000)]",
        });
        template.expand(&mut self.rng).remove(0)
    }
}

/// A command written as words parted by single spaces.
#[must_use]
pub fn words(text: &str) -> Command {
    text.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}
