"""A base for skep's own image that needs no registry: this host's Python and busybox, as a tar on standard output.

Python is the one that runs this. It comes to /usr/local, wherever it is here; byte code comes along, for nobody could
write it into an image that is read only.
"""

import compileall
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

from skep.adapters.node_image_tree import CERTIFICATES, Entry, example_entries, libraries, write_tar
from skep.model.errors import RejectedError

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
HOME = f"usr/local/lib/{VERSION}"
LEFT_OUT = (
    "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "config-*", "site-packages", "dist-packages",
    "__pycache__", "_tkinter*.so", "_test*.so", "xxlimited*.so",
)  # fmt: skip
DEBIANS_WHEELS = Path("/usr/share/python-wheels")
"""Where Debian's ensurepip has pip; others have it in their own folder."""
EXPECTED = (
    "libdl.so.2", "libgcc_s.so.1", "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libstdc++.so.6", "libutil.so.1",
)  # fmt: skip
"""What wheels take for granted on any Linux with glibc (PEP 600), whether Python itself needs it or not."""


def entries(copy: Path) -> list[Entry]:
    """The file system. `copy` is an empty folder that lives as long as this is written."""
    shutil.copytree(sysconfig.get_path("stdlib"), copy / "stdlib", ignore=shutil.ignore_patterns(*LEFT_OUT))
    # By their hash, and never asked: the files of an image have no times.
    unchecked = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(copy / "stdlib", quiet=2, ddir=f"/{HOME}", invalidation_mode=unchecked, workers=0)
    program = Path(sys.executable).resolve()
    return [
        *example_entries(),
        Entry(f"usr/local/bin/{VERSION}", program),
        Entry("usr/local/bin/python3", link=VERSION),
        *_files(copy / "stdlib", HOME),
        *_files(DEBIANS_WHEELS, str(DEBIANS_WHEELS).lstrip("/")),
        *_libraries([program, *(copy / "stdlib").rglob("*.so")]),
        *([Entry(str(CERTIFICATES).lstrip("/"), CERTIFICATES, mode=0o644)] if CERTIFICATES.exists() else []),
    ]


def _files(folder: Path, place: str) -> Iterator[Entry]:
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield Entry(f"{place}/{file.relative_to(folder)}", file, mode=0o644)


def _libraries(programs: list[Path]) -> Iterator[Entry]:
    """Those of Python's own folder come to where the loader looks without being told."""
    own, found = Path(sys.base_prefix).resolve(), dict(libraries(programs))
    beside = [path.parent for name, path in found.items() if Path(name).name == "libc.so.6"]
    found |= {str(f / name): f / name for f in beside for name in EXPECTED if (f / name).exists()}
    for path, source in found.items():
        is_own = own != Path("/usr") and Path(path).is_relative_to(own)
        yield Entry(f"usr/lib/{Path(path).name}" if is_own else path.lstrip("/"), source)


def main() -> int:
    """Write the tar; 1 where something is missing, which is told."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            write_tar(entries(Path(folder)), sys.stdout.buffer)
        except RejectedError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
