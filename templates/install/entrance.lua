-- Lets a connection wait at the entrance until there is a gateway: HAProxy by itself tries a socket again without a pause.
local folder = os.getenv 'SOCKETS'
-- In seconds altogether, and in milliseconds from one look to the next.
local WAIT, EVERY = 30, 100

-- The gateway takes its mark away some time before its sockets, so whoever saw it is accepted. One that was killed left both.
local function is_there(name)
    local mark = io.open(folder .. '/open')
    if not mark then return false end
    mark:close()
    local socket = core.tcp()
    local ok = socket:connect('unix@' .. folder .. '/' .. name .. '.sock')
    socket:close()
    return ok
end

core.register_action('wait_for_gateway', { 'tcp-req' }, function(_, name)
    for _ = 1, WAIT * 1000 / EVERY do
        if is_there(name) then return end
        core.msleep(EVERY)
    end
end, 1)
