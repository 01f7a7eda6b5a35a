//! The end of connections, in every state.

use crate::rig::Rig;
use crate::stage::{Heard, Peer, Stage};
use dovetail_engine::base::ConnId;
use dovetail_engine::seam::poller::{Close, Poller, Reading};

pub(crate) fn now_ends_an_idle_connection_at_once<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    rig.settle();
    rig.close(conn, Close::Now);
    // A receive is armed, and still the peer learns before anything else happens.
    let mut heard = Vec::new();
    rig.until("the peer hears the end", |_| {
        peer.hear(&mut heard) == Heard::End
    });
    assert_eq!(rig.until_closed(conn), Ok(()));
}

pub(crate) fn now_drops_what_is_unsent<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    let sent = rig.clog(conn);
    rig.close(conn, Close::Now);
    assert_eq!(rig.until_closed(conn), Ok(()));
    assert!(
        rig.hear_out(&mut peer).len() < sent.len(),
        "the rest was dropped"
    );
}

pub(crate) fn gracefully_sends_what_is_unsent_first<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    let sent = rig.clog(conn);
    rig.close(conn, Close::Graceful);
    rig.settle();
    assert_eq!(rig.closed(conn), None);
    assert!(
        rig.hear_out(&mut peer) == sent,
        "everything was sent before the end"
    );
    assert_eq!(rig.until_closed(conn), Ok(()));
}

pub(crate) fn gracefully_sends_a_reply_of_the_same_turn<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    for _ in 0..10 {
        let (mut peer, conn) = rig.client(&at);
        peer.say(b"quit");
        rig.keep_on("the request is answered", |rig| {
            let mut asked = Vec::new();
            rig.turn(&mut |poller, conn, _| {
                poller.close(conn, Close::Graceful);
                asked.push(conn);
            });
            asked.iter().for_each(|conn| rig.send(*conn, b"bye"));
            !asked.is_empty()
        });
        assert_eq!(rig.hear_out(&mut peer), b"bye");
        assert_eq!(rig.until_closed(conn), Ok(()));
    }
}

pub(crate) fn now_hastens_a_graceful_close<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    let sent = rig.clog(conn);
    rig.close(conn, Close::Graceful);
    rig.settle();
    rig.close(conn, Close::Now);
    assert_eq!(rig.until_closed(conn), Ok(()));
    assert!(
        rig.hear_out(&mut peer).len() < sent.len(),
        "the rest was dropped"
    );
}

pub(crate) fn closing_twice_is_closing_once<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    for how in [Close::Now, Close::Graceful] {
        let (_peer, conn) = rig.client(&at);
        rig.close(conn, how);
        rig.close(conn, how);
        rig.until_closed(conn).unwrap();
        rig.close(conn, how);
        rig.settle();
    }
}

pub(crate) fn a_reset_ends_in_closed<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    rig.say(&mut peer, b"hello");
    rig.until_said(conn, b"hello");
    peer.reset();
    let _ = rig.until_closed(conn);
}

pub(crate) fn a_reset_under_a_stalled_reply_ends_in_closed<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    for reading in [Reading::On, Reading::Off] {
        let (peer, conn) = rig.client(&at);
        rig.pause(conn, reading);
        rig.clog(conn);
        peer.reset();
        assert!(
            rig.until_closed(conn).is_err(),
            "a broken connection says why"
        );
    }
}

pub(crate) fn replies_reach_a_peer_that_has_finished_speaking<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    for _ in 0..20 {
        let (mut peer, conn) = rig.client(&at);
        peer.say(b"ping");
        peer.finish();
        rig.keep_on("the request is answered", |rig| {
            rig.echo();
            rig.said(conn).len() == 4
        });
        assert_eq!(rig.hear_out(&mut peer), b"ping");
        assert_eq!(rig.until_closed(conn), Ok(()));
    }
}

pub(crate) fn a_stalled_peer_that_has_finished_speaking_gets_everything<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    let sent = rig.clog(conn);
    peer.finish();
    rig.settle();
    assert_eq!(rig.closed(conn), None);
    assert!(
        rig.hear_out(&mut peer) == sent,
        "everything was sent before the end"
    );
    assert_eq!(rig.until_closed(conn), Ok(()));
}

pub(crate) fn a_peer_that_has_finished_speaking_is_answered_turns_later<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    rig.lingers = true;
    for how in [Close::Graceful, Close::Now] {
        let (mut peer, conn) = rig.client(&at);
        peer.say(b"ping");
        peer.finish();
        rig.until("the peer has finished", |rig| rig.known[&conn].finished);
        assert_eq!(rig.said(conn), b"ping");
        rig.settle();
        assert_eq!(rig.closed(conn), None);
        rig.send(conn, b"late");
        assert_eq!(rig.hear(&mut peer, 4), b"late");
        rig.settle();
        rig.send(conn, b"later");
        if how == Close::Now {
            assert_eq!(rig.hear(&mut peer, 5), b"later");
        }
        rig.close(conn, how);
        let rest: &[u8] = if how == Close::Now { b"" } else { b"later" };
        assert_eq!(rig.hear_out(&mut peer), rest);
        assert_eq!(rig.until_closed(conn), Ok(()));
    }
}

pub(crate) fn what_a_peer_that_has_finished_does_not_take_drains_later<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    rig.lingers = true;
    let (mut peer, conn) = rig.client(&at);
    peer.finish();
    rig.until("the peer has finished", |rig| rig.known[&conn].finished);
    let sent = rig.clog(conn);
    assert!(rig.hear(&mut peer, sent.len()) == sent, "all of it arrives");
    rig.until("it drains", |rig| rig.known[&conn].drained == 1);
    assert_eq!(rig.closed(conn), None);
    rig.close(conn, Close::Graceful);
    assert_eq!(rig.until_closed(conn), Ok(()));
}

pub(crate) fn a_peer_that_has_finished_and_gone_is_no_fault<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    rig.lingers = true;
    let (mut peer, conn) = rig.client(&at);
    peer.finish();
    rig.until("the peer has finished", |rig| rig.known[&conn].finished);
    drop(peer);
    rig.until("a reply is refused", |rig| {
        rig.send(conn, b"for nobody");
        rig.closed(conn).is_some()
    });
    assert_eq!(rig.closed(conn), Some(Ok(())));
}

pub(crate) fn a_fill_is_given_up_when_the_peer_has_finished<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    rig.lingers = true;
    let (mut peer, conn) = rig.client(&at);
    rig.poller.fill(conn, Vec::new(), 100_000);
    peer.say(b"not all of it");
    peer.finish();
    rig.until("the peer has finished", |rig| rig.known[&conn].finished);
    assert!(rig.known[&conn].filled.is_empty());
    rig.send(conn, b"so what");
    rig.close(conn, Close::Graceful);
    assert_eq!(rig.hear_out(&mut peer), b"so what");
    assert_eq!(rig.until_closed(conn), Ok(()));
}

pub(crate) fn nothing_arrives_after_a_graceful_close<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    rig.clog(conn);
    rig.close(conn, Close::Graceful);
    let before = rig.said(conn).len();
    for _ in 0..20 {
        peer.say(b"more");
        rig.turn(&mut |_, _, _| {});
    }
    assert_eq!(rig.said(conn).len(), before);
}

pub(crate) fn a_slot_is_reused_under_another_generation<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (_, first) = rig.client(&at);
    rig.close(first, Close::Now);
    rig.until_closed(first).unwrap();
    let (mut peer, second) = rig.client(&at);
    assert_eq!(first.slot, second.slot);
    assert_ne!(first.generation, second.generation);
    // Whatever is asked of the first must not happen to the second.
    rig.send(first, b"for the dead");
    rig.pause(first, Reading::Off);
    rig.close(first, Close::Now);
    rig.poller.fill(first, Vec::new(), 10);
    rig.say(&mut peer, b"alive");
    rig.until_said(second, b"alive");
    rig.send(second, b"yes");
    assert_eq!(rig.hear(&mut peer, 3), b"yes");
}

pub(crate) fn dead_names_are_ignored<S: Stage>() {
    let (mut rig, _) = Rig::<S>::new();
    for conn in [
        ConnId {
            slot: 0,
            generation: 0,
        },
        ConnId {
            slot: 1000,
            generation: 3,
        },
    ] {
        rig.send(conn, b"for nobody");
        rig.pause(conn, Reading::Off);
        rig.close(conn, Close::Graceful);
        rig.poller.fill(conn, Vec::new(), 10);
        assert_eq!(rig.poller.unsent(conn), 0);
    }
    rig.settle();
}

pub(crate) fn many_come_and_go<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    // More than there are receive buffers: a buffer lost with each would be noticed.
    for round in 0..300 {
        let (mut peer, conn) = rig.client(&at);
        rig.say(&mut peer, b"hello");
        rig.until_said(conn, b"hello");
        match round % 3 {
            0 => peer.finish(),
            1 => rig.close(conn, Close::Now),
            _ => peer.reset(),
        }
        let _ = rig.until_closed(conn);
    }
    let (mut peer, conn) = rig.client(&at);
    let said = crate::rig::pattern(9, 4 << 20);
    rig.say(&mut peer, &said);
    rig.until_said(conn, &said);
}
