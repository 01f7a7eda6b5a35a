//! The commands, one file or folder per family.
//!
//! A family file has always the same order: module comment, `SPECS`, the functions in the order of
//! the rows, helpers last. A family imports no other family.

pub mod client;
pub mod connection;
pub mod hashes;
pub mod keys;
pub mod lists;
pub mod pubsub;
pub mod scripting;
pub mod server;
pub mod sets;
pub mod strings;
pub mod transactions;
pub mod zsets;

use crate::command::Spec;

/// Every family's rows.
pub const FAMILIES: &[&[Spec]] = &[
    transactions::SPECS,
    client::SPECS,
    connection::SPECS,
    pubsub::SPECS,
    strings::SPECS,
    strings::SET_SPECS,
    strings::MANY_SPECS,
    strings::COUNTER_SPECS,
    strings::EDIT_SPECS,
    strings::LCS_SPECS,
    hashes::FIELD_SPECS,
    hashes::COUNTER_SPECS,
    hashes::WALK_SPECS,
    lists::END_SPECS,
    lists::PLACE_SPECS,
    sets::MEMBER_SPECS,
    sets::WALK_SPECS,
    sets::ALGEBRA_SPECS,
    zsets::CHANGE_SPECS,
    zsets::LOOK_SPECS,
    zsets::RANGE_SPECS,
    zsets::ALGEBRA_SPECS,
    zsets::POP_SPECS,
    zsets::WALK_SPECS,
    keys::BASIC_SPECS,
    keys::EXPIRY_SPECS,
    keys::SCAN_SPECS,
    keys::SORT_SPECS,
    keys::TRANSFER_SPECS,
    keys::DUMP_SPECS,
    keys::MIGRATE_SPECS,
    keys::OBJECT_SPECS,
    keys::WAIT_SPECS,
    scripting::SPECS,
    scripting::CONTAINER_SPECS,
    server::acl::SPECS,
    server::command::SPECS,
    server::config::SPECS,
    server::debug::SPECS,
    server::flush::SPECS,
    server::info::SPECS,
    server::latency::SPECS,
    server::lolwut::SPECS,
    server::memory::SPECS,
    server::misc::SPECS,
    server::saving::SPECS,
    server::shutdown::SPECS,
    server::slowlog::SPECS,
];
