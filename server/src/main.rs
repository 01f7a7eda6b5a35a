//! The program `dovetail-server`.

#![forbid(unsafe_code)]

use dovetail_backends::sys::alloc::Counting;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    dovetail_server::main(std::env::args_os().skip(1))
}
