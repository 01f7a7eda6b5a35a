//! Values to and from the bytes of files and of other servers: pure code, which opens no file.

pub mod aof;
pub mod crc64;
pub mod dump;
pub mod rdb;
