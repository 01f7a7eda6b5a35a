//! A Lua machine on a stack of its own, which can be left in the middle of a script.
//!
//! Shape: a coroutine whose body makes the machine, and then runs the prelude's loop for as long as
//! it lives. Callbacks suspend it; they borrow the coroutine's yielder, which is why they are scoped.
//! Invariants: 1. Nothing outside holds a Lua value. 2. The coroutine is run to its end before it is
//! dropped: no C frame is unwound. 3. While Rust runs on behalf of a script the memory limit is off,
//! for a failing allocation would then cost more than it saves; what Rust allocates there is bounded
//! by what the script or the keyspace already holds.

use super::api::{self, Api};
use super::exchange::{Desk, End, Resume, Step};
use super::raise::{self, KILLED, Raised};
use super::{convert, libraries};
use crate::resp::Reply;
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use mlua::{
    BString, Either, Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The machine's stack. Lua nests 200 calls of C at most; a pattern's matching and the conversion of
/// nested tables nest deeper, and are bounded where they happen. Touched lazily by the system.
const STACK_BYTES: usize = 16 << 20;
/// Memory that all scripts together may hold, in bytes.
pub const MEMORY_BYTES_MAX: usize = 1 << 30;
/// Instructions between two ticks.
const TICK_INSTRUCTIONS: u32 = 10_000;
/// Where the hook finds the function that suspends.
const TICK: &str = "tick";

type Routine = Coroutine<Resume, Step, (), DefaultStack>;

/// A Lua machine.
pub struct Machine {
    routine: Routine,
    desk: Rc<Desk>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Machine").finish_non_exhaustive()
    }
}

impl Machine {
    /// A machine that is ready; nothing if the system grants no stack.
    #[must_use]
    pub fn new() -> Option<Self> {
        let desk = Rc::new(Desk::default());
        let stack = DefaultStack::new(STACK_BYTES).ok()?;
        let theirs = Rc::clone(&desk);
        let routine = Coroutine::with_stack(stack, move |yielder: &Yielder<Resume, Step>, _| {
            // Without a machine the coroutine ends, and is found ended.
            live(&theirs, yielder).ok();
        });
        let mut machine = Self { routine, desk };
        (machine.resume(Resume::GoOn)? == Step::Ready).then_some(machine)
    }

    /// What both sides see.
    #[must_use]
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Lets the machine go on until its next step; nothing when it has ended.
    #[inline]
    pub fn resume(&mut self, with: Resume) -> Option<Step> {
        if self.routine.done() {
            return None;
        }
        match self.routine.resume(with) {
            CoroutineResult::Yield(step) => Some(step),
            CoroutineResult::Return(()) => None,
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        while self.resume(Resume::Quit).is_some() {}
    }
}

/// What callbacks share: the way out, and whether the script is being ended by force.
pub(super) struct Link<'a> {
    yielder: &'a Yielder<Resume, Step>,
    pub(super) desk: &'a Desk,
    killed: Rc<Cell<bool>>,
}

impl Link<'_> {
    /// Takes a step; an error when the script is to end.
    pub(super) fn step(&self, lua: &Lua, step: Step) -> mlua::Result<Resume> {
        match self.yielder.suspend(step) {
            Resume::Kill | Resume::Quit => {
                self.killed.set(true);
                install_hook(lua, &self.killed)?;
                Err(Raised::Killed.into())
            }
            answer => Ok(answer),
        }
    }

    /// Leaves the machine without a script to end: it is between two.
    fn wait(&self, step: Step) -> Resume {
        self.yielder.suspend(step)
    }
}

/// Has the hook called now and then, or, once the script is to end, at every instruction.
///
/// A script that catches every error is ended by one that is raised again wherever it goes on; only
/// the prelude is let pass, since it has to carry on after the script.
fn install_hook(lua: &Lua, killed: &Rc<Cell<bool>>) -> mlua::Result<()> {
    let every = if killed.get() { 1 } else { TICK_INSTRUCTIONS };
    let killed = Rc::clone(killed);
    let triggers = HookTriggers::new().every_nth_instruction(every);
    lua.set_global_hook(triggers, move |lua, debug| {
        if killed.get() {
            // Each coroutine of Lua counts for itself: from here on this one is asked every time.
            install_hook(lua, &killed)?;
            let source = debug.source().source;
            if source.is_some_and(|name| name == raise::PRELUDE) {
                return Ok(VmState::Continue);
            }
            return Err(Raised::Killed.into());
        }
        lua.set_memory_limit(0)?;
        let tick: Function = lua.named_registry_value(TICK)?;
        tick.call::<()>(())?;
        lua.set_memory_limit(MEMORY_BYTES_MAX)?;
        Ok(VmState::Continue)
    })
}

/// The life of a machine.
fn live(desk: &Desk, yielder: &Yielder<Resume, Step>) -> mlua::Result<()> {
    let kept = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
    let lua = Lua::new_with(kept, LuaOptions::default())?;
    let link = Link {
        yielder,
        desk,
        killed: Rc::new(Cell::new(false)),
    };
    let compiled = Compiled::default();
    let api = Api::new(&lua, &link)?;
    lua.scope(|scope| {
        let globals = lua.create_table()?;
        libraries::copy_base(&lua, &globals)?;
        globals.raw_set("bit", libraries::bit(&lua)?)?;
        globals.raw_set("cjson", libraries::cjson(&lua)?)?;
        globals.raw_set("cmsgpack", libraries::cmsgpack(&lua)?)?;
        globals.raw_set("struct", libraries::packing(&lua)?)?;
        globals.raw_set("redis", api::redis(&lua, scope, &api)?)?;
        globals.raw_set("os", api::os(&lua, scope, &api)?)?;
        api::random(&lua, scope, &api, &globals)?;
        let native = lua.create_table()?;
        let (link, api, compiled) = (&link, &api, &compiled);
        let take =
            scope.create_function(move |lua, (ok, value, reusable): (bool, Value, bool)| {
                compiled.reusable.set(reusable);
                let next = compiled.take(lua, link, api, ok, value);
                lua.set_memory_limit(MEMORY_BYTES_MAX)?;
                next
            })?;
        native.raw_set("take", take)?;
        let failed = scope.create_function(move |lua, value: Value| {
            api::note_failure(lua, link, api, &value);
            Ok(())
        })?;
        native.raw_set("failed", failed)?;
        let unwrap = lua.create_function(|lua, value: Value| {
            let is_killed = raise::raised_in(&value) == Some(Raised::Killed);
            Ok((raise::shown(lua, value)?, is_killed))
        })?;
        native.raw_set("unwrap", unwrap)?;
        let install = lua.create_function(|lua, front: Table| lua.set_globals(front))?;
        native.raw_set("install", install)?;
        let tick = scope.create_function(move |lua, ()| link.step(lua, Step::Tick).map(drop))?;
        lua.set_named_registry_value(TICK, tick)?;
        let prelude = lua.load(include_str!("prelude.lua"));
        let serve: Function = prelude.set_name(raise::PRELUDE).call((native, globals))?;
        install_hook(&lua, &link.killed)?;
        serve.call::<()>(())
    })
}

/// A script with its keys and its arguments; nothing at the end of the machine.
type Handed = (Option<Function>, Option<Table>, Option<Table>);

/// Bytes as something that goes to Lua's stack; what is text goes there without a copy in between.
fn pushable(bytes: &[u8]) -> Either<&str, BString> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Either::Left(text),
        Err(_) => Either::Right(BString::from(bytes)),
    }
}

/// Scripts that have been compiled.
#[derive(Default)]
struct Compiled {
    functions: RefCell<Vec<Option<Function>>>,
    /// The tables of keys and arguments of the last script, with their lengths.
    tables: RefCell<Option<[(Table, usize); 2]>>,
    /// Nobody has changed them in a way that shows.
    reusable: Cell<bool>,
    running: Cell<bool>,
    protocol: Cell<crate::resp::Protocol>,
}

impl Compiled {
    /// Delivers what the last script has left and waits for the next one.
    fn take(
        &self,
        lua: &Lua,
        link: &Link<'_>,
        api: &Api<'_>,
        ok: bool,
        value: Value,
    ) -> mlua::Result<Handed> {
        lua.set_memory_limit(0)?;
        if link.killed.get() {
            link.killed.set(false);
            install_hook(lua, &link.killed)?;
            *link.desk.text.borrow_mut() = format!("ERR {KILLED}").into_bytes();
            self.running.set(false);
            return self.next(
                lua,
                link,
                Step::Finished(End::Failed { counted: false }),
                api,
            );
        }
        let step = if self.running.replace(false) {
            Step::Finished(self.deliver(link, api, ok, &value))
        } else {
            Step::Ready
        };
        drop(value);
        if lua.used_memory() > MEMORY_BYTES_MAX / 4 {
            // The collector waits for twice what is there, which the limit may not allow.
            lua.gc_collect()?;
        }
        self.next(lua, link, step, api)
    }

    /// Lays the end of a script on the desk.
    fn deliver(&self, link: &Link<'_>, api: &Api<'_>, ok: bool, value: &Value) -> End {
        if ok {
            let mut result = link.desk.result.borrow_mut();
            let mut reply = Reply {
                buf: &mut result,
                protocol: self.protocol.get(),
            };
            let seen = link.desk.protocol.get();
            let (end, nested) = convert::to_reply(value, seen, &api.fields, &mut reply);
            link.desk.nested.replace(nested);
            return end;
        }
        match api.failure.take() {
            Some(counted) => End::Failed { counted },
            None => {
                // Out of memory, or an error in the handling of an error: no handler was called.
                let text = match value {
                    Value::String(text) => text.as_bytes().to_vec(),
                    _ => b"not enough memory".to_vec(),
                };
                *link.desk.text.borrow_mut() = [b"ERR ".as_slice(), &text].concat();
                *link.desk.place.borrow_mut() = None;
                End::Failed { counted: false }
            }
        }
    }

    /// Takes `step` and does what is wanted until it is to run a script or to end.
    fn next(
        &self,
        lua: &Lua,
        link: &Link<'_>,
        mut step: Step,
        api: &Api<'_>,
    ) -> mlua::Result<Handed> {
        loop {
            link.desk.memory.set(lua.used_memory());
            match link.wait(step) {
                Resume::Run { id, keys, protocol } => {
                    self.running.set(true);
                    self.protocol.set(protocol);
                    api.begin(link);
                    return self.handed(lua, link, id, keys);
                }
                Resume::Compile { id } => {
                    step = Step::Compiled(self.compile(lua, link, id));
                }
                Resume::Forget { id } => {
                    if let Some(function) = self.functions.borrow_mut().get_mut(id) {
                        *function = None;
                    }
                    step = Step::Ready;
                }
                Resume::Quit => return Ok((None, None, None)),
                _ => step = Step::Ready,
            }
        }
    }

    /// The function with its keys and arguments.
    fn handed(&self, lua: &Lua, link: &Link<'_>, id: usize, keys: usize) -> mlua::Result<Handed> {
        let functions = self.functions.borrow();
        let Some(Some(function)) = functions.get(id) else {
            return Err(raise::reply("ERR the script is gone"));
        };
        let words = link.desk.words.borrow();
        let args = words.args();
        let word = |index| pushable(args.get(index));
        let lens = [keys, args.len() - keys];
        let mut kept = self.tables.borrow_mut();
        if self.reusable.get()
            && let Some([first, second]) = &*kept
            && [first.1, second.1] == lens
        {
            for index in 0..keys {
                first.0.raw_seti(index + 1, word(index))?;
            }
            for index in keys..args.len() {
                second.0.raw_seti(index + 1 - keys, word(index))?;
            }
            return Ok((Some(function.clone()), None, None));
        }
        let first = lua.create_sequence_from((0..keys).map(word))?;
        let second = lua.create_sequence_from((keys..args.len()).map(word))?;
        *kept = Some([(first.clone(), lens[0]), (second.clone(), lens[1])]);
        Ok((Some(function.clone()), Some(first), Some(second)))
    }

    /// Compiles the source on the desk; the error, if there is one, takes its place.
    fn compile(&self, lua: &Lua, link: &Link<'_>, id: usize) -> bool {
        let mut source = link.desk.text.borrow_mut();
        if source.first() == Some(&0x1b) {
            // Byte code is read as text, which it is not.
            source.insert(0, b' ');
        }
        let chunk = lua.load(&source[..]).set_name("@user_script");
        lua.set_memory_limit(MEMORY_BYTES_MAX).ok();
        let compiled = chunk.set_mode(mlua::chunk::ChunkMode::Text).into_function();
        lua.set_memory_limit(0).ok();
        match compiled {
            Ok(function) => {
                let mut functions = self.functions.borrow_mut();
                if functions.len() <= id {
                    functions.resize(id + 1, None);
                }
                functions[id] = Some(function);
                source.clear();
                true
            }
            Err(mlua::Error::SyntaxError { message, .. }) => {
                *source = message.into_bytes();
                false
            }
            Err(_) => {
                *source = b"not enough memory".to_vec();
                false
            }
        }
    }
}
