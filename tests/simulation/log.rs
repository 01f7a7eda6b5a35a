//! A log on a disk that forgets: whatever a loss of power leaves, what was synced is read again,
//! nothing that was not written is, and the log goes on from there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dovetail_engine::base::rng::Rng;
use dovetail_engine::codec::aof::{Item, LogError, Reader, Sealer, Tail, write};
use dovetail_engine::seam::disk::{Disk, FileId, Open, Sync};
use dovetail_tests::sim::{Call, SimDisk, Tear};
use std::path::{Path, PathBuf};

/// A log of numbered transactions over several lives of its machine.
struct Life {
    disk: SimDisk,
    rng: Rng,
    path: PathBuf,
    /// The first number that has not been written.
    next: u64,
    /// Numbers below this one are synced.
    safe: u64,
    /// Bytes that are synced.
    safe_bytes: u64,
}

/// What was read: the numbers, how the file ends, and what goes on sealing.
struct Found {
    next: u64,
    verdict: Result<Tail, LogError>,
    sealer: Sealer,
}

impl Life {
    fn new(seed: u64, tears: &[Tear]) -> Self {
        let disk = SimDisk::new(seed);
        disk.set_tears(tears);
        disk.set_short_writes(30);
        let path = Path::new(SimDisk::HOME).join("log");
        disk.plant(&path, b"");
        Self {
            disk,
            rng: Rng::new(seed),
            path,
            next: 0,
            safe: 0,
            safe_bytes: 0,
        }
    }

    /// Reads all there is; numbers must follow each other from 0.
    fn read(&mut self) -> Found {
        let file = self.disk.open(&self.path, Open::Read).unwrap();
        let (mut reader, mut at) = (Reader::new(0), 0);
        let (mut next, mut in_transaction) = (0, Vec::new());
        let verdict = loop {
            match reader.item() {
                Ok(Some(Item::Command { args, .. })) => match args.get(0) {
                    b"MULTI" => in_transaction.clear(),
                    b"SET" => in_transaction.push(args.get(2).to_vec()),
                    b"EXEC" => {
                        let text = next.to_string().into_bytes();
                        assert_eq!(in_transaction, [text.clone(), text]);
                        next += 1;
                    }
                    other => panic!("{} was never written", other.escape_ascii()),
                },
                Ok(Some(_)) => {}
                Ok(None) => {
                    let room = reader.room();
                    let most = room
                        .len()
                        .min(1 + usize::try_from(self.rng.below(4000)).unwrap());
                    let got = self.disk.read(file, at, &mut room[..most]).unwrap();
                    reader.fill(got);
                    at += got as u64;
                    if got == 0 {
                        break reader.end();
                    }
                }
                Err(error) => break Err(error),
            }
        };
        self.disk.close(file);
        Found {
            next,
            verdict,
            sealer: reader.sealer(),
        }
    }

    /// Appends batches until something fails or chance ends it, syncing now and then.
    fn write(&mut self, sealer: &mut Sealer) {
        let file = self.disk.open(&self.path, Open::Append).unwrap();
        for _ in 0..1 + self.rng.below(30) {
            let mut batch = Vec::new();
            let first = self.next;
            for number in first..=first + self.rng.below(3) {
                let text = number.to_string();
                write::multi(&mut batch);
                write::command(&mut batch, ["SET", "a", &text]);
                write::command(&mut batch, ["SET", &"b".repeat(200), &text]);
                write::exec(&mut batch);
                self.next = number + 1;
            }
            sealer.seal(&mut batch, 0);
            self.append(file, &batch);
            if self.rng.below(4) == 0 {
                if self.disk.sync(file, Sync::Data).is_err() {
                    return;
                }
                self.safe = self.next;
                self.safe_bytes = self.disk.len(file).unwrap();
            }
        }
    }

    fn append(&mut self, file: FileId, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.disk.write(file, bytes).unwrap();
            bytes = &bytes[taken..];
        }
    }

    /// Recovers, checks what must hold, and cuts what is torn; false when the file is refused.
    fn recover(&mut self) -> Option<Sealer> {
        let found = self.read();
        assert!(
            found.next <= self.next,
            "nothing is read that was not written"
        );
        match found.verdict {
            Ok(tail) => {
                assert!(found.next >= self.safe, "what was synced is read again");
                self.next = found.next;
                let file = self.disk.open(&self.path, Open::Append).unwrap();
                if let Some(cut) = tail.cut() {
                    assert!(cut >= self.safe_bytes);
                    self.disk.truncate(file, cut).unwrap();
                }
                self.disk.sync(file, Sync::Data).unwrap();
                self.safe = self.next;
                self.safe_bytes = self.disk.len(file).unwrap();
                self.disk.close(file);
                Some(found.sealer)
            }
            Err(LogError::Format { at, .. } | LogError::Corrupt { to: at, .. }) => {
                assert!(at >= self.safe_bytes, "what was synced is not damaged");
                None
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// Lives one after the other; says how many were refused.
fn run(seed: u64, tears: &[Tear], sync_failures: u64) -> u64 {
    let mut life = Life::new(seed, tears);
    let mut sealer = Sealer::new();
    for _ in 0..6 {
        life.disk.fail_often(Call::Sync, sync_failures, libc::EIO);
        life.write(&mut sealer);
        life.disk.fail_often(Call::Sync, 0, libc::EIO);
        life.disk.crash_power();
        match life.recover() {
            Some(next) => sealer = next,
            None => return 1,
        }
    }
    0
}

#[test]
fn a_torn_log_is_always_read_up_to_its_tear() {
    for seed in 0..150 {
        assert_eq!(run(seed, &[Tear::Prefix], 0), 0, "seed {seed}");
        assert_eq!(run(seed, &[Tear::Prefix], 60), 0, "seed {seed}");
    }
}

#[test]
fn unwritten_sectors_are_never_replayed() {
    let refused: u64 = (0..300)
        .map(|seed| run(seed, &[Tear::Prefix, Tear::Zeros, Tear::Garbage], 20))
        .sum();
    // Some files have holes before written sectors: those are refused, not guessed at.
    assert!((1..300).contains(&refused), "{refused} of 300");
}
