//! The fifth poller: over simulated sockets, deterministic from the network's seed.
//!
//! Shape: every `wait` makes a shuffled list of what could complete and leaves some of it for
//! later; receives and sends move a random part of what they could. It never sleeps: when nothing
//! can happen the caller moves the clock.

use super::net::{Moved, Net, Side, SimDoor};
use dovetail_engine::base::{ConnId, ListenerId};
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::poller::{
    Arrival, Calls, Close, Endpoint, Event, Fault, Patience, Poller, Reading, SocketOptions, Wake,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The wake of a simulated loop.
#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    /// The peer's stream has ended: written until the engine closes it.
    Finished,
    /// Ends when all is sent.
    Ending,
    Gone,
}

#[derive(Debug)]
struct SimConn {
    line: usize,
    side: Side,
    phase: Phase,
    reading: Reading,
    output: VecDeque<u8>,
    fill: Option<(Vec<u8>, usize)>,
    fault: Option<Fault>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    conn: Option<SimConn>,
}

/// Something that could complete this turn.
#[derive(Clone, Copy, Debug)]
enum Chance {
    Accept(ListenerId, usize),
    Connect(ConnId),
    Receive(ConnId),
    Send(ConnId),
}

/// Everything that moves from one simulated poller to the next.
#[derive(Debug)]
pub struct SimSockets {
    net: Net,
    slots: Vec<Slot>,
    free: Vec<u32>,
    doors: BTreeMap<ListenerId, usize>,
    owed: VecDeque<Event<'static>>,
    wake: Arc<Flag>,
}

impl SimSockets {
    /// No socket yet, over `net`.
    #[must_use]
    pub fn over(net: &Net) -> Self {
        Self {
            net: net.clone(),
            slots: Vec::new(),
            free: Vec::new(),
            doors: BTreeMap::new(),
            owed: VecDeque::new(),
            wake: Arc::default(),
        }
    }

    fn insert(&mut self, line: usize, side: Side, phase: Phase) -> ConnId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("a simulation has few connections")
        });
        let place = &mut self.slots[slot as usize];
        assert!(place.conn.is_none(), "a free slot has no tenant");
        place.conn = Some(SimConn {
            line,
            side,
            phase,
            reading: Reading::On,
            output: VecDeque::new(),
            fill: None,
            fault: None,
        });
        ConnId {
            slot,
            generation: place.generation,
        }
    }

    fn get(&self, id: ConnId) -> Option<&SimConn> {
        let slot = self.slots.get(id.index())?;
        if slot.generation == id.generation {
            slot.conn.as_ref()
        } else {
            None
        }
    }

    fn get_mut(&mut self, id: ConnId) -> Option<&mut SimConn> {
        let slot = self.slots.get_mut(id.index())?;
        if slot.generation == id.generation {
            slot.conn.as_mut()
        } else {
            None
        }
    }

    fn remove(&mut self, id: ConnId) {
        let slot = &mut self.slots[id.index()];
        assert_eq!(slot.generation, id.generation, "a connection ends once");
        slot.conn = None;
        slot.generation += 1;
        self.free.push(id.slot);
    }
}

/// The simulated poller.
#[derive(Debug)]
pub struct SimPoller {
    sockets: SimSockets,
    chances: Vec<Chance>,
    ending: Vec<ConnId>,
    scratch: Vec<u8>,
    calls: Calls,
}

impl SimPoller {
    /// An empty poller over `net`.
    #[must_use]
    pub fn over(net: &Net) -> Self {
        Self {
            sockets: SimSockets::over(net),
            chances: Vec::new(),
            ending: Vec::new(),
            scratch: Vec::new(),
            calls: Calls::default(),
        }
    }

    /// Whether anything could happen without the clock moving.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let is_awake = self.sockets.wake.0.load(Ordering::SeqCst);
        let is_owing = !self.sockets.owed.is_empty() || !self.ending.is_empty();
        !is_awake && !is_owing && self.possible().is_empty()
    }

    /// Everything that could complete now.
    fn possible(&self) -> Vec<Chance> {
        let world = self.sockets.net.world.borrow();
        let mut chances = Vec::new();
        for (listener, door) in &self.sockets.doors {
            if world.has_waiting(*door) {
                chances.push(Chance::Accept(*listener, *door));
            }
        }
        for (slot, place) in (0..).zip(&self.sockets.slots) {
            let Some(conn) = &place.conn else { continue };
            let id = ConnId {
                slot,
                generation: place.generation,
            };
            let is_read = conn.phase == Phase::Open && conn.reading == Reading::On;
            if conn.phase == Phase::Connecting {
                chances.push(Chance::Connect(id));
            }
            if is_read && world.readable(conn.line, conn.side).is_some() {
                chances.push(Chance::Receive(id));
            }
            let is_sending = matches!(conn.phase, Phase::Open | Phase::Finished | Phase::Ending);
            let has_output = !conn.output.is_empty();
            if is_sending && has_output && world.is_writable(conn.line, conn.side) {
                chances.push(Chance::Send(id));
            }
        }
        chances
    }

    fn bury(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.get_mut(id) else {
            return;
        };
        if conn.phase == Phase::Gone {
            return;
        }
        let was_connecting = conn.phase == Phase::Connecting;
        if was_connecting {
            conn.fault.get_or_insert(Fault {
                op: "connect",
                errno: libc::ECANCELED,
            });
        }
        conn.phase = Phase::Gone;
        conn.fill = None;
        conn.output.clear();
        let (line, side) = (conn.line, conn.side);
        let result = conn.fault.map_or(Ok(()), Err);
        self.sockets.net.world.borrow_mut().hang_up(line, side);
        self.sockets.owed.push_back(if was_connecting {
            Event::Connected { conn: id, result }
        } else {
            Event::Closed { conn: id, result }
        });
    }

    fn fail(&mut self, id: ConnId, op: &'static str) {
        if let Some(conn) = self.sockets.get_mut(id) {
            if !matches!(conn.phase, Phase::Finished | Phase::Ending) {
                conn.fault.get_or_insert(Fault {
                    op,
                    errno: libc::ECONNRESET,
                });
            }
            self.bury(id);
        }
    }

    /// The peer's stream has ended.
    fn finish(&mut self, id: ConnId) {
        if let Some(conn) = self.sockets.get_mut(id)
            && conn.phase == Phase::Open
        {
            conn.phase = Phase::Finished;
            conn.fill = None;
            self.sockets.owed.push_back(Event::Finished { conn: id });
        }
    }

    fn end(&mut self, id: ConnId) {
        if let Some(conn) = self.sockets.get_mut(id)
            && matches!(conn.phase, Phase::Open | Phase::Finished)
        {
            conn.phase = Phase::Ending;
            conn.fill = None;
            self.ending.push(id);
        }
    }

    fn settle_ending(&mut self) {
        for id in std::mem::take(&mut self.ending) {
            if self
                .sockets
                .get(id)
                .is_some_and(|conn| conn.output.is_empty())
            {
                self.bury(id);
            }
        }
    }

    fn accept(&mut self, listener: ListenerId, door: usize) {
        let line = self.sockets.net.world.borrow_mut().accept(door);
        let Some(line) = line else { return };
        let conn = self.sockets.insert(line, Side::Acceptor, Phase::Open);
        let port = u16::try_from(20_000 + line % 40_000).expect("below 60,000");
        let peer = Endpoint::Ip(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let local = self.sockets.net.world.borrow().address(door);
        let descriptor = i32::try_from(conn.slot).unwrap_or(0) + 8;
        let arrival = Box::new(Arrival {
            peer,
            local,
            descriptor,
        });
        self.sockets.owed.push_back(Event::Accepted {
            conn,
            listener,
            arrival,
        });
    }

    /// Moves some of the output; at least something when `whole` says that all should go.
    fn transmit(&mut self, id: ConnId) {
        self.calls.syscalls += 1;
        let Some(conn) = self.sockets.get_mut(id) else {
            return;
        };
        let (line, side) = (conn.line, conn.side);
        let waiting: Vec<u8> = conn.output.iter().copied().take(1 << 20).collect();
        let moved = {
            let mut world = self.sockets.net.world.borrow_mut();
            let len = world.length(waiting.len()).min(waiting.len());
            world.write(line, side, &waiting[..len])
        };
        match moved {
            Moved::Bytes(len) => {
                let Some(conn) = self.sockets.get_mut(id) else {
                    return;
                };
                conn.output.drain(..len);
            }
            Moved::Nothing => {}
            Moved::End | Moved::Broken => self.fail(id, "send"),
        }
    }

    fn continue_output(&mut self, id: ConnId) {
        self.transmit(id);
        let Some(conn) = self.sockets.get(id) else {
            return;
        };
        match (conn.phase, conn.output.is_empty()) {
            (Phase::Ending, true) => self.bury(id),
            (Phase::Open | Phase::Finished, true) => {
                self.sockets.owed.push_back(Event::Drained { conn: id })
            }
            _ => {}
        }
    }

    /// Receives a random part of what there is; whether bytes lie in the scratch buffer.
    fn receive(&mut self, id: ConnId) -> bool {
        self.calls.syscalls += 1;
        let Some(conn) = self.sockets.get_mut(id) else {
            return false;
        };
        if conn.phase != Phase::Open || conn.reading == Reading::Off {
            return false;
        }
        let (line, side) = (conn.line, conn.side);
        let missing = conn
            .fill
            .as_ref()
            .map(|(buffer, wanted)| wanted - buffer.len());
        self.scratch.clear();
        let moved = {
            let mut world = self.sockets.net.world.borrow_mut();
            let there = world.readable(line, side).unwrap_or(0);
            let len = world.length(there).min(missing.unwrap_or(usize::MAX));
            world.read(line, side, len, &mut self.scratch)
        };
        match moved {
            Moved::Bytes(_) if missing.is_some() => self.filled(id),
            Moved::Bytes(_) => return true,
            Moved::Nothing => {}
            Moved::End => self.finish(id),
            Moved::Broken => self.fail(id, "recv"),
        }
        false
    }

    /// Moves what was received to the buffer that is being filled.
    fn filled(&mut self, id: ConnId) {
        let Some(conn) = self.sockets.get_mut(id) else {
            return;
        };
        let Some((mut buffer, wanted)) = conn.fill.take() else {
            return;
        };
        buffer.extend_from_slice(&self.scratch);
        if buffer.len() < wanted {
            conn.fill = Some((buffer, wanted));
        } else {
            self.sockets
                .owed
                .push_back(Event::Filled { conn: id, buffer });
        }
    }

    fn deliver(&mut self, event: Event<'static>) -> Event<'static> {
        match &event {
            Event::Closed { conn, .. }
            | Event::Connected {
                conn,
                result: Err(_),
            } => {
                self.sockets.remove(*conn);
            }
            _ => {}
        }
        event
    }
}

impl Poller for SimPoller {
    const NAME: &'static str = "simulated";
    type Door = SimDoor;
    type Sockets = SimSockets;

    fn open(_expected: usize) -> Result<Self, Fault> {
        Ok(Self::over(&Net::new(0)))
    }

    fn adopt(&mut self, sockets: SimSockets) -> Result<(), Fault> {
        self.sockets = sockets;
        for (slot, place) in (0..).zip(&self.sockets.slots) {
            if place
                .conn
                .as_ref()
                .is_some_and(|conn| conn.phase == Phase::Ending)
            {
                self.ending.push(ConnId {
                    slot,
                    generation: place.generation,
                });
            }
        }
        Ok(())
    }

    fn release(self) -> SimSockets {
        self.sockets
    }

    fn listen(&mut self, listener: ListenerId, door: SimDoor) -> Result<(), Fault> {
        self.sockets.doors.insert(listener, door.listener);
        Ok(())
    }

    fn unlisten(&mut self, listener: ListenerId) {
        if let Some(door) = self.sockets.doors.remove(&listener) {
            self.sockets.net.world.borrow_mut().close_listener(door);
        }
    }

    fn set_options(&mut self, _options: SocketOptions) {}

    fn connect(&mut self, peer: &Endpoint) -> Result<ConnId, Fault> {
        let line = self.sockets.net.world.borrow_mut().dial(peer);
        let refused = Fault {
            op: "connect",
            errno: libc::ECONNREFUSED,
        };
        Ok(self
            .sockets
            .insert(line.ok_or(refused)?, Side::Dialer, Phase::Connecting))
    }

    fn wait(&mut self, _patience: Patience) -> Result<(), Fault> {
        self.calls.syscalls += 1;
        self.settle_ending();
        let mut chances = self.possible();
        let mut world = self.sockets.net.world.borrow_mut();
        for last in (1..chances.len()).rev() {
            chances.swap(last, world.below(last + 1));
        }
        chances.retain(|_| !world.is_late());
        drop(world);
        self.chances = chances;
        Ok(())
    }

    fn next(&mut self) -> Option<Event<'_>> {
        if self.sockets.wake.0.swap(false, Ordering::SeqCst) {
            return Some(Event::Woken);
        }
        let conn = loop {
            if let Some(event) = self.sockets.owed.pop_front() {
                return Some(self.deliver(event));
            }
            match self.chances.pop()? {
                Chance::Accept(listener, door) => self.accept(listener, door),
                Chance::Connect(id) => {
                    if let Some(conn) = self.sockets.get_mut(id)
                        && conn.phase == Phase::Connecting
                    {
                        conn.phase = Phase::Open;
                        let event = Event::Connected {
                            conn: id,
                            result: Ok(()),
                        };
                        self.sockets.owed.push_back(event);
                    }
                }
                Chance::Send(id) => self.continue_output(id),
                Chance::Receive(id) if self.receive(id) => break id,
                Chance::Receive(_) => {}
            }
        };
        Some(Event::Received {
            conn,
            bytes: &mut self.scratch,
        })
    }

    fn send(&mut self, id: ConnId, reply: &mut ReplyBuf) {
        if let Some(conn) = self.sockets.get_mut(id)
            && conn.phase != Phase::Gone
            && !reply.is_empty()
        {
            let had_none = conn.output.is_empty();
            conn.output.extend(reply.to_vec());
            if had_none && conn.phase != Phase::Connecting {
                self.transmit(id);
            }
        }
        reply.clear(usize::MAX);
    }

    fn unsent(&self, id: ConnId) -> usize {
        self.sockets.get(id).map_or(0, |conn| conn.output.len())
    }

    fn fill(&mut self, id: ConnId, buffer: Vec<u8>, wanted: usize) {
        let Some(conn) = self.sockets.get_mut(id) else {
            return;
        };
        if conn.phase != Phase::Open {
            return;
        }
        assert!(conn.fill.is_none(), "one value at a time is filled");
        conn.fill = Some((buffer, wanted));
        self.scratch.clear();
        self.filled(id);
    }

    fn pause(&mut self, id: ConnId, reading: Reading) {
        if let Some(conn) = self.sockets.get_mut(id) {
            conn.reading = reading;
        }
    }

    fn close(&mut self, id: ConnId, how: Close) {
        let Some(conn) = self.sockets.get(id) else {
            return;
        };
        match (how, conn.phase) {
            (Close::Graceful, Phase::Open | Phase::Finished) => self.end(id),
            (Close::Graceful, Phase::Ending) => {}
            _ => self.bury(id),
        }
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::clone(&self.sockets.wake) as Arc<dyn Wake>
    }

    fn calls(&self) -> Calls {
        self.calls
    }
}
