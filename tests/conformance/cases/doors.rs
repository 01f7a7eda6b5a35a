//! Listeners, outgoing connections, wakes.

use crate::rig::Rig;
use crate::stage::Stage;
use dovetail_engine::base::{ListenerId, Micros};
use dovetail_engine::seam::poller::{Close, Patience, Poller};

pub(crate) fn a_closed_listener_takes_nobody_and_its_clients_live<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    rig.settle();
    rig.poller.unlisten(ListenerId(0));
    rig.poller.unlisten(ListenerId(0));
    rig.settle();
    assert!(rig.stage.dial(&at).is_none(), "nobody listens");
    rig.say(&mut peer, b"alive");
    rig.until_said(conn, b"alive");
}

pub(crate) fn two_listeners_are_told_apart<S: Stage>() {
    let (mut rig, first) = Rig::<S>::new();
    let (_, second) = rig.listen();
    let (_a, a) = rig.client(&first);
    let (_b, b) = rig.client(&second);
    assert_eq!(rig.known[&a].listener, Some(ListenerId(0)));
    assert_eq!(rig.known[&b].listener, Some(ListenerId(1)));
}

pub(crate) fn a_connection_is_made<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let out = rig.connect(&at);
    rig.until("both sides are there", |rig| {
        rig.known[&out].connected.is_some() && !rig.order.is_empty()
    });
    assert_eq!(rig.known[&out].connected, Some(Ok(())));
    let inward = rig.order[0];
    rig.send(out, b"question");
    rig.until_said(inward, b"question");
    rig.send(inward, b"answer");
    rig.until_said(out, b"answer");
    rig.close(inward, Close::Now);
    assert_eq!(rig.until_closed(out), Ok(()));
}

pub(crate) fn a_refused_connection_says_so<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    rig.poller.unlisten(ListenerId(0));
    rig.settle();
    // Either the attempt fails at once, or its only event says why.
    if let Ok(out) = rig.poller.connect(&at) {
        rig.known.insert(out, crate::rig::Known::outgoing());
        rig.until("the attempt has ended", |rig| {
            rig.known[&out].connected.is_some()
        });
        assert!(rig.known[&out].connected.unwrap().is_err());
        rig.settle();
    }
}

pub(crate) fn a_closed_attempt_ends_once<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let out = rig.connect(&at);
    rig.close(out, Close::Now);
    rig.until("the attempt has ended", |rig| {
        rig.known[&out].connected.is_some()
    });
    assert!(rig.known[&out].connected.unwrap().is_err());
    rig.settle();
}

pub(crate) fn wakes_make_one_event_and_the_next_wake_another<S: Stage>() {
    let (mut rig, _) = Rig::<S>::new();
    let waker = rig.poller.waker();
    for _ in 0..3 {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let waker = std::sync::Arc::clone(&waker);
                std::thread::spawn(move || (0..1000).for_each(|_| waker.wake()))
            })
            .collect();
        let before = rig.woken;
        rig.until("the wakes are seen", |rig| rig.woken > before);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        // The last wakes may come after the last look.
        rig.settle();
        let before = rig.woken;
        rig.settle();
        assert_eq!(rig.woken, before, "nothing wakes a loop that nobody wakes");
        assert!(before <= 3 * 4000, "wakes are merged");
        // A sleep without end is ended by a wake.
        waker.wake();
        let patience = Patience {
            sleep: None,
            gather: 0,
            grace: Micros(0),
        };
        rig.poller.wait(patience).unwrap();
        rig.until("the wake is seen", |rig| rig.woken > before);
    }
}
