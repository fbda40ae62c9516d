"""`skep certs`: what it says, what it ends with, and that a failure leaves all as it was."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from skep.adapters.certificate_folder import CertificateFolder
from skep.adapters.certificates import DAY_S, Use, wanted
from tests.cli.shell import PROGRAM, Result, check_golden
from tests.cli.test_plugins import _environ as environ_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "certs"


def skep(folder: Path, *words: str, limits: str = "true") -> Result:
    """As a process, which has nothing but its environment: `folder` is that of its state directory."""
    run = subprocess.run(
        ["bash", "-c", f'{limits}; exec "$@"', "bash", *PROGRAM, "certs", *words],
        capture_output=True,
        env=environ_of(folder) | {"SKEP_STATE_DIR": str(folder.parent)},
        timeout=60,
        check=False,
    )
    return Result(run.returncode, run.stdout.decode(), run.stderr.decode())


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def shown(folder: Path, result: Result) -> str:
    """Without what is another in each run: the folder, the days, the serial numbers."""
    assert result.err == ""
    text = result.out.replace(str(folder), "CERTS")
    return re.sub(r"\d{4}-\d\d-\d\d", "YYYY-MM-DD", re.sub(r'"serial": "\w+"', '"serial": "SERIAL"', text))


def test_what_is_made_is_told_and_listed(folder: Path) -> None:
    told = [
        skep(folder, "ls"),
        skep(folder, "ca"),
        skep(folder, "server", "node-1", "--address", "10.0.0.1", "--address", "localhost", "--also-client"),
        skep(folder, "client", "ann"),
        skep(folder, "client", "dashboard", "--role", "viewer", "--days", "90"),
        skep(folder, "renew", "ann", "node-1"),
        skep(folder, "ls"),
    ]
    assert [one.code for one in told] == [0] * len(told)
    check_golden("certs", "".join(shown(folder, one) for one in told))


def test_json_says_all_of_it(folder: Path) -> None:
    before_s = int(time.time())
    (ca,) = json.loads(skep(folder, "ca", "-o", "json").out)
    (made,) = json.loads(skep(folder, "client", "ann", "--role", "viewer", "-o", "json").out)
    (renewed,) = json.loads(skep(folder, "renew", "-o", "json").out)
    assert json.loads(skep(folder, "ls", "-o", "json").out) == [ca, renewed]
    assert 0 <= made.pop("expiresSeconds") - before_s - 365 * DAY_S < 60
    assert 0 <= made.pop("beginsSeconds") + 300 - before_s < 60
    assert renewed["serial"] != made["serial"] == f"{int(made.pop('serial'), 16):x}"
    assert made == {
        "name": "ann",
        "path": str(folder / "ann"),
        "use": ["client"],
        "role": "viewer",
        "addresses": [],
        "daysLeft": 364,
        "state": "valid",
        "detail": "",
    }


@pytest.mark.parametrize("command", ["ca", "server", "client", "renew", "ls"])
def test_help(folder: Path, command: str) -> None:
    check_golden(f"certs-{command}-help", skep(folder, command, "--help").out)


def test_a_folder_of_ones_own(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    assert skep(folder, "ca", "--dir", str(own)).code == 0
    assert skep(folder, "client", "ann", "--dir", f"{tmp_path}/x/../own").out == f"made ann (admin) in {own}/ann\n"
    assert skep(folder, "ls", "--dir", str(own)).out.count("\n") == 3
    assert not folder.exists()


def test_what_is_there_stays(folder: Path) -> None:
    skep(folder, "ca")
    skep(folder, "client", "ann")
    before = content(folder)
    assert skep(folder, "ca").err == (
        f"skep: there already: {folder}/ca.pem, {folder}/ca-key.pem; --force makes a new CA in its place, and then all "
        "certificates have to be renewed\n"
    )
    again = skep(folder, "client", "ann", "--role", "viewer")
    assert (again.code, again.out) == (1, "")
    assert again.err == (
        f"skep: {folder}/ann is there already: `skep certs renew ann` renews it, --force replaces it\n"
    )
    assert content(folder) == before
    assert skep(folder, "client", "ann", "--role", "viewer", "--force").code == 0
    assert content(folder).keys() == before.keys()


def test_whoever_wants_to_renew_the_ca_is_told_what_makes_a_new_one(folder: Path) -> None:
    skep(folder, "ca")
    skep(folder, "client", "ann")
    before = content(folder)
    told = skep(folder, "renew", "ann", "ca")
    assert (told.code, told.out) == (1, "")
    assert told.err == (
        "skep: a CA is not renewed: `skep certs ca --force` makes a new one in its place, and then `skep certs renew` "
        "renews all that the old one signed\n"
    )
    assert content(folder) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["client", "ann"], "there is no CA in {folder}: make one with `skep certs ca`, or name its --dir"),
        (["renew"], "there is no CA in {folder}: make one with `skep certs ca`, or name its --dir"),
        (["server", "a b"], "'a b' is no host's name: give the server's name or address with --address"),
        (["server", "a", "--address", "b:1"], "'b:1' is neither a host's name nor an IP address"),
        (["client", "../x"], "'../x' can't be a name"),
        (["client", "a" * 65], "'" + "a" * 65 + "' can't be a name"),
        (["server", "é" * 40, "--address", "b"], "'" + "é" * 40 + "' can't be a name"),
        (["client", ""], "'' can't be a name"),
        (["client", "\udcff"], "'\\udcff' can't be a name"),
    ],
)
def test_a_failure_is_a_sentence(folder: Path, words: list[str], told: str) -> None:
    result = skep(folder, *words)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"skep: {told.format(folder=folder)}")
    assert not folder.exists()


@pytest.mark.parametrize("words", [["--days", "0"], ["--days", "36501"], ["--days", "x"], ["--role", "none"]])
def test_wrong_usage(folder: Path, words: list[str]) -> None:
    assert skep(folder, "client", "ann", *words).code == 2


def test_what_expires_soon_is_told(folder: Path) -> None:
    skep(folder, "ca")
    skep(folder, "client", "ann", "--days", "20")
    skep(folder, "client", "eve")
    for days, code in (("19", 0), ("20", 1), ("0", 0)):
        result = skep(folder, "ls", "--check", days)
        assert (result.code, len(result.out.splitlines())) == (code, 4)
        assert re.fullmatch(r"skep: ann expires on \d{4}-\d\d-\d\d, in 19 days\n" if code else "", result.err)
    assert skep(folder, "ls", "--check", "20", "-o", "json").out == skep(folder, "ls", "-o", "json").out


def test_what_has_expired_or_is_of_no_use_is_told_too(folder: Path) -> None:
    past = CertificateFolder(folder)
    long_ago_s = time.time() - 100 * DAY_S
    past.make_ca(long_ago_s, 3650)
    past.make("old", wanted("old", (Use.CLIENT,)), long_ago_s, 50)
    past.make("odd", wanted("odd", (Use.CLIENT,)), long_ago_s, 365)
    (folder / "odd" / "key.pem").write_text("x")
    listed, checked = skep(folder, "ls"), skep(folder, "ls", "--check", "0")
    assert (listed.code, checked.code) == (0, 1)
    assert checked.out == listed.out
    assert [line.split()[-1] for line in listed.out.splitlines()[1:2]] == ["-"]
    lines = checked.err.splitlines()
    assert lines[0] == (f"skep: odd can't be used: {folder}/odd/key.pem: holds no key in PEM, or a broken one")
    assert re.fullmatch(r"old expired on \d{4}-\d\d-\d\d", lines[1])
    assert skep(folder, "renew", "old").code == 0
    assert skep(folder, "ls", "--check", "0").err.splitlines() == lines[:1]


@pytest.mark.parametrize("words", [["renew"], ["client", "eve"], ["client", "ann", "--force"], ["ca", "--force"]])
def test_on_a_full_disk_all_stays_as_it_was(folder: Path, words: list[str]) -> None:
    skep(folder, "ca")
    skep(folder, "client", "ann")
    before, entries = content(folder), sorted(folder.rglob("*"))
    result = skep(folder, *words, limits="ulimit -f 0")
    assert (result.code, result.out) == (1, "")
    assert "can't be written: File too large" in result.err
    assert content(folder) == before
    assert sorted(folder.rglob("*")) == entries


def test_no_key_is_ever_shown(folder: Path) -> None:
    said = [skep(folder, *words, "-o", "json") for words in (["ca"], ["client", "ann"], ["renew"], ["ls"])]
    secrets = [data for name, data in content(folder).items() if name.endswith("key.pem")]
    lines = {line for data in secrets for line in data.decode().splitlines() if "-----" not in line}
    assert lines
    assert not [line for line in lines for one in said if line in one.out + one.err]
