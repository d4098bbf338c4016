"""Line charts of training, as SVG or PNG: the same drawing on either of two canvases."""

import html
import io
import math
import os

from PIL import Image, ImageDraw, ImageFont

from tfseg import runs
from tfseg.errors import TfsegError
from tfseg.files import atomic_write

# Distinguishable on white and on black, also by colour-blind people (after Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
WIDTH, HEIGHT = 640, 260
# Columns of log.csv, charts' titles; a column ending in "/" stands for all that start so.
CHARTS = (
    ("loss_average", "loss (mean of 20 updates)"),
    ("learning_rate/", "learning rate"),
    ("val_mean_iou", "validation mean IoU"),
)


class SvgCanvas:
    """Collects an SVG; text and axes take the page's colour."""

    def __init__(self, height):
        self.height = height
        self.parts = []

    def line(self, points, colour=None):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        stroke = f'stroke="{colour}" stroke-width="2"' if colour else 'class="axis"'
        self.parts.append(f'<polyline points="{path}" fill="none" {stroke}/>')

    def text(self, x, y, text, anchor="start", colour="currentColor"):
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
            f"{html.escape(text)}</text>"
        )

    def markup(self):
        """The <svg> element."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" '
            'font-family="sans-serif" font-size="12" role="img">'
            "<style>.axis{stroke:currentColor;stroke-opacity:.2}</style>"
            f"{''.join(self.parts)}</svg>"
        )

    def save(self, file):
        """Writes it with a white ground, as a file of its own."""
        ground = f'<rect width="{WIDTH}" height="{self.height}" fill="white"/>'
        head, style, rest = self.markup().partition("<style>")
        file.write((head + ground + style + rest).encode())


class PngCanvas:
    """Draws with Pillow, twice as large as an SVG's units."""

    def __init__(self, height):
        self.image = Image.new("RGB", (2 * WIDTH, 2 * height), "white")
        self.pen = ImageDraw.Draw(self.image)
        self.font = ImageFont.load_default(24)

    def line(self, points, colour=None):
        points = [(2 * x, 2 * y) for x, y in points]
        self.pen.line(points, colour or "#d0d0d0", 4 if colour else 2, joint="curve")

    def text(self, x, y, text, anchor="start", colour="black"):
        sides = {"start": "l", "middle": "m", "end": "r"}
        self.pen.text((2 * x, 2 * y), text, colour, self.font, anchor=sides[anchor] + "s")

    def save(self, file):
        """Writes the PNG."""
        self.image.save(file, "PNG")


def training_series(run_dirs):
    """What the runs' log.csv say: [(chart's title, [(name, [(step, value), …]), …])].

    Charts without values are left out.

    Raises:
        TfsegError: a run has no log.csv.
    """
    logs = {}
    for run_dir in run_dirs:
        path = os.path.join(run_dir, runs.LOG)
        if not os.path.isfile(path):
            raise TfsegError(f"there is no {path}: {run_dir} isn't the run of a training")
        logs[os.path.basename(os.path.normpath(run_dir))] = runs.read_log(path)
    if len(logs) < len(run_dirs):
        raise TfsegError("runs that are plotted together need folders of different names")
    charts = []
    for column, title in CHARTS:
        series = []
        for run, rows in logs.items():
            for group, points in _groups(rows, column).items():
                parts = [run if len(logs) > 1 else "", group]
                series.append((" ".join(filter(None, parts)), points))
        if series:
            charts.append((title, series))
    return charts


def _groups(rows, column):
    """{group: [(step, value), …]} of a column; "" where there is but one."""
    groups = {}
    for key in rows[0] if rows else ():
        if key == column or (column.endswith("/") and key.startswith(column)):
            pairs = ((row["step"], row.get(key)) for row in rows)
            # A loss that isn't finite, as the last of a failed training, has no place.
            points = [pair for pair in pairs if pair[1] is not None and math.isfinite(pair[1])]
            # One curve would lie on the other: groups of the same learning rate are one.
            if points and points not in groups.values():
                groups[key.partition("/")[2]] = points
    return groups if len(groups) != 1 else {"": next(iter(groups.values()))}


def draw(charts, canvas_class):
    """The charts below each other on a canvas of the given class."""
    canvas = canvas_class(HEIGHT * len(charts))
    for number, (title, series) in enumerate(charts):
        _draw_chart(canvas, number * HEIGHT, title, series)
    return canvas


def plot_training(run_dirs, path):
    """Plots loss, learning rate and validation score of runs together.

    Args:
        run_dirs: the runs' folders.
        path: file to write, *.svg or *.png.

    Raises:
        TfsegError: another kind of file, a run without log.csv, or nothing logged yet.
    """
    canvases = {".svg": SvgCanvas, ".png": PngCanvas}
    kind = os.path.splitext(path)[1].lower()
    if kind not in canvases:
        raise TfsegError(f"{path} must end in .svg or .png")
    charts = training_series(run_dirs)
    if not charts:
        raise TfsegError("nothing was logged yet")
    buffer = io.BytesIO()
    draw(charts, canvases[kind]).save(buffer)
    with atomic_write(path) as file:
        file.write(buffer.getvalue())


def ticks(low, high, count=4):
    """Round numbers, about `count` of them, from at most `low` to at least `high`."""
    step = 10.0 ** math.floor(math.log10(max(high - low, 1e-12) / count))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (step * f) <= count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, max(last, first + 1) + 1)]


def _draw_chart(canvas, top, title, series):
    left, right, upper, lower = 60, WIDTH - 16, top + 48, top + HEIGHT - 32
    points = [point for _, one in series for point in one]
    across = ticks(0, max(x for x, _ in points), 6)
    up = ticks(min(0.0, *(y for _, y in points)), max(y for _, y in points))

    def place(x, y):
        return (
            left + (right - left) * (x - across[0]) / (across[-1] - across[0]),
            lower - (lower - upper) * (y - up[0]) / (up[-1] - up[0]),
        )

    canvas.text(left, top + 20, title)
    for value in up:
        y = place(across[0], value)[1]
        canvas.line([(left, y), (right, y)])
        canvas.text(left - 8, y + 4, f"{value:.4g}", "end")
    for value in across:
        canvas.text(place(value, up[0])[0], lower + 18, f"{value:.6g}", "middle")
    x = left
    for number, (name, one) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        placed = [place(*point) for point in one]
        canvas.line(placed if len(placed) > 1 else [placed[0], placed[0]], colour)
        canvas.text(x, top + 38, name, colour=colour)
        x += 8 * len(name) + 20
