"""A node image of a newer Debian, so that suites run on two generations of engine."""

import shutil
import subprocess
from pathlib import Path

RELEASE = "trixie"
PACKAGES = "docker.io,docker-cli,iptables,iproute2,busybox-static"
IMAGE = f"skep/node-{RELEASE}:1"
BUILD_WITHIN_S = 300


def can_be_built() -> bool:
    return shutil.which("mmdebstrap") is not None


def node_tar(folder: Path) -> Path:
    """The file system of a node, built once into `folder`; CalledProcessError where Debian's archive can't be had."""
    tar = folder / f"node-{RELEASE}.tar"
    if not tar.exists():
        fresh = folder / f"new-{RELEASE}.tar"
        command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(fresh)]
        subprocess.run(command, check=True, capture_output=True, timeout=BUILD_WITHIN_S)
        fresh.rename(tar)
    return tar
