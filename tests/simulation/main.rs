//! The engine over the simulated poller: the same promises, from a seed, faster than the clock.
//!
//! A whole server runs inside the test: engine, loop and simulated sockets with short reads and
//! writes. Time moves only when the loop asks for it.

mod log;
mod recovery;

use dovetail_engine::base::{ListenerId, Micros, Now};
use dovetail_engine::executor::{Engine, Parts};
use dovetail_engine::seam::drive::{Carried, Ended, Start, drive};
use dovetail_engine::seam::host::Surroundings;
use dovetail_engine::seam::poller::{Endpoint, Fault};
use dovetail_tests::sim::{Net, SimDoor, SimPeer, SimPoller, SimSockets};

/// Turns after which a run that is not over has hung.
const TURNS_MAX: u64 = 200_000;

/// One scripted client: what is left to say, and what it has heard.
struct Client {
    peer: SimPeer,
    to_say: Vec<u8>,
    heard: Vec<u8>,
    wanted: usize,
}

/// The world around one server.
struct World {
    net: Net,
    door: Option<SimDoor>,
    address: Endpoint,
    scripts: Vec<(Vec<u8>, usize)>,
    clients: Vec<Client>,
    /// Ends the server when every script has been answered.
    closer: Option<SimPeer>,
    turns: u64,
}

impl World {
    /// A world whose clients send the first of each pair and expect as many bytes as the second has.
    fn new(seed: u64, scripts: Vec<(Vec<u8>, usize)>) -> Self {
        let net = Net::new(seed);
        let (door, address) = net.door();
        let (clients, closer) = (Vec::new(), None);
        Self {
            net,
            door: Some(door),
            address,
            scripts,
            clients,
            closer,
            turns: 0,
        }
    }

    /// Every client says and hears what it can.
    fn play(&mut self) {
        for (script, wanted) in std::mem::take(&mut self.scripts) {
            let peer = self.net.dial(&self.address).expect("the door is open");
            self.clients.push(Client {
                peer,
                to_say: script,
                heard: Vec::new(),
                wanted,
            });
        }
        for client in &mut self.clients {
            let said = client.peer.write(&client.to_say);
            client.to_say.drain(..said);
            client.peer.read(&mut client.heard);
        }
        let is_over = self
            .clients
            .iter()
            .all(|client| client.heard.len() >= client.wanted);
        if is_over && self.closer.is_none() {
            let mut closer = self.net.dial(&self.address).expect("the door is open");
            assert_eq!(closer.write(b"SHUTDOWN\r\n"), 10, "a short line fits");
            self.closer = Some(closer);
        }
    }
}

impl Surroundings<SimDoor> for World {
    fn now(&mut self) -> Now {
        self.turns += 1;
        assert!(self.turns < TURNS_MAX, "the run hangs");
        if self.door.is_none() {
            self.play();
        }
        let monotonic = Micros(self.turns * 10);
        Now {
            monotonic,
            unix_us: 1_700_000_000_000_000 + monotonic.0,
        }
    }

    fn doors(&mut self) -> Vec<(ListenerId, SimDoor)> {
        self.door
            .take()
            .map(|door| (ListenerId(0), door))
            .into_iter()
            .collect()
    }

    fn refused(&mut self, _listener: ListenerId, fault: Fault) {
        panic!("a simulated door is never refused: {fault}");
    }
}

/// Runs a server for clients with these scripts; returns what each has heard.
fn run(seed: u64, scripts: &[(Vec<u8>, Vec<u8>)]) -> Vec<Vec<u8>> {
    let lens = scripts
        .iter()
        .map(|(say, hear)| (say.clone(), hear.len()))
        .collect();
    let mut world = World::new(seed, lens);
    let mut engine = Engine::new(Parts::bare(seed)).expect("the default configuration is valid");
    let start = Start::Adopted(SimSockets::over(&world.net), Carried::default());
    let ended = drive::<SimPoller>(start, 16, &mut engine, &mut world).expect("nothing fails");
    assert!(matches!(ended, Ended::Finished));
    world
        .clients
        .into_iter()
        .map(|client| client.heard)
        .collect()
}

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        wire.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        wire.extend_from_slice(word);
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

fn bulk(value: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

/// Runs the scripts under many seeds: whatever the kernel cuts, every client hears the same.
fn holds(scripts: &[(Vec<u8>, Vec<u8>)]) {
    for seed in 0..20 {
        let heard = run(seed, scripts);
        for (index, (heard, (_, wanted))) in heard.iter().zip(scripts).enumerate() {
            assert!(
                heard == wanted,
                "client {index} of seed {seed} heard something else"
            );
        }
    }
}

#[test]
fn every_echo_comes_back() {
    let messages: Vec<Vec<u8>> = (0..50_usize).map(|n| vec![b'a'; n * 37]).collect();
    let say = messages
        .iter()
        .flat_map(|message| request(&[b"ECHO", message]))
        .collect();
    let hear = messages.iter().flat_map(|message| bulk(message)).collect();
    holds(&[(say, hear)]);
}

#[test]
fn every_ping_is_answered_in_order() {
    let say = [b"PING\r\n".repeat(500), request(&[b"PING", b"last"])].concat();
    let hear = [b"+PONG\r\n".repeat(500), bulk(b"last")].concat();
    holds(&[(say.clone(), hear.clone()), (say, hear)]);
}

#[test]
fn what_is_set_is_read_back_by_its_client() {
    let script = |client: u32| {
        let (mut say, mut hear) = (Vec::new(), Vec::new());
        for n in 0..60_usize {
            let key = format!("key:{client}:{n}");
            // Some values are large enough to be received into a buffer of their own.
            let value = vec![b'0' + u8::try_from(n % 10).expect("a digit"); n * n * 20];
            say.extend(request(&[b"SET", key.as_bytes(), &value]));
            say.extend(request(&[b"GET", key.as_bytes()]));
            hear.extend_from_slice(b"+OK\r\n");
            hear.extend(bulk(&value));
        }
        (say, hear)
    };
    holds(&[script(1), script(2), script(3)]);
}
