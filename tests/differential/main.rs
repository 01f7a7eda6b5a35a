//! The same commands to Dovetail and to a live redis-server: every reply has to be the same.

#![forbid(unsafe_code)]

mod arity;
mod draws;
mod protocol;
mod streams;
mod table;
