-- Passes: the cookies that open what is guarded. Signed for one host, until a time, by the word of a password or of a link.
local M = {}

local base = require 'resty.core.base'
local bit = require 'bit'
local ffi = require 'ffi'
local settings = require 'treehouse.settings'

ffi.cdef [[
    const void *EVP_sha256(void);
    unsigned char *HMAC(const void *md, const void *key, int key_length, const unsigned char *data, size_t length,
        unsigned char *out, unsigned int *out_length);
    int getpeername(int fd, void *address, unsigned int *length);
    int shutdown(int fd, int how);
    // The first fields of nginx's own; where they lie elsewhere, the client's port shows it, or the kind of its socket.
    typedef struct { void *data, *read, *write; int fd; } treehouse_connection;
    typedef struct { uint32_t signature; treehouse_connection *connection; } treehouse_request;
]]

local links = ngx.shared.links
local NAME = 'treehouse%-pass'
local SHUT_RDWR = 2
-- The entrance comes by such a socket.
local AF_UNIX = 1
-- Between two looks at whether what is open is still allowed, in seconds.
local LOOK_EVERY = 1

local digest, digest_length = ffi.new 'unsigned char[64]', ffi.new 'unsigned int[1]'
local address, address_length = ffi.new 'unsigned char[128]', ffi.new 'unsigned int[1]'

local function sign(text)
    ffi.C.HMAC(ffi.C.EVP_sha256(), settings.key, #settings.key, text, #text, digest, digest_length)
    local signature = ngx.encode_base64(ffi.string(digest, digest_length[0]), true)
    return (signature:gsub('[+/]', { ['+'] = '-', ['/'] = '_' }))
end

-- Takes as long wherever two texts of one length differ.
local function is_equal(a, b)
    if #a ~= #b then return false end
    local difference = 0
    for i = 1, #a do difference = bit.bor(difference, bit.bxor(a:byte(i), b:byte(i))) end
    return difference == 0
end

-- Whether what a pass was given for still holds: the password is the same, or the link is there and has not ended.
local function holds(pass, preview, guard)
    local now = ngx.now() * 1000
    if now >= pass.ends then return false end
    local kind, name = pass.grant:match('^([lp])(%w+)$')
    if kind == 'p' then return guard:match('^password (%w+)') == name end
    local link = kind and links:get(name)
    if not link then return false end
    local of, ends = link:match('^(%S+) (%d+)$')
    return now < tonumber(ends) and (not preview or of == preview)
end

-- The pass of this request that opens the host; nil where it has none. A host's apps and its neighbours may set cookies of the
-- same name, so each is looked at.
function M.of_request(label, preview, guard)
    local cookies = ngx.var.http_cookie
    if not cookies or settings.key == '' then return nil end
    for grant, ends, signature in ('; ' .. cookies):gmatch(';%s*' .. NAME .. '=(%w+)%.(%d+)%.([%w_-]+)') do
        local pass = { label = label, grant = grant, ends = tonumber(ends) }
        if holds(pass, preview, guard) and is_equal(sign(label .. ' ' .. grant .. ' ' .. ends), signature) then return pass end
    end
    return nil
end

-- What the app gets has no pass in it, whoever's it is.
function M.take_out()
    local cookies = ngx.var.http_cookie
    if not cookies then return end
    local rest = {}
    for cookie in cookies:gmatch('[^;]+') do
        if not cookie:find('^%s*' .. NAME .. '%s*=') and not cookie:find('^%s*' .. NAME .. '%s*$') then
            rest[#rest + 1] = cookie:match('^%s*(.-)%s*$')
        end
    end
    if rest[1] then ngx.req.set_header('Cookie', table.concat(rest, '; ')) else ngx.req.clear_header('Cookie') end
end

-- Makes these lines, "link preview end", be all the links there are. Returns a status and, where it refuses, the reason.
function M.set_links(text)
    local wanted = {}
    for line in text:gmatch('[^\n]+') do
        local id, value = line:match('^(%w+) ([a-z0-9-]+ %d+)$')
        if not id then return 400, 'a line is not "link preview end"' end
        wanted[id] = value
    end
    for id, value in pairs(wanted) do
        local ok, err = links:safe_set(id, value)
        if not ok then return 507, 'the shared memory is full: ' .. err end
    end
    for _, id in ipairs(links:get_keys(0)) do
        if not wanted[id] then links:delete(id) end
    end
    return 204
end

-- What is open by a pass in this worker: request -> pass, with what is needed to end it. Requests of HTTP/2 share a connection, and
-- all of it ends with one of them.
local open = {}

local function this_request() return tonumber(ffi.cast('uintptr_t', base.get_request())) end

-- The socket of this request's client; nil where nginx is not laid out as we know it, which its other end tells.
local function socket_of_client()
    local fd = ffi.cast('treehouse_request *', base.get_request()).connection.fd
    address_length[0] = 128
    if ffi.C.getpeername(fd, address, address_length) ~= 0 then return nil end
    if address[0] + address[1] * 256 == AF_UNIX then return ngx.var.remote_addr == 'unix:' and fd or nil end
    return address[2] * 256 + address[3] == tonumber(ngx.var.remote_port) and fd or nil
end

-- From now on this request ends when its pass does.
function M.watch(pass)
    pass.fd = socket_of_client()
    if pass.fd then open[this_request()] = pass end
end

-- The request is over.
function M.forget() open[this_request()] = nil end

-- Ends what is open and not allowed any more: nginx takes it for a client that went away.
local function look(is_last, guard_of)
    for request, pass in pairs(open) do
        local guard, preview = guard_of(pass.label)
        if is_last or not guard or (guard ~= 'public' and not holds(pass, preview, guard)) then
            ffi.C.shutdown(pass.fd, SHUT_RDWR)
            open[request] = nil
        end
    end
end

-- For each worker. One that makes room for another after a reload runs no timers any more, so what it has open begins anew.
function M.keep_looking(guard_of)
    assert(ngx.timer.every(LOOK_EVERY, function(is_last) look(is_last, guard_of) end))
end

return M
