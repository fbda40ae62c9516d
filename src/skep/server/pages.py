"""Web pages: what a browser says of the page that made it send a request. Programs say nothing of the kind."""

from collections.abc import Sequence

ORIGIN, FETCH_SITE = b"origin", b"sec-fetch-site"
"""Headers that browsers add; a page can neither leave them out nor change them."""

_OWN = (b"none", b"same-origin")
"""Somebody typed the address, or a page of this very server asks."""


def foreign_page(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """Why a request is refused that another site's page made a browser send, with the certificate that the browser
    holds; empty when it is not. `headers` have lower-case names."""
    sent = dict(headers)
    site, origin = sent.get(FETCH_SITE), sent.get(ORIGIN)
    if site in _OWN or (site is None and origin in (None, b"https://" + sent.get(b"host", b""))):
        return ""
    header = ORIGIN if site is None else FETCH_SITE
    return f"the header {header.decode()} tells that a web page of another site asks; it may not use your certificate"
