//! Finds out what the kernel's rings can do, by trying on a pair of sockets.

use super::{Done, Features, Outcome, Ring, Sent, Times, Wait};
use crate::sys::{Fd, checked};
use dovetail_engine::base::Micros;
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::poller::Fault;
use std::collections::VecDeque;
use std::os::fd::{AsFd, FromRawFd};
use std::sync::OnceLock;

/// More than a socket takes at once.
const LARGE: usize = 8 << 20;

/// What rings can do here; found out once.
///
/// # Errors
/// When they cannot be used at all.
pub fn features() -> Result<Features, Fault> {
    static FOUND: OnceLock<Result<Features, Fault>> = OnceLock::new();
    *FOUND.get_or_init(find)
}

fn find() -> Result<Features, Fault> {
    let mut ring = Ring::open(Features::ALL)?;
    let (near, far) = pair()?;
    let is_multishot = has_multishot(&mut ring, &near, &far)?;
    let has_brief_sends = has_brief_sends(&mut ring, &near, &far)?;
    Ok(Features {
        is_multishot,
        has_brief_sends,
        ..ring.features()
    })
}

fn pair() -> Result<(Fd, Fd), Fault> {
    let mut fds = [0; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the pointer is to two writable integers.
    let done = unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) };
    checked("socketpair", done)?;
    // SAFETY: the descriptor has just been made and nobody else owns it.
    let near = unsafe { Fd::from_raw_fd(fds[0]) };
    // SAFETY: the descriptor has just been made and nobody else owns it.
    let far = unsafe { Fd::from_raw_fd(fds[1]) };
    Ok((near, far))
}

/// Submits, and gives what has completed without sleeping long.
fn turn(ring: &mut Ring, want: u32) -> Result<(VecDeque<Done>, Vec<Sent>), Fault> {
    let (mut done, mut sent) = (VecDeque::new(), Vec::new());
    let limit = Some(Micros::from_millis(100));
    ring.wait(Wait {
        want,
        grace: Micros(0),
        limit,
    })?;
    ring.reap(&mut done, &mut sent)?;
    Ok((done, sent))
}

/// Whether one receive request goes on after its first message.
fn has_multishot(ring: &mut Ring, near: &Fd, far: &Fd) -> Result<bool, Fault> {
    ring.receive(near.as_fd(), 1, Times::Many)?;
    crate::sys::socket::send(far.as_fd(), b"x")?;
    let mut has_more = false;
    for done in turn(ring, 1)?.0 {
        has_more = done.has_more;
        if let Outcome::Bytes(lease) = done.outcome {
            ring.give_back(lease);
        }
    }
    ring.cancel(1)?;
    turn(ring, 1)?;
    Ok(has_more)
}

/// Whether a brief send says nothing when all has left and tells how much when not, at once.
fn has_brief_sends(ring: &mut Ring, near: &Fd, far: &Fd) -> Result<bool, Fault> {
    let mut reply = ReplyBuf::new();
    reply.tail().extend_from_slice(b"whole");
    ring.send_briefly(near.as_fd(), 2, &mut reply)?;
    let is_silent = turn(ring, 0)?.1.is_empty();
    let mut arrived = [0; 8];
    let arrived = crate::sys::socket::recv(far.as_fd(), &mut arrived).is_ok_and(|got| got == 5);
    let mut sends = |token| {
        reply.clear(0);
        reply.tail().resize(LARGE, b'x');
        ring.send_briefly(near.as_fd(), token, &mut reply)?;
        Ok(turn(ring, 0)?.1.pop().map(|sent| sent.sent))
    };
    let is_short = sends(3)?.is_some_and(|sent| sent > 0 && sent < LARGE);
    let is_refused = sends(4)? == Some(0);
    Ok(is_silent && arrived && is_short && is_refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_asked_without_harm() {
        // Where rings are forbidden there is nothing to find out.
        if let Ok(found) = features() {
            assert_eq!(features(), Ok(found));
        }
    }

    #[test]
    fn a_ring_ends_with_requests_in_flight() {
        let Ok(mut ring) = Ring::open(Features::ALL) else {
            return;
        };
        let (near, _far) = pair().unwrap();
        ring.receive(near.as_fd(), 1, Times::Many).unwrap();
        ring.fill(near.as_fd(), 2, Vec::with_capacity(100), 100)
            .unwrap();
        turn(&mut ring, 0).unwrap();
        assert_eq!(ring.flying(), 2);
    }
}
