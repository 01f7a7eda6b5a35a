//! What has been found out, for machines.

use super::counts::Count;
use super::json::Json;
use super::log::Log;
use super::repair::Cut;
use super::report::{Checked, Damage, FileReport, Role, Status, Verdict};
use super::snapshot::{Database, Shown, Snapshot, type_name};
use dovetail_engine::codec::aof::{LogError, Tail};
use dovetail_engine::codec::rdb::{Checksum, RdbError, kinds};

/// One word of the command line.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What it has led to; after the cut, if there was one.
    pub(crate) checked: Checked,
    /// What was cut.
    pub(crate) cut: Option<Cut>,
    /// Why something was not cut that was to be.
    pub(crate) not_cut: Option<String>,
}

impl Entry {
    /// For a file that is as it was.
    pub(crate) fn new(checked: Checked) -> Self {
        Self {
            checked,
            cut: None,
            not_cut: None,
        }
    }
}

/// Everything about all words of the command line.
pub(crate) fn document(entries: &[Entry], status: Status) -> Json {
    let each = entries.iter().map(|entry| {
        let history = entry.checked.history.iter();
        Json::Object(vec![
            ("path", path(&entry.checked.path)),
            ("status", entry.checked.status().word().into()),
            ("files", entry.checked.files.iter().map(file).collect()),
            (
                "replaced",
                history.map(|name| name.as_str().into()).collect(),
            ),
            ("cut", entry.cut.as_ref().map_or(Json::Null, cut_made)),
            ("not_cut", entry.not_cut.clone().into()),
        ])
    });
    Json::Object(vec![
        ("status", status.word().into()),
        ("checked", each.collect()),
    ])
}

fn path(path: &std::path::Path) -> Json {
    path.display().to_string().into()
}

fn cut_made(cut: &Cut) -> Json {
    Json::Object(vec![
        ("path", path(&cut.path)),
        ("from", cut.len.into()),
        ("to", cut.to.into()),
    ])
}

fn file(file: &FileReport) -> Json {
    let form = match (file.role, &file.snapshot, &file.log) {
        (Role::Manifest, ..) => Json::from("manifest"),
        (_, Some(_), None) => "snapshot".into(),
        (_, Some(_), Some(_)) => "snapshot and log".into(),
        (_, None, Some(_)) => "log".into(),
        (_, None, None) => Json::Null,
    };
    Json::Object(vec![
        ("path", path(&file.path)),
        ("role", file.role.word().into()),
        ("form", form),
        ("bytes", file.bytes.into()),
        ("verdict", file.verdict.word().into()),
        ("message", file.verdict.to_string().into()),
        ("damage", damage(&file.verdict)),
        ("tail", tail(file)),
        ("unused_bytes", file.unused.into()),
        ("whole_file_checksum_right", file.is_sum_right.into()),
        (
            "snapshot",
            file.snapshot.as_ref().map_or(Json::Null, snapshot),
        ),
        ("log", file.log.as_ref().map_or(Json::Null, log)),
    ])
}

fn damage(verdict: &Verdict) -> Json {
    match verdict {
        Verdict::Damaged(Damage::Snapshot(error)) | Verdict::Refused(error) => rdb_error(error),
        Verdict::Damaged(Damage::Log(error)) => log_error(error),
        Verdict::Damaged(Damage::Manifest(error)) => Json::Object(vec![
            ("line", error.line.into()),
            ("text", error.text.as_str().into()),
            ("reason", error.to_string().into()),
        ]),
        Verdict::Damaged(other) => Json::Object(vec![("reason", other.to_string().into())]),
        Verdict::Unreadable(why) => Json::Object(vec![("reason", why.to_string().into())]),
        Verdict::Whole | Verdict::Torn { .. } => Json::Null,
    }
}

fn rdb_error(error: &RdbError) -> Json {
    Json::Object(vec![
        ("offset", error.at.into()),
        ("key", error.key.as_deref().into()),
        ("type", error.kind.map(type_name).into()),
        ("encoding", error.kind.map(kinds::name).into()),
        ("kind", error.kind.map(u64::from).into()),
        ("reason", error.fault.to_string().into()),
    ])
}

fn log_error(error: &LogError) -> Json {
    let (offset, rest) = match error {
        LogError::Format { at, record, .. } => (Some(*at), ("record", Json::from(*record))),
        LogError::Corrupt { from, to, .. } => (Some(*from), ("to", Json::from(*to))),
        _ => (None, ("record", Json::Null)),
    };
    Json::Object(vec![
        ("offset", offset.into()),
        rest,
        ("reason", error.to_string().into()),
    ])
}

fn tail(file: &FileReport) -> Json {
    let (tail, swallowed) = match &file.verdict {
        Verdict::Torn { tail, swallowed } => (*tail, *swallowed),
        Verdict::Damaged(Damage::Middle(tail)) => (*tail, None),
        _ => return Json::Null,
    };
    let ends = match tail {
        Tail::Whole => "whole",
        Tail::Record { .. } => "record",
        Tail::Transaction { .. } => "transaction",
        Tail::Zeros { .. } => "zeros",
    };
    let inside = swallowed.map(|swallowed| {
        Json::Object(vec![
            ("record", swallowed.record.into()),
            ("offset", swallowed.at.into()),
            ("commands", swallowed.commands.into()),
        ])
    });
    Json::Object(vec![
        ("ends", ends.into()),
        ("cut", tail.cut().into()),
        ("bytes_cut", tail.cut().map(|cut| file.bytes - cut).into()),
        ("whole_commands_inside", inside.unwrap_or(Json::Null)),
    ])
}

fn count(name: (&'static str, Json), count: Count) -> Json {
    Json::Object(vec![
        name,
        ("count", count.number.into()),
        ("bytes", count.bytes.into()),
    ])
}

fn text(shown: &Shown) -> Json {
    Json::from(&*shown.text)
}

fn database(name: (&'static str, Json), database: &Database) -> Json {
    Json::Object(vec![
        name,
        ("keys", database.keys.number.into()),
        ("with_deadline", database.with_deadline.into()),
        ("past", database.past.into()),
        ("bytes", database.keys.bytes.into()),
    ])
}

fn snapshot(snapshot: &Snapshot) -> Json {
    let aux = snapshot.aux.iter();
    let aux =
        aux.map(|(name, value)| Json::Object(vec![("name", text(name)), ("value", text(value))]));
    let kinds = snapshot.kinds.iter().map(|(kind, count)| {
        Json::Object(vec![
            ("type", type_name(*kind).into()),
            ("encoding", kinds::name(*kind).into()),
            ("kind", u64::from(*kind).into()),
            ("keys", count.number.into()),
            ("bytes", count.bytes.into()),
        ])
    });
    let databases = snapshot.databases.iter();
    let biggest = snapshot.biggest.iter().map(|(bytes, at, key)| {
        Json::Object(vec![
            ("key", text(&key.name)),
            ("key_bytes", key.name.len.into()),
            ("db", key.db.into()),
            ("type", type_name(key.kind).into()),
            ("encoding", kinds::name(key.kind).into()),
            ("offset", at.into()),
            ("bytes", bytes.into()),
            ("elements", key.elements.into()),
        ])
    });
    let checksum = snapshot.checksum.map(|checksum| match checksum {
        Checksum::Right => "right",
        Checksum::Absent => "absent",
        Checksum::Unverified => "unverified",
    });
    Json::Object(vec![
        ("magic", snapshot.magic.as_str().into()),
        ("end", snapshot.end.into()),
        ("checksum", checksum.into()),
        ("fields", aux.collect()),
        ("libraries", snapshot.libraries.iter().map(text).collect()),
        ("function_bytes", snapshot.functions.bytes.into()),
        (
            "total",
            database(("skipped", snapshot.skipped.into()), &snapshot.total),
        ),
        (
            "databases",
            databases
                .map(|(db, of)| database(("db", (*db).into()), of))
                .collect(),
        ),
        ("kinds", kinds.collect()),
        ("biggest", biggest.collect()),
    ])
}

fn log(log: &Log) -> Json {
    let names = log.names.rows();
    let names = names.map(|(name, of)| count(("name", name.as_slice().into()), *of));
    let databases = log.databases.rows();
    let databases = databases.map(|(db, of)| count(("db", (*db).into()), *of));
    let largest = (log.commands.number > 0).then(|| {
        Json::Object(vec![
            ("name", log.largest.name.as_slice().into()),
            ("offset", log.largest.at.into()),
            ("bytes", log.largest.bytes.into()),
        ])
    });
    Json::Object(vec![
        ("offset", log.from.into()),
        ("whole_to", log.whole_to.into()),
        ("count", log.commands.number.into()),
        ("bytes", log.commands.bytes.into()),
        ("commands", names.collect()),
        ("databases", databases.collect()),
        ("transactions", log.transactions.into()),
        ("first_time", log.times.map(|(first, _)| first).into()),
        ("last_time", log.times.map(|(_, last)| last).into()),
        ("time_annotations", log.stamps.into()),
        ("other_annotations", log.notes.into()),
        ("seals", log.seals.number.into()),
        ("sealed_bytes", log.seals.bytes.into()),
        ("largest", largest.unwrap_or(Json::Null)),
    ])
}
