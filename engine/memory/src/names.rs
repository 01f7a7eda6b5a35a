//! Items that keep the number they are given, until they are removed.
//!
//! Shape: cells in [`Steps`]; the free ones are chained both ways, so that those at the end can be
//! given back, a few at a time. An item with a late name keeps the cells before it.

use crate::steps::Steps;

/// A name that is never given: the end of a chain.
pub(crate) const NONE: u32 = u32::MAX;
/// Free cells that one removal gives back at most.
const TRIMMED: usize = 4;

#[derive(Clone, Debug)]
enum Cell<T> {
    Held(T),
    /// The free cells after and before this one.
    Free {
        next: u32,
        prev: u32,
    },
}

/// The items; see the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Names<T> {
    cells: Steps<Cell<T>>,
    free: u32,
    held: usize,
}

impl<T> Names<T> {
    pub(crate) const fn new() -> Self {
        Self {
            cells: Steps::new(),
            free: NONE,
            held: 0,
        }
    }

    /// Heap bytes, without what items own.
    pub(crate) const fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    /// Number of items.
    pub(crate) const fn len(&self) -> usize {
        self.held
    }

    #[inline]
    pub(crate) fn get(&self, name: u32) -> &T {
        match self.cells.at(name as usize) {
            Cell::Held(item) => item,
            Cell::Free { .. } => unreachable!("names in use are held"),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, name: u32) -> &mut T {
        match self.cells.at_mut(name as usize) {
            Cell::Held(item) => item,
            Cell::Free { .. } => unreachable!("names in use are held"),
        }
    }

    /// Takes `item` in and names it.
    pub(crate) fn add(&mut self, item: T) -> u32 {
        self.held += 1;
        let cell = Cell::Held(item);
        if self.free == NONE {
            self.cells.push(cell);
            return u32::try_from(self.cells.len() - 1).expect("memory ends before names do");
        }
        let name = self.free;
        self.unchain(name);
        *self.cells.at_mut(name as usize) = cell;
        name
    }

    /// Gives back what `name` names.
    pub(crate) fn remove(&mut self, name: u32) -> T {
        let (next, prev) = (self.free, NONE);
        let cell = self.cells.at_mut(name as usize);
        let Cell::Held(item) = std::mem::replace(cell, Cell::Free { next, prev }) else {
            unreachable!("names in use are held");
        };
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
        item
    }

    /// Takes the last cell away with the item in it, if any; `None` when no cell is left.
    pub(crate) fn take_last(&mut self) -> Option<Option<T>> {
        let last = self.cells.len().checked_sub(1)?;
        if matches!(self.cells.at(last), Cell::Free { .. }) {
            self.unchain(u32::try_from(last).expect("names are u32"));
        }
        Some(match self.cells.pop()? {
            Cell::Held(item) => {
                self.held -= 1;
                Some(item)
            }
            Cell::Free { .. } => None,
        })
    }

    fn cell_mut(&mut self, name: u32) -> Option<&mut Cell<T>> {
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

    /// All items with their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..)
            .zip(self.cells.iter())
            .filter_map(|(name, cell)| match cell {
                Cell::Held(item) => Some((name, item)),
                Cell::Free { .. } => None,
            })
    }

    /// Asserts the invariants.
    pub(crate) fn check(&self) {
        self.cells.check();
        let (mut free, mut next, mut before) = (0, self.free, NONE);
        while next != NONE {
            let Cell::Free { next: after, prev } = *self.cells.at(next as usize) else {
                panic!("the chain holds free cells");
            };
            assert_eq!(prev, before, "the chain goes both ways");
            (before, next, free) = (next, after, free + 1);
        }
        assert_eq!(self.iter().count(), self.held, "number of items");
        assert_eq!(free + self.held, self.cells.len(), "cells are held or free");
    }
}
