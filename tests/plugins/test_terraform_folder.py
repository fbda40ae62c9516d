"""The folder of the plugin `terraform`: what lies in it while Terraform and other processes work there too."""

import os
from pathlib import Path

from skep.plugins.terraform_folder import names_of_others


def test_what_is_gone_since_it_was_listed_is_nobodys(tmp_path: Path) -> None:
    """Terraform makes and removes its lock at any moment."""
    lock, ours = tmp_path / ".terraform.tfstate.lock.info", tmp_path / "main.tf"
    lock.touch()
    ours.touch()
    listed = list(os.scandir(tmp_path))
    lock.unlink()
    assert names_of_others(listed) == []
