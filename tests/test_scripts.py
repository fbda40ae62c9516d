"""The scripts at the root of the repository, as far as they can be tried without root and without an Engine."""

import http.server
import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines.resolver import refusal

ROOT = Path(__file__).parent.parent
SCRIPTS = ROOT / "scripts"


def bash(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run code after scripts/lib.sh and scripts/engine.sh, without a Docker of this machine in the environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "SKEP_"))}
    sourced = f"source {SCRIPTS}/lib.sh\nsource {SCRIPTS}/engine.sh\n{code}"
    return subprocess.run(
        ["bash", "-c", sourced, "scripts/up"],
        env=inherited | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class _Engine(http.server.BaseHTTPRequestHandler):
    """An Engine that knows only /info."""

    info: dict[str, str]

    def do_GET(self) -> None:
        body = json.dumps(self.info).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output is the script's."""


@contextmanager
def engine(path: Path, operating_system: str) -> Iterator[str]:
    """The DOCKER_HOST of an Engine that says it runs on this system."""
    info = {"ID": "an-id", "OperatingSystem": operating_system}
    handler = type("Engine", (_Engine,), {"info": info})
    with socketserver.UnixStreamServer(str(path), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"unix://{path}"
        server.shutdown()
        thread.join()


def test_an_engine_named_in_the_environment_is_used(tmp_path: Path) -> None:
    with engine(tmp_path / "d.sock", "Debian GNU/Linux 12 (bookworm)") as host:
        run = bash("use_engine; echo $DOCKER_HOST", DOCKER_HOST=host, SKEP_STATE_DIR=str(tmp_path / "state"))
    assert run.stdout.strip() == host


def test_the_engine_of_the_last_time_is_used_again(tmp_path: Path) -> None:
    with engine(tmp_path / "d.sock", "Debian GNU/Linux 12 (bookworm)") as host:
        (tmp_path / "docker_host").write_text(f"{host}\n")
        run = bash("use_engine; echo $DOCKER_HOST", SKEP_STATE_DIR=str(tmp_path))
    assert run.stdout.strip() == host


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2376", "ssh://somebody@example.com"])
def test_a_remote_engine_is_refused_in_one_sentence(tmp_path: Path, host: str) -> None:
    run = bash("use_engine", DOCKER_HOST=host, SKEP_STATE_DIR=str(tmp_path))
    assert run.returncode == 1
    assert run.stderr.startswith(f"up: The Docker Engine at {host} is not on this host")
    assert run.stderr.count("\n") == 1


def test_docker_desktop_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with engine(tmp_path / "d.sock", "Docker Desktop") as host:
        run = bash("use_engine", DOCKER_HOST=host, SKEP_STATE_DIR=str(tmp_path))
    assert run.returncode == 1
    assert "is Docker Desktop, in which machines can't be made" in run.stderr
    assert run.stderr.count("\n") == 1


def test_a_named_engine_that_is_silent_is_not_replaced_by_another(tmp_path: Path) -> None:
    run = bash("use_engine", DOCKER_HOST=f"unix://{tmp_path}/nobody.sock", SKEP_STATE_DIR=str(tmp_path))
    assert run.returncode == 1
    assert "does not answer" in run.stderr


def test_the_state_directory_follows_the_xdg_convention_for_users(tmp_path: Path) -> None:
    usual = bash("echo $SKEP_STATE_DIR", XDG_STATE_HOME=str(tmp_path)).stdout.strip()
    assert usual == ("/var/lib/skep" if os.getuid() == 0 else f"{tmp_path}/skep")
    assert bash("echo $SKEP_STATE_DIR", SKEP_STATE_DIR="/srv/skep").stdout.strip() == "/srv/skep"


def test_a_shim_that_only_says_not_found_is_no_interpreter(tmp_path: Path) -> None:
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\necho 'python3.12: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert bash(f"python_answers {shim} 12").returncode == 1
    assert bash(f"python_answers {sys.executable} {sys.version_info.minor}").returncode == 0
    assert bash(f"python_answers {sys.executable} {sys.version_info.minor + 1}").returncode == 1


def test_a_pid_file_of_another_process_is_not_obeyed(tmp_path: Path) -> None:
    # Not started by the shell: until its child becomes sleep, it has the shell's own command line.
    with subprocess.Popen(["sleep", "60"]) as other:
        (tmp_path / "pid").write_text(str(other.pid))
        run = bash(f"stop {tmp_path}/pid dockerd 1; ls {tmp_path}")
        lives = other.poll() is None
        other.kill()
    assert lives
    assert (run.returncode, run.stdout) == (0, "")


def test_a_process_is_stopped_by_its_pid_file(tmp_path: Path) -> None:
    code = f"sleep 60 & echo $! >{tmp_path}/pid; disown; stop {tmp_path}/pid sleep 5; ls {tmp_path}"
    run = bash(code)
    assert (run.returncode, run.stdout) == (0, "")


@pytest.mark.parametrize(
    ("present", "needed"),
    [("true", ""), ("false", "need docker.io iptables iproute2 busybox-static mmdebstrap vagrant shellcheck")],
)
def test_only_packages_that_are_missing_are_installed(present: str, needed: str) -> None:
    stubs = f"has() {{ {present}; }}; busybox_is_static() {{ {present}; }}; apt-cache() {{ false; }}"
    run = bash(f"{stubs}; need_packages() {{ echo need $*; }}; need_missing missing_test_packages")
    assert run.stdout.strip() == needed


def _report(folder: Path, cases: str) -> subprocess.CompletedProcess[str]:
    file = folder / "python3.11.xml"
    file.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    return subprocess.run(
        [sys.executable, SCRIPTS / "test_report.py", file], capture_output=True, text=True, check=False
    )


GOOD = '<testcase classname="tests.a" name="test_a" time="1.5"/>'


def test_a_report_without_faults_is_well(tmp_path: Path) -> None:
    run = _report(tmp_path, GOOD)
    assert run.returncode == 0
    assert "python3.11: 1 passed in 2 s of tests" in run.stdout
    assert "Interpreters that ran: python3.11." in run.stdout


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["test_a[fake]"], "none was found: only the fake ran."),
        (["test_a[fake]", "test_a[real-terraform]", "test_b-terraform-real-tofu"], "terraform and tofu ran."),
    ],
)
def test_a_report_tells_whether_terraform_ran(tmp_path: Path, names: list[str], told: str) -> None:
    cases = "".join(f'<testcase classname="tests.a" name="{name}" time="1"/>' for name in names)
    assert f"Terraform or OpenTofu: {told}" in _report(tmp_path, cases).stdout


@pytest.mark.parametrize("kind", ["skipped", "failure", "error"])
def test_a_report_with_a_test_that_did_not_pass_is_not_well(tmp_path: Path, kind: str) -> None:
    bad = f'<testcase classname="tests.b" name="test_b" time="0"><{kind} message="because"/></testcase>'
    run = _report(tmp_path, GOOD + bad)
    assert run.returncode == 1
    assert f"{kind}: python3.11: tests.b::test_b: because" in run.stdout


def test_a_report_without_tests_is_not_well(tmp_path: Path) -> None:
    assert _report(tmp_path, "").returncode == 1


def _ask_web(*endpoints: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import sys, ask_web; ask_web.DEADLINE_S = 0.0; sys.exit(ask_web.main())"],
        input=json.dumps({"name": "web", "endpoints": endpoints}),
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_endpoint_has_to_answer() -> None:
    handler = type("Web", (_Engine,), {"info": {}})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        here = f"127.0.0.1:{server.server_port}"
        good, bad = _ask_web(f"http://{here}", here), _ask_web(here, "127.0.0.1:1")
        server.shutdown()
        thread.join()
    assert (good.returncode, bad.returncode, _ask_web().returncode) == (0, 1, 1)
    assert good.stdout.startswith("2 of 2 endpoints of web answer HTTP")
    assert "No answer from http://127.0.0.1:1." in bad.stderr


def test_the_resolver_refuses_a_name_with_its_own_question() -> None:
    question = b"\x04skep\x04test\x00\x00\x01\x00\x01"
    query = (
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" + question + b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"
    )
    assert refusal(query) == b"\x12\x34\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00" + question


def test_infrakits_programs_are_where_its_documents_call_them(tmp_path: Path) -> None:
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "infrakit-of-old").symlink_to("nowhere")
    (tmp_path / "build" / "mine").write_text("")
    for name in ("infrakit", "infrakit-group-default", "python"):
        (programs / name).write_text("#!/bin/sh\necho $0\n")
        (programs / name).chmod(0o755)
    for _ in range(2):
        run = bash(f"cd {tmp_path}; venv={tmp_path}/.venv; link_binaries; build/infrakit-group-default")
        assert (run.returncode, run.stdout.splitlines()[-1]) == (0, "build/infrakit-group-default")
    assert sorted(file.name for file in (tmp_path / "build").iterdir()) == [
        "infrakit",
        "infrakit-group-default",
        "mine",
    ]


def test_up_with_binaries_links_the_programs_and_starts_nothing(tmp_path: Path) -> None:
    """In a checkout of its own, where what is installed is a double."""
    (tmp_path / "scripts").mkdir()
    for name in ("up", "lib.sh"):
        shutil.copy(SCRIPTS / name, tmp_path / "scripts" / name)
    setup = tmp_path / "scripts" / "setup"
    program = ".venv/bin/infrakit"
    setup.write_text(f"#!/bin/sh\nmkdir -p .venv/bin\nprintf '#!/bin/sh\\necho $0\\n' >{program}\nchmod +x {program}\n")
    setup.chmod(0o755)
    for _ in range(2):
        command = [tmp_path / "scripts" / "up", "--binaries"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout.startswith("InfraKit's programs: infrakit, in build/.\n")
    said = subprocess.run(["build/infrakit"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert said == b"build/infrakit\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".venv", "build", "scripts"]


@pytest.mark.parametrize(
    "made", ["infrakit-123/tags", ".infrakit-123.new/tags", "failed/infrakit-1.log", "tutorial/x", "build/x"]
)
def test_git_passes_over_what_the_documents_make_in_a_checkout(made: str) -> None:
    assert subprocess.run(["git", "check-ignore", "-q", "--no-index", made], cwd=ROOT, check=False).returncode == 0


def test_every_program_is_installed_under_its_name() -> None:
    """infrakit-compat.md 1.1."""
    names = "group-default flavor-swarm flavor-vanilla flavor-zookeeper flavor-combo instance-file instance-vagrant"
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    programs = [f"infrakit-{name}" for name in f"{names} instance-terraform instance-docker manager".split()]
    assert {"infrakit", *programs} <= set(scripts)


def test_up_refuses_words_that_it_does_not_know() -> None:
    run = subprocess.run([SCRIPTS / "up", "--nope"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (1, "", "up: Usage: scripts/up [--binaries]\n")


_SKEP = """skep() { echo "$*" >>$SKEP_STATE_DIR/asked; case "$1 ${*: -1}" in
  "plan "*) echo '[{"key": "group/workers"}, {"key": "workload/web"}]'; return $PLANNED ;;
  "wait 0") [[ $READY == now ]] ;;
  wait*) [[ $READY == soon ]] || { echo 'skep: web failed: 3/5' >&2; return 1; } ;;
esac; }; skep=skep; example=web.yaml; source scripts/example.sh"""
"""A skep that writes down what it is asked, in place of the real one."""


@pytest.mark.parametrize(
    ("ready", "code", "out", "err", "waits"),
    [
        ("now", 0, ["Everything is as web.yaml says: nothing to do."], "", 1),
        (
            "soon",
            0,
            [
                "Skep has all that web.yaml says, and is bringing back what is missing:",
                "Everything is as web.yaml says again.",
            ],
            "",
            2,
        ),
        (
            "never",
            1,
            ["Skep has all that web.yaml says, and is bringing back what is missing:"],
            "skep: web failed: 3/5\nup: Not all is as web.yaml says; the reason is above.\n",
            2,
        ),
    ],
)
def test_up_once_more_waits_until_all_is_as_wanted(
    tmp_path: Path, ready: str, code: int, out: list[str], err: str, waits: int
) -> None:
    run = bash(f"{_SKEP}\napply_example", SKEP_STATE_DIR=str(tmp_path), READY=ready, PLANNED="0")
    assert (run.returncode, run.stdout.splitlines(), run.stderr) == (code, out, err)
    asked = (tmp_path / "asked").read_text().splitlines()
    waited = ["wait group/workers workload/web --timeout 0", "wait group/workers workload/web"]
    assert asked == ["plan -f web.yaml -o json", *waited[:waits]]


def test_up_applies_what_differs(tmp_path: Path) -> None:
    code = f"{_SKEP}\npython() {{ echo skep/web:1; }}; python=python; apply_example"
    run = bash(code, SKEP_STATE_DIR=str(tmp_path), PLANNED="1")
    assert (run.returncode, run.stdout) == (0, "The example's image: skep/web:1\n")
    assert (tmp_path / "asked").read_text().splitlines()[-1] == "apply -f web.yaml --wait"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], "Nothing of skep's is left but the installed packages and the folder .venv."),
        (
            ["certs/ca.pem"],
            "Nothing of skep's is left but the installed packages, the certificates in STATE/certs (remove them "
            "yourself once nobody shows them) and the folder .venv.",
        ),
        (["mine"], "STATE holds files that skep did not make: they stay.\nNothing of skep's is left but the installed"),
    ],
)
def test_down_tells_truthfully_what_stays(tmp_path: Path, files: list[str], told: str) -> None:
    state, run = tmp_path / "s", _down(tmp_path, files)
    assert (run.returncode, run.stderr) == (0, "")
    assert told.replace("STATE", str(state)) in run.stdout
    assert ("did not make" in run.stdout) == ("mine" in files)
    assert sorted(str(one.relative_to(state)) for one in state.rglob("*") if one.is_file()) == files


def test_down_names_the_links_to_infrakits_programs_too(tmp_path: Path) -> None:
    (tmp_path / "checkout" / "build").mkdir(parents=True)
    assert _down(tmp_path, []).stdout.endswith("the installed packages and the folders .venv and build.\n")


def _down(tmp_path: Path, files: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Of a checkout with nothing else in it, where a controller left these files in its state directory."""
    checkout, state = tmp_path / "checkout", tmp_path / "s"
    checkout.mkdir(exist_ok=True)
    for name in ("scripts", ".venv"):
        (checkout / name).symlink_to(ROOT / name)
    for file in ["secret.key", "skep.sock", *files]:
        (state / file).parent.mkdir(parents=True, exist_ok=True)
        (state / file).touch()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "SKEP_"))}
    environ |= {"SKEP_STATE_DIR": str(state), "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    down = checkout / "scripts" / "down"
    return subprocess.run([down], env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_examples_that_documents_name_are_infrakits_own() -> None:
    for name in ("swarm-vagrant-manager.json", "swarm-vagrant-workers.json"):
        example = ROOT / "example" / "flavor" / "swarm" / name
        assert example.read_bytes() == (ROOT / "tests" / "data" / name).read_bytes()


def test_shell_scripts_are_clean() -> None:
    scripts = [file for file in [*SCRIPTS.iterdir(), ROOT / "bench" / "up.sh", ROOT / ".ci" / "run"] if _is_shell(file)]
    assert {"up", "down", "lib.sh", "run", "up.sh"} <= {file.name for file in scripts}
    assert shutil.which("shellcheck"), "scripts/setup --dev installs shellcheck"
    command = ["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *map(str, scripts)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout == ""


def _is_shell(file: Path) -> bool:
    return file.is_file() and file.read_text().startswith(("#!/usr/bin/env bash", "# shellcheck shell="))
