"""Images that need no registry: what is chosen, what is built, and what is said when it can't be."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from skep.adapters.docker import DockerEngine
from skep.adapters.node_image import (
    EXAMPLE_IMAGE,
    REGISTRY_IMAGE,
    NodeImages,
    build_example_image,
    built_name,
    tar_stream,
)
from skep.adapters.node_image_tree import Entry, find_programs, libraries, node_entries
from skep.model.engine import EngineInfo
from skep.model.errors import NotFoundError, RejectedError
from tests.conditions import until
from tests.engines.host import HostEngine

INFO = EngineInfo("i", "n", "20.10.24+dfsg1", "1.41", "Debian", "inactive", "", "", False, "", "", "2", "overlay2")


@dataclass
class EngineOf:
    """An engine that has some images and a registry that has others; it notes what it was asked for."""

    images: dict[str, str] = field(default_factory=dict)
    registry: Sequence[str] = ()
    asked: list[str] = field(default_factory=list)
    endpoint: str = "unix:///x"
    version: str = INFO.version

    async def info(self) -> EngineInfo:
        return replace(INFO, version=self.version)

    async def image_ids(self) -> Mapping[str, str]:
        return dict(self.images)

    async def pull_image(self, image: str, *, timeout_s: float) -> bool:
        self.asked.append(f"pull {image} {timeout_s:g}")
        return image in self.registry

    async def import_image(self, image: str, tar: AsyncIterator[bytes], changes: Sequence[str]) -> str:
        size = sum([len(chunk) async for chunk in tar])
        assert size > 1024
        self.asked.append(f"import {image}")
        self.images[image] = "sha256:1"
        return "sha256:1"


async def test_a_registrys_image_is_taken_where_one_can_be_had() -> None:
    engine = EngineOf(registry=[REGISTRY_IMAGE])
    assert await NodeImages(engine, 5).ensure() == REGISTRY_IMAGE
    assert engine.asked == [f"pull {REGISTRY_IMAGE} 5"]


async def test_an_image_that_is_there_is_not_pulled() -> None:
    engine = EngineOf({REGISTRY_IMAGE: "sha256:1"})
    assert await NodeImages(engine, 5).ensure() == REGISTRY_IMAGE
    assert engine.asked == []


async def test_without_a_registry_it_is_built_once_and_the_pull_is_not_repeated() -> None:
    engine = EngineOf()
    images = NodeImages(engine, 5)
    names = await asyncio.gather(*(images.ensure() for _ in range(3)))
    assert set(names) == {"skep/node:20.10.24.dfsg1-1"}
    assert engine.asked == [f"pull {REGISTRY_IMAGE} 5", "import skep/node:20.10.24.dfsg1-1"]


async def test_another_engine_gets_another_image() -> None:
    assert built_name("26.1.5+dfsg1") != built_name("20.10.24+dfsg1")


async def test_an_image_by_name_is_pulled_with_patience_and_never_replaced() -> None:
    engine = EngineOf(registry=["mine:1"])
    assert await NodeImages(engine, 5).ensure("mine:1") == "mine:1"
    assert engine.asked == ["pull mine:1 300"]
    with pytest.raises(NotFoundError, match="yours:1"):
        await NodeImages(engine, 5).ensure("yours:1")


def test_missing_programs_are_all_named_with_their_packages(tmp_path: Path) -> None:
    with pytest.raises(RejectedError) as caught:
        find_programs(["dockerd", "ip", "busybox"], search=str(tmp_path))
    assert "busybox, dockerd, ip not found" in str(caught.value)
    assert "apt-get install busybox-static docker.io iproute2" in str(caught.value)


def test_libraries_come_with_the_loader() -> None:
    (shell,) = find_programs(["sh"]).values()
    names = [Path(path).name for path in libraries([shell])]
    assert any(name.startswith("libc.so") for name in names)
    assert any(name.startswith("ld-") for name in names)


def test_a_node_has_what_its_script_calls() -> None:
    paths = {entry.path.rpartition("/")[2] for entry in node_entries()}
    called = {"sh", "stat", "rm", "mount", "mkdir", "cat", "sed", "sleep", "tail", "sync", "chown", "mv", "iptables"}
    assert called | {"dockerd", "docker", "containerd", "runc", "ip", "ping"} <= paths


async def test_the_tar_has_files_links_and_folders(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 3_000_000)
    entries = [Entry("d"), Entry("d/f", tmp_path / "f", mode=0o700), Entry("l", link="d/f"), Entry("t", text="hi")]
    data = b"".join([chunk async for chunk in tar_stream(entries)])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {member.name: member for member in tar}
        assert members["d"].isdir()
        assert (members["d/f"].size, members["d/f"].mode, members["d/f"].mtime) == (3_000_000, 0o700, 0)
        assert members["l"].linkname == "d/f"


async def test_a_tar_that_nobody_reads_to_its_end_leaves_no_thread(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 30_000_000)
    stream = tar_stream([Entry("f", tmp_path / "f")])
    await anext(stream)
    async with asyncio.timeout(10):
        await stream.aclose()


async def test_a_file_that_cant_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async for _ in tar_stream([Entry("f", tmp_path / "none")]):
            pass


@pytest.mark.docker
async def test_the_example_answers_http_with_its_hostname(host_engine: HostEngine, engine: DockerEngine) -> None:
    await build_example_image(engine)
    container = await engine.create_container("web-example", {"Image": EXAMPLE_IMAGE, "Hostname": "bee"})
    try:
        await engine.start_container(container)
        (shown,) = [item for item in await engine.containers({}) if item.id == container]
        assert shown.labels["skep.image"] == "example"

        async def answer() -> str:
            try:
                return await asyncio.to_thread(
                    host_engine.docker, "exec", "web-example", "wget", "-qO-", "http://localhost:8080/"
                )
            except Exception as error:
                return str(error)

        await until(answer, "hello from bee")
        async with asyncio.timeout(5):  # it ends at once, not after its grace
            await engine.stop_container(container, grace_s=60)
    finally:
        await engine.remove_container(container)
