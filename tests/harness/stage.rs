//! Where a case runs: the subject over one of its pollers.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process::{Launch, Server};

/// The pollers, in the order of the server's own table read backwards: oldest first.
pub const POLLERS: [&str; 4] = ["select", "poll", "epoll", "io_uring"];

/// The subject and the poller that it shall run over.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The server's program.
    pub program: PathBuf,
    /// The poller; `None` for a subject that has no choice (a redis-server tried as the subject).
    pub poller: Option<&'static str>,
}

impl Stage {
    /// The subject over `poller`; `None` when `DOVETAIL_STAGE` leaves that poller out.
    ///
    /// # Errors
    /// When no subject is given, or `DOVETAIL_STAGE` names something that is no poller.
    pub fn new(poller: &'static str) -> Result<Option<Self>> {
        let program = subject()?;
        if let Some(chosen) = chosen()?
            && !chosen.iter().any(|name| name == poller)
        {
            return Ok(None);
        }
        if is_dovetail(&program) {
            return Ok(Some(Self {
                program,
                poller: Some(poller),
            }));
        }
        let stand_in = (poller == "epoll").then_some(Self {
            program,
            poller: None,
        });
        Ok(stand_in)
    }

    /// What to start, with the options that every test wants.
    #[must_use]
    pub fn launch(&self) -> Launch {
        let launch = Launch::new(&self.program);
        match self.poller {
            Some(poller) => launch.option("poller", poller),
            None => launch,
        }
    }

    /// Starts the subject with those options.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub fn start(&self) -> Result<Server> {
        self.launch().start()
    }

    /// True when the subject is Dovetail and not a stand-in.
    #[must_use]
    pub fn is_dovetail(&self) -> bool {
        self.poller.is_some()
    }

    /// The poller's name, or what stands in for it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.poller.unwrap_or("stand-in")
    }
}

/// The program named by `DOVETAIL_SERVER`.
///
/// # Errors
/// When it is not set or is no file.
pub fn subject() -> Result<PathBuf> {
    let path = env::var_os("DOVETAIL_SERVER").map(PathBuf::from).context(
        "DOVETAIL_SERVER is not set: run `cargo x test`, or name the server binary to be tested",
    )?;
    if !path.is_file() {
        bail!("DOVETAIL_SERVER names {}, which is no file", path.display());
    }
    Ok(path)
}

/// The program `dovetail-check` that was built with the subject: the one named by `DOVETAIL_CHECK`,
/// or the one beside the program named by `DOVETAIL_SERVER`.
///
/// # Errors
/// When there is none.
pub fn checker() -> Result<PathBuf> {
    let path = match env::var_os("DOVETAIL_CHECK") {
        Some(path) => PathBuf::from(path),
        None => subject()?.with_file_name("dovetail-check"),
    };
    if !path.is_file() {
        bail!(
            "{} is no file: the package dovetail-server builds it; DOVETAIL_CHECK names another",
            path.display()
        );
    }
    Ok(path)
}

/// True when the environment asks for the long runs.
#[must_use]
pub fn is_long() -> bool {
    env::var("DOVETAIL_LONG").is_ok_and(|value| value == "1")
}

/// A failure as a test prints it: the sentence without the stack.
pub struct Report(String);

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<anyhow::Error> for Report {
    fn from(error: anyhow::Error) -> Self {
        Self(format!("{error:#}"))
    }
}

/// Runs a case over one poller, and says which one failed.
///
/// # Errors
/// Whatever the case says.
pub fn run(
    poller: &'static str,
    case: impl FnOnce(&Stage) -> Result<()>,
) -> std::result::Result<(), Report> {
    match Stage::new(poller)? {
        Some(stage) => run_on(&stage, case),
        None => Ok(()),
    }
}

/// Runs a case on this stage, and says which poller that was when it fails.
///
/// # Errors
/// Whatever the case says.
pub fn run_on(
    stage: &Stage,
    case: impl FnOnce(&Stage) -> Result<()>,
) -> std::result::Result<(), Report> {
    Ok(case(stage).with_context(|| format!("over {}", stage.name()))?)
}

fn chosen() -> Result<Option<Vec<String>>> {
    let Ok(list) = env::var("DOVETAIL_STAGE") else {
        return Ok(None);
    };
    let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
    for name in &names {
        if !POLLERS.contains(&name.as_str()) {
            bail!(
                "DOVETAIL_STAGE names {name:?}; the pollers are {}",
                POLLERS.join(", ")
            );
        }
    }
    Ok(Some(names))
}

fn is_dovetail(program: &std::path::Path) -> bool {
    program
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("dovetail"))
}

/// Makes one test per poller of each function `fn(&Stage) -> anyhow::Result<()>` of the module.
#[macro_export]
macro_rules! each_poller {
    ($($case:ident),+ $(,)?) => {
        $crate::each_poller!(@on on_select "select" $($case),+);
        $crate::each_poller!(@on on_poll "poll" $($case),+);
        $crate::each_poller!(@on on_epoll "epoll" $($case),+);
        $crate::each_poller!(@on on_io_uring "io_uring" $($case),+);
    };
    (@on $module:ident $poller:literal $($case:ident),+) => {
        mod $module {
            $(
                #[test]
                fn $case() -> Result<(), $crate::stage::Report> {
                    $crate::stage::run($poller, super::$case)
                }
            )+
        }
    };
}
