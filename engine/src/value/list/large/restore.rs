//! Lists to and from nodes that lie elsewhere.

use super::List;
use crate::value::list::node::{Node, Stored};
use crate::value::list::{End, Limits};
use crate::value::restore::{Made, Unfit};
use crate::value::{TAG_LIST, Value, with_text};
use dovetail_memory::listpack::Listpack;

impl List {
    /// Its nodes as they are kept, in their order.
    pub fn stored_nodes(&self) -> impl ExactSizeIterator<Item = Stored<'_>> {
        self.nodes.iter().map(Node::stored)
    }
}

/// A list that is being put together, from its head on.
#[derive(Debug, Default)]
pub struct ListParts(List);

impl ListParts {
    /// Adds an element behind all others.
    pub fn add(&mut self, word: &[u8], limits: Limits) {
        self.0.push(End::Tail, word, limits);
    }

    /// Adds the `count` elements of a listpack, which is as if it had been written here.
    ///
    /// It becomes a node if it is as large as one may be, is joined to the last if both fit one,
    /// and is taken apart if it is larger.
    pub(in crate::value) fn add_normal(
        &mut self,
        pack: Listpack<'_>,
        count: usize,
        limits: Limits,
    ) {
        if !limits.admit(pack.file_bytes(), count) {
            for item in pack.iter() {
                with_text(item, |word| self.add(word, limits));
            }
            return;
        }
        let list = &mut self.0;
        let node = Node::packed(pack.as_bytes());
        list.len += count;
        match list.nodes.back_mut() {
            Some(last) if last.takes(&node, limits) => last.join(&node),
            _ => list.push_node(End::Tail, node, limits),
        }
    }

    /// The list.
    ///
    /// # Errors
    /// When it is empty.
    pub fn finish(self, limits: Limits, out: &mut Vec<u8>) -> Result<Made, Unfit> {
        let list = self.0;
        if list.is_empty() {
            return Err(Unfit::Empty);
        }
        if let Some(node) = list.nodes.front()
            && list.nodes.len() == 1
            && limits.admit(node.file_bytes(), node.len())
            && let Some(pack) = node.pack()
        {
            out.extend_from_slice(&pack);
            return Ok(Made::appended(TAG_LIST));
        }
        Ok(Made::object(TAG_LIST, Value::List(Box::new(list))))
    }
}
