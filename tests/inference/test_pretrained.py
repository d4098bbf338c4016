"""Predictors in folders: what is kept, what is refused, and the hub's own client on loopback."""

import hashlib
import http.server
import json
import pathlib
import threading

import numpy as np
import pytest
from PIL import Image

import tfseg
from tfseg.evaluation.confusion import scores
from tfseg.inference import Predictor, Protocol
from tfseg.inference.pretrained import _SCORES
from tfseg.models import ModelSpec, Preprocessing, fold
from tfseg.zoo.hub import fetch_hub

METRICS = {
    "scores": {"mean_iou": 0.5, "pixel_accuracy": 0.75, "frequency_weighted_iou": None},
    "protocol": {"resolution": "native", "images": 3},
}


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (33, 40, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def predictor():
    spec = ModelSpec(
        "drn_d_22",
        3,
        {"blocks": [1] * 8},
        Preprocessing(mean=(0.1, 0.2, 0.3)),
        classes=["sky", "road", "tree"],
        palette=[[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    )
    return Predictor(spec, spec.build(), Protocol(scales=(0.5,)))


@pytest.fixture(scope="module")
def folder(predictor, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model"
    predictor.save_pretrained(path, METRICS)
    return path


def test_a_folder_gives_the_predictor_back(predictor, folder, image):
    again = tfseg.load(folder)
    assert again.spec == predictor.spec and again.protocol == predictor.protocol
    np.testing.assert_array_equal(again.predict(image), predictor.predict(image))
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


def test_weights_start_a_training(folder):
    model = tfseg.create_model("drn_d_22", 7, blocks=[1] * 8)
    report = tfseg.load_weights(model, folder, new_head=True)
    assert report.preprocessing.mean == (0.1, 0.2, 0.3)
    assert {name.partition("/")[0] for name in report.fresh} == {"decoder"}


def test_a_folded_model_stays_folded(predictor, tmp_path, image):
    folded = Predictor(predictor.spec, fold(predictor.model))
    folded.save_pretrained(tmp_path)
    again = tfseg.load(tmp_path)
    assert again.spec.options["folded"]
    np.testing.assert_array_equal(again.predict(image), folded.predict(image))


def test_the_card_has_scores_with_their_protocol(folder):
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: tfseg\n")
    for part in ("| mean IoU | 0.5000 |", "- images: 3", "sky, road, tree", "drn_d_22"):
        assert part in card
    assert "weighted" not in card


def test_the_card_knows_scores_that_evaluations_have():
    assert _SCORES.keys() <= scores(np.eye(2)).keys()


def test_a_card_changed_by_hand_is_kept(predictor, tmp_path):
    predictor.save_pretrained(tmp_path)
    card = tmp_path / "README.md"
    assert "Not stated" in card.read_text()
    predictor.save_pretrained(tmp_path, METRICS)
    assert "0.7500" in card.read_text()
    card.write_text("my own words")
    predictor.save_pretrained(tmp_path)
    assert card.read_text() == "my own words"


def damage(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("model.safetensors", flip_a_bit, "model.safetensors is damaged: it has not the digest"),
        ("config.json", lambda path: path.write_text("{"), "is not valid JSON"),
        ("config.json", lambda path: path.write_text("[]"), "describes no model of tfseg"),
        (
            "config.json",
            lambda path: damage(path, lambda values: values["recipe"].update(num_classes=4)),
            "has not the digest that it states",
        ),
        (
            "config.json",
            lambda path: damage(path, lambda v: (v.pop("digest"), v["protocol"].update(x=1))),
            "protocol of the model in .* can't be read: .*'x'",
        ),
        (
            "config.json",
            lambda path: damage(path, lambda v: (v.pop("digest"), v.update(recipe=None))),
            "config.json: it does not describe a model",
        ),
    ],
)
def test_damage_is_told_in_one_line(folder, tmp_path, file, change, message):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    change(tmp_path / file)
    with pytest.raises(tfseg.TfsegError, match=message) as found:
        tfseg.load(tmp_path)
    assert "\n" not in str(found.value)


def test_what_cannot_be_kept(predictor, tmp_path):
    with pytest.raises(tfseg.TfsegError, match="`metrics` must be an evaluation"):
        predictor.save_pretrained(tmp_path, {"mean_iou": 0.5})
    (tmp_path / "config.json").write_text('{"library_name": "another"}')
    with pytest.raises(tfseg.TfsegError, match="describes no model of tfseg"):
        predictor.save_pretrained(tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


class Hub(http.server.BaseHTTPRequestHandler):
    """What the hub's client asks of a server, for the files of one model."""

    folder: pathlib.Path
    commit = "0" * 40

    def do_GET(self):
        if self.path.partition("?")[0] in (
            "/api/models/me/net/revision/main",
            f"/api/models/me/net/revision/{self.commit}",
            "/api/models/me/net",
        ):
            names = [{"rfilename": path.name} for path in self.folder.iterdir()]
            self._send(json.dumps({"id": "me/net", "sha": self.commit, "siblings": names}).encode())
        elif "/tree/" in self.path and self.path.startswith("/api/models/me/net/"):
            tree = [
                {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": "0" * 40}
                for path in self.folder.iterdir()
            ]
            self._send(json.dumps(tree).encode())
        elif self.path.startswith("/me/net/resolve/"):
            content = (self.folder / self.path.rpartition("/")[2]).read_bytes()
            etag = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
            self._send(content, {**etag, "X-Repo-Commit": self.commit})
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_HEAD = do_GET

    def _send(self, content, headers=None):
        self.send_response(200)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    handler = type("OneModel", (Hub,), {"folder": folder})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.partition("{")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{url}/{{{template[2]}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield
    server.shutdown()
    server.server_close()


def test_a_model_from_the_hub(hub, predictor, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.zeros((16, 24, 3), np.uint8)).save(path)
    again = tfseg.load("hf://me/net")
    assert again.protocol == predictor.protocol
    np.testing.assert_array_equal(again.predict(path), predictor.predict(path))
    model = predictor.spec.build()
    assert len(tfseg.load_weights(model, "hf://me/net").loaded) == len(model.variables)


@pytest.mark.parametrize("name", ["hf://me", "hf://", "hf://a/b/c", "hf://me/net@"])
def test_names_that_are_none(name):
    with pytest.raises(tfseg.TfsegError, match="a model on the hub is hf://owner/name"):
        fetch_hub(name)


def test_a_model_that_is_not_there(hub):
    with pytest.raises(tfseg.TfsegError, match="can't download hf://me/other: ") as found:
        tfseg.load("hf://me/other")
    assert "\n" not in str(found.value)
