"""Images and registries: what is asked with which credentials, and what a failed pull means."""

import asyncio
import base64
import json
from pathlib import Path

import pytest

from skep.adapters.docker import DockerEngine
from skep.adapters.docker_errors import pull_kind
from skep.adapters.docker_routes import Access
from skep.model.engine import Image
from skep.model.errors import NoImageError, UnavailableError
from tests.adapters.wire_server import Answer, say, serving

IMAGE = "registry.example.com/team/web:1"
SECRET = "s3cr3t"


def access(folder: Path) -> Access:
    auth = base64.b64encode(f"ann:{SECRET}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {"registry.example.com": {"auth": auth}}}))
    return Access(docker_config=folder)


def answering(body: bytes, status: str = "200 OK") -> Answer:
    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        await say(writer, body, status)

    return answer


WORDS = [
    "pull access denied for team/web, repository does not exist or may require 'docker login'",
    "manifest for team/web:1 not found: manifest unknown: manifest unknown",
    "write /var/lib/docker/tmp/x: no space left on device",
    "Get https://registry.example.com/v2/: dial tcp: lookup registry.example.com: no such host",
    "received unexpected HTTP status: 503 Service Unavailable",
    "toomanyrequests: You have reached your pull rate limit",
]


@pytest.mark.parametrize("message", WORDS)
@pytest.mark.parametrize("status", [0, 404, 500])
def test_whatever_a_registry_says_is_no_silence_of_the_engine(status: int, message: str) -> None:
    """W32."""
    assert pull_kind(status, message) is NoImageError


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("200 OK", b'{"status":"Pulling"}\r\n{"errorDetail":{"message":"denied: no"},"error":"denied: no"}\r\n'),
        ("404 Not Found", b'{"message":"denied: no"}'),
        ("500 Internal Server Error", b'{"message":"denied: no"}'),
    ],
)
async def test_a_refused_pull_has_the_registrys_words(tmp_path: Path, status: str, body: bytes) -> None:
    async with serving(tmp_path / "s", answering(body, status)) as endpoint:
        engine = DockerEngine(endpoint)
        with pytest.raises(NoImageError, match=f"could not pull image {IMAGE} on .*denied: no"):
            await engine.fetch_image(IMAGE)
        await engine.close()


async def test_why_there_are_no_credentials_is_told_with_the_refusal(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    async with serving(tmp_path / "s", answering(b'{"error":"denied"}')) as endpoint:
        engine = DockerEngine(endpoint, access=Access(docker_config=tmp_path))
        with pytest.raises(NoImageError, match=r"denied \(docker's settings in .*config.json could not be read"):
            await engine.fetch_image(IMAGE)
        await engine.close()


async def test_an_engine_that_hangs_up_is_no_refusal(tmp_path: Path) -> None:
    async def hang_up(head: str, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with serving(tmp_path / "s", hang_up) as endpoint:
        engine = DockerEngine(endpoint)
        with pytest.raises(UnavailableError):
            await engine.fetch_image(IMAGE)
        await engine.close()


async def test_a_registry_is_shown_the_credentials_of_this_host_and_nobody_else_is(tmp_path: Path) -> None:
    heads: list[str] = []

    async def note(head: str, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        await say(writer, b'{"ID":"s1","Id":"c1","Descriptor":{"digest":"sha256:1"}}')

    async with serving(tmp_path / "s", note) as endpoint:
        engine = DockerEngine(endpoint, access=access(tmp_path))
        spec = {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Image": IMAGE}}}
        await engine.fetch_image(IMAGE)
        assert await engine.resolve_digest(IMAGE) == f"{IMAGE}@sha256:1"
        assert await engine.pull_image(IMAGE, timeout_s=5)
        await engine.create_service(spec)
        await engine.update_service("s1", 3, spec)
        shown, heads[:] = heads[:], []
        await engine.fetch_image("other.example.com/web:1")
        await engine.create_container("web", {"Image": IMAGE})
        await engine.create_service({"Name": "web"})
        await engine.close()
    for head in shown:
        [line] = [line for line in head.split("\r\n") if line.startswith("X-Registry-Auth: ")]
        assert json.loads(base64.urlsafe_b64decode(line.partition(": ")[2]))["password"] == SECRET, head
    assert len(shown) == 5
    assert not [head for head in heads if "X-Registry-Auth" in head]


async def test_credentials_are_in_no_error(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", answering(b'{"error":"denied"}')) as endpoint:
        engine = DockerEngine(endpoint, access=access(tmp_path))
        with pytest.raises(NoImageError) as caught:
            await engine.fetch_image(IMAGE)
        await engine.close()
    header = base64.b64encode(f"ann:{SECRET}".encode()).decode()
    assert SECRET not in repr(caught.value)
    assert header not in repr(caught.value)


@pytest.mark.parametrize("image", ["skep/web:1", "host:5000/web@sha256:ab", "sha256:ab"])
async def test_an_image_is_asked_for_by_name_digest_or_id(tmp_path: Path, image: str) -> None:
    asked: list[str] = []

    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        asked.append(head.split(" ")[1])
        await say(writer, b'{"Id":"sha256:1","RepoDigests":["web@sha256:2"]}')

    async with serving(tmp_path / "s", answer) as endpoint:
        engine = DockerEngine(endpoint)
        assert await engine.image(image) == Image("sha256:1", ("web@sha256:2",))
        await engine.close()
    assert asked == [f"/v1.41/images/{image}/json"]


async def test_an_image_that_is_not_held_is_none(tmp_path: Path) -> None:
    async with serving(tmp_path / "s", answering(b'{"message":"No such image: x"}', "404 Not Found")) as endpoint:
        engine = DockerEngine(endpoint)
        assert await engine.image("x") is None
        await engine.close()
