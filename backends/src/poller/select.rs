//! Readiness by select(2): bit sets, copied both ways at every wait, and no descriptor above 1023.

use super::readiness::{Readiness, ReadySource};
use crate::sys::epoll::{Interest, Ready};
use crate::sys::select::{LIMIT, Member, Set};
use dovetail_engine::base::Micros;
use dovetail_engine::seam::poller::Fault;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The poller over select.
pub type Select = Readiness<Source>;

/// select as a source of readiness.
///
/// Invariants: a bit of `read` or `write` is set exactly for what a descriptor is interested in;
/// `tokens[fd]` is its token then; no bit at or above `below` is set.
#[derive(Debug)]
pub struct Source {
    read: Set,
    write: Set,
    below: usize,
    tokens: Box<[u64]>,
}

impl ReadySource for Source {
    const NAME: &'static str = "select";

    fn open(_expected: usize) -> Result<Self, Fault> {
        let tokens = vec![0; LIMIT].into_boxed_slice();
        Ok(Self {
            read: Set::EMPTY,
            write: Set::EMPTY,
            below: 0,
            tokens,
        })
    }

    fn change(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        _was: Interest,
        wanted: Interest,
    ) -> Result<(), Fault> {
        if !Self::has_room_for(fd) {
            return Err(Fault {
                op: Self::NAME,
                errno: libc::EMFILE,
            });
        }
        let at = usize::try_from(fd.as_raw_fd()).expect("descriptors are not negative");
        let member = |wanted| if wanted { Member::In } else { Member::Out };
        self.read.set(fd.as_raw_fd(), member(wanted.read));
        self.write.set(fd.as_raw_fd(), member(wanted.write));
        self.tokens[at] = token;
        if wanted != Interest::NONE {
            self.below = self.below.max(at + 1);
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Micros>, ready: &mut Vec<Ready>) -> Result<(), Fault> {
        let (mut read, mut write) = (self.read, self.write);
        let count = crate::sys::select::wait(self.below, &mut read, &mut write, timeout)?;
        if count == 0 {
            return Ok(());
        }
        for (at, (read, write)) in read.words().iter().zip(write.words()).enumerate() {
            let mut any = read | write;
            while any != 0 {
                let bit = any.trailing_zeros();
                any &= any - 1;
                let has = |word: &u64| word >> bit & 1 == 1;
                let token = self.tokens[at * u64::BITS as usize + bit as usize];
                ready.push(Ready {
                    token,
                    can: Interest {
                        read: has(read),
                        write: has(write),
                    },
                });
            }
        }
        Ok(())
    }

    fn has_room_for(fd: BorrowedFd<'_>) -> bool {
        usize::try_from(fd.as_raw_fd()).is_ok_and(|fd| fd < LIMIT)
    }
}
