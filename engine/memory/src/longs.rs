//! Byte strings too long for a packed block, each named by a number.
//!
//! Shape: boxes in [`Steps`]; the free cells are chained both ways, so that those at the end can be
//! given back, a few at a time.

use crate::steps::{Steps, heap_bytes};

/// The end of the chain of free cells.
const NONE: u32 = u32::MAX;
/// Free cells that one removal gives back at most.
const TRIMMED: usize = 4;

#[derive(Clone, Debug)]
enum Cell {
    Held(Box<[u8]>),
    /// The free cells after and before this one.
    Free {
        next: u32,
        prev: u32,
    },
}

/// The strings; see the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Longs {
    cells: Steps<Cell>,
    free: u32,
    held: usize,
    held_bytes: usize,
}

impl Longs {
    /// Bytes of a name inside a packed block.
    pub(crate) const NAME_BYTES: usize = size_of::<u32>();

    pub(crate) const fn new() -> Self {
        Self {
            cells: Steps::new(),
            free: NONE,
            held: 0,
            held_bytes: 0,
        }
    }

    /// Heap bytes of all strings.
    pub(crate) const fn bytes(&self) -> usize {
        self.cells.bytes() + self.held_bytes
    }

    /// Number of strings held.
    pub(crate) const fn len(&self) -> usize {
        self.held
    }

    pub(crate) fn get(&self, name: u32) -> &[u8] {
        match self.cells.at(name as usize) {
            Cell::Held(bytes) => bytes,
            Cell::Free { .. } => unreachable!("names in use are held"),
        }
    }

    /// Takes in a copy of `bytes` and names it.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> u32 {
        self.held += 1;
        self.held_bytes += heap_bytes(bytes.len());
        let cell = Cell::Held(bytes.into());
        if self.free == NONE {
            self.cells.push(cell);
            return u32::try_from(self.cells.len() - 1)
                .expect("long strings fill memory before u32");
        }
        let name = self.free;
        self.unchain(name);
        *self.cells.at_mut(name as usize) = cell;
        name
    }

    /// Puts `bytes` in the place of what `name` names.
    pub(crate) fn set(&mut self, name: u32, bytes: &[u8]) {
        match self.cells.at_mut(name as usize) {
            Cell::Held(held) if held.len() == bytes.len() => held.copy_from_slice(bytes),
            Cell::Held(held) => {
                self.held_bytes -= heap_bytes(held.len());
                self.held_bytes += heap_bytes(bytes.len());
                *held = bytes.into();
            }
            Cell::Free { .. } => unreachable!("names in use are held"),
        }
    }

    /// Lets go of what `name` names.
    pub(crate) fn remove(&mut self, name: u32) {
        let (next, prev) = (self.free, NONE);
        let cell = self.cells.at_mut(name as usize);
        match std::mem::replace(cell, Cell::Free { next, prev }) {
            Cell::Held(bytes) => self.held_bytes -= heap_bytes(bytes.len()),
            Cell::Free { .. } => unreachable!("names in use are held"),
        }
        if let Some(Cell::Free { prev, .. }) = self.cell_mut(next) {
            *prev = name;
        }
        self.free = name;
        self.held -= 1;
        for _ in 0..TRIMMED {
            let Some(last) = self.cells.len().checked_sub(1) else {
                break;
            };
            if matches!(self.cells.at(last), Cell::Held(_)) {
                break;
            }
            self.unchain(u32::try_from(last).expect("names are u32"));
            self.cells.pop();
        }
    }

    fn cell_mut(&mut self, name: u32) -> Option<&mut Cell> {
        (name != NONE).then(|| self.cells.at_mut(name as usize))
    }

    /// Takes a free cell out of the chain.
    fn unchain(&mut self, name: u32) {
        let Cell::Free { next, prev } = *self.cells.at(name as usize) else {
            unreachable!("the chain holds free cells");
        };
        if let Some(Cell::Free { prev: back, .. }) = self.cell_mut(next) {
            *back = prev;
        }
        match self.cell_mut(prev) {
            Some(Cell::Free { next: forth, .. }) => *forth = next,
            _ => self.free = next,
        }
    }

    /// Asserts the invariants.
    pub(crate) fn check(&self) {
        self.cells.check();
        let mut free = 0;
        let mut next = self.free;
        while next != NONE {
            let Cell::Free { next: after, .. } = *self.cells.at(next as usize) else {
                panic!("the chain holds free cells");
            };
            (next, free) = (after, free + 1);
        }
        let held = |cell: &Cell| match cell {
            Cell::Held(bytes) => heap_bytes(bytes.len()),
            Cell::Free { .. } => 0,
        };
        assert_eq!(free + self.held, self.cells.len(), "cells are held or free");
        assert_eq!(self.held_bytes, self.cells.iter().map(held).sum::<usize>());
    }
}
