"""The table of releases, and getting one."""

import dataclasses
import functools
import hashlib
import http.server
import re
import shutil
import tarfile
import threading
import zipfile

import numpy as np
import pytest

import tfseg
from tfseg import zoo
from tfseg.encoders import ENCODERS
from tfseg.models import PREPROCESSINGS
from tfseg.weights import save_original
from tfseg.zoo.release import File, Release
from tfseg.zoo.releases import RELEASES

TINY = {"blocks": [1, 1, 1, 1, 0, 0, 0, 1]}


def test_the_table_is_consistent():
    models = set(tfseg.list_models())
    for name, release in RELEASES.items():
        assert release.model in (ENCODERS if release.classifier else models), name
        assert re.fullmatch(r"\w+", name)
        for file in release.files:
            assert file.url is None or re.match(r"https?://\S+$", file.url)
            assert file.sha256 is None or re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", file.sha256)
            if file.sha256 and not file.member:
                assert file.sha256 in file.name
        assert all(0 < score < 100 for score in release.scores.values())
        assert not release.scores or release.protocol


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that is served as the mirror; the cache is another."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("TFSEG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TFSEG_MIRROR", f"http://127.0.0.1:{server.server_port}/")
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def publish(site, monkeypatch):
    """Function (name, model, archive=None, **fields of `File`): releases the model there."""

    def make(name, model, archive=None, **fields):
        folder = site / name
        folder.mkdir()
        path = folder / "model.safetensors"
        save_original(model, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        url, member = "http://127.0.0.1:1/model.safetensors", None
        if archive:
            member, url = "inner/model.safetensors", f"http://127.0.0.1:1/model.{archive}"
            if archive == "zip":
                with zipfile.ZipFile(folder / "model.zip", "w") as file:
                    file.write(path, member)
            else:
                with tarfile.open(folder / "model.tar.gz", "w:gz") as file:
                    file.add(path, member)
            path.unlink()
            digest = None
        file = File(
            "model.safetensors", **{"url": url, "sha256": digest, "member": member, **fields}
        )
        classifier = not hasattr(model, "decoder")
        release = Release(
            (file,),
            "drn_d_22",
            model.num_classes,
            source="test",
            page="http://example.org/page",
            licence=None,
            classifier=classifier,
            options=TINY,
            preprocessing=PREPROCESSINGS["caffe"],
            dataset="camvid",
        )
        monkeypatch.setitem(RELEASES, name, release)

    return make


@pytest.fixture(scope="module")
def segmenter():
    return tfseg.create_model("drn_d_22", 11, **TINY)


@pytest.mark.parametrize("archive", [None, "zip", "tar.gz"])
def test_download_predict_and_do_without_the_net(
    publish, segmenter, tmp_path, monkeypatch, archive
):
    publish("tiny", segmenter, archive)
    expected = segmenter.variables[0].numpy()
    seg = tfseg.load("tiny")
    np.testing.assert_array_equal(seg.model.variables[0].numpy(), expected)
    assert seg.spec.preprocessing == PREPROCESSINGS["caffe"]
    assert seg.spec.classes[0] == "Sky" and len(seg.palette) == 11
    assert seg.predict(np.zeros((16, 16, 3), np.uint8)).shape == (16, 16)
    files = {path.name for path in (tmp_path / "home" / "tiny").iterdir()}
    assert files == {".lock", "model.safetensors"}

    monkeypatch.setenv("TFSEG_MIRROR", "http://127.0.0.1:1")
    other = tfseg.create_model("drn_d_22", 11, **TINY)
    report = tfseg.load_weights(other, "tiny")
    assert report.preprocessing == PREPROCESSINGS["caffe"]
    np.testing.assert_array_equal(other.variables[0].numpy(), expected)


def test_classifiers_start_segmenters(publish):
    classifier = tfseg.create_classifier("drn_d_22", 7, **TINY)
    publish("tiny_imagenet", classifier)
    model = tfseg.create_model("drn_d_22", 3, **TINY)
    report = tfseg.load_weights(model, "tiny_imagenet", new_head=True)
    assert report.fresh == ("decoder/classifier/kernel", "decoder/classifier/bias")
    with pytest.raises(tfseg.TfsegError, match="is an image classifier"):
        tfseg.load("tiny_imagenet")


def test_wrong_files_leave_nothing(publish, segmenter, tmp_path, monkeypatch):
    publish("tiny", segmenter, sha256="12345678")
    with pytest.raises(tfseg.TfsegError, match="instead of 12345678"):
        tfseg.load("tiny")
    publish("other", tfseg.create_model("drn_d_22", 4, **TINY))
    monkeypatch.setitem(RELEASES, "other", dataclasses.replace(RELEASES["other"], num_classes=5))
    with pytest.raises(tfseg.TfsegError, match="it has 4 classes, the model 5"):
        tfseg.load("other")
    assert [path.name for path in (tmp_path / "home" / "tiny").iterdir()] == [".lock"]


def test_damaged_archive(publish, segmenter, site, tmp_path):
    publish("tiny", segmenter, "zip")
    (site / "tiny" / "model.zip").write_bytes(b"PK nothing")
    with pytest.raises(tfseg.TfsegError, match=r"no archive with inner/model.safetensors"):
        tfseg.load("tiny")
    assert [path.name for path in (tmp_path / "home" / "tiny").iterdir()] == [".lock"]


def test_files_that_a_person_has_to_fetch(publish, segmenter, site, tmp_path, monkeypatch):
    publish("tiny", segmenter, url=None)
    monkeypatch.delenv("TFSEG_MIRROR")
    home = tmp_path / "home" / "tiny"
    with pytest.raises(tfseg.TfsegError, match=r"example\.org/page and put it at .*/tiny/model"):
        tfseg.load("tiny")
    (home / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(tfseg.TfsegError, match="is not the published file"):
        tfseg.load("tiny")
    (home / "model.safetensors").write_bytes((site / "tiny" / "model.safetensors").read_bytes())
    tfseg.load("tiny")
    assert (home / "model.safetensors").exists()


def test_unknown_names(tmp_path, monkeypatch):
    monkeypatch.setenv("TFSEG_HOME", str(tmp_path))
    with pytest.raises(tfseg.TfsegError, match="did you mean drn_d_22_imagenet"):
        zoo.fetch("drn_d_22_imagnet")
    model = tfseg.create_model("drn_d_22", 11, **TINY)
    for load in (tfseg.load, lambda name: tfseg.load_weights(model, name)):
        with pytest.raises(tfseg.TfsegError, match=r"there is no .*mean drn_d_22_imagenet"):
            load("drn_d_22_imagnet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("archive", [None, "zip"])
def test_the_first_download_s_digest_is_compared_with(
    publish, segmenter, site, tmp_path, caplog, archive
):
    publish("tiny", segmenter, archive, sha256=None)
    with caplog.at_level("INFO", "absl"):
        zoo.fetch("tiny")
    (served,) = (site / "tiny").iterdir()
    digest = hashlib.sha256(served.read_bytes()).hexdigest()
    assert digest in caplog.text
    home = tmp_path / "home"
    shutil.rmtree(home / "tiny")
    zoo.fetch("tiny")
    shutil.rmtree(home / "tiny")
    publish_again = served.read_bytes()
    served.write_bytes(publish_again + b" ")
    with pytest.raises(tfseg.TfsegError, match=rf"first download: .* instead of {digest}"):
        zoo.fetch("tiny")
    assert [path.name for path in (home / "tiny").iterdir()] == [".lock"]
    served.write_bytes(publish_again)
    zoo.fetch("tiny")
