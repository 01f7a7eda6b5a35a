//! One connection in one line, as CLIENT LIST and CLIENT INFO show it.

use super::CommandTable;
use crate::base::Now;
use crate::conn::{Conn, SessionFlags};
use crate::resp::Protocol;
use std::fmt::Write;

/// The line.
#[must_use]
pub fn line(conn: &Conn, commands: &CommandTable, now: Now) -> String {
    let mut line = String::new();
    write(&mut line, conn, commands, now);
    line
}

/// Appends the line, without a line end.
pub fn write(out: &mut String, conn: &Conn, commands: &CommandTable, now: Now) {
    // Writing to a string cannot fail.
    let _ = write_identity(out, conn, now).and_then(|()| write_buffers(out, conn)).and_then(|()| {
        let session = &conn.session;
        let command = match session.last_command {
            u16::MAX => "NULL",
            row => &commands.row(row).full_name,
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        write!(
            out,
            " events={} cmd={command} user={} redir=-1 resp={} lib-name={} lib-ver={} io-thread=0 \
             tot-net-in={} tot-net-out={} tot-cmds={}",
            if conn.unsent > 0 { "rw" } else { "r" },
            text(&session.user),
            if session.protocol == Protocol::Resp3 { 3 } else { 2 },
            text(&session.lib_name),
            text(&session.lib_ver),
            session.bytes_in,
            session.bytes_out,
            session.commands,
        )
    });
}

fn write_identity(out: &mut String, conn: &Conn, now: Now) -> std::fmt::Result {
    let session = &conn.session;
    let (channels, patterns, shards) = session.subscription_counts();
    let multi = session.multi.as_ref().map_or(-1, |multi| {
        i64::try_from(multi.queue.len()).unwrap_or(i64::MAX)
    });
    write!(
        out,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} capa={} db={} sub={channels} \
         psub={patterns} ssub={shards} multi={multi} watch={}",
        session.client_id,
        session.peer_text(),
        session.arrival.local,
        session.arrival.descriptor,
        String::from_utf8_lossy(&session.name),
        now.monotonic.minus(session.created).as_secs(),
        now.monotonic.minus(session.last_active).as_secs(),
        session.flag_letters(),
        if session.flags.has(SessionFlags::CAPA_REDIRECT) {
            "r"
        } else {
            ""
        },
        session.db.0,
        session.watched.len(),
    )
}

fn write_buffers(out: &mut String, conn: &Conn) -> std::fmt::Result {
    let held = conn.input.len();
    let multi_memory = conn
        .session
        .multi
        .as_ref()
        .map_or(0, |multi| multi.memory());
    write!(
        out,
        " qbuf={held} qbuf-free={} argv-mem={} multi-mem={multi_memory} rbs={} rbp={} obl={} oll={} \
         omem={} tot-mem={}",
        conn.input.room(),
        conn.input.words_memory() + conn.session.waiting_bytes,
        conn.output.capacity(),
        conn.output.capacity(),
        conn.output.len(),
        usize::from(conn.unsent > 0) + conn.held.len(),
        conn.unsent + conn.held.bytes(),
        conn.memory(),
    )
}
