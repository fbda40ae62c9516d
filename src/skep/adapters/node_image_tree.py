"""Files for an image, gathered from this host's own programs: what to copy, and the tar of it. Blocking; no engine."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from skep.model.errors import RejectedError

SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/libexec/docker:/usr/local/libexec/docker"
"""Docker's own packages keep docker-init and docker-proxy in libexec."""

PACKAGES: Mapping[str, str] = {
    "dockerd": "docker.io",
    "containerd": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "runc": "runc",
    "docker-init": "docker.io",
    "docker-proxy": "docker.io",
    "docker": "docker.io",
    "iptables": "iptables",
    "ip": "iproute2",
    "busybox": "busybox-static",
}
"""What a node needs, with the Debian package that brings it."""

IPTABLES_NAMES = tuple(family + suffix for family in ("iptables", "ip6tables") for suffix in ("", "-save", "-restore"))
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""So that engines of machines can pull from registries, where there are any."""

LDD_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an image: a copy of `source`, a link to `link`, `text`, or a folder when none is given."""

    path: str
    source: Path | None = None
    link: str = ""
    text: str | None = None
    mode: int = 0o755


def find_programs(names: Iterable[str], search: str = SEARCH) -> Mapping[str, Path]:
    """Where programs are, links followed; RejectedError lists all that are missing and what brings them."""
    found = {name: shutil.which(name, path=search) for name in names}
    missing = sorted(name for name, path in found.items() if path is None)
    if missing:
        packages = sorted({PACKAGES[name] for name in missing})
        raise RejectedError(
            f"an image can't be built from this host's programs: {', '.join(missing)} not found in {search}; "
            f"on Debian: apt-get install {' '.join(packages)}"
        )
    return {name: Path(path).resolve() for name, path in found.items() if path}


def libraries(programs: Sequence[Path]) -> Mapping[str, Path]:
    """The shared libraries and the loader of programs, by the path under which they are looked up."""
    answer = subprocess.run(
        ["ldd", *map(str, programs)], capture_output=True, text=True, timeout=LDD_TIMEOUT_S, check=False
    )
    # "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)" and "\t/lib64/ld-linux-x86-64.so.2 (0x…)"
    words = [line.split() for line in answer.stdout.splitlines() if line.startswith("\t")]
    paths = {word for line in words for word in line if word.startswith("/")}
    return {path: Path(path).resolve() for path in sorted(paths)}


def _base() -> list[Entry]:
    folders = ("bin", "sbin", "usr/bin", "usr/sbin", "etc", "root", "var/lib/docker", "proc", "sys", "dev", "www")
    return [
        *(Entry(name) for name in folders),
        Entry("tmp", mode=0o1777),
        Entry("run"),
        Entry("var/run", link="../run"),
        Entry("etc/passwd", text="root:x:0:0:root:/root:/bin/sh\n", mode=0o644),
        Entry("etc/group", text="root:x:0:\ndocker:x:999:\n", mode=0o644),
    ]


def _libraries(programs: Sequence[Path]) -> list[Entry]:
    return [Entry(path.lstrip("/"), source) for path, source in libraries(programs).items()]


def _busybox(busybox: Path, taken: Iterable[str]) -> list[Entry]:
    """busybox and a link for each of its applets that is no program of its own."""
    answer = subprocess.run([busybox, "--list"], capture_output=True, text=True, timeout=LDD_TIMEOUT_S, check=True)
    applets = sorted(set(answer.stdout.split()) - set(taken) - {"busybox"})
    return [Entry("bin/busybox", busybox), *(Entry(f"bin/{applet}", link="busybox") for applet in applets)]


def _xtables() -> list[Entry]:
    """iptables' modules under all their names, where they are looked up."""
    roots = (Path("/usr/lib"), Path("/usr/local/lib"), Path("/lib"))
    folders = {
        folder.resolve() for root in roots for pattern in ("*/xtables", "xtables") for folder in root.glob(pattern)
    }
    modules = (module for folder in sorted(folders) for module in sorted(folder.glob("*.so")))
    return [Entry(str(module).lstrip("/"), module) for module in modules]


def node_entries() -> list[Entry]:
    """A machine's file system: this host's engine with what it calls, and busybox for the rest."""
    programs = find_programs(PACKAGES)
    modules = _xtables()
    own = [name for name in PACKAGES if name not in ("busybox", "iptables")]
    tables = programs["iptables"]
    certificates = [Entry(str(CERTIFICATES).lstrip("/"), CERTIFICATES, mode=0o644)] if CERTIFICATES.exists() else []
    copied = [path for path in (*programs.values(), *(module.source for module in modules)) if path]
    return [
        *_base(),
        *_busybox(programs["busybox"], (*own, *IPTABLES_NAMES)),
        *(Entry(f"usr/bin/{name}", programs[name]) for name in own),
        Entry(str(tables).lstrip("/"), tables),
        *(Entry(f"usr/sbin/{name}", link=str(tables)) for name in IPTABLES_NAMES if str(tables) != f"/usr/sbin/{name}"),
        *modules,
        *certificates,
        *_libraries(copied),
    ]


def example_entries() -> list[Entry]:
    """A small file system that is busybox alone."""
    busybox = find_programs(["busybox"])["busybox"]
    return [*_base(), *_busybox(busybox, ()), *_libraries([busybox])]


def write_tar(entries: Sequence[Entry], out: IO[bytes]) -> None:
    """The entries as an uncompressed tar stream; their times are 0, so that it is the same each time."""
    with tarfile.open(mode="w|", fileobj=out, format=tarfile.GNU_FORMAT) as tar:
        for entry in entries:
            _add(tar, entry)


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    member = tarfile.TarInfo(entry.path)
    member.mode = entry.mode
    if entry.link:
        member.type, member.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(member)
    elif entry.text is not None:
        data = entry.text.encode()
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    elif entry.source is not None:
        with entry.source.open("rb") as file:
            member.size = entry.source.stat().st_size
            tar.addfile(member, file)
    else:
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
