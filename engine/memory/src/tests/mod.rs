//! Tests of the store as a whole, against simple models.

mod due;
mod model;
mod order;
mod shape;
mod walks;

use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

use crate::{ChunkKind, HeapPages, NewBody, PageSource, Store};

/// Heap pages full of rubbish, which counts what is out.
#[derive(Default)]
pub(crate) struct CountedPages {
    out: Cell<usize>,
    discarded: Cell<usize>,
}

impl CountedPages {
    /// Bytes that were given up in place.
    pub(crate) fn discarded(&self) -> usize {
        self.discarded.get()
    }

    pub(crate) fn out(&self) -> usize {
        self.out.get()
    }
}

// SAFETY: the memory is that of `HeapPages`.
unsafe impl PageSource for CountedPages {
    fn acquire(&self, bytes: usize, kind: ChunkKind) -> Option<NonNull<u8>> {
        let chunk = HeapPages.acquire(bytes, kind)?;
        // SAFETY: the chunk is ours and has this many bytes.
        unsafe { chunk.write_bytes(0xa5, bytes) }
        self.out.set(self.out.get() + bytes);
        Some(chunk)
    }

    unsafe fn release(&self, ptr: NonNull<u8>, bytes: usize, kind: ChunkKind) {
        self.out.set(self.out.get() - bytes);
        // SAFETY: the caller's promise.
        unsafe { HeapPages.release(ptr, bytes, kind) }
    }

    unsafe fn discard(&self, ptr: NonNull<u8>, bytes: usize) {
        assert!(ptr.addr().get().is_multiple_of(4096) && bytes.is_multiple_of(4096));
        self.discarded.set(self.discarded.get() + bytes);
        // SAFETY: the range is the caller's, who expects nothing of it any more.
        unsafe { ptr.write_bytes(0x5a, bytes) }
    }
}

/// An object that counts how many of its kind are alive.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) number: u32,
    alive: Rc<Cell<usize>>,
}

impl Counted {
    pub(crate) fn new(number: u32, alive: &Rc<Cell<usize>>) -> Box<Self> {
        alive.set(alive.get() + 1);
        Box::new(Self {
            number,
            alive: alive.clone(),
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.set(self.alive.get() - 1);
    }
}

pub(crate) fn new_store<T>() -> Store<T> {
    Store::new(Rc::new(CountedPages::default()))
}

pub(crate) fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

pub(crate) fn hash(key: &[u8]) -> u64 {
    key.iter().fold(key.len() as u64, |state, &byte| {
        mixed(state ^ u64::from(byte))
    })
}

pub(crate) fn key(number: usize) -> Vec<u8> {
    format!("key:{number}").into_bytes()
}

/// Inserts key `number` with its number as body.
pub(crate) fn put<T>(store: &mut Store<T>, number: usize, deadline: Option<u64>) {
    let key = key(number);
    store.insert_new(
        hash(&key),
        &key,
        0,
        NewBody::Int(i64::try_from(number).unwrap()),
        deadline,
    );
}

pub(crate) fn remove<T>(store: &mut Store<T>, number: usize) {
    let key = key(number);
    store.find_mut(hash(&key), &key).unwrap().remove();
}
