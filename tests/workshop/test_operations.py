"""How the counters of a service are read; the rest is tried by ray_serve/08 on real ones."""

import hashlib
import http.server
import threading
from collections.abc import Iterator

import pytest

from workshop import operations

PAGE = """# TYPE pictures_total counter
pictures_total{{label="1",replica="a"}} {count}.0
pictures_total{{label="2",replica="a"}} 3.0
pictures_total{{label="2",replica="b"}} 100.0
pictures_created{{label="1",replica="a"}} 1.7e9
"""


@pytest.fixture
def page() -> Iterator[str]:
    """A page on which a counter grows by one each time that somebody looks."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PAGE.format(count=len(asked)).encode())

        def log_message(self, *_) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()


def test_a_counter_is_read_until_it_is_large_enough(page) -> None:
    assert operations.scraped(page, "pictures", 6, replica="a") == 6
    assert operations.scraped(page, "pictures", 0, replica="a", label="2") == 3
    assert operations.scraped(page, "pictures", 0) >= 104


def test_a_counter_that_never_comes(page, monkeypatch) -> None:
    monkeypatch.setattr(operations, "PATIENCE", 0.5)
    assert operations.scraped(page, "dogs", 1) == 0


def test_a_fingerprint_is_what_sha256sum_prints() -> None:
    assert operations.fingerprint("k") == hashlib.sha256(b"k").hexdigest()


def test_what_still_answers_is_told(page, monkeypatch) -> None:
    monkeypatch.setattr(operations, "PATIENCE", 0.5)
    with pytest.raises(RuntimeError, match="still answers"):
        operations.wait_until_refused(page)
