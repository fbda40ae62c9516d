"""The examples that InfraKit's documents name are there, and mean what they meant (infrakit-compat.md 3.3, 6)."""

import json
from pathlib import Path

import pytest

from tests.planning.test_confighash import CATTLE, sha_of_group

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("name", "sha"),
    [
        ("docs/cattle.json", "006438mMXW8gXeYtUxgf9Zbg94Y="),
        ("docs/cattle2.json", "eB2JuP0c5Sf41X5e2vc2gJ4ZTVg="),
        ("example/flavor/swarm/swarm-vagrant-manager.json", "oEztfTbk_UCCPGqL1EnCjNhXEV0="),
        ("example/flavor/swarm/swarm-vagrant-workers.json", "skPXP1SjlgNBuVkZN4rDhwVfCIQ="),
    ],
)
def test_an_example_has_infrakits_hash(name: str, sha: str) -> None:
    assert sha_of_group(json.loads((ROOT / name).read_text())) == sha


def test_the_tutorials_two_specs_differ_in_size_and_note() -> None:
    first, second = (json.loads((ROOT / "docs" / name).read_text()) for name in ("cattle.json", "cattle2.json"))
    assert first == CATTLE
    assert (first["Properties"]["Allocation"], second["Properties"]["Allocation"]) == ({"Size": 5}, {"Size": 10})
