"""Downloads from a real server on loopback that breaks off, lies, or has nothing."""

import hashlib
import http.server
import threading

import pytest

import tfseg
from tfseg.zoo import download as module
from tfseg.zoo.download import download, verify

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT as the server's `script` says, one entry a request, the last for ever."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.ranges.append(self.headers.get("Range"))
        action = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        if isinstance(action, int):
            return self.send_error(action)
        start = 0
        if self.headers.get("Range") and action != "no ranges":
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if self.headers.get("If-Range") not in (None, server.etag):
                start = 0
            if start >= len(server.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(server.content)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            end = len(server.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        self.send_header("ETag", server.etag)
        self.send_header("Content-Type", "text/html" if action == "page" else "application/zip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if action == "drop":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE", 0.001)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.etag, server.ranges, server.script = CONTENT, '"1"', [], ["whole"]
    server.url = f"http://127.0.0.1:{server.server_port}/file.pth"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _fails(server, path, message, **kwargs):
    with pytest.raises(tfseg.TfsegError, match=message) as caught:
        download(server.url, path, **kwargs)
    assert "\n" not in str(caught.value)
    assert not path.exists()


def test_whole_file(server, tmp_path):
    seen = []
    path = tmp_path / "new" / "file.pth"
    download(server.url, path, DIGEST, len(CONTENT), lambda *args: seen.append(args))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [file.name for file in path.parent.iterdir()] == ["file.pth"]


@pytest.mark.parametrize("digest", [None, DIGEST[:8]])
def test_dropped_connections_are_taken_up(server, tmp_path, digest):
    server.script = ["drop", 503, "drop", "whole"]
    download(server.url, tmp_path / "file.pth", digest)
    assert (tmp_path / "file.pth").read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert server.ranges == [None, *[f"bytes={half}-"] * 2, f"bytes={half + half // 2}-"]


def test_server_without_ranges(server, tmp_path):
    server.script = ["drop", "no ranges"]
    download(server.url, tmp_path / "file.pth", DIGEST)
    assert (tmp_path / "file.pth").read_bytes() == CONTENT


def test_file_that_changes_meanwhile(server, tmp_path):
    server.script = ["drop", "whole"]
    original = Handler.do_GET

    def changing(self):
        original(self)
        server.content, server.etag = CONTENT[::-1], '"2"'

    server.RequestHandlerClass = type("Changing", (Handler,), {"do_GET": changing})
    download(server.url, tmp_path / "file.pth")
    assert (tmp_path / "file.pth").read_bytes() == CONTENT[::-1]


def test_what_came_is_kept_for_the_next_call(server, tmp_path):
    path = tmp_path / "file.pth"
    server.script = ["drop", 500]
    _fails(server, path, "500 .* run the same again to continue", sha256=DIGEST)
    assert [file.name for file in tmp_path.iterdir()] == [".file.pth.part"]
    server.script, server.ranges[:] = ["whole"], []
    download(server.url, path, DIGEST)
    assert path.read_bytes() == CONTENT and server.ranges == [f"bytes={len(CONTENT) // 2}-"]


def test_nothing_is_kept_that_can_t_be_checked(server, tmp_path):
    server.script = ["drop", 500]
    _fails(server, tmp_path / "file.pth", "500")
    assert not list(tmp_path.iterdir())


def test_all_of_it_was_there(server, tmp_path):
    (tmp_path / ".file.pth.part").write_bytes(CONTENT)
    download(server.url, tmp_path / "file.pth", DIGEST)
    assert (tmp_path / "file.pth").read_bytes() == CONTENT


@pytest.mark.parametrize("extra", [{"sha256": "0" * 64}, {"sha256": "00000000"}, {"size": 7}])
def test_wrong_content_is_removed(server, tmp_path, extra):
    _fails(server, tmp_path / "file.pth", "instead of", **extra)
    assert not list(tmp_path.iterdir())


def test_absent_file_is_asked_for_once(server, tmp_path):
    server.script = [404]
    _fails(server, tmp_path / "file.pth", "the server answers 404 Not Found")
    assert len(server.ranges) == 1 and not list(tmp_path.iterdir())


def test_login_page(server, tmp_path):
    server.script = ["page"]
    _fails(server, tmp_path / "file.pth", "is a web page")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid"])
def test_no_server(server, tmp_path, monkeypatch, host):
    monkeypatch.setattr(module.time, "sleep", None)  # Nothing is waited for.
    server.url = f"http://{host}/file.pth"
    said = r"can't download [^;]*; run the same again, or set TFSEG_MIRROR"
    _fails(server, tmp_path / "file.pth", said, sha256=DIGEST)
    server.url = "nonsense"
    _fails(server, tmp_path / "file.pth", "nonsense")


def test_folder_that_can_t_be_written(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(tfseg.TfsegError, match="can't write"):
        download(server.url, tmp_path / "file" / "file.pth")


@pytest.mark.parametrize(
    ("origin", "remedy"),
    [(None, "remove it to download it again"), ("http://x", "it was not kept")],
)
def test_what_is_there_and_what_has_come_are_wrong_in_other_words(origin, remedy, tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    for facts in ({"size": 2}, {"sha256": "00"}):
        with pytest.raises(tfseg.TfsegError, match=f": {remedy}"):
            verify(tmp_path / "a", **facts, origin=origin)
