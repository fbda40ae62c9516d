"""Stands for OpenSSH's client and for docker's over there: joins its input and output to the engine's socket.

Called with a folder for the files that show which processes there are, then as ssh is. The host says how it behaves.
"""

import os
import select
import shlex
import socket
import sys
import time
from pathlib import Path


def relay(path: str) -> None:
    """Until either side hangs up, as `docker system dial-stdio`."""
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect(path)
        while True:
            for ready in select.select([0, engine], [], [])[0]:
                data = os.read(0, 65536) if ready == 0 else engine.recv(65536)
                if not data:
                    return
                if ready == 0:
                    engine.sendall(data)
                else:
                    os.write(1, data)


def main(folder: str, *arguments: str) -> None:
    host, command = arguments[-2:]
    if host == "forks" and os.fork() == 0:
        os.setsid()
        os.dup2(2, 0)
        os.dup2(2, 1)
        (Path(folder) / f"pid-{os.getpid()}").touch()
        time.sleep(60)
    (Path(folder) / f"pid-{os.getpid()}").touch()
    if host == "denied":
        print("Warning: Permanently added 'denied' to the list of known hosts.\r", file=sys.stderr)
        sys.exit("ann@denied: Permission denied (publickey).")
    if host == "hangs":
        time.sleep(60)
    if host == "chatty":
        print("Welcome to chatty!", flush=True)
    if host == "bare":
        sys.exit("sh: 1: docker: not found")
    relay(shlex.split(command)[2].removeprefix("unix://"))


if __name__ == "__main__":
    main(*sys.argv[1:])
