//! Cases that change their whole process: descriptor limits, forks, thousands of sockets. Each
//! runs in a process of its own, which is this program again with one test chosen.

use crate::rig::Rig;
use crate::stage::{Heard, Kernel, Line, Member, Peer, Stage};
use dovetail_backends::poller::epoll::Epoll;
use dovetail_backends::poller::io_uring::{IoUring, Least, Uring};
use dovetail_backends::poller::poll::Poll;
use dovetail_backends::poller::select::Select;
use dovetail_backends::sys::process::{self, Forked};
use dovetail_backends::sys::{clock, select, socket};
use dovetail_engine::base::{ListenerId, Micros};
use dovetail_engine::seam::poller::{Close, Endpoint};

/// Tells the child of a test that it is one.
const CHILD: &str = "DOVETAIL_ISOLATED";

/// Runs `case` in a process of its own.
fn isolated(name: &str, case: fn()) {
    if std::env::var_os(CHILD).is_some() {
        case();
        return;
    }
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new(program)
        .args(["--exact", name, "--test-threads", "1", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let (out, err) = (&output.stdout, &output.stderr);
    let said = [out.as_slice(), err.as_slice()].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

macro_rules! isolated {
    ($($module:ident: $member:ty;)*) => { $(
        mod $module {
            use super::*;
            isolated!(@cases $module $member:
                descriptors_run_out_and_come_back,
                thousands_are_served_or_refused,
                a_forked_child_keeps_nothing_open,
                unix_and_ipv6_clients_are_served,
            );
        }
    )* };
    (@cases $module:ident $member:ty: $($case:ident,)*) => { $(
        #[test]
        fn $case() {
            if Kernel::<$member>::is_here() {
                let name = concat!(
                    "isolated::", stringify!($module), "::", stringify!($case)
                );
                isolated(name, super::$case::<$member>);
            }
        }
    )* };
}

isolated! {
    epoll: Epoll;
    poll: Poll;
    select_: Select;
    io_uring: IoUring;
    io_uring_with_fallbacks: Uring<Least>;
}

fn descriptors_run_out_and_come_back<P: Member>() {
    const WAITING: usize = 12;
    const ROOM: usize = 4;
    const TURNS: usize = 300;
    let (_, most) = process::descriptor_limit().unwrap();
    // Lowered first: a ring remembers the limit under which accepting was asked for.
    process::set_descriptor_limit(100, most).unwrap();
    let (mut rig, at) = Rig::<Kernel<P>>::new();
    rig.settle();
    let mut peers: Vec<Line> = (0..WAITING).map(|_| rig.stage.dial(&at).unwrap()).collect();
    let null = std::fs::File::open("/dev/null").unwrap();
    let mut hoard = Vec::new();
    while let Ok(another) = null.try_clone() {
        hoard.push(another);
    }
    hoard.truncate(hoard.len() - ROOM);
    rig.until("accepting fails", |rig| !rig.refusals.is_empty());
    let (accepted, refused) = (rig.order.len(), rig.refusals.len());
    assert!(accepted < WAITING, "descriptors have run out");
    assert_eq!(rig.refusals[0].errno, libc::EMFILE);
    (0..TURNS).for_each(|_| rig.turn(&mut |_, _, _| {}));
    assert!(
        rig.refusals.len() - refused < TURNS / 10,
        "the listener rests in between"
    );
    // Whoever is connected is served, and makes room by leaving.
    let first = rig.order[0];
    rig.say(&mut peers[0], b"hello");
    rig.until_said(first, b"hello");
    rig.close(first, Close::Now);
    rig.until("another is accepted", |rig| rig.order.len() > accepted);
    drop(hoard);
    rig.until("everybody is accepted", |rig| rig.order.len() == WAITING);
}

fn thousands_are_served_or_refused<P: Member>() {
    const CLIENTS: usize = 1500;
    const ABOVE: i32 = 4000;
    if process::raise_descriptor_limit(8000).unwrap() < 8000 {
        return;
    }
    let (mut rig, at) = Rig::<Kernel<P>>::new();
    let mut peers = Vec::new();
    while peers.len() < CLIENTS {
        // The clients' own descriptors are kept out of the way of those under test.
        let batch = (0..100).map(|_| Line::dial(&at).unwrap().moved_up(ABOVE));
        peers.extend(batch);
        (0..15).for_each(|_| rig.turn(&mut |_, _, _| {}));
    }
    let is_limited = P::NAME == "select";
    rig.until("everybody is accepted or refused", |rig| {
        let settled = rig.order.len() == CLIENTS || !rig.refusals.is_empty();
        settled && (!is_limited || rig.order.len() > 900)
    });
    if is_limited {
        assert!(
            rig.order.len() < select::LIMIT,
            "descriptors beyond the set are refused"
        );
        assert!(!rig.refusals.is_empty());
    } else {
        assert!(rig.refusals.is_empty());
    }
    let served = rig.order.len();
    for peer in &mut peers {
        // Those that were refused cannot speak.
        peer.say(b"hello");
    }
    let mut heard = vec![Vec::new(); CLIENTS];
    rig.keep_on("everybody accepted is answered", |rig| {
        rig.echo();
        for (peer, heard) in peers.iter_mut().zip(&mut heard) {
            if heard.is_empty() {
                peer.hear(heard);
            }
        }
        let answered = heard.iter().filter(|heard| *heard == b"hello").count();
        assert!(
            heard
                .iter()
                .all(|heard| heard.is_empty() || heard == b"hello")
        );
        answered == served
    });
}

fn a_forked_child_keeps_nothing_open<P: Member>() {
    let (mut rig, at) = Rig::<Kernel<P>>::new();
    let (mut peer, conn) = rig.client(&at);
    let (mut other, other_id) = rig.client(&at);
    rig.settle();
    let child = match process::fork().unwrap() {
        Forked::Parent(child) => child,
        Forked::Child => {
            // It lives on with a copy of every descriptor, and does nothing with them.
            (0..30).for_each(|_| clock::nap(Micros::from_secs(1)));
            process::exit_now(0)
        }
    };
    rig.say(&mut peer, b"hello");
    rig.until_said(conn, b"hello");
    rig.close(conn, Close::Now);
    assert_eq!(rig.until_closed(conn), Ok(()));
    let mut heard = Vec::new();
    rig.until("the peer hears the end", |_| {
        peer.hear(&mut heard) == Heard::End
    });
    let (mut late, late_id) = rig.client(&at);
    rig.say(&mut late, b"late");
    rig.until_said(late_id, b"late");
    rig.poller.unlisten(ListenerId(0));
    rig.until("nobody listens", |_| Line::dial(&at).is_none());
    rig.say(&mut other, b"still here");
    rig.until_said(other_id, b"still here");
    rig.settle();
    process::kill(child, libc::SIGKILL).unwrap();
    rig.until("the child is gone", |_| {
        process::reap(child).unwrap().is_some()
    });
}

fn unix_and_ipv6_clients_are_served<P: Member>() {
    let path = std::env::temp_dir().join(format!("dovetail-{}.sock", process::id()));
    let path = path.to_str().unwrap();
    let mut rig = Rig::<Kernel<P>>::bare();
    let door = socket::listen_unix(path, 0o700, 511).unwrap();
    rig.poller.listen(ListenerId(7), door).unwrap();
    let mut places = vec![Endpoint::Unix(path.to_owned())];
    if let Ok(door) = socket::listen_tcp("[::1]:0".parse().unwrap(), 511) {
        use std::os::fd::AsFd;
        places.push(socket::local(door.as_fd()).unwrap());
        rig.poller.listen(ListenerId(8), door).unwrap();
    }
    for (listener, at) in (7..).zip(&places) {
        let (mut peer, conn) = rig.client(at);
        let arrival = rig.known[&conn].arrival.clone().unwrap();
        assert_eq!(rig.known[&conn].listener, Some(ListenerId(listener)));
        assert_eq!(arrival.local, *at);
        rig.say(&mut peer, b"hello");
        rig.until_said(conn, b"hello");
        let sent = rig.clog(conn);
        rig.close(conn, Close::Graceful);
        assert!(
            rig.hear_out(&mut peer) == sent,
            "everything was sent before the end"
        );
        assert_eq!(rig.until_closed(conn), Ok(()));
        let out = rig.connect(at);
        rig.until("the attempt succeeds", |rig| {
            rig.known[&out].connected == Some(Ok(()))
        });
    }
    std::fs::remove_file(path).unwrap();
}
