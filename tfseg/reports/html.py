"""report.html: an evaluation as one page that needs no other file."""

import html
import os

from PIL import Image

from tfseg import runs
from tfseg.evaluation.metrics import METRICS
from tfseg.files import atomic_write
from tfseg.reports.charts import SvgCanvas, draw, training_series
from tfseg.reports.summary import NO_CLASS, SUMMARY, between, entry_title, plain
from tfseg.visualize import data_uri
from tfseg.words import counted

_STYLE = """
:root{color-scheme:light dark;--page:#fff;--ink:#1c2226;--soft:#5f6b73;--line:#dde3e7;
--card:#f6f8f9;--bar:#0072b2;--cell:0,114,178}
@media(prefers-color-scheme:dark){:root{--page:#14181b;--ink:#e6eaed;--soft:#9aa6ae;--line:#2c343a;
--card:#1c2226;--bar:#56b4e9;--cell:86,180,233}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:16px;background:var(--page);color:var(--ink);
font:16px/1.45 system-ui,sans-serif}
h1{font-size:1.5rem;margin:.4em 0;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:1.8em 0 .6em}
p{color:var(--soft);margin:.3em 0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(max(150px,22%),1fr));gap:10px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 14px}
.card b{display:block;font-size:1.5rem}.card span{color:var(--soft);font-size:.85rem}
.bars{display:grid;grid-template-columns:minmax(70px,max-content) 1fr max-content;gap:5px 10px;
align-items:center}
.bars div{background:var(--card);border-radius:4px}
.bars i{display:block;height:14px;background:var(--bar);border-radius:4px}
.sheet{display:flex;flex-wrap:wrap;gap:16px}.sheet figure{margin:0;flex:1 1 min(100%,480px)}
.sheet .pair{max-width:none}p.error{color:#c62828}p.note{color:#8a5a00}
.wide,pre{overflow-x:auto}
table{border-collapse:collapse;font-size:.8rem}
.matrix td{min-width:36px;text-align:right;padding:3px 5px}
.matrix th{font-weight:500;padding:3px 6px;text-align:right;white-space:nowrap}
.matrix thead th{writing-mode:vertical-rl;transform:rotate(180deg);text-align:left}
.facts td{padding:3px 14px 3px 0;vertical-align:top;overflow-wrap:anywhere}
.facts td:first-child{color:var(--soft);white-space:nowrap}
figure{margin:0 0 16px}figcaption{font-size:.85rem;color:var(--soft);overflow-wrap:anywhere}
.row{display:grid;grid-template-columns:repeat(4,1fr);gap:6px}
.pair{max-width:540px}.pair,.row.pair{grid-template-columns:repeat(2,1fr)}
.row img{width:100%;display:block;border-radius:4px}
.row span{font-size:.75rem;color:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:2px 14px;margin:4px 0;font-size:.85rem;color:var(--ink)}
.legend b,.bars b{display:inline-block;width:.8em;height:.8em;margin-right:.5em;border-radius:3px;
outline:1px solid var(--line)}
svg{width:100%;height:auto;max-width:760px}
.numbers td,.numbers th{padding:3px 10px 3px 0;text-align:right;white-space:nowrap}
.numbers td:first-child,.numbers th:first-child{text-align:left}
.numbers th{font-weight:500;color:var(--soft)}.numbers b{font-weight:600}
.bars .whisker{position:relative;height:18px}
.whisker i,.whisker s,.whisker u{position:absolute;top:3px;height:12px;border-radius:3px}
.whisker i{background:var(--bar);opacity:.4}.whisker s{width:3px;background:var(--ink)}
.whisker u{top:0;height:18px;width:1px;background:var(--soft)}
@media(max-width:600px){.row,.row.pair{grid-template-columns:1fr}svg text{font-size:18px}}
@media(prefers-color-scheme:dark){polyline:not(.axis){filter:brightness(1.4)}}
"""

_ERROR = "<p>Error: red where the prediction is wrong, grey where the label doesn't count.</p>"


def write(path, values, panels, palette, run_dir=None):
    """Writes the page, atomically.

    Args:
        path: of the HTML file.
        values: what `tfseg.reports.summary.metrics` returned.
        panels: what `Gallery.panels` returned.
        palette: [red, green, blue] per class, the panels' colours.
        run_dir: the run whose training curves are shown, or None.
    """
    protocol = values["protocol"]
    about = [protocol.get("model") or os.path.basename(protocol.get("predictions", ""))]
    title = " · ".join(filter(None, [*about, protocol.get("split")]))
    sections = [
        _summary(values),
        section("IoU of each class", _bars(values["classes"], palette)),
        section(
            "Confusion matrix",
            "<p>Of each true class (row), the share in percent that was predicted as each class."
            f"</p><div class=wide>{_matrix(values)}</div>",
        ),
        *(
            section(f"The {name} images", _ERROR + _figures(panels[name]))
            for name in ("best", "worst")
            if panels[name]
        ),
        _curves(run_dir),
        *(_details(values) if "details" in values else []),
        section("Protocol", facts(protocol)),
        *([formulas(values["details"])] if "details" in values else []),
    ]
    write_page(path, title, sections)


def write_page(path, title, sections):
    """Writes a page in the look of all reports, atomically.

    Args:
        path: of the HTML file.
        title: text.
        sections: markup, mostly of `section`.
    """
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1>{''.join(sections)}</body></html>\n"
    )
    with atomic_write(path, "w") as file:
        file.write(page)


def section(title, content):
    """A part of a page under a heading; `content` is markup."""
    return f"<section><h2>{html.escape(title)}</h2>{content}</section>"


def percent(value):
    """A share as text."""
    return "—" if value is None else f"{value:.1%}"


def _summary(values):
    details = values.get("details", {"scores": {}})["scores"]
    titles = {name: METRICS[name].title for name in details if details[name]["value"] is not None}
    cards = "".join(
        f"<div class=card><b>{percent(values['scores'][key])}</b><span>{name}"
        f"{between(details.get(key), '{:.1%}')}</span></div>"
        for key, name in (dict(SUMMARY) | titles).items()
    )
    images = values["protocol"].get("images")
    note = f"<p>{counted(images, 'image')}</p>" if images else ""
    return f"{note}<div class=cards>{cards}</div>"


def _bars(classes, palette):
    def place(pair):
        iou = pair[0]["iou"]
        return 1 if iou is None else -iou  # what has no score comes last

    ordered = sorted(zip(classes, palette, strict=False), key=place)
    rows = "".join(
        f'<span><b style="background:rgb{tuple(colour)}"></b>{html.escape(entry["name"])}</span>'
        f'<div><i style="width:{100 * (entry["iou"] or 0):.1f}%"></i></div>'
        f"<span>{percent(entry['iou'])}</span>"
        for entry, colour in ordered
    )
    return f"<div class=bars>{rows}</div>"


def _matrix(values):
    names = [html.escape(entry["name"]) for entry in values["classes"]]
    wider = len(values["confusion_matrix"][0]) > len(names)
    head = "".join(f"<th>{name}</th>" for name in names + [NO_CLASS] * wider)
    rows = []
    for name, row in zip(names, values["confusion_matrix"], strict=True):
        total = max(sum(row), 1)
        cells = "".join(
            f'<td style="background:rgba(var(--cell),{0.7 * count / total:.2f})">'
            f"{_share(count / total)}</td>"
            for count in row
        )
        rows.append(f"<tr><th>{name}</th>{cells}</tr>")
    return (
        f"<table class=matrix><thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _share(value):
    return f"{100 * value:.0f}" if value >= 0.005 else ""


def _curves(run_dir):
    if run_dir is None or not os.path.isfile(os.path.join(run_dir, runs.LOG)):
        return ""
    charts = training_series([run_dir])
    return section("Training", draw(charts, SvgCanvas).markup()) if charts else ""


def _figures(entries):
    return "".join(
        figure(pictures, shown, f"{name}: mean IoU {percent(score)}")
        for name, score, pictures, shown in entries
    )


def figure(pictures, shown, caption, layout="row", notes=""):
    """Pictures in a row, above their legend and a caption, as markup.

    Args:
        pictures: {title: uint8 RGB [h, w, 3]}.
        shown: (name, colour) of the classes that occur in them.
        caption: text.
        layout: of the row: "row" for four, "row pair" for two.
        notes: markup below the caption.
    """
    return (
        f'<figure><div class="{layout}">{"".join(map(picture, pictures.items()))}</div>'
        f"{legend(shown)}<figcaption>{html.escape(caption)}</figcaption>{notes}</figure>"
    )


def legend(shown):
    """A legend of (name, colour), as markup."""
    entries = "".join(
        f'<span><b style="background:rgb{tuple(colour)}"></b>{html.escape(name)}</span>'
        for name, colour in shown
    )
    return f"<div class=legend>{entries}</div>" if shown else ""


def picture(item):
    title, pixels = item
    image = Image.fromarray(pixels)
    if image.getcolors(256) is None:
        data = data_uri(image, quality=80)
    else:
        # Few colours: a palette PNG is smaller than a JPEG, and sharp.
        data = data_uri(image.quantize(256), "PNG", optimize=True)
    title = html.escape(title)
    return f'<div><img alt="{title}" src="{data}"><span>{title}</span></div>'


def _details(values):
    """Sections with the metrics of classes and categories, and with curves."""
    details = values["details"]
    names = [entry["name"] for entry in values["classes"]]
    parts = []
    if details["classes"]:
        parts.append(section("Metrics of each class", _numbers(details["classes"], names)))
    if details["categories"]:
        parts.append(section("Categories", _numbers(details["categories"], details["names"])))
    for name, entries in details["curves"].items():
        places = details["places"][METRICS[name].of]
        table = _numbers({name: entries}, places)
        parts.append(section(METRICS[name].title, f"<p>{METRICS[name].formula}</p>{table}"))
    return parts


def _numbers(metrics, names):
    """A table of {metric: entries}, a row for each name."""
    head = "".join(f"<th>{METRICS[name].title}</th>" for name in metrics)
    rows = []
    for name, entries in zip(names, zip(*metrics.values(), strict=True), strict=True):
        cells = "".join(
            f"<td>{percent(entry['value'])}{between(entry, '{:.1%}')}</td>" for entry in entries
        )
        rows.append(f"<tr><td>{html.escape(str(name))}</td>{cells}</tr>")
    table = f"<table class=numbers><tr><th></th>{head}</tr>{''.join(rows)}</table>"
    return f"<div class=wide>{table}</div>"


def formulas(details):
    """A section with formula and paper of the metrics that there are."""
    kinds = ("scores", "classes", "categories", "curves")
    metrics = [METRICS[name] for kind in kinds for name in details.get(kind, ())]
    rows = {metric.title: f"{metric.formula} ({metric.paper})" for metric in metrics}
    note = (
        "<p>n_cd: pixels of class c predicted as d, over all images; t_c: all of class c; "
        "p_c: all predicted as c.</p>"
    )
    return section("Formulas", note + facts(rows))


def facts(protocol, title=entry_title):
    """A table of names, as `title` has them, and values."""
    rows = "".join(
        f"<tr><td>{html.escape(title(key))}</td><td>{html.escape(plain(value))}</td></tr>"
        for key, value in protocol.items()
    )
    return f"<table class=facts>{rows}</table>"
