"""Which files -f reads, and in what order."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest

from skep.cli.failures import Failure
from skep.cli.files import read_files
from tests.adapters.somebody_else import as_somebody_else
from tests.cli.shell import PROGRAM, Shell


def test_a_folder_gives_its_specs_in_order_and_nothing_below_it(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.json", "readme.md", ".hidden", "below/d.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    found = read_files([str(tmp_path)])
    assert [(Path(file["name"]).name, file["text"]) for file in found] == [
        ("a.yml", "a.yml"),
        ("b.yaml", "b.yaml"),
        ("c.json", "c.json"),
    ]


def test_a_file_that_is_named_is_read_whatever_its_name_and_once(tmp_path: Path) -> None:
    file = tmp_path / "spec.txt"
    file.write_text("é")
    assert read_files([str(file), str(file)]) == [{"name": str(file), "text": "é"}]


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=f"no such file or folder: {tmp_path}/a, {tmp_path}/b"):
        read_files([f"{tmp_path}/a", str(tmp_path), f"{tmp_path}/b"])


def test_a_folder_without_specs_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"holds no \*\.yaml"):
        read_files([str(tmp_path)])


def test_a_folder_that_we_may_not_read_is_told() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o700 if os.geteuid() == 0 else 0o000)
        with as_somebody_else(), pytest.raises(Failure, match=f"can't read {name}: Permission denied"):
            read_files([name])


def test_what_can_not_be_looked_at_in_a_folder_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a")
    (tmp_path / "b.yaml").symlink_to("b.yaml")
    with pytest.raises(Failure, match=f"can't read {tmp_path}/b.yaml: Too many levels"):
        read_files([str(tmp_path)])


def test_standard_input_that_is_closed_is_told(shell: Shell) -> None:
    """255 is what docs/cli.md says of `plan`; 70 is for bugs."""
    for command, code in ("apply", 1), ("plan", 255):
        line = shlex.join([*PROGRAM, command, "-f", "-"])
        run = subprocess.run(
            ["sh", "-c", f"{line} <&-"], env=shell.environ(), capture_output=True, text=True, timeout=30, check=False
        )
        assert (run.returncode, run.stderr) == (code, "skep: can't read standard input: it is closed\n")


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"abc\xff")
    with pytest.raises(Failure, match=r"is not UTF-8 text.*byte 3"):
        read_files([str(tmp_path)])
