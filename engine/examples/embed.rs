//! The engine as a library: no socket, no thread, no process around it. The caller brings the time.
//!
//!     cargo run -p dovetail-engine --example embed -- SET greeting hello EX 60 , TTL greeting
#![expect(
    clippy::disallowed_methods,
    reason = "this is the world outside of the engine, which may look at clocks"
)]

use dovetail_engine::base::{Micros, Now};
use dovetail_engine::executor::Parts;
use dovetail_engine::executor::embed::Embedded;
use std::io::Write as _;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    let micros = |span: std::time::Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let now = || Now {
        monotonic: Micros(micros(began.elapsed())),
        unix_us: micros(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        ),
    };
    // All chance follows from the seed: the same calls at the same times get the same answers.
    let mut engine = Embedded::new(Parts::bare(1), now())?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout().lock();
    for request in words.split(|word| word == ",") {
        let request: Vec<&[u8]> = request.iter().map(String::as_bytes).collect();
        if !request.is_empty() {
            out.write_all(&engine.call(now(), &request))?;
        }
    }
    Ok(())
}
