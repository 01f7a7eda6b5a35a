//! Whole applications over redis-py and ioredis, by the scripts in `apps/`: locks, Redlock over
//! three servers, a rate limiter, a leaderboard, a queue, sessions, transfers, and every type.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use dovetail_tests::{Server, Stage, each_poller};

use super::libraries::{libraries, script};

/// Runs a script against three servers of the stage.
fn run(stage: &Stage, mut command: Command, name: &str) -> Result<()> {
    let servers: Vec<Server> = (0..3).map(|_| stage.start()).collect::<Result<_>>()?;
    command.arg(script("apps").join(name));
    command.args(servers.iter().map(|server| server.port().to_string()));
    let text = super::run(&mut command, b"").with_context(|| {
        let log = dovetail_tests::process::tail(&servers[0].log());
        format!("the first server's log ends with:\n{log}")
    })?;
    ensure!(text.contains("all is well"), "{text}");
    Ok(())
}

fn applications_work_over_redis_py(stage: &Stage) -> Result<()> {
    let mut command = Command::new("python3");
    command
        .env("PYTHONPATH", libraries()?.join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    run(stage, command, "main.py")
}

fn applications_work_over_ioredis(stage: &Stage) -> Result<()> {
    let mut command = Command::new("node");
    command.env("NODE_PATH", libraries()?.join("node/node_modules"));
    run(stage, command, "main.js")
}

each_poller!(
    applications_work_over_redis_py,
    applications_work_over_ioredis
);
