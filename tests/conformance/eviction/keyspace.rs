//! Every policy over the keyspace itself.

use dovetail_backends::eviction::POLICIES;
use dovetail_engine::base::{DbIndex, Micros, Now};
use dovetail_engine::keyspace::evict::{Evicted, Policy};
use dovetail_engine::keyspace::{Db, Deadline, Keyspace};
use dovetail_engine::seam::eviction::{PolicyEntry, PolicySettings, Scope};
use dovetail_memory::{HeapPages, NewBody};
use std::rc::Rc;

const KEYS: u64 = 3000;
/// Long past the end of any case.
const FAR_MS: u64 = 1 << 42;

fn policy(entry: &'static PolicyEntry, scope: Scope) -> Policy {
    Policy {
        entry,
        scope,
        settings: PolicySettings {
            samples: 5,
            decay_minutes: 1,
            seed: 1,
        },
        log_factor: 10,
    }
}

fn keyspace() -> Keyspace {
    let mut keyspace = Keyspace::new(2, 5, Rc::new(HeapPages));
    keyspace.set_touching(true);
    tick(&mut keyspace, 0);
    keyspace
}

fn tick(keyspace: &mut Keyspace, millis: u64) {
    let micros = (1_000_000 + millis) * 1000;
    keyspace.set_now(Now {
        monotonic: Micros(micros),
        unix_us: micros,
    });
}

fn name(nth: u64) -> String {
    format!("key:{nth}")
}

/// A key comes; every third one has a deadline.
fn put(keyspace: &mut Keyspace, nth: u64) {
    let name = name(nth);
    let key = keyspace.key(name.as_bytes());
    let deadline = if nth.is_multiple_of(3) {
        Deadline::At(FAR_MS + nth)
    } else {
        Deadline::Clear
    };
    let db = keyspace.db(DbIndex(u32::from(nth.is_multiple_of(5))));
    db.put(&key, 0, NewBody::Bytes(b"something"), deadline);
}

fn hit(keyspace: &mut Keyspace, nth: u64) -> bool {
    let name = name(nth);
    let key = keyspace.key(name.as_bytes());
    let db = keyspace.db(DbIndex(u32::from(nth.is_multiple_of(5))));
    db.read(&key).is_some()
}

fn len(keyspace: &Keyspace) -> usize {
    keyspace.iter().map(Db::len).sum()
}

fn with_deadline(keyspace: &Keyspace) -> usize {
    let dbs = keyspace.iter();
    dbs.map(Db::with_deadline).sum()
}

/// Evicts so many, or until nobody is left.
fn evict(keyspace: &mut Keyspace, most: usize) -> usize {
    let (mut gone, mut calls) = (0, 0);
    while gone < most {
        match keyspace.evict(&mut 64) {
            Evicted::Key(_) => gone += 1,
            Evicted::OutOfSteps => {}
            Evicted::Nothing => break,
        }
        calls += 1;
        assert!(calls < 200_000, "eviction gets nowhere");
    }
    gone
}

fn all() -> impl Iterator<Item = Policy> {
    POLICIES.iter().flat_map(|entry| {
        let scopes = [Scope::AllKeys, Scope::Volatile];
        let scopes = scopes
            .into_iter()
            .filter(|scope| !entry.volatile_only || *scope == Scope::Volatile);
        scopes.map(|scope| policy(entry, scope))
    })
}

/// Only those in scope go, all of them, and nobody else.
fn assert_drains(keyspace: &mut Keyspace, policy: Policy) {
    let (before, volatile) = (len(keyspace), with_deadline(keyspace));
    let expected = match policy.scope {
        Scope::AllKeys => before,
        Scope::Volatile => volatile,
    };
    let gone = evict(keyspace, usize::MAX);
    assert_eq!(gone, expected, "{} {:?}", policy.entry.name, policy.scope);
    assert_eq!(len(keyspace), before - gone);
    assert!(policy.scope == Scope::AllKeys || with_deadline(keyspace) == 0);
    assert_eq!(keyspace.evict(&mut 64), Evicted::Nothing);
}

#[test]
fn all_in_scope_go_and_nobody_else() {
    for policy in all() {
        let mut keyspace = keyspace();
        keyspace.set_policy(Some(policy));
        (0..KEYS).for_each(|nth| put(&mut keyspace, nth));
        assert_drains(&mut keyspace, policy);
    }
}

#[test]
fn keys_that_were_there_before_the_policy_go_too() {
    for policy in all() {
        let mut keyspace = keyspace();
        (0..KEYS).for_each(|nth| put(&mut keyspace, nth));
        keyspace.set_policy(Some(policy));
        assert_drains(&mut keyspace, policy);
    }
}

#[test]
fn a_policy_that_holds_much_is_not_destroyed_where_another_takes_its_place() {
    for policy in all().filter(|policy| policy.scope == Scope::AllKeys) {
        let mut keyspace = keyspace();
        keyspace.set_policy(Some(policy));
        (0..20 * KEYS).for_each(|nth| put(&mut keyspace, nth));
        while keyspace.settle_policies(1000) {}
        let expected = usize::from(policy.entry.enters);
        for what in ["a flush", "another policy"] {
            let before = keyspace.policy_memory().sum();
            match what {
                "a flush" => assert!(keyspace.flush(DbIndex(0)) > 0),
                _ => keyspace.set_policy(None),
            }
            assert!(keyspace.policy_memory().sum() <= before / 4, "{what}");
            let mut given = 0;
            keyspace.give_discarded(1, &mut |_| given += 1);
            assert_eq!(given, expected, "{} after {what}", policy.entry.name);
            (0..20 * KEYS).for_each(|nth| put(&mut keyspace, nth));
            while keyspace.settle_policies(1000) {}
        }
    }
}

#[test]
fn a_cache_goes_on_while_the_policy_changes() {
    let mut keyspace = keyspace();
    let capacity = usize::try_from(KEYS / 3).unwrap();
    let mut state = 9_u64;
    for (turn, policy) in (0..).zip(all()) {
        keyspace.set_policy(Some(policy));
        while keyspace.settle_policies(100) {}
        for nth in 0..2 * KEYS {
            tick(&mut keyspace, turn * 2 * KEYS + nth);
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let nth = (state >> 33) % KEYS;
            if !hit(&mut keyspace, nth) {
                put(&mut keyspace, nth);
            } else if nth.is_multiple_of(7) {
                let name = name(nth);
                let key = keyspace.key(name.as_bytes());
                keyspace
                    .db(DbIndex(u32::from(nth.is_multiple_of(5))))
                    .remove(&key);
            }
            let over = len(&keyspace).saturating_sub(capacity);
            let gone = evict(&mut keyspace, over);
            let is_empty = policy.scope == Scope::Volatile && with_deadline(&keyspace) == 0;
            assert!(gone == over || is_empty, "{} stalls", policy.entry.name);
        }
        keyspace.swap(DbIndex(0), DbIndex(1));
        keyspace.swap(DbIndex(0), DbIndex(1));
    }
    keyspace.set_policy(None);
    assert_eq!(evict(&mut keyspace, usize::MAX), 0);
}
