//! Up to which size values keep their compact form.

use super::{COUNT, LONG, MEMORY, int};
use crate::config::directive::{Directive, Effect, Mutability, Visibility, group, visibility};
use crate::config::setting::Setting;

group! {
    /// Up to which size values keep their compact form.
    Encodings at encodings {
        /// A hash with more fields leaves its compact form.
        hash_max_listpack_entries: u64 = 512,
        "hash-max-listpack-entries" | "hash-max-ziplist-entries", LONG, Mutable, Live;

        /// A hash with a longer field or value, in bytes, leaves its compact form.
        hash_max_listpack_value: u64 = 64,
        "hash-max-listpack-value" | "hash-max-ziplist-value", MEMORY, Mutable, Live;

        /// Size of one node of a list: a positive number counts elements, -1 to -5 stand for 4,
        /// 8, 16, 32 and 64 KiB.
        list_max_listpack_size: i32 = -2,
        "list-max-listpack-size" | "list-max-ziplist-size",
        int(i32::MIN as i64, i32::MAX as i64), Mutable, Live;

        /// How many nodes at either end of a list stay uncompressed; 0 compresses none.
        list_compress_depth: u32 = 0,
        "list-compress-depth", COUNT, Mutable, Live;

        /// A set of integers with more members leaves its sorted array.
        set_max_intset_entries: u64 = 512,
        "set-max-intset-entries", LONG, Mutable, Live;

        /// A set with more members leaves its compact form.
        set_max_listpack_entries: u64 = 128,
        "set-max-listpack-entries", LONG, Mutable, Live;

        /// A set with a longer member, in bytes, leaves its compact form.
        set_max_listpack_value: u64 = 64,
        "set-max-listpack-value", LONG, Mutable, Live;

        /// A sorted set with more members leaves its compact form.
        zset_max_listpack_entries: u64 = 128,
        "zset-max-listpack-entries" | "zset-max-ziplist-entries", LONG, Mutable, Live;

        /// A sorted set with a longer member, in bytes, leaves its compact form.
        zset_max_listpack_value: u64 = 64,
        "zset-max-listpack-value" | "zset-max-ziplist-value", MEMORY, Mutable, Live;

        /// A HyperLogLog that needs more bytes takes its dense form.
        hll_sparse_max_bytes: u64 = 3000,
        "hll-sparse-max-bytes", MEMORY, Mutable, Later;

        /// Greatest size of one node of a stream; 0 is no limit.
        stream_node_max_bytes: u64 = 4096,
        "stream-node-max-bytes", MEMORY, Mutable, Later;

        /// Most entries in one node of a stream; 0 is no limit.
        stream_node_max_entries: u64 = 100,
        "stream-node-max-entries", LONG, Mutable, Later;
    }
}
