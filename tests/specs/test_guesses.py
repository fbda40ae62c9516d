"""A field that is none is guessed at where it is a slip of one that is, and only there."""

import pytest

from skep.model.errors import InvalidError
from skep.specs.source import SourceFile, parse


def told(field: str) -> str:
    with pytest.raises(InvalidError) as caught:
        parse([SourceFile("a.yaml", f"Name: w\nImage: i\nCount: 1\n{field}: 1\n")])
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"), [("Cuont", "Count"), ("Nmae", "Name"), ("Prots", "Ports"), ("Imgae", "Image")]
)
def test_a_slip_of_the_finger_is_guessed(written: str, meant: str) -> None:
    assert f"a.yaml:4: {written}: is not a field here; did you mean {meant}?" in told(written)


@pytest.mark.parametrize("written", ["Targt", "Published"])
def test_what_is_like_no_field_here_is_answered_with_those_that_there_are(written: str) -> None:
    assert f"a.yaml:4: {written}: is not a field here; there are " in told(written)
