"""Tries what no container of a preview may, and serves what came of it: an errno's name, or `done` where it worked.

GET /                  every attack of this container, as JSON
GET /tries?host=&port= a TCP connection
GET /finds?name=       the addresses of a name
GET /built             what was reached while the image was built
GET /hog, /bomb        memory and processes without end, in children
Everything is bounded: a wall that is missing must not hurt the host that the test runs on.
"""
import ctypes
import errno
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

LIBC = ctypes.CDLL(None, use_errno=True)
# x86_64, aarch64
CALLS = {
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "unshare": (272, 97), "setns": (308, 268),
    "chroot": (161, 51), "ptrace": (101, 117), "process_vm_readv": (310, 270), "keyctl": (250, 219), "add_key": (248, 217),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264), "io_uring_setup": (425, 425), "syslog": (103, 116), "acct": (163, 89),
    "quotactl": (179, 60), "fsopen": (430, 430), "open_tree": (428, 428), "move_mount": (429, 429),
    "mount_setattr": (442, 442), "pidfd_getfd": (438, 438), "fanotify_init": (300, 262), "memfd_secret": (447, 447),
    "sethostname": (170, 161), "setdomainname": (171, 162), "lookup_dcookie": (212, 18), "vhangup": (153, 58),
    "personality": (135, 92), "clone3": (435, 435), "mbind": (237, 235), "kcmp": (312, 272), "vmsplice": (278, 75),
}
COLUMN = 1 if platform.machine() == "aarch64" else 0


def name_of(number):
    return errno.errorcode.get(number, str(number))


def call(name, *arguments):
    ctypes.set_errno(0)
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    answer = LIBC.syscall(ctypes.c_long(CALLS[name][COLUMN]), *given)
    return "done" if answer >= 0 else name_of(ctypes.get_errno())


def asked(attempt):
    """What an attempt in Python comes to."""
    try:
        said = attempt()
    except subprocess.TimeoutExpired:
        return "silence"
    except TimeoutError:
        return "silence"
    except OSError as error:
        return name_of(error.errno) if error.errno and error.errno > 0 else type(error).__name__
    return "done" if said is None else str(said)


def opens(path):
    """Only opened: a wall that is missing must leave the host as it was."""
    return asked(lambda: os.close(os.open(path, os.O_WRONLY)))


def writes(path, text):
    def attempt():
        with open(path, "w") as file:
            file.write(text)
    return asked(attempt)


def first_bytes(path):
    def attempt():
        with open(path, "rb") as file:
            return "done" if file.read(64) else "empty"
    return asked(attempt)


def exists(path):
    return "done" if os.path.exists(path) else "absent"


def socket_of(*kind):
    return asked(lambda: socket.socket(*kind).close())


def in_child(work, seconds=10):
    """How a child ended that did `work`: `done`, what it says, or the signal that killed it."""
    there, here = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(there)
            os.write(here, str(work() or "done").encode())
        finally:
            os._exit(0)
    os.close(here)
    end = time.monotonic() + seconds
    status = None
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        status = None
    with os.fdopen(there, "rb") as pipe:
        said = pipe.read().decode()
    if status is None:
        return "silence"
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else said


def fill(path, most):
    """Mebibytes that fit, up to `most`."""
    block, written = b"x" * 1024 * 1024, 0
    try:
        with open(path, "wb", buffering=0) as file:
            while written < most and file.write(block) == len(block):
                written += 1
    except OSError as error:
        return f"{name_of(error.errno)} after {written}"
    finally:
        if os.path.exists(path):
            os.unlink(path)
    return "done"


def text(value):
    return ctypes.c_char_p(value.encode())


def become_root():
    script = "import os; print(os.geteuid(), open('/of-root').read())"
    said = subprocess.run(["/become-root", "-c", script], capture_output=True, text=True, timeout=10)
    return "done" if said.returncode == 0 else (said.stderr.strip().splitlines() or ["?"])[-1]


def set_user_root():
    os.setresuid(0, 0, 0)


def pids_seen():
    """Programs that are not of this container."""
    found = set()
    for one in os.listdir("/proc"):
        if one.isdigit():
            try:
                with open(f"/proc/{one}/comm") as file:
                    found.add(file.read().strip())
            except OSError:
                pass
    return ",".join(sorted(found))


def attacks():
    null = ctypes.c_void_p(None)
    os.makedirs("/tmp/there", exist_ok=True)
    namespaces = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
                  "pid": 0x20000000, "net": 0x40000000}
    found = {
        "mount a tmpfs": call("mount", text("none"), text("/tmp/there"), text("tmpfs"), 0, null),
        "mount proc": call("mount", text("proc"), text("/tmp/there"), text("proc"), 0, null),
        "mount sysfs": call("mount", text("sysfs"), text("/tmp/there"), text("sysfs"), 0, null),
        "mount a cgroup": call("mount", text("cgroup"), text("/tmp/there"), text("cgroup"), 0, text("memory")),
        "mount by bind": call("mount", text("/"), text("/tmp/there"), null, 4096, null),
        "mount again, writable": call("mount", null, text("/site"), null, 32 | 4096, null),
        "umount /proc/kcore": call("umount2", text("/proc/kcore"), 2),
        "umount /site": call("umount2", text("/site"), 2),
        "pivot_root": call("pivot_root", text("/tmp"), text("/tmp/there")),
        "fsopen": call("fsopen", text("ext4"), 0),
        "open_tree": call("open_tree", -100, text("/"), 1),
        "move_mount": call("move_mount", -100, text("/site"), -100, text("/tmp/there"), 0),
        "mount_setattr": call("mount_setattr", -100, text("/site"), 0, null, 0),
        "mknod of a disk": asked(lambda: os.mknod("/tmp/disk", 0o60660, os.makedev(8, 0))),
        "mknod of a disk, elsewhere": asked(lambda: os.mknod("/dev/disk", 0o60660, os.makedev(259, 0))),
        "mknod of memory": asked(lambda: os.mknod("/scratch/mem", 0o20660, os.makedev(1, 1))),
        "a raw socket of ICMP": socket_of(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "a raw socket of TCP": socket_of(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP),
        "a packet socket": socket_of(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)),
        "a socket of AF_ALG": socket_of(38, socket.SOCK_SEQPACKET, 0),
        "a socket of AF_VSOCK": socket_of(40, socket.SOCK_STREAM, 0),
        "unshare user and mount": call("unshare", namespaces["user"] | namespaces["mount"]),
        "clone with a user namespace": asked(lambda: subprocess.run(["unshare", "-Ur", "true"], timeout=5, capture_output=True, check=True))
        if os.path.exists("/usr/bin/unshare") else call("unshare", namespaces["user"]),
        "clone3": call("clone3", null, 0),
        "chroot": asked(lambda: os.chroot("/tmp/there")),
        "chroot by number": call("chroot", text("/tmp/there")),
        "ptrace of process 1": call("ptrace", 16, 1, null, null),
        "ptrace of itself": in_child(lambda: call("ptrace", 0, 0, null, null)),
        "process_vm_readv": call("process_vm_readv", 1, null, 0, null, 0, 0),
        "pidfd_getfd": call("pidfd_getfd", 0, 0, 0),
        "kcmp": call("kcmp", 1, 1, 0, 0, 0),
        "keyctl": call("keyctl", 0, -3, 1),
        "add_key": call("add_key", text("user"), text("x"), text("y"), 1, -3),
        "bpf": call("bpf", 0, null, 0),
        "perf_event_open": call("perf_event_open", null, 0, -1, -1, 0),
        "userfaultfd": call("userfaultfd", 0),
        "io_uring_setup": call("io_uring_setup", 1, null),
        "kexec_load": call("kexec_load", 0, 0, null, 0),
        "kexec_file_load": call("kexec_file_load", -1, -1, 0, null, 0),
        # Without the magic numbers no kernel restarts, whoever asks.
        "reboot": call("reboot", 0, 0, 0, null),
        "swapon": call("swapon", text("/tmp/nothing"), 0),
        "swapoff": call("swapoff", text("/tmp/nothing")),
        "settimeofday": call("settimeofday", null, null),
        "clock_settime": call("clock_settime", 0, null),
        "adjtimex": call("adjtimex", null),
        "init_module": call("init_module", null, 0, text("")),
        "finit_module": call("finit_module", -1, text(""), 0),
        "delete_module": call("delete_module", text("no_such_module"), 0),
        "open_by_handle_at": call("open_by_handle_at", -1, null, 0),
        "name_to_handle_at": call("name_to_handle_at", -100, text("/"), null, null, 0),
        "the kernel's log": call("syslog", 3, null, 0),
        "acct": call("acct", text("/tmp/acct")),
        "quotactl": call("quotactl", 0, null, 0, null),
        "fanotify_init": call("fanotify_init", 0, 0),
        "memfd_secret": call("memfd_secret", 0),
        "vmsplice": call("vmsplice", -1, null, 0, 0),
        "mbind": call("mbind", null, 0, 0, null, 0, 0),
        "personality without random addresses": call("personality", 0x0040000),
        "sethostname": call("sethostname", text("host"), 4),
        "setdomainname": call("setdomainname", text("host"), 4),
        "write core_pattern": opens("/proc/sys/kernel/core_pattern"),
        "write modprobe": opens("/proc/sys/kernel/modprobe"),
        "write ip_forward": opens("/proc/sys/net/ipv4/ip_forward"),
        "write drop_caches": opens("/proc/sys/vm/drop_caches"),
        "write sysrq-trigger": opens("/proc/sysrq-trigger"),
        "write an interrupt": opens("/proc/irq/0/smp_affinity"),
        "write uevent_helper": opens("/sys/kernel/uevent_helper"),
        "write a setting of memory": opens("/sys/kernel/mm/transparent_hugepage/enabled"),
        "write release_agent": opens("/sys/fs/cgroup/memory/release_agent"),
        "write its own limit": opens("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        "write its own limit, v2": opens("/sys/fs/cgroup/memory.max"),
        "make a cgroup": asked(lambda: os.mkdir("/sys/fs/cgroup/memory/mine")),
        "raise its own oom_score_adj": writes("/proc/self/oom_score_adj", "-1000"),
        "read kcore": first_bytes("/proc/kcore"),
        "read keys": first_bytes("/proc/keys"),
        "read timer_list": first_bytes("/proc/timer_list"),
        "read kmsg": first_bytes("/dev/kmsg"),
        "read mem": first_bytes("/dev/mem"),
        "read a disk": first_bytes("/dev/sda"),
        "read firmware": asked(lambda: "done" if os.listdir("/sys/firmware") else "empty"),
        "the engine's socket": exists("/var/run/docker.sock"),
        "containerd's socket": exists("/run/containerd/containerd.sock"),
        "write to the checkout": opens("/site/page.txt"),
        "make a file in the checkout": writes("/site/more.txt", "was here"),
        "a file of five gigabytes": in_child(lambda: asked(lambda: os.truncate(os.open("/tmp/big", os.O_CREAT | os.O_WRONLY), 5 << 30))),
        "see other programs": pids_seen(),
    }
    for name, flag in namespaces.items():
        found[f"unshare {name}"] = call("unshare", flag)
        found[f"setns {name} of process 1"] = asked(
            lambda name=name: call("setns", os.open(f"/proc/1/ns/{'mnt' if name == 'mount' else name}", os.O_RDONLY), 0))
    if os.path.isdir("/scratch"):
        # Ten gigabytes were asked for.
        found["fill a tmpfs"] = fill("/scratch/full", 400)
    found["fill /dev/shm"] = fill("/dev/shm/full", 90 if os.getuid() else 400)
    if os.getuid() != 0:
        found["become root by a setuid program"] = asked(become_root)
        found["become root by asking"] = in_child(lambda: asked(set_user_root))
        found["read what root reads"] = first_bytes("/of-root")
    return found


def tries(host, port):
    def attempt():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.settimeout(1.5)
            address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
            one.connect(address)
        return "open"
    return asked(attempt)


def finds(name):
    try:
        return ",".join(sorted({one[4][0] for one in socket.getaddrinfo(name, 80)}))
    except OSError:
        return "unknown"


def gateways():
    """Addresses of the host as this network has them."""
    with open("/proc/net/route") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return {socket.inet_ntoa(int(row[2], 16).to_bytes(4, "little")) for row in rows if row[1] == "00000000"}


def building():
    """Tries each port of ports.txt at the host, and what clouds have for their machines."""
    ports = []
    if os.path.exists("/ports.txt"):
        with open("/ports.txt") as file:
            ports = [int(one) for one in file.read().split()]
    places = [(host, port) for host in gateways() for port in ports] + [("169.254.169.254", 80)]
    return {f"{host} {port}": tries(host, port) for host, port in places}


def built():
    with open("/of-build.json") as file:
        return json.load(file)


def hog():
    """Half a gigabyte, each page of it written to."""
    def work():
        kept = []
        for _ in range(32):
            kept.append(bytearray(os.urandom(1024) * 1024 * 16))
        return f"done with {len(kept)}"
    return in_child(work, 30)


def bomb():
    """How many processes there can be beside this one."""
    children = []
    try:
        while len(children) < 3000:
            child = os.fork()
            if child == 0:
                signal.alarm(30)
                signal.pause()
                os._exit(0)
            children.append(child)
        return "done"
    except OSError as error:
        return f"{name_of(error.errno)} after {len(children)}"
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlparse(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        answers = {
            "/": attacks,
            "/tries": lambda: tries(query["host"], int(query["port"])),
            "/finds": lambda: finds(query["name"]),
            "/built": built,
            "/hog": hog,
            "/bomb": bomb,
            "/alive": lambda: "alive",
        }
        answer = answers.get(url.path)
        body = json.dumps(answer() if answer else None).encode()
        self.send_response(200 if answer else 404)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if sys.argv[1:] == ["build"]:
    print(json.dumps(building()))
    sys.exit()
ThreadingHTTPServer(("0.0.0.0", 8000), Page).serve_forever()
