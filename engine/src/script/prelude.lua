-- What scripts see, and the loop that serves them. Run once when the machine is made.
--
-- Every table that a script finds is the front of one that it cannot reach: reads go through, writes
-- are errors. Errors that come out of Rust are userdata until they are shown to a script; `unwrap`
-- turns them into what Redis would have raised.
local native, globals = ...

local error, type, next, select, tostring = error, type, next, select, tostring
local tonumber = tonumber
local xpcall, setmetatable, rawget, rawset, unpack = xpcall, setmetatable, rawget, rawset, unpack
local load, loadstring, byte = load, loadstring, string.byte
local getmetatable = getmetatable
local resume, wrap, create = coroutine.resume, coroutine.wrap, coroutine.create
local unwrap, take, failed = native.unwrap, native.take, native.failed

local READONLY = 'Attempt to modify a readonly table'
-- From a front to what lies behind it.
local behind = {}

local function refuse()
  error(READONLY, 2)
end

local nothing = setmetatable({}, { __newindex = refuse, __metatable = false })
behind[nothing] = {}

local function front_of(table)
  local front = setmetatable({}, { __index = table, __newindex = refuse, __metatable = nothing })
  behind[front] = table
  return front
end

-- The tables of keys and arguments are filled again for the next script, unless this one has put
-- something into them that would stay, or has given them a metatable.
local keys, args
local are_spoilt = true
local watch = {}

local function spoil(table)
  are_spoilt = are_spoilt or table == keys or table == args
end

function watch.__newindex(table, key, value)
  are_spoilt = true
  setmetatable(table, nil)
  table[key] = value
end

local function expect_table(value, position, name, count)
  if type(value) ~= 'table' then
    local given = count == 0 and 'no value' or type(value)
    local text = "bad argument #%d to '%s' (table expected, got %s)"
    error(text:format(position, name, given), 3)
  end
end

-- Errors as scripts catch them. `unwrap` is the handler, since it knows the place while there is one.

local function caught(ok, value, ...)
  if not ok and type(value) == 'table' then
    local text = rawget(value, 'err')
    if text ~= nil then
      return false, text
    end
  end
  return ok, value, ...
end

local function resumed(ok, value, ...)
  if not ok then
    return ok, (unwrap(value))
  end
  return ok, value, ...
end

function globals.pcall(...)
  local count, body = select('#', ...), ...
  if count == 0 then
    error("bad argument #1 to 'pcall' (value expected)", 2)
  end
  if count == 1 then
    return caught(xpcall(body, unwrap))
  end
  local args = { ... }
  return caught(xpcall(function()
    return body(unpack(args, 2, count))
  end, unwrap))
end

function globals.xpcall(body, handler)
  return xpcall(body, function(value)
    local shown, is_killed = unwrap(value)
    if is_killed then
      -- Lua calls no hook while this runs: a handler without an end could not be ended.
      return shown
    end
    return handler(shown)
  end)
end

-- The base library, with fronts in mind and without byte code.

function globals.pairs(...)
  local table = ...
  expect_table(table, 1, 'pairs', select('#', ...))
  return next, behind[table] or table, nil
end

function globals.next(...)
  local table, key = ...
  expect_table(table, 1, 'next', select('#', ...))
  return next(behind[table] or table, key)
end

function globals.rawget(...)
  local table, key = ...
  expect_table(table, 1, 'rawget', select('#', ...))
  return rawget(behind[table] or table, key)
end

function globals.rawset(...)
  local table, key, value = ...
  expect_table(table, 1, 'rawset', select('#', ...))
  if behind[table] then
    error(READONLY, 0)
  end
  spoil(table)
  return rawset(table, key, value)
end

function globals.getmetatable(...)
  local value = ...
  if value ~= nil and behind[value] then
    return value == globals._G and nothing or nil
  end
  local metatable = getmetatable(...)
  if metatable == watch then
    return nil
  end
  return metatable
end

function globals.setmetatable(...)
  local value = ...
  if value ~= nil and behind[value] then
    error(READONLY, 0)
  end
  spoil(value)
  return setmetatable(...)
end

-- The matching of a pattern nests as deep as the pattern is long, at most.
local PATTERN_BYTES_MAX = 65536

local function expect_short(_, pattern)
  if type(pattern) == 'string' and #pattern > PATTERN_BYTES_MAX then
    error('pattern too complex', 3)
  end
end

-- Complaints name the local that is called.
local find, gmatch, gsub, match = string.find, string.gmatch, string.gsub, string.match

function string.find(...)
  expect_short(...)
  return find(...)
end

function string.gmatch(...)
  expect_short(...)
  return gmatch(...)
end

function string.gsub(...)
  expect_short(...)
  return gsub(...)
end

function string.match(...)
  expect_short(...)
  return match(...)
end

string.gfind = string.gmatch

-- This writes past metatables.
local insert = table.insert

function table.insert(...)
  local list = ...
  if list ~= nil and behind[list] then
    error(READONLY, 0)
  end
  spoil(list)
  return insert(...)
end

-- The library counts the results in 32 bits, which overflow where the ends are far apart.
local RESULTS_MAX = 8000

function globals.unpack(...)
  local list, first, last = ...
  expect_table(list, 1, 'unpack', select('#', ...))
  local from, to = tonumber(first) or 1, tonumber(last) or #list
  if not (to - from < RESULTS_MAX) then
    error('too many results to unpack', 2)
  end
  return unpack(...)
end

function globals.loadstring(...)
  local text, name = ...
  if type(text) == 'number' then
    text = tostring(text)
  end
  if type(text) ~= 'string' then
    local given = select('#', ...) == 0 and 'no value' or type(text)
    error("bad argument #1 to 'loadstring' (string expected, got " .. given .. ')', 2)
  end
  if byte(text) == 27 then
    -- A space in front makes the compiler read it as text, and refuse it.
    return loadstring(' ' .. text, name or text)
  end
  return loadstring(text, name)
end

function globals.load(...)
  local reader, name = ...
  if type(reader) ~= 'function' then
    local given = select('#', ...) == 0 and 'no value' or type(reader)
    error("bad argument #1 to 'load' (function expected, got " .. given .. ')', 2)
  end
  local begun = false
  return load(function()
    local piece = reader()
    if not begun and type(piece) == 'string' and piece ~= '' then
      begun = true
      if byte(piece) == 27 then
        return ' ' .. piece
      end
    end
    return piece
  end, name)
end

globals.coroutine = {
  create = create,
  resume = function(...)
    return resumed(resume(...))
  end,
  running = coroutine.running,
  status = coroutine.status,
  wrap = wrap,
  yield = coroutine.yield,
}

-- The fronts.

getmetatable('').__metatable = front_of({ __index = string })
for _, name in ipairs({
  'bit', 'cjson', 'cmsgpack', 'coroutine', 'math', 'os', 'redis', 'string', 'struct', 'table',
}) do
  globals[name] = front_of(globals[name])
end
globals.server = globals.redis
setmetatable(globals, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
local front = front_of(globals)
globals._G = front
native.install(front)

-- The loop: `take` hands over what came of the script before and returns the next one, with tables of
-- keys and arguments, or without them when those of the script before have been filled again. Nobody
-- can still hold them: a script leaves nothing behind but what it has written into them.

return function()
  local ok, value = true, nil
  while true do
    local body, new_keys, new_args = take(ok, value, not are_spoilt)
    if not body then
      return
    end
    if new_keys then
      keys, args = setmetatable(new_keys, watch), setmetatable(new_args, watch)
      globals.KEYS, globals.ARGV = keys, args
      are_spoilt = false
    end
    ok, value = xpcall(body, failed)
  end
end
