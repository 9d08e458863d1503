-- The certificate of the TLS port: what nginx read when it started, until Treehouse tells of another. A reload would reset kept
-- connections, and workers cannot read the file.
local M = {}

local ssl = require 'ngx.ssl'

local told = ngx.shared.certificate

-- What this worker has parsed, and of which telling.
local revision, chain, key

local function parse(pem)
    local new_chain, err = ssl.parse_pem_cert(pem)
    if not new_chain then return nil, nil, err end
    local new_key
    new_key, err = ssl.parse_pem_priv_key(pem)
    return new_chain, new_key, err
end

-- From the next handshake on this is it: the certificate, what it was issued by, and its key. Returns a status and, where it refuses,
-- the reason.
function M.set(pem)
    local new_chain, new_key, err = parse(pem)
    if not new_chain or not new_key then return 400, 'it is no certificate with its key: ' .. tostring(err) end
    local ok
    ok, err = told:safe_set('pem', pem)
    if not ok then return 507, 'the shared memory is full: ' .. err end
    told:incr('revision', 1, 0)
    return 204
end

-- Before each full handshake. Where anything fails the handshake goes on with what nginx started with.
function M.serve()
    local now = told:get('revision')
    if not now then return end
    if now ~= revision then
        local new_chain, new_key, err = parse(told:get('pem'))
        if not new_chain or not new_key then return ngx.log(ngx.ERR, 'the certificate: ', err) end
        revision, chain, key = now, new_chain, new_key
    end
    local ok, err = ssl.clear_certs()
    if ok then ok, err = ssl.set_cert(chain) end
    if ok then ok, err = ssl.set_priv_key(key) end
    if not ok then ngx.log(ngx.ERR, 'the certificate: ', err) end
end

return M
