"""Runs a program under the restrictions of a systemd unit, as far as a process can put them on itself.

`python tests/sandbox.py UNIT FOLDER,FOLDER PROGRAM…`: systemd need not run, but `systemd-analyze` must be
there to say what its sets of system calls hold, and libseccomp to make a filter of them.  By the unit's own
lines: the program may write to the folders alone, has no capabilities, and every call that its filters refuse
fails.  Not tried this way: User=, PrivateTmp=, PrivateDevices= and the limits of its control group.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

# linux/prctl.h, linux/sched.h, linux/mount.h, seccomp.h
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 24, 38, 65
CLONE_NEWNS, CLONE_NEW_ANY = 0x20000, 0x7E020080
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SYS_MOUNT_SETATTR, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, 0x8000, 1
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
REFUSED = ERRNO | errno.EPERM
NOT_EQUAL, EQUAL, MASKED = 1, 4, 7
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}

libc = ctypes.CDLL(None, use_errno=True)


class Compare(ctypes.Structure):
    """struct scmp_arg_cmp"""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


class MountAttributes(ctypes.Structure):
    """struct mount_attr"""

    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def settings_of(unit: Path) -> dict[str, list[str]]:
    """The words of each setting; a setting that comes twice goes on."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def calls_of(filters: list[str]) -> set[str]:
    """The system calls that SystemCallFilter= lines leave: the first allows, those with ~ take away."""
    allowed: set[str] = set()
    for line in filters:
        takes_away = line.startswith("~")
        for word in line.removeprefix("~").split():
            calls = members(word) if word.startswith("@") else {word}
            allowed = allowed - calls if takes_away else allowed | calls
    return allowed | members("@default")


def members(name: str) -> set[str]:
    done = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
    )
    found: set[str] = set()
    for word in (line.strip() for line in done.stdout.splitlines()[1:]):
        if word.startswith("@"):
            found |= members(word)
        elif word and not word.startswith("#"):
            found.add(word)
    return found


class Filter:
    """A seccomp filter; `otherwise` is what becomes of the calls that no rule names."""

    def __init__(self, otherwise: int) -> None:
        self._lib = ctypes.CDLL("libseccomp.so.2")
        self._lib.seccomp_init.restype = ctypes.c_void_p
        self._filter = ctypes.c_void_p(self._lib.seccomp_init(otherwise))

    def add(self, action: int, name: str, *compares: Compare) -> None:
        number = self._lib.seccomp_syscall_resolve_name(name.encode())
        if number == -1:  # of another architecture
            return
        array = (Compare * len(compares))(*compares)
        self._lib.seccomp_rule_add_array(self._filter, ctypes.c_uint32(action), number, len(compares), array)

    def load(self) -> None:
        done = self._lib.seccomp_load(self._filter)
        assert done == 0, os.strerror(-done)


def filters(unit: dict[str, list[str]]) -> list[Filter]:
    """What systemd makes of SystemCallFilter= and of its settings with filters of their own."""
    calls, others = Filter(REFUSED), Filter(ALLOW)
    for name in calls_of(unit["SystemCallFilter"]):
        calls.add(ALLOW, name)
    families = {FAMILIES[x] for x in " ".join(unit["RestrictAddressFamilies"]).split()}
    for family in set(range(64)) - families:
        others.add(ERRNO | errno.EAFNOSUPPORT, "socket", Compare(0, EQUAL, family))
    for setting, restrict in RESTRICTIONS.items():
        if unit.get(setting) == ["yes"]:
            restrict(others)
    return [others, calls]


def memory(others: Filter) -> None:
    others.add(REFUSED, "mmap", Compare(2, MASKED, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC))
    for name in ("mprotect", "pkey_mprotect"):
        others.add(REFUSED, name, Compare(2, MASKED, PROT_EXEC, PROT_EXEC))
    others.add(REFUSED, "shmat", Compare(2, MASKED, SHM_EXEC, SHM_EXEC))


def namespaces(others: Filter) -> None:
    for bit in (1 << n for n in range(32) if CLONE_NEW_ANY >> n & 1):
        for name in ("unshare", "clone"):
            others.add(REFUSED, name, Compare(0, MASKED, bit, bit))
    others.add(ERRNO | errno.ENOSYS, "clone3")  # whose flags a filter cannot see
    others.add(REFUSED, "setns")


def realtime(others: Filter) -> None:
    for policy in (1, 2, 6):  # FIFO, RR, DEADLINE
        others.add(REFUSED, "sched_setscheduler", Compare(1, EQUAL, policy))


def set_id_bits(others: Filter) -> None:
    for name, argument in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mknod", 1)):
        for bit in (0o4000, 0o2000):
            others.add(REFUSED, name, Compare(argument, MASKED, bit, bit))


def personality(others: Filter) -> None:
    others.add(REFUSED, "personality", Compare(0, NOT_EQUAL, 0))


RESTRICTIONS = {
    "MemoryDenyWriteExecute": memory,
    "RestrictNamespaces": namespaces,
    "RestrictRealtime": realtime,
    "RestrictSUIDSGID": set_id_bits,
    "LockPersonality": personality,
}


def restrict_folders(writable: list[Path]) -> None:
    """ProtectSystem=strict and ReadWritePaths=: a tree of our own in which nothing else can be written."""
    _check(libc.unshare(CLONE_NEWNS))
    _check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    for folder in writable:
        _check(libc.mount(bytes(folder), bytes(folder), None, MS_BIND | MS_REC, None))
    _set_attributes(Path("/"), MountAttributes(set=MOUNT_ATTR_RDONLY))
    for folder in writable:
        _set_attributes(folder, MountAttributes(clear=MOUNT_ATTR_RDONLY))


def _set_attributes(path: Path, attributes: MountAttributes) -> None:
    size = ctypes.sizeof(attributes)
    _check(libc.syscall(SYS_MOUNT_SETATTR, -1, bytes(path), AT_RECURSIVE, ctypes.byref(attributes), size))


def drop_privileges() -> None:
    """No capabilities from the next program on, and no way to them; root has none either then."""
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _check(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def main(arguments: list[str]) -> None:
    unit, folders, *program = arguments
    settings = settings_of(Path(unit))
    built = filters(settings)
    restrict_folders([Path(x) for x in folders.split(",")])
    os.umask(int(settings["UMask"][-1], 8))
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    drop_privileges()
    for one in built:
        one.load()
    if settings.get("MemoryDenyWriteExecute") == ["yes"]:
        libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # the kernel's own, since 6.3
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
