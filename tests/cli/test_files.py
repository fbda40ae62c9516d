"""Which files -f reads, and in what order."""

from pathlib import Path

import pytest

from skep.cli.failures import Failure
from skep.cli.files import read_files


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


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"abc\xff")
    with pytest.raises(Failure, match=r"is not UTF-8 text.*byte 3"):
        read_files([str(tmp_path)])
