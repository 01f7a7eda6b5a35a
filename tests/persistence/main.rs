//! What is kept over restarts, seen from outside: files that cross between servers, damage, torn
//! ends, kills under load, full disks, and the commands that rule all this.

#![forbid(unsafe_code)]

mod corrupt;
mod crossing;
mod dataset;
mod disk;
mod killing;
mod odd;
mod ruling;
mod torn;
