//! The first line of a script that says how it behaves: `#!lua flags=no-writes,allow-stale`.

use crate::resp::words;

/// What a script has declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// It begins with a declaration at all.
    pub any: bool,
    /// `no-writes`: it changes nothing, and may not.
    pub no_writes: bool,
    /// `allow-oom`: it may run when there is no memory.
    pub allow_oom: bool,
    /// `allow-stale`: it may run on a replica with stale data.
    pub allow_stale: bool,
    /// `no-cluster`: it may not run in a cluster.
    pub no_cluster: bool,
    /// `allow-cross-slot-keys`: its keys may lie in several slots.
    pub allow_cross_slot_keys: bool,
}

/// Reads the declaration of `source`; returns it with the length of its line, which is not Lua.
///
/// # Errors
/// What is wrong with it, as an error line.
pub fn read(source: &[u8]) -> Result<(Declared, usize), Vec<u8>> {
    if !source.starts_with(b"#!") {
        return Ok((Declared::default(), 0));
    }
    let Some(end) = memchr::memchr(b'\n', source) else {
        return Err(b"ERR Invalid script shebang".to_vec());
    };
    let invalid = || b"ERR Invalid engine in script shebang".to_vec();
    let parts = words::split(&source[..end]).map_err(|_| invalid())?;
    let (engine, options) = parts.split_first().ok_or_else(invalid)?;
    if engine != b"#!lua" {
        return Err([b"ERR Unexpected engine in script shebang: ", &engine[..]].concat());
    }
    let mut declared = Declared {
        any: true,
        ..Declared::default()
    };
    for option in options {
        let Some(flags) = option.strip_prefix(b"flags=") else {
            return Err([b"ERR Unknown lua shebang option: ", &option[..]].concat());
        };
        if !flags.is_empty() {
            for flag in flags.split(|byte| *byte == b',') {
                declare(&mut declared, flag)?;
            }
        }
    }
    Ok((declared, end))
}

fn declare(declared: &mut Declared, flag: &[u8]) -> Result<(), Vec<u8>> {
    let field = match flag {
        b"no-writes" => &mut declared.no_writes,
        b"allow-oom" => &mut declared.allow_oom,
        b"allow-stale" => &mut declared.allow_stale,
        b"no-cluster" => &mut declared.no_cluster,
        b"allow-cross-slot-keys" => &mut declared.allow_cross_slot_keys,
        unknown => {
            return Err([b"ERR Unexpected flag in script shebang: ", unknown].concat());
        }
    };
    *field = true;
    Ok(())
}
