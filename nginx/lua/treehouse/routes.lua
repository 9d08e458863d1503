-- The routes in shared memory: every worker sees a change with its next request.
-- A route's line, here, in the file and on the control socket: "host preview build upstream".
local M = {}

local settings = require 'treehouse.settings'

local routes, previews = ngx.shared.routes, ngx.shared.previews

-- A DNS label: a host's first part, or a preview's id.
function M.is_label(text)
    return #text <= 63 and text:find('^[a-z0-9][a-z0-9-]*$') ~= nil and text:sub(-1) ~= '-'
end

-- The label of "label.domain"; nginx has lowered the host and taken its port and last dot away.
function M.label_of(host)
    local length = #host - #settings.domain - 1
    if length < 1 or length > 63 or host:sub(length + 1) ~= '.' .. settings.domain then return nil end
    local label = host:sub(1, length)
    return M.is_label(label) and label or nil
end

local function is_ipv4(text)
    local parts = { text:match('^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$') }
    for _, part in ipairs(parts) do
        if tonumber(part) > 255 then return false end
    end
    return #parts == 4
end

-- "ip:port" as ip, port; nothing where it is no address. An IPv6 address keeps its brackets.
function M.address(text)
    local ip, port = text:match('^(%S+):(%d%d?%d?%d?%d?)$')
    port = tonumber(port)
    if not port or port < 1 or port > 65535 then return nil end
    if is_ipv4(ip) or (#ip <= 41 and ip:find('^%[[0-9a-f:.]*:[0-9a-f:.]*%]$')) then return ip, port end
    return nil
end

-- The lines as a list of {host, preview, value}; or nil and what is wrong.
local function parse(text)
    local list, seen = {}, {}
    for line in text:gmatch('[^\n]+') do
        local host, preview, build, upstream = line:match('^(%S+) (%S+) (%S+) (%S+)$')
        if not host then return nil, 'a line is not "host preview build upstream"' end
        if not M.is_label(host) then return nil, 'a host is not a DNS label' end
        if not M.is_label(preview) then return nil, 'a preview is not a DNS label' end
        if #build > 64 or not build:find('^[a-z0-9]+$') then return nil, 'a build is not of letters and digits' end
        if not M.address(upstream) then return nil, 'an upstream is not ip:port' end
        if seen[host] then return nil, 'a host is named twice' end
        seen[host] = true
        list[#list + 1] = { host = host, preview = preview, line = line, value = preview .. ' ' .. build .. ' ' .. upstream }
    end
    return list
end

local function hosts_of(preview)
    local hosts = {}
    for host in (previews:get(preview) or ''):gmatch('(%S+)[^\n]*\n') do hosts[#hosts + 1] = host end
    return hosts
end

-- Makes a preview's routes be exactly the given lines. Returns a status and, where it refuses, the reason.
function M.set(preview, text)
    local list, fault = parse(text)
    if not list then return 400, fault end
    local lines, wanted = {}, {}
    for i, route in ipairs(list) do
        if route.preview ~= preview then return 400, 'a line is of another preview' end
        local owner = routes:get(route.host)
        if owner and owner:match('^%S+') ~= preview then return 409, route.host .. ' belongs to ' .. owner:match('^%S+') end
        lines[i] = route.line .. '\n'
        wanted[route.host] = true
    end
    local before, old = {}, hosts_of(preview)
    for i, route in ipairs(list) do
        before[i] = routes:get(route.host)
        local ok, err = routes:safe_set(route.host, route.value)
        if ok and i == #list then ok, err = previews:safe_set(preview, table.concat(lines)) end
        if not ok then
            for j = 1, i do
                if before[j] then routes:safe_set(list[j].host, before[j]) else routes:delete(list[j].host) end
            end
            return 507, 'the shared memory is full: ' .. err
        end
    end
    for _, host in ipairs(old) do
        if not wanted[host] then
            routes:delete(host)
            ngx.shared.visits:delete(host)
            ngx.shared.requests:delete(host)
        end
    end
    if #list == 0 then previews:delete(preview) end
    ngx.shared.asleep:delete(preview) -- what is routed anew runs
    return 204
end

-- Every line, or those of one preview.
function M.text(preview)
    if preview then return previews:get(preview) or '' end
    local all = {}
    for i, id in ipairs(previews:get_keys(0)) do all[i] = previews:get(id) end
    return table.concat(all)
end

-- At nginx's start: what was last written. At a reload the shared memory is still there, and newer than any file.
function M.load()
    if routes:get_keys(1)[1] then return end
    local file = io.open(ngx.config.prefix() .. 'routes.txt')
    if not file then return end
    local texts = {}
    for line in file:lines() do
        local preview = line:match('^%S+ (%S+)')
        if preview then texts[preview] = (texts[preview] or '') .. line .. '\n' end
    end
    file:close()
    for preview, text in pairs(texts) do
        local status, fault = M.set(preview, text)
        if status ~= 204 then ngx.log(ngx.ERR, 'routes.txt: ', preview, ': ', fault) end
    end
end

return M
