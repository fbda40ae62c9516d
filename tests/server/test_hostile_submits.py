"""What nobody means to submit, to a real core: refused in words that name the field, and nothing is kept of it."""

import json
import unicodedata
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.server.running import Running, running
from tests.server.whole import WholeFront

LONE = b'{"Name": "\\ud800", "Image": "web:1", "Count": 1}'
NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    front = WholeFront()
    with running(front, tmp_path_factory.mktemp("api") / "s") as server:
        server.run(front.start())
        yield server
        server.run(front.stop())


def _spec(**fields: object) -> bytes:
    return json.dumps({"Name": "x", "Image": "web:1", "Count": 1, "Cluster": "farm", **fields}).encode()


def _with_count(count: str) -> bytes:
    return b'{"Name": "x", "Image": "web:1", "Count": %b}' % count.encode()


REFUSED: dict[str, tuple[bytes, str]] = {
    "a name in NFC": (_spec(Name=NFC), "Name"),
    "the same in NFD": (_spec(Name=NFD), "Name"),
    "one from right to left": (_spec(Name="שלום"), "Name"),
    "one that turns what follows it around": (_spec(Name="web\u202etxt"), "Name"),
    "one with a NUL": (_spec(Name="we\0b"), "u0000"),
    "one with a line's end": (_spec(Name="web\n"), "Name"),
    "one that looks like another": (_spec(Name="w\u0435b"), "Name"),
    "one of full width": (_spec(Name="\uff57\uff45\uff42"), "Name"),
    "one without a width": (_spec(Name="we\u200bb"), "Name"),
    "one that leaves its folder": (_spec(Name="../../etc"), "Name"),
    "half a pair": (LONE, "surrogate"),
    "none": (_spec(Name=""), "Name"),
    "a long one": (_spec(Name="a" * 100_000), "Name"),
    "an image in NFD": (_spec(Image=NFD), "Image"),
    "an image with a NUL": (_spec(Image="web:1\0"), "u0000"),
    "a variable with a NUL": (_spec(Env=["A=\0"]), "u0000"),
    "a count below nothing": (_with_count("-1"), "Count"),
    "a huge count": (_with_count("50000000"), "Count"),
    "one of more bits than anything has": (_with_count("9" * 4000), "400 characters"),
    "one of too many digits": (_with_count("9" * 100_000), "400 characters"),
    "a count that is half of one": (_with_count("1.5"), "Count"),
    "a count that overflows": (_with_count("1e400"), "out of the range"),
    "NaN": (_with_count("NaN"), "not JSON"),
    "Infinity": (_with_count("Infinity"), "not JSON"),
    "minus Infinity": (_with_count("-Infinity"), "not JSON"),
    "a count that is a truth": (_with_count("true"), "Count"),
    "a count that is a text": (_with_count('"5"'), "Count"),
    "a field written twice": (b'{"Name": "x", "Name": "y", "Image": "web:1", "Count": 1}', "twice"),
    "deep lists": (b"[" * 100_000, ""),
    "deep objects": (b'{"Name":' * 100_000, ""),
    "deep objects in a field": (_with_count('{"a":' * 50_000 + "1" + "}" * 50_000), ""),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_in_words(whole: Running, what: str) -> None:
    body, word = REFUSED[what]
    answer = whole.ask("POST", "/submit", body)
    assert (answer.status, answer.json()["reason"]) == (422, "Invalid"), answer
    assert word in answer.json()["error"]
    assert len(answer.body) < 20_000
    assert [shown["Name"] for shown in whole.ask("GET", "/status").json()] == ["web"]


@pytest.mark.parametrize("name", [NFC, NFD, "שלום", "we\0b", "w\u0435b", "..", "a/b", "%00", "a" * 5000])
def test_a_path_may_name_anything_and_there_is_no_such_key(whole: Running, name: str) -> None:
    for method, end in (("GET", ""), ("GET", "/history"), ("POST", "/pause"), ("POST", "/resume"), ("DELETE", "")):
        answer = whole.ask(method, f"/v1/workloads/{quote(name, safe='')}{end}")
        assert answer.status in (404, 405), (method, answer)
        assert answer.json()["reason"] in ("NotFound", "MethodNotAllowed")
