//! redis-py and ioredis, by scripts beside this file.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use dovetail_tests::process::{TempDir, free_port};
use dovetail_tests::{Server, Stage, each_poller};

/// Where the libraries are installed.
pub(super) fn libraries() -> Result<PathBuf> {
    env::var_os("DOVETAIL_CLIENTS").map(PathBuf::from).context(
        "DOVETAIL_CLIENTS is not set: run `cargo x test`, which installs redis-py and ioredis",
    )
}

pub(super) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(name)
}

/// A server that listens on a unix socket too, and the socket's path.
fn start(stage: &Stage) -> Result<(Server, String)> {
    let dir = TempDir::new()?;
    let socket = dir.path().join("s.sock").to_string_lossy().into_owned();
    let launch = stage.launch().option("unixsocket", &socket);
    let mut server = launch.spawn_in(dir, free_port()?)?;
    server.wait_ready()?;
    Ok((server, socket))
}

fn redis_py_works(stage: &Stage) -> Result<()> {
    let path = libraries()?.join("python");
    ensure!(
        path.join("redis").is_dir(),
        "redis-py is not in {}",
        path.display()
    );
    let (server, socket) = start(stage)?;
    for protocol in ["2", "3"] {
        let mut command = Command::new("python3");
        command
            .env("PYTHONPATH", &path)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
            .arg(script("basic.py"))
            .arg(server.port().to_string())
            .arg(&socket)
            .arg(protocol);
        let text = super::run(&mut command, b"")?;
        ensure!(text.contains("all is well"), "{text}");
    }
    Ok(())
}

fn ioredis_works(stage: &Stage) -> Result<()> {
    let path = libraries()?.join("node/node_modules");
    ensure!(
        path.join("ioredis").is_dir(),
        "ioredis is not in {}",
        path.display()
    );
    let (server, socket) = start(stage)?;
    let mut command = Command::new("node");
    command.env("NODE_PATH", &path);
    command
        .arg(script("basic.js"))
        .arg(server.port().to_string())
        .arg(&socket);
    let text = super::run(&mut command, b"")?;
    ensure!(text.contains("all is well"), "{text}");
    Ok(())
}

each_poller!(redis_py_works, ioredis_works);
