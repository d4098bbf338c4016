"""A web page to try models on: drop an image, see its classes, compare two models."""

import atexit
import html
import json
import os
import pathlib
import shutil
import tempfile
import time
from urllib.parse import urlsplit

import numpy as np

from tfseg import visualize
from tfseg.data.image_files import read_image
from tfseg.errors import TfsegError
from tfseg.inference.crf import CRF, require_crf
from tfseg.inference.predictor import Predictor
from tfseg.reports.summary import class_shares
from tfseg.words import counted

_NONE = "none"
# A dense CRF holds several copies of every pixel's class probabilities: 0.25 GB each at most.
_MAX_CRF_VALUES = 2**26
_SCRIPT = pathlib.Path(__file__).with_name("page.js")
_STYLE = """
.tfseg-picture { width: 100%; image-rendering: auto; cursor: crosshair; }
.tfseg-read { font-weight: 600; min-height: 1.5em; }
.tfseg-legend td { padding: 2px 10px 2px 0; border: 0; }
.tfseg-legend, .tfseg-legend tr { border: 0 !important; }
.tfseg-colour { display: inline-block; width: 1.2em; height: 1.2em; border: 1px solid #8888; }
"""


def serve(predictors, *, host="127.0.0.1", port=7860, max_side=4096, max_megabytes=20, examples=()):
    """Serves the page.

    Args:
        predictors: {name to show: `Predictor`}, at least one.
        host: address to listen on; the default can be reached from this machine alone.
        port: 0 for any that is free.
        max_side: largest height and width of an image; larger ones are not decoded.
        max_megabytes: largest file that may be uploaded.
        examples: paths of images that the page offers; whoever can reach it sees them.

    Returns:
        (the page, its URL). It is served from a thread; the page's `close()` ends it.

    Raises:
        TfsegError: the extra [app] is missing, or the port is taken.
    """
    # The library would report its use to its makers.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        import gradio
    except ImportError as error:
        raise TfsegError(f"the page needs {error.name}: pip install 'tfseg-keras[app]'") from error
    for predictor in predictors.values():
        predictor.bands.require_rgb("the page")
        # The first call prepares the network: no visitor should wait for that.
        predictor.predict(np.zeros((64, 64, 3), np.uint8))
    page = _build(gradio, predictors, max_side, _copied(examples))
    try:
        _, url, _ = page.launch(
            server_name=host,
            server_port=port or None,
            max_file_size=f"{max_megabytes}mb",
            prevent_thread_lock=True,
            quiet=True,
            ssr_mode=False,
            footer_links=[],
            # Fonts of the reader's own: the page loads nothing from elsewhere.
            theme=gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
            css=_STYLE,
            head=f"<script>{_SCRIPT.read_text(encoding='utf-8')}</script>",
            app_kwargs={"middleware": [(OwnOrigin, (), {"host": host})]},
        )
    except OSError as error:
        raise TfsegError(f"can't listen on {host}, port {port}: {error}") from error
    return page, url


class OwnOrigin:
    """Answers requests that other sites' pages make, in a visitor's browser, with 403.

    A browser states in `Origin` whose page asks. Where only this machine can reach the page, the
    name that it was reached by has to be this machine's, too: any site can let its own name point
    here.

    Args:
        app: the ASGI application behind it.
        host: the address that is listened on.
    """

    _LOCAL = ("127.0.0.1", "localhost", "::1")

    def __init__(self, app, host):
        self._app, self._local = app, host in self._LOCAL

    async def __call__(self, scope, receive, send):
        """An ASGI call."""
        if scope["type"] in ("http", "websocket") and not self._allowed(dict(scope["headers"])):
            if scope["type"] == "http":
                headers = [(b"content-type", b"text/plain")]
                await send({"type": "http.response.start", "status": 403, "headers": headers})
                await send({"type": "http.response.body", "body": b"from another site's page"})
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    def _allowed(self, headers):
        host, origin = headers.get(b"host", b"").decode("latin1"), headers.get(b"origin")
        try:
            if self._local and urlsplit(f"//{host}").hostname not in self._LOCAL:
                return False
            return origin is None or urlsplit(origin.decode("latin1")).netloc == host
        except ValueError:
            return False


def _copied(paths):
    """Copies of images, in a folder that ends with the process: the page opens no other."""
    if not paths:
        return []
    folder = tempfile.mkdtemp(prefix="tfseg-examples-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copies = []
    for path in paths:
        read_image(path)  # so that a damaged one is named now, not when it is clicked
        place = os.path.join(folder, str(len(copies)))
        os.mkdir(place)
        copies.append(shutil.copy(path, place))
    return copies


def _build(gradio, predictors, max_side, examples):
    names = list(predictors)
    refining = {
        name: Predictor(known.spec, known.model, known.protocol, CRF())
        for name, known in predictors.items()
    }

    def look(path, first, second, crf):
        if not path:
            return "", ""
        try:
            image = read_image(path, max_side=max_side)
            known = refining if crf else predictors
            return tuple(
                view(known[name], image, name) if name in known else "" for name in (first, second)
            )
        except TfsegError as error:
            # Visitors need not know where the server keeps uploads.
            message = str(error).replace(path, os.path.basename(path))
            # What a visitor can put right is no fault of the server: nothing for its log.
            raise gradio.Error(message, print_exception=False) from error

    hour = 3600
    title = f"tfseg: {', '.join(names)}"
    with gradio.Blocks(title=title, analytics_enabled=False, delete_cache=(hour, hour)) as page:
        gradio.Markdown(
            "# What is where in a picture\nDrop an image, paste one, take one with the webcam, or "
            "choose an example. Each pixel gets the colour of its class."
        )
        with gradio.Row():
            with gradio.Column(scale=1):
                image = gradio.Image(
                    type="filepath", sources=["upload", "webcam", "clipboard"], label="Image"
                )
                # The file is taken unread: its header has to be looked at before anything else.
                image.preprocess = lambda payload: payload and payload.path
                if examples:
                    gradio.Examples([[path] for path in examples], [image], cache_examples=False)
                first = gradio.Dropdown(names, value=names[0], label="Model")
                second = gradio.Dropdown([_NONE, *names], value=_NONE, label="Compare with")
                crf = gradio.Checkbox(False, label="Refine by a dense CRF", **_crf_state())
            views = [gradio.HTML(min_height=60) for _ in range(2)]
        inputs = [image, first, second, crf]
        gradio.on(
            [part.change for part in inputs], look, inputs, views, api_name="look", queue=True
        )
    page.queue(default_concurrency_limit=2)
    return page


def _crf_state():
    """The check box's state: without pydensecrf it can't be set, and says why."""
    try:
        require_crf()
    except TfsegError as error:
        return {"interactive": False, "info": str(error)}
    return {"info": "Borders follow the image; it takes seconds."}


def view(predictor, image, name):
    """What the page shows of one model's answer, as HTML.

    The overlay, a line that says the class under the pointer, and a legend with each class's
    share of the image.

    Args:
        predictor: a `Predictor`.
        image: uint8 [H, W, 3].
        name: what the model is called on the page.

    Raises:
        TfsegError: the image is too large for the predictor's CRF.
    """
    pixels, count = image.shape[0] * image.shape[1], predictor.spec.num_classes
    if predictor.crf and pixels * count > _MAX_CRF_VALUES:
        raise TfsegError(
            f"the image has {counted(pixels, 'pixel')}; for a CRF of {counted(count, 'class')}, "
            f"this page takes {_MAX_CRF_VALUES // count} at most"
        )
    start = time.perf_counter()
    labels = predictor.predict(image)
    seconds = time.perf_counter() - start
    classes = visualize.class_names(predictor.spec.classes, count)
    picture = visualize.data_uri(visualize.overlay(image, labels, predictor.palette))
    rows = "".join(
        f'<tr><td><span class="tfseg-colour" style="background: rgb{tuple(colour)}"></span></td>'
        f"<td>{html.escape(label)}</td><td>{share:.1%}</td></tr>"
        for label, share, colour in _legend(labels, classes, predictor.palette)
    )
    height, width = labels.shape
    return (
        f'<div class="tfseg-view" data-classes="{html.escape(json.dumps(classes))}">'
        f"<p><b>{html.escape(name)}</b>: {width}x{height} in {seconds:.2f} s</p>"
        f'<img class="tfseg-picture" alt="classes over the image" src="{picture}">'
        f'<img class="tfseg-labels" alt="" hidden src="{visualize.data_uri(labels, "PNG")}">'
        '<p class="tfseg-read" aria-live="polite">Point at the picture to read a class.</p>'
        f'<table class="tfseg-legend">{rows}</table></div>'
    )


def _legend(labels, classes, palette):
    """(name, share, colour) of the classes in the image, the largest share first."""
    colours = dict(zip(classes, palette, strict=False))
    return [(name, share, colours[name]) for name, share in class_shares(labels, classes)]
