-- The control server's requests. Plain text both ways: lines of words, since no value can hold a space.
local M = {}

local certificate = require 'treehouse.certificate'
local guards = require 'treehouse.guards'
local passes = require 'treehouse.passes'
local routes = require 'treehouse.routes'
local settings = require 'treehouse.settings'
local traffic = require 'treehouse.traffic'

local function say(status, text)
    ngx.status = status
    if text then ngx.print(text) end
end

local actions = {}

actions['GET ready'] = function() return say(200, settings.revision) end

-- Kept through reloads: the shared memory is as old as the master process.
ngx.shared.born:safe_add('at', tostring(ngx.now()))
actions['GET born'] = function() return say(200, ngx.shared.born:get('at')) end

-- Whoever puts it into the networks of previews, where others do, has done so.
actions['PUT told'] = function()
    ngx.shared.born:set('told', true)
    return say(204)
end

-- Another takes its place: connections end with the answer that they wait for.
actions['PUT leaving'] = function()
    ngx.shared.born:set('leaving', true)
    return say(204)
end

actions['GET routes'] = function() return say(200, routes.text()) end

actions['GET previews'] = function(name) return say(200, routes.text(name)) end

actions['PUT previews'] = function(name)
    ngx.req.read_body()
    return say(routes.set(name, ngx.req.get_body_data() or ''))
end

actions['PUT guards'] = function()
    ngx.req.read_body()
    return say(guards.set(ngx.req.get_body_data() or ''))
end

actions['PUT links'] = function()
    ngx.req.read_body()
    return say(passes.set_links(ngx.req.get_body_data() or ''))
end

actions['PUT certificate'] = function()
    ngx.req.read_body()
    return say(certificate.set(ngx.req.get_body_data() or ''))
end

-- Of all who have something open there, or without those who only pass by.
local function open_at(count_of)
    local upstream = ngx.req.get_uri_args().upstream
    if type(upstream) ~= 'string' or not routes.address(upstream) then return say(400, 'upstream is not ip:port') end
    return say(200, tostring(count_of(upstream)))
end

actions['GET inflight'] = function() return open_at(traffic.in_flight) end

actions['GET visiting'] = function() return open_at(traffic.visiting) end

-- Whether something accepts a connection there: Treehouse itself may be where the preview's network is not.
actions['GET listens'] = function()
    local upstream = ngx.req.get_uri_args().upstream
    local ip, port = routes.address(type(upstream) == 'string' and upstream or '')
    if not ip then return say(400, 'upstream is not ip:port') end
    local socket = ngx.socket.tcp()
    socket:settimeout(1000)
    local ok = socket:connect(ip, port)
    socket:close()
    return say(200, ok and 'yes' or 'no')
end

-- "host seconds-since-1970 requests", for every host that was visited since nginx started.
actions['GET visits'] = function()
    local lines = {}
    for _, host in ipairs(ngx.shared.visits:get_keys(0)) do
        local at, number = ngx.shared.visits:get(host), ngx.shared.requests:get(host)
        if at and number then lines[#lines + 1] = string.format('%s %.3f %d\n', host, at, number) end
    end
    return say(200, table.concat(lines))
end

actions['PUT asleep'] = function(name)
    if not routes.is_label(name) then return say(400, 'the preview is not a DNS label') end
    local ok, err = ngx.shared.asleep:safe_set(name, true)
    return say(ok and 204 or 507, err)
end

actions['DELETE asleep'] = function(name)
    ngx.shared.asleep:delete(name)
    ngx.shared.told:delete(name)
    return say(204)
end

function M.handle()
    local what, name = ngx.var.uri:match('^/(%l+)/?([^/]*)$')
    local action = what and actions[ngx.req.get_method() .. ' ' .. what]
    if not action then return say(404, 'there is no such thing here') end
    return action(name)
end

return M
