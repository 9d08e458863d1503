-- Who may see a preview: what its repository asks for, and whether a request has it. docs/access.md tells the whole.
-- A line, here, in the file and on the control socket: "repository access mark prefix…"; the repository is the last part of its
-- previews' ids, "-" where ids are the branch alone, "*" whichever is not named.
local M = {}

local passes = require 'treehouse.passes'
local route_table = require 'treehouse.routes'

local routes, guards = ngx.shared.routes, ngx.shared.guards

local PUBLIC = 'public'
-- Of what is routed and of no repository that is known: nothing opens it.
local CLOSED = 'link -'
local ACCESS = { public = true, password = true, link = true }
-- Words in the names of headers by which proxies tell apps of another path than the one that was asked for.
local PATH_WORDS = { invoke = true, matched = true, middleware = true, override = true, path = true, prefix = true,
    rewrite = true, route = true, script = true, uri = true, url = true }

-- What a host asks for, and the preview that it leads to; nil where nobody knows of such a host.
local function guard_of(label)
    local value = routes:get(label)
    local preview = value and value:match('^%S+')
    local repository = (preview or label):match('^.*%-%-(.+)$')
    local guard = repository and guards:get(repository) or guards:get('-') or guards:get('*')
    return guard or (value and CLOSED), preview
end

-- Whether a page of another preview sent this, by script or by form. Browsers send it the pass, since all previews are one site to
-- them: its author must not see through the eyes of a guest. "null" is of a page that does not say where it comes from; one that
-- hides it has no cookies, and may do what it likes, but for a WebSocket, whose answers nothing keeps from it.
local function is_from_elsewhere(label, preview)
    local origin = ngx.var.http_origin
    if not origin then return false end
    if origin == 'null' then return ngx.var.treehouse_upgrade ~= '' end
    local host = origin:lower():match('^https?://([^/:]+)')
    local other = host and route_table.label_of(host)
    if not other or other == label then return not other end
    return not preview or select(2, guard_of(other)) ~= preview
end

-- Plain as it was sent, so that no app reads another path out of it than nginx does: nothing that nginx would have to decode or
-- resolve, and no letters that others may take for more than letters, such as \ and ;.
local function plain_path()
    local path = ngx.var.request_uri:match('^[^?]*')
    return path == ngx.var.uri and path:find('^[%w/_.~:@+,=-]+$') and path or nil
end

local function is_let_through(guard)
    local path = plain_path()
    if not path then return false end
    for prefix in guard:gmatch(' (/%S*)') do
        local rest = path:sub(1, #prefix) == prefix and path:sub(#prefix + 1)
        if rest and (rest == '' or prefix:sub(-1) == '/' or rest:sub(1, 1) == '/') then return true end
    end
    return false
end

local function take_out_other_paths()
    for name in pairs(ngx.req.get_headers(0)) do
        for word in name:gmatch('%w+') do
            if PATH_WORDS[word] then ngx.req.clear_header(name) end
        end
    end
end

-- As who somebody comes to a host: "lost" where there is none, "anyone" where it is public, "guest" with a pass, "passer-by" where
-- the path is let through, and nil where they may not. What is not for the app is taken out.
function M.admit(label)
    local guard, preview = guard_of(label)
    if not guard then return 'lost' end
    if guard == PUBLIC then return 'anyone' end
    local pass = passes.of_request(label, preview, guard)
    if pass and not is_from_elsewhere(label, preview) then
        passes.take_out()
        passes.watch(pass)
        return 'guest'
    end
    if not is_let_through(guard) then return nil end
    passes.take_out()
    take_out_other_paths()
    return 'passer-by'
end

function M.preview_of(label) return select(2, guard_of(label)) end

-- Makes these lines be all the guards there are. Returns a status and, where it refuses, the reason.
function M.set(text)
    local wanted = {}
    for line in text:gmatch('[^\n]+') do
        local repository, guard = line:match('^(%S+) (.+)$')
        local access, rest = (guard or ''):match('^(%l+) [%w-]+(.*)$')
        if not ACCESS[access] or not (rest == '' or rest:find('^ /[^%c]*$')) then
            return 400, 'a line is not "repository access mark prefix…"'
        end
        wanted[repository] = access == PUBLIC and PUBLIC or guard
    end
    for repository, guard in pairs(wanted) do
        local ok, err = guards:safe_set(repository, guard)
        if not ok then return 507, 'the shared memory is full: ' .. err end
    end
    for _, repository in ipairs(guards:get_keys(0)) do
        if not wanted[repository] then guards:delete(repository) end
    end
    return 204
end

-- At nginx's start. Without them it does not start: nobody knows what is guarded.
function M.load()
    local file = assert(io.open(ngx.config.prefix() .. 'guards.txt'))
    local status, fault = M.set(file:read('*a'))
    file:close()
    assert(status == 204, fault)
end

function M.enlist() passes.keep_looking(guard_of) end

return M
