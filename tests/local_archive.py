"""An archive like Zenodo on this machine, whose answers can be spoilt."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Archive:
    """The files of record 7 by name, and what is wrong with the server."""

    files: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    record: object = None
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    status: int = 200
    extra: bytes = b""
    is_web: bool = True
    asked: list[str | None] = field(default_factory=list)

    def said(self):
        """What it says of its record."""
        return {
            "metadata": {"license": {"id": "cc-by-4.0"}},
            "files": [
                {
                    "key": name,
                    "size": len(content),
                    "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
                    "links": {"self": f"{self.url}/files/{index}"},
                }
                for index, (name, content) in enumerate(self.files.items())
            ],
        }


def handler_of(archive):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            if not archive.is_web:
                self.wfile.write(b"nonsense")
            elif self.path == "/api/records/7":
                said = archive.said() if archive.record is None else archive.record
                self.answer(200, said if isinstance(said, bytes) else json.dumps(said).encode())
            elif self.path.startswith("/files/"):
                self.give(list(archive.files.values())[int(self.path[7:])])
            else:
                self.send_error(404)

        def answer(self, status, content, *, length=None, **headers):
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if length is None else length))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(content)

        def give(self, content):
            asked = self.headers.get("Range")
            archive.asked.append(asked)
            if archive.status != 200:
                self.send_error(archive.status)
                return
            first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            headers, status = {}, 200
            if archive.ranges and first:
                headers = {"Content_Range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
                content, status = content[first:], 206
            content += archive.extra
            part = content[: archive.cut_after.pop(0)] if archive.cut_after else content
            self.answer(status, part, length=len(content), **headers)

    return Handler


@contextmanager
def serving() -> Iterator[Archive]:
    """A running archive."""
    archive = Archive()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(archive)) as server:
        archive.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield archive
        finally:
            server.shutdown()
            thread.join()
