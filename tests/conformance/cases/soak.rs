//! Everything at once, from a seed: what was said is what arrives, and comes back.

use crate::rig::{Rig, pattern};
use crate::stage::{Heard, Peer, Stage};
use dovetail_engine::base::ConnId;
use dovetail_engine::base::rng::Rng;
use dovetail_engine::seam::poller::{Close, Endpoint, Reading};

/// How many turns the traffic lasts.
const TURNS: u32 = 1500;
/// How many clients there are at most.
const CLIENTS: usize = 30;

struct Client<P> {
    peer: P,
    conn: ConnId,
    said: Vec<u8>,
    heard: Vec<u8>,
    is_paused: bool,
}

fn pick(rng: &mut Rng, below: usize) -> usize {
    usize::try_from(rng.below(below as u64)).unwrap()
}

/// One random deed of a client, or to it.
fn act<S: Stage>(rig: &mut Rig<S>, rng: &mut Rng, clients: &mut Vec<Client<S::Peer>>) {
    let at = pick(rng, clients.len());
    let client = &mut clients[at];
    match rng.below(100) {
        0..50 => {
            let len = 1 << pick(rng, 17);
            let bytes = pattern(rng.bits().to_le_bytes()[0], pick(rng, len) + 1);
            let taken = client.peer.say(&bytes);
            client.said.extend_from_slice(&bytes[..taken]);
        }
        50..90 => while matches!(client.peer.hear(&mut client.heard), Heard::Bytes(_)) {},
        90..96 => {
            client.is_paused = !client.is_paused;
            let reading = if client.is_paused {
                Reading::Off
            } else {
                Reading::On
            };
            rig.pause(client.conn, reading);
        }
        how => {
            let client = clients.swap_remove(at);
            match how {
                96 => client.peer.reset(),
                97 => rig.close(client.conn, Close::Now),
                98 => rig.close(client.conn, Close::Graceful),
                _ => drop(client),
            }
        }
    }
}

fn traffic<S: Stage>(seed: u64) {
    let (mut rig, at) = Rig::<S>::new();
    let mut rng = Rng::new(seed);
    let mut clients: Vec<Client<S::Peer>> = Vec::new();
    for _ in 0..TURNS {
        if clients.len() < CLIENTS && rng.below(4) == 0 || clients.is_empty() {
            clients.push(join(&mut rig, &at));
        }
        for _ in 0..8 {
            if !clients.is_empty() {
                act(&mut rig, &mut rng, &mut clients);
            }
        }
        rig.gather = u32::try_from(rng.below(3)).unwrap() * 8;
        rig.echo();
    }
    for client in &mut clients {
        rig.pause(client.conn, Reading::On);
    }
    rig.keep_on("every echo has come back", |rig| {
        rig.echo();
        clients.iter_mut().all(|client| {
            while matches!(client.peer.hear(&mut client.heard), Heard::Bytes(_)) {}
            client.heard.len() == client.said.len()
        })
    });
    for client in &clients {
        assert!(
            client.heard == client.said,
            "seed {seed}: the echo is what was said"
        );
        assert!(
            rig.said(client.conn) == client.said,
            "seed {seed}: what arrived was said"
        );
    }
}

fn join<S: Stage>(rig: &mut Rig<S>, at: &Endpoint) -> Client<S::Peer> {
    let before = rig.order.len();
    let peer = rig.stage.dial(at).unwrap();
    rig.keep_on("a client is accepted", |rig| {
        rig.echo();
        rig.order.len() > before
    });
    let conn = rig.order[before];
    Client {
        peer,
        conn,
        said: Vec::new(),
        heard: Vec::new(),
        is_paused: false,
    }
}

pub(crate) fn random_traffic_is_echoed_exactly<S: Stage>() {
    for seed in 0..3 {
        traffic::<S>(seed);
    }
}
