"""The request that a creation carries: asked for again with the same one, the same machine is meant (ports.py)."""

import hashlib
import secrets

REQUEST_TAG = "skep.request"


def numbered_name(prefix: str, request: str) -> str:
    """`PREFIX-` and 63 bits: those of the request, so that asking again finds the same machine, or random ones."""
    digest = hashlib.sha256(request.encode()).digest()
    number = int.from_bytes(digest[:8], "big") >> 1 if request else secrets.randbits(63)
    return f"{prefix}-{number}"
