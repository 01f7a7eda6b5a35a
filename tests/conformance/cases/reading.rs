//! Pausing, and receiving into the engine's own buffers.

use crate::rig::{Rig, Seen, pattern};
use crate::stage::{Peer, Stage};
use dovetail_engine::base::ConnId;
use dovetail_engine::seam::poller::{Close, Poller, Reading};

pub(crate) fn pausing_loses_no_byte<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    let said = pattern(5, 200_000);
    for (round, part) in said.chunks(10_000).enumerate() {
        let reading = if round % 2 == 0 {
            Reading::Off
        } else {
            Reading::On
        };
        rig.pause(conn, reading);
        rig.say(&mut peer, part);
        rig.turn(&mut |_, _, _| {});
        rig.pause(conn, Reading::Off);
        rig.pause(conn, reading);
    }
    rig.pause(conn, Reading::On);
    rig.until_said(conn, &said);
}

pub(crate) fn a_paused_writer_is_held_back<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    rig.pause(conn, Reading::Off);
    rig.settle();
    let chunk = pattern(6, 1 << 16);
    let mut said = Vec::new();
    let mut refused = 0;
    rig.until("the writer is held back", |_| {
        let taken = peer.say(&chunk);
        said.extend_from_slice(&chunk[..taken]);
        refused = if taken == 0 { refused + 1 } else { 0 };
        refused == 20
    });
    assert!(rig.said(conn).is_empty(), "nothing is read while paused");
    rig.pause(conn, Reading::On);
    rig.until_said(conn, &said);
}

pub(crate) fn a_peer_that_ends_while_paused_is_closed_after_its_bytes<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    rig.pause(conn, Reading::Off);
    rig.settle();
    rig.say(&mut peer, b"last words");
    peer.finish();
    rig.settle();
    rig.pause(conn, Reading::On);
    rig.until_closed(conn).unwrap();
    assert_eq!(rig.said(conn), b"last words");
}

/// Has the value that follows `head` bytes of what is received filled, as an engine would.
fn fill_behind<S: Stage>(rig: &mut Rig<S>, conn: ConnId, head: usize, wanted: usize) {
    rig.keep_on("the head has arrived", |rig| {
        let mut is_begun = false;
        let mut seen = rig.said(conn).len();
        rig.turn(&mut |poller, from, what| {
            if let Seen::Bytes(bytes) = what
                && from == conn
                && !is_begun
            {
                let before = seen;
                seen += bytes.len();
                if seen >= head {
                    let start = bytes[head.saturating_sub(before)..].to_vec();
                    assert!(start.len() <= wanted, "the test keeps the value larger");
                    poller.fill(conn, start, wanted);
                    is_begun = true;
                }
            }
        });
        is_begun
    });
}

fn fills<S: Stage>(len: usize) {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    let said = pattern(7, len);
    rig.say(&mut peer, b"*head");
    fill_behind(&mut rig, conn, 5, len);
    rig.say(&mut peer, &said);
    rig.until("the value is filled", |rig| {
        !rig.known[&conn].filled.is_empty()
    });
    assert!(
        rig.known[&conn].filled == [said],
        "the value is what was sent"
    );
    assert_eq!(rig.said(conn), b"*head");
    rig.say(&mut peer, b"next");
    rig.until_said(conn, b"*headnext");
}

pub(crate) fn a_small_value_is_filled<S: Stage>() {
    fills::<S>(1000);
}

pub(crate) fn a_large_value_is_filled_while_it_arrives<S: Stage>() {
    fills::<S>(5 << 20);
}

pub(crate) fn what_follows_a_filled_value_comes_after_it<S: Stage>() {
    for len in [3000, 70_000, 2 << 20] {
        let (mut rig, at) = Rig::<S>::new();
        let (mut peer, conn) = rig.client(&at);
        let value = pattern(8, len);
        // Everything is under way before the fill is asked for: head, value, and what follows.
        let mut all = b"*".to_vec();
        all.extend_from_slice(&value);
        all.extend_from_slice(b"and then");
        let mut said = peer.say(&all[..1]);
        fill_behind(&mut rig, conn, 1, len);
        rig.until("everything is said", |_| {
            said += peer.say(&all[said..]);
            said == all.len()
        });
        rig.until_said(conn, b"*and then");
        assert!(
            rig.known[&conn].filled == [value],
            "the value is what was sent"
        );
    }
}

pub(crate) fn a_full_buffer_is_filled_already<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    rig.poller.fill(conn, b"whole".to_vec(), 5);
    rig.until("the value is filled", |rig| {
        !rig.known[&conn].filled.is_empty()
    });
    assert_eq!(rig.known[&conn].filled, [b"whole"]);
    rig.say(&mut peer, b"next");
    rig.until_said(conn, b"next");
}

pub(crate) fn values_fill_one_after_the_other<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    let values: Vec<Vec<u8>> = (0..6).map(|seed| pattern(seed, 50_000 << seed)).collect();
    let mut said = values.concat();
    said.extend_from_slice(b"end");
    let mut at = 0;
    let mut next = 1;
    rig.poller.fill(conn, Vec::new(), values[0].len());
    rig.keep_on("the values are filled", |rig| {
        at += peer.say(&said[at..]);
        rig.turn(&mut |poller, conn, seen| {
            if matches!(seen, Seen::Filled) && next < values.len() {
                poller.fill(conn, Vec::new(), values[next].len());
                next += 1;
            }
        });
        rig.known[&conn].filled.len() == values.len()
    });
    assert!(rig.known[&conn].filled == values, "values keep their order");
    rig.until("everything is said", |_| {
        at += peer.say(&said[at..]);
        at == said.len()
    });
    rig.until_said(conn, b"end");
}

pub(crate) fn a_peer_that_ends_within_a_value_is_closed<S: Stage>() {
    for len in [1000, 1 << 20] {
        let (mut rig, at) = Rig::<S>::new();
        let (mut peer, conn) = rig.client(&at);
        rig.poller.fill(conn, Vec::new(), len);
        rig.say(&mut peer, b"only this");
        peer.finish();
        rig.until_closed(conn).unwrap();
        assert!(rig.known[&conn].filled.is_empty());
    }
}

pub(crate) fn closing_within_a_value_ends<S: Stage>() {
    for how in [Close::Now, Close::Graceful] {
        for len in [1000, 1 << 20] {
            let (mut rig, at) = Rig::<S>::new();
            let (mut peer, conn) = rig.client(&at);
            rig.poller.fill(conn, Vec::new(), len);
            rig.say(&mut peer, b"only this");
            rig.settle();
            rig.close(conn, how);
            rig.until_closed(conn).unwrap();
            rig.hear_out(&mut peer);
        }
    }
}
