-- Where the client is and how it came, by TLS or not: as this connection shows, or as a proxy says that is trusted.
local M = {}

local settings = require 'treehouse.settings'

-- For so long browsers may remember the way: not for ever, since ports and certificates change.
local REMEMBER = 'max-age=3600'

-- Who made this connection: the entrance tells it where there is one (docs/gateway.md), which then made it itself.
local function peer() return ngx.var.proxy_protocol_addr or ngx.var.remote_addr end

-- The networks are nginx's to compare: its variable is worked out anew at each look, since nothing in the configuration uses it.
local function is_trusted(address)
    ngx.var.treehouse_hop = address
    return ngx.var.treehouse_hop_trusted == '1'
end

-- One hop of X-Forwarded-For, which some write with its port; nil for what is no address.
local function address_in(hop)
    local v6 = hop:match('^%[([%x:.]+)%]:?%d*$') or (hop:find(':.*:') and hop:match('^[%x:.]+$'))
    if v6 then return v6 end
    local v4, a, b, c, d = hop:match('^((%d+)%.(%d+)%.(%d+)%.(%d+)):?%d*$')
    for _, byte in ipairs { a, b, c, d } do
        if tonumber(byte) > 255 then return nil end
    end
    return v4
end

-- Where the client is: the last hop that is nobody's whom we trust.
function M.address()
    local at = peer()
    local said = ngx.var.http_x_forwarded_for
    if not said or not is_trusted(at) then return at end
    local hops = {}
    for hop in said:gmatch('[^,%s]+') do hops[#hops + 1] = hop end
    for index = #hops, 1, -1 do
        local before = address_in(hops[index])
        if not before then break end
        at = before
        if not is_trusted(at) then break end
    end
    return at
end

-- What a trusted proxy says last, in its last line; else what this connection is.
function M.scheme()
    local var = ngx.var
    if var.http_x_forwarded_proto and is_trusted(peer()) then
        local said = ngx.req.get_headers(0)['x-forwarded-proto']
        if type(said) == 'table' then said = said[#said] end
        local word = said:lower():match('(%l+)%s*$')
        if word == 'https' or word == 'http' then return word end
    end
    return var.scheme
end

-- Whether previews have TLS, and this request came without.
function M.is_plain() return settings.https_port ~= nil and ngx.var.treehouse_scheme ~= 'https' end

-- Sends it to the same place with TLS; what is no mere look is to be sent again as it is.
function M.to_https()
    local method = ngx.req.get_method()
    ngx.header.cache_control = REMEMBER
    local status = (method == 'GET' or method == 'HEAD') and 301 or 308
    return ngx.redirect('https://' .. ngx.var.host .. settings.https_port .. ngx.var.request_uri, status)
end

return M
