"""A registry with one small image that only a user with the right password gets: python registry.py PORT USER PASSWORD.

Without a user anybody gets it. As much of the distribution protocol as a pull takes. Engines speak plain HTTP to
registries on loopback addresses. The image is busybox; it sleeps until it is told to end.
"""

import base64
import gzip
import hashlib
import io
import json
import shutil
import sys
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPOSITORY, TAG = "team/web", "1"

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _layer() -> bytes:
    busybox = shutil.which("busybox")
    assert busybox is not None, "busybox-static is missing: scripts/test installs it"
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        program = tarfile.TarInfo("bin/busybox")
        program.mode, content = 0o755, Path(busybox).read_bytes()
        program.size = len(content)
        tar.addfile(program, io.BytesIO(content))
        for name in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return data.getvalue()


def _descriptor(kind: str, data: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(data), "digest": digest_of(data)}


_TAR = _layer()
_BLOB = gzip.compress(_TAR, 1, mtime=0)
_SETTINGS = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(_TAR)]},
    }
).encode()
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _descriptor(_CONFIG, _SETTINGS),
        "layers": [_descriptor(_LAYER, _BLOB)],
    }
).encode()

_FILES = {
    f"/v2/{REPOSITORY}/manifests/{TAG}": (_MANIFEST, MANIFEST),
    f"/v2/{REPOSITORY}/manifests/{digest_of(MANIFEST)}": (_MANIFEST, MANIFEST),
    f"/v2/{REPOSITORY}/blobs/{digest_of(_SETTINGS)}": (_CONFIG, _SETTINGS),
    f"/v2/{REPOSITORY}/blobs/{digest_of(_BLOB)}": (_LAYER, _BLOB),
    "/v2/": ("application/json", b"{}"),
}


class _Registry(BaseHTTPRequestHandler):
    password = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if self.password and self.headers.get("Authorization") != self.password:
            return self._give(401, "application/json", _error("UNAUTHORIZED", "authentication required"), with_body)
        kind, data = _FILES.get(self.path, ("", b""))
        if not kind:
            return self._give(404, "application/json", _error("MANIFEST_UNKNOWN", "manifest unknown"), with_body)
        return self._give(200, kind, data, with_body)

    def _give(self, status: int, kind: str, data: bytes, with_body: bool) -> None:
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Content-Digest", digest_of(data))
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="tests"')
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output is pytest's."""


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def main(port: str, user: str, password: str) -> None:
    given = base64.b64encode(f"{user}:{password}".encode()).decode()
    handler = type("Registry", (_Registry,), {"password": f"Basic {given}" if user else ""})
    with ThreadingHTTPServer(("127.0.0.1", int(port)), handler) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
