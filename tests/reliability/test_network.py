"""A server that fails now and then: asked again, or a clear error; never frames of zeros."""

from __future__ import annotations

import functools
import http.server
import threading

import numpy as np
import pytest
import zarr

from freq2clean import InputError, open_recording
from freq2clean.recordings import urls

PIXELS = np.arange(1, 1 + 40 * 6 * 7, dtype=np.uint16).reshape(40, 6, 7)


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """A store on a server, and the answers that fail: 503 where it says so."""
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(urls, "_WAITS_S", (0.0, 0.01, 0.01, 0.01, 0.01))
    zarr.create_array(tmp_path / "raw.zarr", data=PIXELS, chunks=(4, 6, 7))
    chunks = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        fails = staticmethod(lambda number: False)

        def log_message(self, *_):
            pass

        def do_GET(self):
            if "/c/" in self.path:
                chunks.append(self.path)
                if Handler.fails(len(chunks)):
                    self.send_error(503)
                    return
            super().do_GET()

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=tmp_path)
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/raw.zarr", Handler, chunks
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_answer_in_ten_fails(failing):
    url, handler, asked = failing
    handler.fails = staticmethod(lambda number: number % 10 == 3)
    with open_recording(url) as recording:
        for start in range(0, 40, 4):
            np.testing.assert_array_equal(recording[start : start + 4], PIXELS[start : start + 4])
    assert len(asked) == 11


def test_no_answer_is_an_error(failing):
    url, handler, _ = failing
    handler.fails = staticmethod(lambda number: True)
    with (
        open_recording(url) as recording,
        pytest.raises(InputError, match="frames 0:4 cannot be read, asked for 5 times: 503"),
    ):
        recording.read(0, 4)
