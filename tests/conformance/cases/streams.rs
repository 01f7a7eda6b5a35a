//! Bytes in, bytes out, in order.

use crate::rig::{Rig, pattern};
use crate::stage::{Heard, Peer, Stage};
use bytes::Bytes;
use dovetail_engine::resp::ReplyBuf;
use dovetail_engine::seam::poller::Poller;

/// Turns in which everything received is sent back, until `peer` has heard `len` bytes.
fn echo_until<S: Stage>(rig: &mut Rig<S>, peer: &mut S::Peer, len: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    rig.keep_on("the echo has come back", |rig| {
        rig.echo();
        while matches!(peer.hear(&mut heard), Heard::Bytes(_)) {}
        heard.len() >= len
    });
    heard
}

pub(crate) fn accepted_clients_are_echoed<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    for round in 0..5 {
        let said = format!("hello {round}");
        rig.say(&mut peer, said.as_bytes());
        assert_eq!(echo_until(&mut rig, &mut peer, said.len()), said.as_bytes());
    }
    let arrival = rig.known[&conn].arrival.clone().unwrap();
    assert_eq!(arrival.local, at);
}

pub(crate) fn bytes_arrive_one_by_one<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    let said = pattern(1, 100);
    for (at, byte) in said.iter().enumerate() {
        rig.say(&mut peer, std::slice::from_ref(byte));
        rig.until_said(conn, &said[..=at]);
    }
}

pub(crate) fn a_burst_arrives_in_order<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    let said = pattern(2, 3 << 20);
    rig.say(&mut peer, &said);
    rig.until_said(conn, &said);
}

pub(crate) fn several_clients_do_not_mix<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let mut clients: Vec<_> = (0..40).map(|_| rig.client(&at)).collect();
    for round in 0..5 {
        for (seed, (peer, _)) in (0..).zip(&mut clients) {
            rig.say(peer, &pattern(seed ^ (round << 4), 3000));
        }
    }
    for (seed, (_, conn)) in (0..).zip(&clients) {
        let said: Vec<u8> = (0..5_u8)
            .flat_map(|round| pattern(seed ^ (round << 4), 3000))
            .collect();
        rig.until_said(*conn, &said);
    }
}

pub(crate) fn a_large_reply_waits_for_a_stalled_reader<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    let sent = rig.clog(conn);
    assert!(rig.poller.unsent(conn) <= sent.len());
    rig.settle();
    assert_eq!(rig.known[&conn].drained, 0);
    assert!(
        rig.hear(&mut peer, sent.len()) == sent,
        "what was sent is heard"
    );
    rig.until("the output has drained", |rig| {
        rig.known[&conn].drained == 1
    });
    assert_eq!(rig.poller.unsent(conn), 0);
    rig.send(conn, b"after");
    assert_eq!(rig.hear(&mut peer, 5), b"after");
}

pub(crate) fn replies_behind_a_stalled_one_keep_their_order<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    let mut sent = rig.clog(conn);
    for round in 0..200_u8 {
        let more = pattern(round, usize::from(round) * 100 + 1);
        rig.send(conn, &more);
        sent.extend_from_slice(&more);
        rig.turn(&mut |_, _, _| {});
    }
    assert!(
        rig.hear(&mut peer, sent.len()) == sent,
        "what was sent is heard in order"
    );
    rig.until("the output has drained", |rig| {
        rig.known[&conn].drained == 1
    });
}

pub(crate) fn spliced_replies_leave_whole<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    for piece in [1, 1 << 10, 1 << 20, 8 << 20] {
        let shared = Bytes::from(pattern(3, piece));
        let mut reply = ReplyBuf::new();
        reply.tail().extend_from_slice(b"before ");
        reply.splice(shared.clone());
        reply.tail().extend_from_slice(b" between ");
        reply.splice(shared);
        let sent = reply.to_vec();
        rig.poller.send(conn, &mut reply);
        assert!(reply.is_empty(), "send leaves the buffer empty");
        assert!(
            rig.hear(&mut peer, sent.len()) == sent,
            "what was sent is heard"
        );
    }
}

pub(crate) fn many_small_pieces_leave_whole<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    for pieces in [63, 64, 65, 1000] {
        let mut reply = ReplyBuf::new();
        for piece in 0..pieces {
            reply.tail().extend_from_slice(b"x");
            reply.splice(Bytes::from(pattern(4, 1 + piece % 50)));
        }
        let sent = reply.to_vec();
        rig.poller.send(conn, &mut reply);
        assert!(
            rig.hear(&mut peer, sent.len()) == sent,
            "what was sent is heard"
        );
        rig.settle();
    }
}

pub(crate) fn an_empty_reply_is_nothing<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, conn) = rig.client(&at);
    rig.send(conn, b"");
    rig.settle();
    rig.send(conn, b"x");
    assert_eq!(rig.hear(&mut peer, 1), b"x");
}

pub(crate) fn gathering_does_not_lose_a_lonely_client<S: Stage>() {
    let (mut rig, at) = Rig::<S>::new();
    let (mut peer, _) = rig.client(&at);
    rig.gather = 50;
    for _ in 0..20 {
        rig.say(&mut peer, b"ping");
        assert_eq!(echo_until(&mut rig, &mut peer, 4), b"ping");
    }
}
