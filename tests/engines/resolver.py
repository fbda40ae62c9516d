"""A name server that knows no name and says so at once: resolver.py ADDRESS. Ends with the process that started it.

An engine without a network gets no answer from one, and each task that a Swarm starts asks a registry first: with
nobody to say no, that costs 5 s a task.
"""

import os
import socket
import sys

HEADER = 12
NO_SUCH_NAME = b"\x81\x83" + b"\x00\x01" + b"\x00\x00" * 3
"""Flags of an answer with RCODE 3, and the counts: one question, nothing else (RFC 1035, 4.1.1)."""


def refusal(query: bytes) -> bytes:
    """The answer to a query of one question: the question, and that there is no such name."""
    end = query.index(b"\x00", HEADER) + 5
    return query[:2] + NO_SUCH_NAME + query[HEADER:end]


def main() -> None:
    """Answer until the parent has gone."""
    parent = os.getppid()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((sys.argv[1], 53))
        server.settimeout(1)
        while os.getppid() == parent:
            try:
                query, peer = server.recvfrom(4096)
                server.sendto(refusal(query), peer)
            except (TimeoutError, ValueError):
                continue


if __name__ == "__main__":
    main()
