//! Byte strings too long for a packed block, each named by a number.

use crate::names::Names;
use crate::steps::heap_bytes;

/// The strings.
#[derive(Clone, Debug)]
pub(crate) struct Longs {
    names: Names<Box<[u8]>>,
    held_bytes: usize,
}

impl Longs {
    /// Bytes of a name inside a packed block.
    pub(crate) const NAME_BYTES: usize = size_of::<u32>();

    pub(crate) const fn new() -> Self {
        Self {
            names: Names::new(),
            held_bytes: 0,
        }
    }

    /// Heap bytes of all strings.
    pub(crate) const fn bytes(&self) -> usize {
        self.names.bytes() + self.held_bytes
    }

    /// Number of strings held.
    pub(crate) const fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn get(&self, name: u32) -> &[u8] {
        self.names.get(name)
    }

    /// Takes in a copy of `bytes` and names it.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> u32 {
        self.held_bytes += heap_bytes(bytes.len());
        self.names.add(bytes.into())
    }

    /// Puts `bytes` in the place of what `name` names.
    pub(crate) fn set(&mut self, name: u32, bytes: &[u8]) {
        let held = self.names.get_mut(name);
        if held.len() == bytes.len() {
            held.copy_from_slice(bytes);
            return;
        }
        self.held_bytes -= heap_bytes(held.len());
        self.held_bytes += heap_bytes(bytes.len());
        *held = bytes.into();
    }

    /// Lets go of what `name` names.
    pub(crate) fn remove(&mut self, name: u32) {
        self.held_bytes -= heap_bytes(self.names.remove(name).len());
    }

    /// Lets go of the last cell; returns whether there was one.
    pub(crate) fn drop_last(&mut self) -> bool {
        let last = self.names.take_last();
        let bytes = last
            .as_ref()
            .and_then(Option::as_ref)
            .map_or(0, |b| b.len());
        self.held_bytes -= heap_bytes(bytes);
        last.is_some()
    }

    /// Asserts the invariants.
    pub(crate) fn check(&self) {
        self.names.check();
        let bytes = self.names.iter().map(|(_, bytes)| heap_bytes(bytes.len()));
        assert_eq!(
            self.held_bytes,
            bytes.sum::<usize>(),
            "bytes of the strings"
        );
    }
}
