//! io_uring(7): requests queued without a call, results reaped without one, and the memory of
//! requests in flight.
//!
//! Shape: the kernel's two queues; a pool to receive into; replies of the current batch; replies
//! and buffers that the kernel holds for longer. What the kernel may read or write is owned here
//! until its completion has been reaped, which is what makes the signatures safe.
//! Invariants: `flying` counts the requests that have a last completion to come. A brief send is
//! over when its batch has been submitted and everything has been reaped.
//! Units: a token is the caller's word, below 2^61.

mod flight;
mod pool;
mod probe;

pub use flight::{Done, Filled, Outcome, Sent};
pub use pool::Lease;
pub use probe::features;

use super::epoll::timespec;
use super::last_fault;
use dovetail_engine::base::Micros;
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::poller::{Calls, Fault};
use flight::{Flight, Header, Held};
use io_uring::squeue::{Entry, Flags};
use io_uring::types::CancelBuilder;
use io_uring::{EnterFlags, IoUring, opcode, types};
use pool::{Packing, Pool};
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Entries of the submission queue; a turn with more submits in between.
const SUBMISSIONS: u32 = 512;
/// Entries of the completion queue; what does not fit the kernel keeps.
const COMPLETIONS: u32 = 16 * 1024;
/// Completions that are waited for at most; more connections are not gathered.
const WANT_MAX: u32 = COMPLETIONS / 2;
/// Bytes of one send or receive at most.
const TRANSFER_MAX: usize = 1 << 30;
/// Bytes of a receive that is asked for once.
const ONCE_BYTES: u32 = 16 * 1024;
/// A reply buffer that has grown over this is not kept.
const KEPT_BYTES: usize = 64 * 1024;
/// How many empty reply buffers are kept.
const SPARE_MAX: usize = 1024;
/// The group of the pool.
const GROUP: u16 = 0;
/// Marks the user data of requests whose memory is kept in `brief`.
const BRIEF: u64 = 1 << 62;
/// Marks the user data of requests whose memory is kept in `held`.
const HELD: u64 = 1 << 63;
/// Marks the user data of accepting.
const ACCEPT: u64 = 1 << 61;
/// The user data of cancellations, whose results mean nothing.
const CANCELLATION: u64 = BRIEF - 1;

/// What the kernel can do, found out by trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Several messages share a buffer (6.12).
    pub is_incremental: bool,
    /// One receive request serves many messages (6.0).
    pub is_multishot: bool,
    /// Sends that are over when they are submitted and complete only when they fall short.
    pub has_brief_sends: bool,
    /// The kernel lets company gather by itself (6.12).
    pub has_gathering: bool,
    /// Completions are worked off when asked for, not in between (6.1).
    pub is_deferred: bool,
}

impl Features {
    /// Everything.
    pub const ALL: Self = Self {
        is_incremental: true,
        is_multishot: true,
        has_brief_sends: true,
        has_gathering: true,
        is_deferred: true,
    };
    /// What both have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            is_incremental: self.is_incremental && other.is_incremental,
            is_multishot: self.is_multishot && other.is_multishot,
            has_brief_sends: self.has_brief_sends && other.has_brief_sends,
            has_gathering: self.has_gathering && other.has_gathering,
            is_deferred: self.is_deferred && other.is_deferred,
        }
    }

    /// The least that this can work with.
    pub const LEAST: Self = Self {
        is_incremental: false,
        is_multishot: false,
        has_brief_sends: false,
        has_gathering: false,
        is_deferred: false,
    };
}

/// How often a request is to complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Once, with at most 16 KiB.
    Once,
    /// Until it is cancelled, where the kernel can do that.
    Many,
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// How many completions make waiting longer pointless; 0 only looks.
    pub want: u32,
    /// After how long one completion is enough.
    pub grace: Micros,
    /// After how long none is enough.
    pub limit: Option<Micros>,
}

/// A ring with the memory of its requests.
pub struct Ring {
    ring: ManuallyDrop<IoUring>,
    flight: ManuallyDrop<Flight>,
    features: Features,
    /// The number under which this thread has registered the ring, if it could.
    registered: Option<RawFd>,
    /// Flags of every wait.
    wait_flags: EnterFlags,
    spare: Vec<ReplyBuf>,
    calls: Calls,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ring")
            .field("features", &self.features)
            .field("flying", &self.flight.flying)
            .finish_non_exhaustive()
    }
}

/// The kernel's argument of a wait.
#[repr(C)]
struct WaitArgument {
    mask: u64,
    mask_bytes: u32,
    min_wait_usec: u32,
    limit: u64,
}

/// The kernel's argument of registering a ring's descriptor.
#[repr(C)]
struct Registration {
    offset: u32,
    reserved: u32,
    data: u64,
}

fn fault(op: &'static str, error: &std::io::Error) -> Fault {
    Fault {
        op,
        errno: error.raw_os_error().unwrap_or(libc::EIO),
    }
}

/// Sets a ring up with the best flags that the kernel knows.
fn set_up(is_deferred: bool) -> Result<(IoUring, bool), Fault> {
    let with = |deferred: bool, modern: bool| {
        let mut builder = IoUring::builder();
        builder.dontfork().setup_clamp().setup_cqsize(COMPLETIONS);
        if deferred {
            builder.setup_single_issuer().setup_defer_taskrun();
        } else if modern {
            builder.setup_coop_taskrun();
        }
        if modern {
            builder.setup_submit_all();
        }
        builder.build(SUBMISSIONS)
    };
    if is_deferred && let Ok(ring) = with(true, true) {
        return Ok((ring, true));
    }
    with(false, true)
        .or_else(|_| with(false, false))
        .map(|ring| (ring, false))
        .map_err(|error| fault("io_uring_setup", &error))
}

impl Ring {
    /// Opens a ring with at most `wanted` features.
    ///
    /// # Errors
    /// When the kernel has no rings, forbids them, or has none with buffers to receive into.
    pub fn open(wanted: Features) -> Result<Self, Fault> {
        let (ring, is_deferred) = set_up(wanted.is_deferred)?;
        let parameters = ring.params();
        if !parameters.is_feature_nodrop() || !parameters.is_feature_ext_arg() {
            return Err(Fault {
                op: "io_uring_setup",
                errno: libc::ENOSYS,
            });
        }
        let has_gathering = wanted.has_gathering && parameters.is_feature_min_timeout();
        let (pool, is_incremental) = Self::open_pool(&ring, wanted.is_incremental)?;
        let mut this = Self {
            ring: ManuallyDrop::new(ring),
            flight: ManuallyDrop::new(Flight::new(pool, is_incremental)),
            features: Features {
                is_incremental,
                has_gathering,
                is_deferred,
                ..wanted
            },
            registered: None,
            wait_flags: EnterFlags::GETEVENTS | EnterFlags::EXT_ARG,
            spare: Vec::new(),
            calls: Calls::default(),
        };
        this.register();
        Ok(this)
    }

    fn open_pool(ring: &IoUring, is_incremental: bool) -> Result<(Pool, bool), Fault> {
        const INCREMENTAL: u16 = 2;
        let try_with = |packing, flags| {
            let pool = Pool::new(packing)?;
            // SAFETY: the pool starts with a ring of that many entries and outlives the ring that
            // it is registered with: `Ring` drops it last.
            let done = unsafe {
                ring.submitter().register_buf_ring_with_flags(
                    pool.address(),
                    pool.count(),
                    GROUP,
                    flags,
                )
            };
            done.map(|()| pool)
                .map_err(|error| fault("io_uring_register", &error))
        };
        if is_incremental && let Ok(pool) = try_with(Packing::Incremental, INCREMENTAL) {
            return Ok((pool, true));
        }
        Ok((try_with(Packing::Plain, 0)?, false))
    }

    /// Registers the ring with this thread, which spares every call the look-up; and finds out
    /// whether waiting can be kept from counting as waiting for a disk.
    fn register(&mut self) {
        const REGISTER_RING_FDS: libc::c_uint = 20;
        let fd = self.ring.as_raw_fd();
        let data = u64::try_from(fd).expect("descriptors are not negative");
        let mut argument = Registration {
            offset: u32::MAX,
            reserved: 0,
            data,
        };
        let at = &raw mut argument;
        let (call, op, count) = (libc::SYS_io_uring_register, REGISTER_RING_FDS, 1_u32);
        // SAFETY: the argument is one entry of the layout that the operation reads and writes.
        if unsafe { libc::syscall(call, fd, op, at, count) } == 1 {
            self.registered = RawFd::try_from(argument.offset).ok();
        }
        if self.ring.params().is_feature_no_iowait() {
            self.wait_flags |= EnterFlags::NO_IOWAIT;
        }
    }

    /// What this ring can do.
    #[must_use]
    pub fn features(&self) -> Features {
        self.features
    }

    /// What has been asked of the kernel so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls
    }

    /// Counts a system call that was made beside the ring.
    pub fn count_call(&mut self) {
        self.calls.syscalls += 1;
    }

    /// Requests that have a last completion to come.
    #[must_use]
    pub fn flying(&self) -> usize {
        self.flight.flying
    }

    /// Whether everything queued has been handed over.
    #[must_use]
    pub fn is_submitted(&mut self) -> bool {
        self.ring.submission().is_empty()
    }

    fn push(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.calls.sqes += 1;
        loop {
            // SAFETY: what the entry points to is owned by this ring until its completion has
            // been reaped; entries without pointers need nothing.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            self.submit()?;
        }
    }

    /// Queues a request that will complete at least once.
    fn launch(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.flight.flying += 1;
        self.push(entry).inspect_err(|_| self.flight.flying -= 1)
    }

    /// Accepts every client of a listener.
    ///
    /// # Errors
    /// When the kernel takes no more requests; so for all that follow.
    pub fn accept(&mut self, door: BorrowedFd<'_>, token: u64) -> Result<(), Fault> {
        let fd = types::Fd(door.as_raw_fd());
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let entry = if self.features.is_multishot {
            opcode::AcceptMulti::new(fd).flags(flags).build()
        } else {
            let none = std::ptr::null_mut();
            opcode::Accept::new(fd, none, std::ptr::null_mut())
                .flags(flags)
                .build()
        };
        self.launch(&entry.user_data(ACCEPT | token))
    }

    /// Receives whatever comes into the pool.
    ///
    /// # Errors
    /// See [`Self::accept`].
    pub fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        token: u64,
        times: Times,
    ) -> Result<(), Fault> {
        let fd = types::Fd(socket.as_raw_fd());
        let entry = if self.features.is_multishot && times == Times::Many {
            opcode::RecvMulti::new(fd, GROUP).build()
        } else {
            let most = if times == Times::Once { ONCE_BYTES } else { 0 };
            opcode::Recv::new(fd, std::ptr::null_mut(), most)
                .buf_group(GROUP)
                .build()
                .flags(Flags::BUFFER_SELECT)
        };
        self.launch(&entry.user_data(token))
    }

    /// Waits once until `socket` can be written, as it can when connecting has ended.
    ///
    /// # Errors
    /// See [`Self::accept`].
    pub fn watch_writable(&mut self, socket: BorrowedFd<'_>, token: u64) -> Result<(), Fault> {
        let fd = types::Fd(socket.as_raw_fd());
        let events = libc::POLLOUT.cast_unsigned();
        self.launch(
            &opcode::PollAdd::new(fd, events.into())
                .build()
                .user_data(token),
        )
    }

    /// Completes whenever `fd` becomes readable.
    ///
    /// # Errors
    /// See [`Self::accept`].
    pub fn watch_readable(&mut self, fd: BorrowedFd<'_>, token: u64) -> Result<(), Fault> {
        let events = libc::POLLIN.cast_unsigned();
        let poll = opcode::PollAdd::new(types::Fd(fd.as_raw_fd()), events.into());
        let entry = poll.multi(self.features.is_multishot).build();
        self.launch(&entry.user_data(token))
    }

    /// Asks for the end of the request with that token; it completes one last time.
    ///
    /// # Errors
    /// See [`Self::accept`].
    pub fn cancel(&mut self, token: u64) -> Result<(), Fault> {
        self.cancel_by(CancelBuilder::user_data(token))
    }

    /// Asks for the end of everything.
    ///
    /// # Errors
    /// See [`Self::accept`].
    pub fn cancel_all(&mut self) -> Result<(), Fault> {
        self.cancel_by(CancelBuilder::any().all())
    }

    fn cancel_by(&mut self, whom: CancelBuilder) -> Result<(), Fault> {
        let entry = opcode::AsyncCancel2::new(whom)
            .build()
            .user_data(CANCELLATION);
        self.push(&entry.flags(Flags::SKIP_SUCCESS))
    }

    /// Keeps the allocation of a reply that is over.
    pub fn recycle(&mut self, mut reply: ReplyBuf) {
        reply.clear(KEPT_BYTES);
        if self.spare.len() < SPARE_MAX && reply.capacity() > 0 {
            self.spare.push(reply);
        }
    }

    /// Takes `reply` and sends it with the next submission, as far as the kernel takes it then.
    /// Completes as a [`Sent`] only when it falls short. At most one a socket and batch: a
    /// second could leave though the first fell short.
    ///
    /// Returns whether it was taken; not when it is too long or has too many pieces.
    ///
    /// # Errors
    /// See [`Self::accept`]; the reply is lost then, as is the ring.
    pub fn send_briefly(
        &mut self,
        socket: BorrowedFd<'_>,
        token: u64,
        reply: &mut ReplyBuf,
    ) -> Result<bool, Fault> {
        if !self.features.has_brief_sends || reply.len() > TRANSFER_MAX {
            return Ok(false);
        }
        let flags = libc::MSG_WAITALL | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let (entry, header, described) = send_entry(socket, reply, 0, flags);
        if described != reply.len() {
            return Ok(false);
        }
        let spare = self.spare.pop().unwrap_or_default();
        let at = self
            .flight
            .add_brief(token, std::mem::replace(reply, spare), header);
        self.push(&entry.user_data(BRIEF | at).flags(Flags::SKIP_SUCCESS))?;
        Ok(true)
    }

    /// Sends `reply` after its first `sent` bytes, however long that takes, and completes as a
    /// [`Sent`]. At most one a socket at a time.
    ///
    /// # Errors
    /// See [`Self::accept`].
    pub fn send(
        &mut self,
        socket: BorrowedFd<'_>,
        token: u64,
        reply: ReplyBuf,
        sent: usize,
    ) -> Result<(), Fault> {
        let flags = libc::MSG_WAITALL | libc::MSG_NOSIGNAL;
        let (entry, header, _) = send_entry(socket, &reply, sent, flags);
        let at = self.flight.hold(Held::Send {
            token,
            reply,
            sent,
            _header: header,
        });
        self.launch(&entry.user_data(HELD | u64::from(at)))
    }

    /// Receives at most `most` bytes behind what `buffer` holds, all of them unless the stream
    /// ends, and completes as [`Outcome::Filled`].
    ///
    /// # Errors
    /// See [`Self::accept`].
    ///
    /// # Panics
    /// When the buffer has no spare capacity.
    pub fn fill(
        &mut self,
        socket: BorrowedFd<'_>,
        token: u64,
        mut buffer: Vec<u8>,
        most: usize,
    ) -> Result<(), Fault> {
        let spare = buffer.spare_capacity_mut();
        let len = spare.len().min(most).min(TRANSFER_MAX);
        assert!(len > 0, "nothing can be received into a full buffer");
        let len = u32::try_from(len).expect("a bounded length fits");
        let at = spare.as_mut_ptr().cast();
        let recv = opcode::Recv::new(types::Fd(socket.as_raw_fd()), at, len);
        let entry = recv.flags(libc::MSG_WAITALL).build();
        let at = self.flight.hold(Held::Fill { token, buffer });
        self.launch(&entry.user_data(HELD | u64::from(at)))
    }

    /// Asks for the end of whatever the kernel holds memory for under that token.
    ///
    /// # Errors
    /// See [`Self::accept`].
    pub fn cancel_held(&mut self, token: u64) -> Result<(), Fault> {
        for at in self.flight.held_for(token) {
            self.cancel(HELD | u64::from(at))?;
        }
        Ok(())
    }

    /// Hands over what is queued, without waiting.
    ///
    /// # Errors
    /// When the ring is broken.
    pub fn submit(&mut self) -> Result<(), Fault> {
        self.enter(0, Micros(0), Some(Micros(0)))
    }

    /// Hands over what is queued and waits.
    ///
    /// # Errors
    /// When the ring is broken; a wait that ends early is no error.
    pub fn wait(&mut self, wait: Wait) -> Result<(), Fault> {
        let want = wait.want.min(WANT_MAX);
        if want > 1 && !self.features.has_gathering {
            let grace = wait.limit.map_or(wait.grace, |limit| limit.min(wait.grace));
            self.enter(want, Micros(0), Some(grace))?;
            if !self.ring.completion().is_empty() {
                return Ok(());
            }
            return self.enter(1, Micros(0), wait.limit);
        }
        self.enter(want, wait.grace, wait.limit)
    }

    fn enter(&mut self, want: u32, grace: Micros, limit: Option<Micros>) -> Result<(), Fault> {
        self.calls.syscalls += 1;
        let limit = limit.map(timespec);
        let argument = WaitArgument {
            mask: 0,
            mask_bytes: 0,
            min_wait_usec: if want > 1 {
                u32::try_from(grace.0).unwrap_or(u32::MAX)
            } else {
                0
            },
            limit: limit
                .as_ref()
                .map_or(0, |limit| std::ptr::from_ref(limit).addr() as u64),
        };
        let queued = self.ring.submission().len();
        let mut flags = self.wait_flags;
        let fd = self.registered.unwrap_or_else(|| self.ring.as_raw_fd());
        if self.registered.is_some() {
            flags |= EnterFlags::REGISTERED_RING;
        }
        let (call, at) = (libc::SYS_io_uring_enter, &raw const argument);
        let (bits, bytes) = (flags.bits(), size_of::<WaitArgument>());
        // SAFETY: the argument and the time it points to outlive the call; entries that were
        // pushed point to memory that this ring owns.
        let done = unsafe { libc::syscall(call, fd, queued, want, bits, at, bytes) };
        if done >= 0 {
            return Ok(());
        }
        let fault = last_fault("io_uring_enter");
        match fault.errno {
            // Out of time, interrupted, or to be reaped before more can be taken.
            libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN => Ok(()),
            _ => Err(fault),
        }
    }

    /// Moves every completion to `done`, in order, and those of sends to `sent`. Replies of the
    /// batch that have no completion have left whole and are recycled.
    ///
    /// # Errors
    /// When the ring is broken.
    pub fn reap(&mut self, done: &mut VecDeque<Done>, sent: &mut Vec<Sent>) -> Result<(), Fault> {
        loop {
            let mut completions = self.ring.completion();
            for entry in completions.by_ref() {
                self.calls.cqes += 1;
                done.extend(self.flight.digest(&entry, sent));
            }
            drop(completions);
            if !self.ring.submission().cq_overflow() {
                break;
            }
            self.submit()?;
        }
        if !self.flight.brief.is_empty() && self.ring.submission().is_empty() {
            let mut brief = std::mem::take(&mut self.flight.brief);
            for over in brief.drain(..) {
                self.recycle(over.reply);
            }
            self.flight.brief = brief;
        }
        Ok(())
    }

    /// The bytes of a lease.
    pub fn bytes(&mut self, lease: &Lease) -> &mut [u8] {
        self.flight.pool.bytes(lease)
    }

    /// Gives a lease back.
    pub fn give_back(&mut self, lease: Lease) {
        self.flight.pool.give_back(lease);
    }

    /// Ends every request and waits for the kernel to let go of their memory.
    fn quiesce(&mut self) -> Result<(), Fault> {
        const ROUNDS: u32 = 1000;
        self.cancel_all()?;
        let (mut done, mut sent) = (VecDeque::new(), Vec::new());
        for _ in 0..ROUNDS {
            self.enter(1, Micros(0), Some(Micros::from_millis(10)))?;
            self.reap(&mut done, &mut sent)?;
            if self.flight.flying == 0 {
                return Ok(());
            }
        }
        Err(Fault {
            op: "io_uring_enter",
            errno: libc::ETIMEDOUT,
        })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let is_quiet = self.flight.flying == 0 || self.quiesce().is_ok();
        // SAFETY: the ring is not used again. Dropped first: it refers to the pool.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        if is_quiet {
            // SAFETY: the memory is not used again, and the kernel holds none of it. Where it
            // would not let go, leaking is what remains.
            unsafe { ManuallyDrop::drop(&mut self.flight) };
        }
    }
}

/// A send of `reply` after its first `sent` bytes: the request, the description that it needs, and
/// how many bytes it would send.
fn send_entry(
    socket: BorrowedFd<'_>,
    reply: &ReplyBuf,
    sent: usize,
    flags: libc::c_int,
) -> (Entry, Option<Box<Header>>, usize) {
    let fd = types::Fd(socket.as_raw_fd());
    if let Some(bytes) = reply.as_contiguous() {
        let rest = &bytes[sent..];
        let len = u32::try_from(rest.len().min(TRANSFER_MAX)).expect("a bounded length fits");
        let entry = opcode::Send::new(fd, rest.as_ptr(), len)
            .flags(flags)
            .build();
        return (entry, None, len as usize);
    }
    let (header, described) = Header::new(reply, sent);
    let flags = flags.cast_unsigned();
    let entry = opcode::SendMsg::new(fd, header.message())
        .flags(flags)
        .build();
    (entry, Some(header), described)
}
