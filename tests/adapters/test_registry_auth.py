"""Whose credentials a registry is shown: docker's settings as its own client reads them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from skep.adapters.registry_auth import DOCKER_HUB, NOBODY, credentials, registry_of

IMAGE = "registry.example.com:5000/team/web:1"
REGISTRY = "registry.example.com:5000"


def shown(header: str) -> dict[str, str]:
    return json.loads(base64.urlsafe_b64decode(header)) if header else {}


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def configure(folder: Path, **settings: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("web", DOCKER_HUB),
        ("team/web:1", DOCKER_HUB),
        ("docker.io/team/web", DOCKER_HUB),
        ("index.docker.io/team/web", DOCKER_HUB),
        ("localhost/web", "localhost"),
        ("host:5000/web@sha256:00", "host:5000"),
        (IMAGE, REGISTRY),
        ("web:1@sha256:00", DOCKER_HUB),
    ],
)
def test_the_registry_of_an_image(image: str, registry: str) -> None:
    assert registry_of(image) == registry


@pytest.mark.parametrize("key", [REGISTRY, f"https://{REGISTRY}", f"https://{REGISTRY}/v1/", f"{REGISTRY}/v2/"])
async def test_credentials_that_stand_in_the_file(tmp_path: Path, key: str) -> None:
    configure(tmp_path, auths={"other.example.com": auth("eve", "x"), key: auth("ann", "pass:word")})
    found = await credentials(tmp_path, IMAGE)
    assert shown(found.header) == {"username": "ann", "password": "pass:word", "serveraddress": REGISTRY}
    assert "pass" not in repr(found)
    assert found.header not in repr(found)


async def test_a_token_that_stands_in_the_file(tmp_path: Path) -> None:
    configure(tmp_path, auths={DOCKER_HUB: {"auth": "", "identitytoken": "t0"}})
    assert shown((await credentials(tmp_path, "web")).header) == {"identitytoken": "t0", "serveraddress": DOCKER_HUB}


@pytest.mark.parametrize(
    "settings", [{}, {"auths": {}}, {"auths": {"other.example.com": auth("eve", "x")}}, {"auths": {REGISTRY: {}}}]
)
async def test_nobody_is_who_has_no_credentials(tmp_path: Path, settings: dict[str, Any]) -> None:
    assert await credentials(configure(tmp_path, **settings), IMAGE) == NOBODY


async def test_without_docker_s_settings_nobody_asks(tmp_path: Path) -> None:
    assert await credentials(None, IMAGE) == NOBODY
    assert await credentials(tmp_path, IMAGE) == NOBODY


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"auths": 3}',
        '{"auths": {"registry.example.com:5000": {"auth": "s3cr3t"}}}',
        '{"credsStore": "../x"}',
    ],
)
async def test_settings_that_make_no_sense_are_told_without_their_content(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    found = await credentials(tmp_path, IMAGE)
    assert found.header == ""
    assert str(tmp_path / "config.json") in found.complaint
    assert "s3cr3t" not in found.complaint


def helper(folder: Path, name: str, script: str) -> None:
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where helpers are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


async def test_a_helper_is_asked_for_the_registry(tmp_path: Path, programs: Path) -> None:
    answer = '{"Username":"ann","Secret":"s"}'
    script = f"[ $1 = get ] || exit 3; case $(cat) in {REGISTRY}|{DOCKER_HUB}) echo '{answer}';; *) exit 4;; esac"
    helper(programs, "all", script)
    helper(programs, "one", script.replace("ann", "bob"))
    configure(tmp_path, credsStore="all", credHelpers={REGISTRY: "one"}, auths={REGISTRY: auth("eve", "x")})
    assert shown((await credentials(tmp_path, IMAGE)).header)["username"] == "bob"
    hub = shown((await credentials(tmp_path, "web")).header)
    assert hub == {"username": "ann", "password": "s", "serveraddress": DOCKER_HUB}


async def test_a_helpers_token(tmp_path: Path, programs: Path) -> None:
    helper(programs, "all", 'echo \'{"Username":"<token>","Secret":"t1"}\'')
    configure(tmp_path, credsStore="all")
    assert shown((await credentials(tmp_path, IMAGE)).header) == {"identitytoken": "t1", "serveraddress": REGISTRY}


async def test_a_helper_that_has_none_is_no_complaint(tmp_path: Path, programs: Path) -> None:
    helper(programs, "all", "echo credentials not found in native keychain; exit 1")
    assert await credentials(configure(tmp_path, credsStore="all"), IMAGE) == NOBODY


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo s3cr3t; exit 2", "docker-credential-all failed with code 2"),
        ("echo '{s3cr3t'", "could not be read"),
        (None, "docker-credential-all could not be run: No such file or directory"),
    ],
)
async def test_a_helper_that_fails_is_told_without_what_it_said(
    tmp_path: Path, programs: Path, script: str | None, told: str
) -> None:
    if script:
        helper(programs, "all", script)
    found = await credentials(configure(tmp_path, credsStore="all"), IMAGE)
    assert found.header == ""
    assert told in found.complaint
    assert "s3cr3t" not in found.complaint
