//! Waiting: polling a condition until a deadline, never a fixed sleep.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything that should happen may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Calls `check` until it returns something; `what` names the awaited thing in the error.
///
/// # Errors
/// When the deadline passes, or at once when `check` fails.
pub fn until<T>(what: &str, mut check: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("waited {} s for this in vain: {what}", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(2));
    }
}
