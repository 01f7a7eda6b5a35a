//! What INFO and the log say of all this.

use std::fs;

use anyhow::{Result, ensure};
use dovetail_tests::durable::{
    await_child, await_field, await_no_child, field, log_folder, manifest,
};
use dovetail_tests::oracle::launch_redis7;
use dovetail_tests::{Client, Launch, Stage, one_poller};

use super::{MANY, REWRITING, count, fill, slow_down};

/// The names of the fields of INFO persistence, in their order.
fn names(client: &mut Client) -> Result<Vec<String>> {
    let info = client.say("INFO persistence")?.text();
    let names = info.lines().filter_map(|line| line.split_once(':'));
    Ok(names.map(|(name, _)| name.to_owned()).collect())
}

/// Every field of the oracle is there, in its order; others may stand between them.
fn fields_are_those_of_the_oracle(stage: &Stage) -> Result<()> {
    for option in ["no", "yes"] {
        let start = |launch: Launch| launch.option("appendonly", option).start();
        let (subject, oracle) = (start(stage.launch())?, start(launch_redis7()?)?);
        let theirs = names(&mut oracle.client()?)?;
        let mut ours = names(&mut subject.client()?)?;
        ours.retain(|name| theirs.contains(name));
        ensure!(
            ours == theirs,
            "appendonly {option}: {ours:?}, not {theirs:?}"
        );
    }
    Ok(())
}

fn a_snapshot_reports_on_itself(stage: &Stage) -> Result<()> {
    let mut server = stage.start()?;
    let mut client = server.client()?;
    for (name, value) in [
        ("rdb_bgsave_in_progress", "0"),
        ("rdb_last_bgsave_status", "ok"),
        ("rdb_last_bgsave_time_sec", "-1"),
        ("rdb_current_bgsave_time_sec", "-1"),
        ("rdb_changes_since_last_save", "0"),
        ("current_save_keys_total", "0"),
        ("rdb_saves", "0"),
    ] {
        let held = field(&mut client, name)?;
        ensure!(held == value, "at first {name}:{held}");
    }
    fill(&mut client)?;
    let changes = count(&mut client, "rdb_changes_since_last_save")?;
    ensure!(changes == i64::from(MANY), "{changes} changes");
    let forks = count(&mut client, "total_forks")?;
    slow_down(&mut client, 5_000)?;
    client.expect("BGSAVE", "+Background saving started\r\n")?;
    let child = await_child(&server)?;
    let named = format!("Background saving started by pid {}", child.pid);
    server.wait_log(&named)?;
    for (name, value) in [
        ("rdb_bgsave_in_progress", "1"),
        ("current_save_keys_total", "500"),
        ("total_forks", &(forks + 1).to_string()),
    ] {
        let held = field(&mut client, name)?;
        ensure!(held == value, "while it is written {name}:{held}");
    }
    ensure!(
        count(&mut client, "rdb_current_bgsave_time_sec")? >= 0,
        "time"
    );
    client.expect("SET while 1", "+OK\r\n")?;
    dovetail_tests::until("keys that were processed", || {
        Ok((count(&mut client, "current_save_keys_processed")? > 0).then_some(()))
    })?;
    await_no_child(&mut client)?;
    // What has changed since it was begun is not in it.
    for (name, value) in [
        ("rdb_changes_since_last_save", "1"),
        ("rdb_last_bgsave_status", "ok"),
        ("rdb_saves", "1"),
        ("current_save_keys_total", "0"),
        ("rdb_current_bgsave_time_sec", "-1"),
    ] {
        let held = field(&mut client, name)?;
        ensure!(held == value, "at the end {name}:{held}");
    }
    ensure!(count(&mut client, "rdb_last_bgsave_time_sec")? >= 0, "time");
    ensure!(
        count(&mut client, "latest_fork_usec")? > 0,
        "latest_fork_usec"
    );
    server.wait_log("Background saving terminated with success")?;
    client.expect("SAVE", "+OK\r\n")?;
    server.wait_log("DB saved on disk")
}

fn a_log_reports_on_itself(stage: &Stage) -> Result<()> {
    let mut server = stage.launch().option("appendonly", "yes").start()?;
    let mut client = server.client()?;
    for (name, value) in [
        ("aof_enabled", "1"),
        ("aof_rewrite_in_progress", "0"),
        ("aof_rewrite_scheduled", "0"),
        ("aof_last_rewrite_time_sec", "-1"),
        ("aof_current_rewrite_time_sec", "-1"),
        ("aof_last_bgrewrite_status", "ok"),
        ("aof_last_write_status", "ok"),
        ("aof_rewrites", "0"),
        ("aof_pending_rewrite", "0"),
        ("aof_delayed_fsync", "0"),
    ] {
        let held = field(&mut client, name)?;
        ensure!(held == value, "at first {name}:{held}");
    }
    fill(&mut client)?;
    let size = |dir: &std::path::Path| -> Result<u64> {
        let mut sum = 0;
        for (name, ..) in manifest(dir)? {
            sum += fs::metadata(log_folder(dir).join(name))?.len();
        }
        Ok(sum)
    };
    await_field(&mut client, "aof_buffer_length", "0")?;
    // Some count an empty base, some don't.
    let real = i64::try_from(size(server.dir())?)?;
    let told = count(&mut client, "aof_current_size")?;
    ensure!(
        (real - 200..=real).contains(&told),
        "aof_current_size:{told}, and files of {real}"
    );
    slow_down(&mut client, 2_000)?;
    client.expect("BGREWRITEAOF", REWRITING)?;
    let child = await_child(&server)?;
    server.wait_log(&format!(
        "Background append only file rewriting started by pid {}",
        child.pid
    ))?;
    let held = field(&mut client, "aof_rewrite_in_progress")?;
    ensure!(held == "1", "aof_rewrite_in_progress:{held}");
    await_no_child(&mut client)?;
    for (name, value) in [
        ("aof_last_bgrewrite_status", "ok"),
        ("aof_rewrites", "1"),
        ("aof_rewrites_consecutive_failures", "0"),
        ("aof_current_rewrite_time_sec", "-1"),
    ] {
        let held = field(&mut client, name)?;
        ensure!(held == value, "at the end {name}:{held}");
    }
    let told = count(&mut client, "aof_current_size")?;
    let real = i64::try_from(size(server.dir())?)?;
    ensure!(told == real, "aof_current_size:{told}, and files of {real}");
    let base = count(&mut client, "aof_base_size")?;
    ensure!(base <= real && base > 0, "aof_base_size:{base}");
    server.wait_log("Background AOF rewrite terminated with success")
}

one_poller!(
    fields_are_those_of_the_oracle,
    a_snapshot_reports_on_itself,
    a_log_reports_on_itself,
);
