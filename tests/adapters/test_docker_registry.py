"""A real engine, a registry that wants a password, and docker's own settings that hold it."""

import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from skep.adapters.docker import DockerEngine
from skep.adapters.docker_routes import Access
from skep.model.errors import NoImageError, RejectedError
from tests.engines import registry
from tests.engines.host import HostEngine

pytestmark = pytest.mark.docker

PORT = 5000
"""In the engine's own network, where nobody else is."""
SERVER = f"127.0.0.1:{PORT}"
IMAGE = f"{SERVER}/{registry.REPOSITORY}:{registry.TAG}"
DIGEST = registry.digest_of(registry.MANIFEST)


@pytest.fixture(scope="module", autouse=True)
def serving(host_engine: HostEngine) -> Iterator[None]:
    program = [sys.executable, registry.__file__, str(PORT), "ann", "s3cr3t"]
    command = ["nsenter", "--net", f"--target={host_engine.pid}", *program]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        process.terminate()


@asynccontextmanager
async def shown(host_engine: HostEngine, folder: Path, password: str) -> AsyncIterator[DockerEngine]:
    """An engine whose registries are shown this password, none where it is empty."""
    auth = {"auth": base64.b64encode(f"ann:{password}".encode()).decode()}
    (folder / "config.json").write_text(json.dumps({"auths": {SERVER: auth} if password else {}}))
    engine = DockerEngine(host_engine.endpoint, access=Access(docker_config=folder))
    try:
        yield engine
    finally:
        await engine.close()


async def test_an_image_that_takes_a_password_is_pulled_and_known_by_its_digest(
    host_engine: HostEngine, tmp_path: Path
) -> None:
    async with shown(host_engine, tmp_path, "s3cr3t") as engine:
        assert await engine.image(IMAGE) is None
        assert await engine.resolve_digest(IMAGE) == f"{IMAGE}@{DIGEST}"
        await engine.fetch_image(IMAGE)
        name = f"{SERVER}/{registry.REPOSITORY}@{DIGEST}"
        found = await engine.image(IMAGE)
        assert found is not None
        assert found.digests == (name,)
        for asked in (name, found.id, f"{IMAGE}@{DIGEST}"):
            assert await engine.image(asked) == found
        assert await engine.image(f"{SERVER}/{registry.REPOSITORY}@sha256:{'0' * 64}") is None
        await engine.fetch_image(f"{IMAGE}@{DIGEST}")
        container = await engine.create_container("pulled", {"Image": f"{IMAGE}@{DIGEST}"})
        await engine.remove_container(container)


@pytest.mark.parametrize("password", ["", "wrong"])
async def test_without_the_password_it_is_refused(host_engine: HostEngine, tmp_path: Path, password: str) -> None:
    async with shown(host_engine, tmp_path, password) as engine:
        with pytest.raises(RejectedError, match=r"could not pull image .*(no basic auth|unauthorized)"):
            await engine.fetch_image(IMAGE)
        assert await engine.resolve_digest(IMAGE) is None


async def test_what_the_registry_does_not_have_is_refused_in_its_words(host_engine: HostEngine, tmp_path: Path) -> None:
    async with shown(host_engine, tmp_path, "s3cr3t") as engine:
        with pytest.raises(RejectedError, match="manifest unknown"):
            await engine.fetch_image(f"{SERVER}/team/other:1")
        with pytest.raises(NoImageError, match="connection refused"):
            await engine.fetch_image("127.0.0.1:5001/team/other:1")
