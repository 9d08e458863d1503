-- The way of a request: admit it, choose its upstream, answer for an upstream that fails, count.
local M = {}

local balancer = require 'ngx.balancer'
local client = require 'treehouse.client'
local ffi = require 'ffi'
local guards = require 'treehouse.guards'
local passes = require 'treehouse.passes'
local route_table = require 'treehouse.routes'
local settings = require 'treehouse.settings'

ffi.cdef 'int kill(int pid, int signal);'

local routes, asleep, told, inflight = ngx.shared.routes, ngx.shared.asleep, ngx.shared.told, ngx.shared.inflight
local visits, requests, born = ngx.shared.visits, ngx.shared.requests, ngx.shared.born

-- Who wakes a preview waits so long for it, then gets a page.
local WAKE_WAIT = 3
local WAKE_EVERY = 0.02
-- Others tell a gateway that runs by itself what it needs; who visits before waits so long, counted from its start.
local TOLD_WAIT = 10
-- Of who asks for receiver, API or dashboard while it is replaced. GitHub gives up after ten seconds, others have more patience.
local SERVE_WAIT, SERVE_EVERY, SERVE_SPREAD = 30, 0.1, 3
-- What one of them saw counts this long for the others.
local SERVE_SEEN = 0.15
-- Who sends more is not held: it would have to be kept here. Deliveries are seldom a tenth of it.
local HELD_BODY = 131072
-- Before an upstream: what passers-by have open there.
local PASSING = 'passing '
-- May be sent twice without harm (RFC 9110, 9.2.1).
local SAFE = { GET = true, HEAD = true, OPTIONS = true }

-- Its page is read at start: workers cannot enter Treehouse's home.
local away_page
do
    local file = assert(io.open(ngx.config.prefix() .. 'away.html'))
    away_page = file:read('*a')
    file:close()
end

-- Counters are kept by worker, and only the living count: a killed worker's requests are gone with it.
function M.enlist()
    local me = ngx.worker.pid()
    local of_me = ' ' .. me
    for _, key in ipairs(inflight:get_keys(0)) do -- what is left of a dead worker that had this pid
        local is_slot = key:find('^worker/') and inflight:get(key) == me
        if is_slot or key:sub(-#of_me) == of_me then inflight:delete(key) end
    end
    inflight:set('worker/' .. inflight:incr('workers', 1, 0), me)
end

local function count(upstream, change)
    local key = upstream .. ' ' .. ngx.worker.pid()
    local now = inflight:incr(key, change, 0)
    if now and now <= 0 then inflight:delete(key) end
end

local function counted(what)
    local sum = 0
    for slot = 1, inflight:get('workers') or 0 do
        local pid = inflight:get('worker/' .. slot)
        if pid and ffi.C.kill(pid, 0) == 0 then sum = sum + (inflight:get(what .. ' ' .. pid) or 0) end
    end
    return sum
end

function M.in_flight(upstream) return counted(upstream) end

-- Without those of passers-by, who keep nothing awake.
function M.visiting(upstream) return counted(upstream) - counted(PASSING .. upstream) end

-- Counts first and looks again: once a new route is set, a count of 0 for the old upstream stays 0.
local function enter(label)
    while true do
        local value = routes:get(label)
        if not value then return nil end
        local upstream = value:match('%S+$')
        count(upstream, 1)
        if routes:get(label) == value then return upstream end
        count(upstream, -1)
    end
end

-- A connection to Treehouse's own server.
local function connect_to_treehouse()
    local socket = ngx.socket.tcp()
    socket:settimeout(1000)
    local ok, err
    if settings.pages_port then ok, err = socket:connect(settings.pages_host, settings.pages_port)
    else ok, err = socket:connect(settings.pages_host) end
    return ok and socket, err
end

-- One request looks for all that wait.
local function is_serving()
    if not told:add('/treehouse', true, SERVE_EVERY) then return born:get('serving') end
    local socket = connect_to_treehouse()
    if not socket then return false end
    born:set('serving', true, SERVE_SEEN)
    socket:close()
    return true
end

-- Whether it is there before patience ends.
local function wait_for_treehouse()
    local began = ngx.now()
    repeat
        ngx.sleep(SERVE_EVERY)
        if is_serving() then
            -- Not all who waited at once.
            ngx.sleep(math.random() * math.min(ngx.now() - began, SERVE_SPREAD))
            return true
        end
    until ngx.now() > began + SERVE_WAIT
    return false
end

-- A server that is a process of its own may be replaced under a gateway that goes on.
local function may_be_held()
    local var = ngx.var
    local length = tonumber(var.http_content_length) or (SAFE[ngx.req.get_method()] and 0)
    return settings.told_by_others and length and length <= HELD_BODY and not var.http_transfer_encoding
        and var.treehouse_upgrade == ''
end

-- Asks Treehouse to wake it; one request in a second does for all.
local function ask_to_wake(preview)
    if not told:add(preview, true, 1) then return end
    local socket, err = connect_to_treehouse()
    local ok
    if socket then
        ok, err = socket:send('POST /gateway/wake HTTP/1.0\r\nHost: treehouse\r\nX-Treehouse-Key: ' .. settings.key
            .. '\r\nX-Treehouse-Preview: ' .. preview .. '\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    end
    if ok then ok, err = socket:receive('*l') end
    if socket then socket:close() end
    if not ok then ngx.log(ngx.ERR, 'Treehouse was not told to wake ', preview, ': ', err) end
end

-- The preview that a label leads to, where it sleeps.
local function sleeper(label)
    local value = routes:get(label)
    local preview = value and value:match('^%S+')
    return preview and asleep:get(preview) and preview
end

-- Whether the preview of a route is awake, now or within WAKE_WAIT.
local function awake(label)
    local preview = sleeper(label)
    if not preview then return true end
    local give_up = ngx.now() + WAKE_WAIT
    while ngx.now() < give_up do
        ask_to_wake(preview)
        ngx.sleep(WAKE_EVERY)
        if not asleep:get(preview) then return true end
    end
    return false
end

local function wait_until_told()
    if not settings.told_by_others then return end
    local give_up = tonumber(born:get('at')) + TOLD_WAIT
    while not born:get('told') and ngx.now() < give_up do ngx.sleep(WAKE_EVERY) end
end

local function may_repeat()
    local var = ngx.var
    local length = var.http_content_length
    return SAFE[ngx.req.get_method()] and (not length or length == '0') and not var.http_transfer_encoding
        and var.treehouse_upgrade == ''
end

-- For passers-by, who are told nothing: neither why it does not answer nor that there is such a preview.
local function away_for_now()
    ngx.status = 503
    ngx.header.content_type = 'text/plain; charset=utf-8'
    ngx.header.cache_control = 'no-store'
    ngx.header.retry_after = 5
    ngx.say('Nothing answers here for now.')
    return ngx.exit(503)
end

-- Programs that pass by wake nobody and are no visit.
local function pass_by(label)
    local upstream = not sleeper(label) and enter(label)
    if not upstream then return away_for_now() end
    count(PASSING .. upstream, 1)
    ngx.var.treehouse_upstream = upstream
    ngx.var.treehouse_pool = may_repeat() and 'preview_kept' or 'preview_fresh'
end

-- Of what Treehouse itself answers at a preview's host: which preview it is, if any.
function M.at_door()
    local label = route_table.label_of(ngx.var.host)
    if label and client.is_plain() then return client.to_https() end
    ngx.var.treehouse_preview = label and guards.preview_of(label) or ''
end

function M.admit()
    if born:get('leaving') then return ngx.exec('@last') end
    return M.let_in()
end

function M.let_in()
    if ngx.var.host == settings.admin then
        if client.is_plain() then return client.to_https() end
        return ngx.exec(may_be_held() and '@admin_held' or '@admin')
    end
    local label = route_table.label_of(ngx.var.host)
    if not label then return ngx.exec('@page') end
    if client.is_plain() then return client.to_https() end
    wait_until_told()
    local standing = guards.admit(label)
    ngx.var.treehouse_standing = standing
    if standing == 'lost' then return ngx.exec('@page') end
    if not standing then
        M.at_door()
        return ngx.exec('@door')
    end
    if standing == 'passer-by' then return pass_by(label) end
    if not awake(label) then return ngx.exec('@page') end
    local upstream = enter(label)
    if not upstream then return ngx.exec('@page') end
    ngx.var.treehouse_upstream = upstream
    ngx.var.treehouse_label = label
    ngx.var.treehouse_pool = may_repeat() and 'preview_kept' or 'preview_fresh'
    requests:incr(label, 1, 0)
    visits:set(label, ngx.now())
end

function M.balance()
    -- A body that HTTP/2 did not announce is gone after the first try.
    if ngx.var.treehouse_body ~= '' then ngx.var.treehouse_pool = 'preview_fresh' end
    local ip, port = route_table.address(ngx.var.treehouse_upstream)
    local ok, err = balancer.set_current_peer(ip, port)
    if not ok then
        ngx.log(ngx.ERR, 'balancer: ', err)
        return ngx.exit(502)
    end
end

-- The value of the last attempt, of a variable that lists one for each.
local function last(values) return (values or ''):match('[^%s,:]+$') or '-' end

function M.failed()
    local var = ngx.var
    local connected = last(var.upstream_connect_time) ~= '-'
    if connected and var.treehouse_pool == 'preview_kept' and last(var.upstream_status) == '502' then
        var.treehouse_pool = 'preview_fresh'
        return ngx.exec('@again')
    end
    if var.treehouse_standing == 'passer-by' then return away_for_now() end
    var.treehouse_problem = connected and 'no-answer' or 'unreachable'
    return ngx.exec('@page')
end

-- Nothing of it was sent, so it may be sent again.
function M.hold()
    local connected = last(ngx.var.upstream_connect_time) ~= '-'
    if not connected and wait_for_treehouse() then return ngx.exec('@admin_held') end
    return M.away()
end

function M.away()
    ngx.status = 503
    ngx.header.content_type = 'text/html; charset=utf-8'
    ngx.header.content_length = #away_page
    ngx.header.cache_control = 'no-store'
    ngx.header.retry_after = 5
    ngx.print(away_page)
end

-- The log phase: every request's last, however it ended.
function M.done()
    local standing = ngx.var.treehouse_standing
    if standing == 'guest' then passes.forget() end
    local upstream = ngx.var.treehouse_upstream
    if not upstream or upstream == '' then return end
    count(upstream, -1)
    if standing == 'passer-by' then return count(PASSING .. upstream, -1) end
    local label = ngx.var.treehouse_label
    if routes:get(label) then visits:set(label, ngx.now()) end
end

return M
