"""The page in a real browser, and what people might throw at it."""

import concurrent.futures
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from tfseg.inference.crf import CRF
from tfseg.reports.summary import class_shares
from tfseg.serving import page as page_module

gradio = pytest.importorskip("gradio")
gradio_client = pytest.importorskip("gradio_client")
httpx = pytest.importorskip("httpx")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def predictors(make_predictor):
    return {"first": make_predictor(), "second": make_predictor("resnet18_dilated8+c1_bilinear")}


@pytest.fixture(scope="module")
def url(predictors, tmp_path_factory):
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("uploads"))
    example = tmp_path_factory.mktemp("examples") / "street.png"
    Image.fromarray(np.zeros((10, 12, 3), np.uint8)).save(example)
    limits = {"max_side": 300, "max_megabytes": 1}
    page, url = page_module.serve(predictors, port=0, examples=[str(example)], **limits)
    yield url
    page.close()
    del os.environ["GRADIO_TEMP_DIR"]


@pytest.fixture(scope="module")
def client(url):
    return gradio_client.Client(url, verbose=False)


def ask(client, path, second="none", crf=False):
    return client.predict(gradio_client.handle_file(path), "first", second, crf, api_name="/look")


def test_listens_on_loopback(url):
    assert url.startswith("http://127.0.0.1:")


def test_the_page_says_what_it_is_and_has_examples(url):
    config = httpx.get(f"{url}config").json()
    parts = {part["type"]: part["props"] for part in config["components"]}
    assert config["title"] == "tfseg: first, second"
    assert "# What is where in a picture" in parts["markdown"]["value"]
    # A copy: no other file of its folder can be asked for.
    (((sample,),),) = [parts["dataset"]["samples"]]
    assert sample["path"].endswith("street.png") and "/examples0/" not in sample["path"]


@pytest.mark.parametrize("times", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_concurrent_requests_get_their_own_answers(times, client, predictors, picture, tmp_path):
    paths, expected = [], []
    for seed in range(5):
        path = tmp_path / f"{seed}.png"
        image = picture(20 + seed, 30, seed)
        Image.fromarray(image).save(path)
        name, share = class_shares(
            predictors["first"].predict(image), predictors["first"].spec.classes
        )[0]
        paths.append(str(path))
        expected.append((f"30x{20 + seed} ", f"<td>{name}</td><td>{share:.1%}</td>"))
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda path: ask(client, path)[0], paths * times))
    assert len(answers) == 5 * times
    for answer, (size, row) in zip(answers, expected * times, strict=True):
        assert size in answer and row in answer


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda image: b"not an image", "is not an image"),
        (lambda image: b"", "is not an image"),
        (lambda image: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not an image"),
        (lambda image: image[:-500], "can't be read: image file is truncated"),
        ("large", "above 300 pixels a side"),
    ],
)
def test_hostile_uploads(client, make, message, encode, picture, tmp_path, capfd):
    path = tmp_path / "image.png"
    if make == "large":
        path.write_bytes(encode(np.zeros((1, 30000, 3), np.uint8)))
    else:
        path.write_bytes(make(encode(picture(40, 40))))
    with pytest.raises(Exception, match=message) as error:
        ask(client, str(path))
    assert os.environ["GRADIO_TEMP_DIR"] not in str(error.value)
    assert "Traceback" not in capfd.readouterr().err
    Image.fromarray(picture(9, 9)).save(path)
    assert "9x9" in ask(client, str(path))[0]


def test_file_above_the_limit(url, client, tmp_path):
    path = tmp_path / "noise.png"
    path.write_bytes(bytes(2_000_000))
    with pytest.raises(Exception, match=r"(?i)size|413"):
        ask(client, str(path))


def test_other_files_of_the_server_stay_closed(url, tmp_path):
    secret = tmp_path / "secret.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(secret)
    upload = httpx.post(f"{url}gradio_api/upload", files={"files": ("a.png", secret.read_bytes())})
    paths = [str(secret), "../../etc/passwd", f"{upload.json()[0]}/../../../{secret}"]
    for path in [*upload.json(), *paths]:
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        call = f"{url}gradio_api/call/look"
        event = httpx.post(call, json={"data": [file, "first", "none", False]}).json()["event_id"]
        answer = httpx.get(f"{call}/{event}", timeout=60).text
        assert answer.startswith("event: error" if path in paths else "event: complete"), answer
        assert ("8x8" in answer) == (path not in paths)


def test_other_sites_are_refused(url):
    own = url.rstrip("/")
    for headers, status in (
        ({}, 200),
        ({"Origin": own}, 200),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": own.replace("http://", "http://a@")}, 403),
        ({"Origin": "http://elsewhere.example", "Host": "elsewhere.example"}, 403),
        ({"Host": "elsewhere.example"}, 403),
    ):
        assert httpx.get(url, headers=headers).status_code == status, headers
        answer = httpx.post(f"{url}gradio_api/call/look", headers=headers, json={"data": []})
        assert (answer.status_code == 403) == (status == 403), headers


def test_crf(client, predictors, picture, tmp_path, monkeypatch):
    image = picture(40, 60)
    Image.fromarray(image).save(tmp_path / "a.png")
    plain = predictors["first"].predict(image)
    names = predictors["first"].spec.classes

    def labels(crf, image, probabilities):
        assert image.shape == (40, 60, 3) and probabilities.shape == (40, 60, 4)
        return (plain + 1) % 4

    monkeypatch.setattr(CRF, "labels", labels)
    for crf, shown in ((False, plain), (True, (plain + 1) % 4)):
        name, share = class_shares(shown, names)[0]
        answer = ask(client, str(tmp_path / "a.png"), crf=crf)[0]
        assert f"<td>{name}</td><td>{share:.1%}" in answer
    monkeypatch.setattr(page_module, "_MAX_CRF_VALUES", 1000)
    with pytest.raises(Exception, match="takes 250 at most"):
        ask(client, str(tmp_path / "a.png"), crf=True)
    assert "60x40" in ask(client, str(tmp_path / "a.png"))[0]


def test_without_pydensecrf(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pydensecrf.densecrf", None)
    state = page_module._crf_state()
    assert not state["interactive"] and "pip install" in state["info"]


def test_class_names_are_text(make_predictor, picture):
    predictor = make_predictor()
    predictor.spec.classes[:] = ["<script>alert(1)</script>"] * 4
    shown = page_module.view(predictor, picture(8, 8), "<b>name")
    assert "<script>" not in shown and "<b>name" not in shown


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_in_a_browser(url, predictors, encode, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    image = np.zeros((60, 80, 3), np.uint8)
    image[:, 40:] = (250, 200, 90)
    path = tmp_path / "..%2f..%2f<b>é.png"
    path.write_bytes(encode(image))
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            page = browser.new_page(viewport={"width": 1300, "height": 900})
            elsewhere = []
            page.on(
                "request",
                lambda request: (
                    request.url.startswith(("data:", "blob:", url)) or elsewhere.append(request.url)
                ),
            )
            page.goto(url)
            page.set_input_files("input[type=file]", path)
            shown = page.locator(".tfseg-view")
            playwright.expect(shown).to_have_count(1, timeout=60_000)
            labels = predictors["first"].predict(image)
            share = class_shares(labels, predictors["first"].spec.classes)[0]
            assert f"{share[0]}\t{share[1]:.1%}" in shown.inner_text()
            box = page.locator(".tfseg-picture").bounding_box()
            for x, y in ((10, 20), (70, 50), (0, 0), (79, 59)):
                page.mouse.move(
                    box["x"] + (x + 0.5) / 80 * box["width"],
                    box["y"] + (y + 0.5) / 60 * box["height"],
                )
                name = predictors["first"].spec.classes[labels[y, x]]
                text = page.locator(".tfseg-read").inner_text()
                assert re.fullmatch(rf"{name} at \({x}, {y}\)", text), text
            page.get_by_label("Compare with").click()
            page.get_by_role("option", name="second").click()
            playwright.expect(shown).to_have_count(2, timeout=60_000)
            assert not elsewhere
        finally:
            browser.close()
