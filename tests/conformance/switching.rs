//! From every poller to every other under traffic: no byte lost, doubled or reordered.

use crate::rig::{Known, Rig, pattern};
use crate::stage::{Heard, Kernel, Line, Member, Peer, Stage};
use dovetail_backends::poller::epoll::Epoll;
use dovetail_backends::poller::io_uring::{IoUring, Least, Uring};
use dovetail_backends::poller::poll::Poll;
use dovetail_backends::poller::select::Select;
use dovetail_engine::base::ConnId;
use dovetail_engine::seam::poller::{Close, Endpoint, Reading, Wake};
use std::sync::Arc;

impl<A: Member> Rig<Kernel<A>> {
    /// Goes on with another poller.
    fn switch<B: Member>(self) -> Rig<Kernel<B>> {
        let mut poller = B::open(16).unwrap();
        poller.adopt(self.poller.release()).unwrap();
        Rig {
            poller,
            stage: Kernel::new(),
            known: self.known,
            order: self.order,
            woken: self.woken,
            refusals: self.refusals,
            lingers: self.lingers,
            gather: self.gather,
            listeners: self.listeners,
        }
    }
}

/// The peers of one connection in each state, and what is still to come.
struct Cast {
    at: Endpoint,
    waker: Arc<dyn Wake>,
    idle: Client,
    talking: Client,
    paused: Client,
    stalled: Client,
    leaving: Client,
    small: Client,
    large: Client,
    finished: Client,
    listening: Client,
    closed: Client,
    out: ConnId,
    /// What the stalled one is sent in all.
    sent: Vec<u8>,
    farewell: Vec<u8>,
    little: Vec<u8>,
    much: Vec<u8>,
    /// How much of it was said.
    said: usize,
}

type Client = (Line, ConnId);

/// Brings a connection into each state; the last things happen behind the poller's back.
fn prepare<P: Member>() -> (Rig<Kernel<P>>, Cast) {
    let (mut rig, at) = Rig::<Kernel<P>>::new();
    let mut next = || rig.client(&at);
    let (idle, mut talking, mut paused, stalled, leaving) =
        (next(), next(), next(), next(), next());
    let (mut small, mut large, mut finished, closed) = (next(), next(), next(), next());
    let mut listening = next();
    let waker = rig.poller.waker();
    rig.lingers = true;
    listening.0.finish();
    rig.until("a peer has finished", |rig| {
        rig.known[&listening.1].finished
    });
    rig.pause(paused.1, Reading::Off);
    rig.settle();
    let mut sent = rig.clog(stalled.1);
    let farewell = rig.clog(leaving.1);
    rig.close(leaving.1, Close::Graceful);
    let (little, much) = (pattern(1, 2000), pattern(2, 3 << 20));
    rig.poller.fill(small.1, Vec::new(), little.len());
    rig.poller.fill(large.1, Vec::new(), much.len());
    small.0.say(&little[..500]);
    let mut said = large.0.say(&much[..1 << 16]);
    rig.settle();
    // From here on things happen between the last event and the switch.
    talking.0.say(b"while switching");
    paused.0.say(b"while paused");
    said += large.0.say(&much[said..]);
    finished.0.say(b"last words");
    finished.0.finish();
    let out = rig.connect(&at);
    waker.wake();
    rig.close(closed.1, Close::Now);
    rig.send(stalled.1, b"more");
    sent.extend_from_slice(b"more");
    let cast = Cast {
        at,
        waker,
        idle,
        talking,
        paused,
        stalled,
        leaving,
        small,
        large,
        finished,
        listening,
        closed,
        out,
        sent,
        farewell,
        little,
        much,
        said,
    };
    (rig, cast)
}

/// Everything that was under way goes on as if nothing had happened.
fn conclude<P: Member>(rig: &mut Rig<Kernel<P>>, cast: &mut Cast) {
    let woken = rig.woken;
    rig.until("the wake is seen", |rig| rig.woken > woken);
    rig.until_said(cast.talking.1, b"while switching");
    assert!(rig.said(cast.paused.1).is_empty());
    rig.pause(cast.paused.1, Reading::On);
    rig.until_said(cast.paused.1, b"while paused");
    let heard = rig.hear(&mut cast.stalled.0, cast.sent.len());
    assert!(heard == cast.sent, "the stalled reply is whole");
    rig.until("it drains", |rig| rig.known[&cast.stalled.1].drained == 1);
    assert!(
        rig.hear_out(&mut cast.leaving.0) == cast.farewell,
        "the farewell is whole"
    );
    assert_eq!(rig.until_closed(cast.leaving.1), Ok(()));
    conclude_values(rig, cast);
    rig.until("the end of a stream is told", |rig| {
        rig.known[&cast.finished.1].finished
    });
    assert_eq!(rig.said(cast.finished.1), b"last words");
    for (peer, conn) in [&mut cast.finished, &mut cast.listening] {
        assert_eq!(rig.closed(*conn), None);
        rig.send(*conn, b"answer");
        rig.close(*conn, Close::Graceful);
        assert_eq!(rig.hear_out(peer), b"answer");
        rig.until_closed(*conn).unwrap();
    }
    rig.lingers = false;
    rig.until_closed(cast.closed.1).unwrap();
    assert_eq!(rig.hear_out(&mut cast.closed.0), b"");
    rig.until("the attempt succeeds", |rig| {
        rig.known[&cast.out].connected == Some(Ok(()))
    });
    cast.waker.wake();
    let woken = rig.woken;
    rig.until("the waker still works", |rig| rig.woken > woken);
    rig.say(&mut cast.idle.0, b"still here");
    rig.until_said(cast.idle.1, b"still here");
    let before = rig.order.len();
    let mut newcomer = rig.stage.dial(&cast.at).unwrap();
    rig.until("a client is accepted", |rig| rig.order.len() > before);
    let conn = *rig.order.last().unwrap();
    rig.say(&mut newcomer, b"hello");
    rig.until_said(conn, b"hello");
}

fn conclude_values<P: Member>(rig: &mut Rig<Kernel<P>>, cast: &mut Cast) {
    let Cast {
        small,
        large,
        little,
        much,
        said,
        ..
    } = cast;
    small.0.say(&little[500..]);
    rig.until("the small value is filled", |rig| {
        !rig.known[&small.1].filled.is_empty()
    });
    assert!(
        rig.known[&small.1].filled == [little.clone()],
        "the small value is whole"
    );
    rig.until("the large value is filled", |rig| {
        *said += large.0.say(&much[*said..]);
        !rig.known[&large.1].filled.is_empty()
    });
    assert!(
        rig.known[&large.1].filled == [much.clone()],
        "the large value is whole"
    );
}

/// A connection in each state, switched from `A` to `B`.
fn every_state<A: Member, B: Member>() {
    let (rig, mut cast) = prepare::<A>();
    conclude(&mut rig.switch::<B>(), &mut cast);
}

/// One stream each way, and the poller changed again and again in the middle of it.
fn back_and_forth<A: Member, B: Member>() {
    let (mut rig, at) = Rig::<Kernel<A>>::new();
    let mut clients: Vec<_> = (0..4).map(|_| rig.client(&at)).collect();
    let said = pattern(3, 2 << 20);
    let mut done = [0; 4];
    let mut heard = vec![Vec::new(); 4];
    for _ in 0..10 {
        step(&mut rig, &mut clients, &said, &mut done, &mut heard);
        let mut other = rig.switch::<B>();
        step(&mut other, &mut clients, &said, &mut done, &mut heard);
        rig = other.switch::<A>();
    }
    rig.keep_on("every echo is complete", |rig| {
        step(rig, &mut clients, &said, &mut done, &mut heard);
        heard.iter().all(|heard| heard.len() == said.len())
    });
    assert!(
        heard.iter().all(|heard| *heard == said),
        "every echo is what was said"
    );
}

fn step<P: Member>(
    rig: &mut Rig<Kernel<P>>,
    clients: &mut [Client],
    said: &[u8],
    done: &mut [usize; 4],
    heard: &mut [Vec<u8>],
) {
    for (at, (peer, _)) in clients.iter_mut().enumerate() {
        done[at] += peer.say(&said[done[at]..said.len().min(done[at] + 150_000)]);
        while matches!(peer.hear(&mut heard[at]), Heard::Bytes(_)) {}
    }
    rig.echo();
}

/// An attempt that is refused after the switch says so once.
fn refused<A: Member, B: Member>() {
    let (door, at) = crate::stage::tcp_door("127.0.0.1:0");
    drop(door);
    let mut rig = Rig::<Kernel<A>>::bare();
    let Ok(out) = rig.poller.connect(&at) else {
        return;
    };
    rig.known.insert(out, Known::outgoing());
    let mut rig = rig.switch::<B>();
    rig.until("the attempt fails", |rig| {
        rig.known[&out].connected.is_some()
    });
    assert!(rig.known[&out].connected.unwrap().is_err());
    rig.settle();
}

macro_rules! pairs {
    ($($name:ident: $from:ty => $to:ty;)*) => { $(
        #[test]
        fn $name() {
            if Kernel::<$from>::is_here() && Kernel::<$to>::is_here() {
                every_state::<$from, $to>();
                back_and_forth::<$from, $to>();
                refused::<$from, $to>();
            }
        }
    )* };
}

type Fallbacks = Uring<Least>;

pairs! {
    from_epoll_to_epoll: Epoll => Epoll;
    from_epoll_to_poll: Epoll => Poll;
    from_epoll_to_select: Epoll => Select;
    from_epoll_to_io_uring: Epoll => IoUring;
    from_epoll_to_fallbacks: Epoll => Fallbacks;
    from_poll_to_epoll: Poll => Epoll;
    from_poll_to_poll: Poll => Poll;
    from_poll_to_select: Poll => Select;
    from_poll_to_io_uring: Poll => IoUring;
    from_select_to_epoll: Select => Epoll;
    from_select_to_poll: Select => Poll;
    from_select_to_select: Select => Select;
    from_select_to_io_uring: Select => IoUring;
    from_io_uring_to_epoll: IoUring => Epoll;
    from_io_uring_to_poll: IoUring => Poll;
    from_io_uring_to_select: IoUring => Select;
    from_io_uring_to_io_uring: IoUring => IoUring;
    from_fallbacks_to_epoll: Fallbacks => Epoll;
    from_fallbacks_to_io_uring: Fallbacks => IoUring;
}

mod simulated {
    use crate::rig::Rig;
    use crate::stage::{Peer, Simulated, Stage};
    use dovetail_engine::seam::poller::Poller;

    #[test]
    fn the_poller_switches_to_itself() {
        let (mut rig, at) = Rig::<Simulated>::new();
        let (mut peer, conn) = rig.client(&at);
        let sent = rig.clog(conn);
        peer.say(b"while switching");
        let Rig {
            poller,
            mut stage,
            known,
            order,
            woken,
            refusals,
            lingers,
            gather,
            listeners,
        } = rig;
        let sockets = poller.release();
        let mut poller = stage.open();
        poller.adopt(sockets).unwrap();
        let mut rig = Rig::<Simulated> {
            poller,
            stage,
            known,
            order,
            woken,
            refusals,
            lingers,
            gather,
            listeners,
        };
        rig.until_said(conn, b"while switching");
        assert!(
            rig.hear(&mut peer, sent.len()) == sent,
            "the stalled reply is whole"
        );
        assert!(rig.stage.dial(&at).is_some(), "the listener is still there");
    }
}
