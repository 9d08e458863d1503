-- How the client came: by TLS or not, here or at a proxy that is trusted.
local M = {}

local settings = require 'treehouse.settings'

-- For so long browsers may remember the way: not for ever, since ports and certificates change.
local REMEMBER = 'max-age=3600'

-- What a trusted proxy says last, in its last line; else what this connection is. nginx has whose word counts from the address
-- that the connection really comes from.
function M.scheme()
    local var = ngx.var
    if var.treehouse_trusted == '1' and var.http_x_forwarded_proto then
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
