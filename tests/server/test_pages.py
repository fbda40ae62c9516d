"""A web page of another site gets nothing done with the client certificate that a browser holds."""

from pathlib import Path

import pytest
import structlog

from skep.server.pages import foreign_page
from tests.server.front_double import FrontDouble
from tests.server.tls_certificates import Subject
from tests.server.tls_running import tls_running

HOST = (b"host", b"swarm.example:2476")


@pytest.mark.parametrize(
    ("who", "headers", "refused"),
    [
        ("a program", [], False),
        ("who types the address", [(b"sec-fetch-site", b"none")], False),
        ("our own page", [(b"sec-fetch-site", b"same-origin"), (b"origin", b"https://swarm.example:2476")], False),
        ("our own page, in an old browser", [(b"origin", b"https://swarm.example:2476")], False),
        ("a page of another site", [(b"sec-fetch-site", b"cross-site"), (b"origin", b"https://evil.example")], True),
        ("its link or picture", [(b"sec-fetch-site", b"cross-site")], True),
        ("a page of another port", [(b"sec-fetch-site", b"same-site")], True),
        ("another site, in an old browser", [(b"origin", b"https://evil.example")], True),
        ("the same host without TLS", [(b"origin", b"http://swarm.example:2476")], True),
        ("a page without an address", [(b"origin", b"null")], True),
        ("what no browser says yet", [(b"sec-fetch-site", b"nobody-knows")], True),
    ],
)
def test_other_sites_are_refused(who: str, headers: list[tuple[bytes, bytes]], refused: bool) -> None:
    assert bool(foreign_page([HOST, *headers])) is refused


def test_what_another_site_asks_over_tls_is_not_done_and_logged_once(front: FrontDouble, tmp_path: Path) -> None:
    with tls_running(front, tmp_path) as server, structlog.testing.capture_logs() as told:
        ann = server.authority.issue(Subject("ann"))
        for path in ("/v1/workloads/web/retry", "/v1/workloads/web/free", "/submit"):
            answer = server.ask(ann, "POST", path, None, Sec_Fetch_Site="cross-site")
            assert (answer.status, "web page" in answer.json()["error"]) == (403, True)
        assert front.asked_by == []
        assert server.ask(ann, "POST", "/v1/workloads/web/retry").status == 200
    assert [line["reason"].partition(":")[0] for line in told if line["event"] == "refused over TLS"] == ["ann"]
