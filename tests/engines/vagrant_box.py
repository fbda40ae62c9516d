"""A box for Vagrant's Docker provider, so that real Vagrant makes machines without a hypervisor.

The machine is a container with an engine, sshd and a shell as on Debian; Vagrant itself takes it for any other box.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.engines.host import EngineMissingError, HostEngine, host_engine

BOX = "williamyeh/ubuntu-trusty64-docker"
"""The name that the origin document's specs give it."""
IMAGE = "skep/vagrant-box:1"
RELEASE = "bookworm"
PACKAGES = "docker.io,iptables,iproute2,busybox-static,openssh-server,sudo"
BUILD_WITHIN_S = 600
"""Half a minute, and several where the archive is slow."""

PUBLIC_KEY = "gems/vagrant-*/keys/vagrant.pub"
GEMS = (Path("/usr/share/rubygems-integration/all"), Path("/opt/vagrant/embedded"))
"""Where Vagrant keeps the key that everybody knows, as Debian packs it and as its makers do."""

_START = """#!/bin/sh
mount -o remount,rw /sys
mkdir -p /run/sshd
/usr/sbin/sshd
service docker start
exec sleep infinity
"""

_CAPABILITIES = (
    "SYS_ADMIN NET_ADMIN SYS_PTRACE SYS_MODULE IPC_LOCK SYSLOG DAC_READ_SEARCH LINUX_IMMUTABLE SYS_TIME SYS_NICE "
    "MAC_ADMIN AUDIT_CONTROL NET_BROADCAST LEASE"
)
_CREATE = (
    "--init",
    *(f"--cap-add={name}" for name in _CAPABILITIES.split()),
    *(f"--security-opt={name}=unconfined" for name in ("seccomp", "apparmor", "systempaths")),
    "--device-cgroup-rule=a *:* rwm",
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
    "--volume=/var/lib/docker",
    "--tmpfs=/run",
)

_VAGRANTFILE = f"""Vagrant.configure("2") do |config|
  config.ssh.username = "root"
  config.ssh.insert_key = false
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.vm.provider :docker do |docker|
    docker.image = "{IMAGE}"
    docker.has_ssh = true
    docker.cmd = ["/sbin/start"]
    docker.create_args = {json.dumps(_CREATE)}
  end
end
"""

# The engine inside has networks that none outside has: Vagrant connects the machine to its private network while that
# engine starts, and fails if it took the same addresses.
_ADDRESSES = "--bip=10.254.0.1/24 --default-address-pool=base=10.253.0.0/16,size=24"
# The lines of ulimit are not permitted in a container, and Vagrant looks for folders to mount in fstab.
_HOOKS = (
    'install -d -m 700 "$1/root/.ssh"',
    'install -m 600 "{folder}/key" "$1/root/.ssh/authorized_keys"',
    'install -m 755 "{folder}/start" "$1/sbin/start"',
    'touch "$1/etc/fstab"',
    f'echo "DOCKER_OPTS=\\"{_ADDRESSES}\\"" >>"$1/etc/default/docker"',
    's=$(printf "\\t"); sed -i "s/^\\([ $s]*\\)ulimit .*/\\1true/" "$1/etc/init.d/docker"',
)
_LEFT_OUT = ("doc", "man", "locale")


@dataclass(frozen=True)
class VagrantHost:
    """An engine whose containers are Vagrant's machines. Programs that shall reach them run `inside` its network."""

    engine: HostEngine
    home: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """This process's own without what leads to other engines and other Vagrants."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "VAGRANT_", "INFRAKIT_", "SKEP_"))}
        return kept | {
            "HOME": str(self.home),
            "VAGRANT_HOME": str(self.home / ".vagrant.d"),
            "VAGRANT_DEFAULT_PROVIDER": "docker",
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "DOCKER_HOST": self.engine.endpoint,
        }

    def inside(self, *command: str) -> list[str]:
        """The command, as it runs in the engine's network, where machines have their addresses."""
        return ["nsenter", "--net", f"--target={self.engine.pid}", *command]


@contextlib.contextmanager
def vagrant_host(cache: Path) -> Iterator[VagrantHost]:
    """An engine of its own with the box's image, and a Vagrant that knows the box. The image is kept in `cache`.

    Docker keeps bridges apart: a machine with an address of DHCP could not reach the one of 192.168.2.0/24. All
    forwarding is let through, in a network namespace that holds nothing else.
    """
    image = _image(cache)
    with host_engine() as engine:
        engine.docker("import", str(image), IMAGE)
        engine.inside("iptables", "-I", "DOCKER-USER", "-j", "ACCEPT")
        host = VagrantHost(engine, engine.folder / "home")
        host.home.mkdir(mode=0o700)
        _add_box(host)
        yield host


def _add_box(host: VagrantHost) -> None:
    box = host.home / "box.tar.gz"
    with tarfile.open(box, "w:gz") as tar:
        for name, text in (("metadata.json", '{"provider":"docker"}'), ("Vagrantfile", _VAGRANTFILE)):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    command = ["vagrant", "box", "add", "--name", BOX, "--provider", "docker", str(box)]
    subprocess.run(command, env=host.environment, check=True, capture_output=True, timeout=60)
    box.unlink()


def _image(cache: Path) -> Path:
    """The machine's file system, built once for all sessions, and anew when what it is made of changes."""
    missing = [name for name in ("vagrant", "mmdebstrap") if shutil.which(name) is None]
    if missing:
        raise EngineMissingError(f"tests with Vagrant need {', '.join(missing)}: scripts/test installs them")
    key = next(path for gems in GEMS for path in gems.glob(PUBLIC_KEY)).read_text()
    recipe = hashlib.sha256(repr((RELEASE, PACKAGES, _HOOKS, _LEFT_OUT, _START, key)).encode()).hexdigest()
    tar = cache / f"{recipe[:16]}.tar"
    if not tar.exists():
        for stale in cache.glob("*.tar"):
            stale.unlink()
        (cache / "key").write_text(key)
        (cache / "start").write_text(_START)
        _build(cache, tar)
    return tar


def _build(folder: Path, tar: Path) -> None:
    fresh = folder / "fresh.tar"
    hooks = [f"--customize-hook={hook.replace('{folder}', str(folder))}" for hook in _HOOKS]
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", *hooks, *left_out, RELEASE, str(fresh)]
    subprocess.run(command, check=True, capture_output=True, timeout=BUILD_WITHIN_S)
    fresh.rename(tar)
