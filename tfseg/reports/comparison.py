"""Evaluations side by side, as text and as one page."""

import html

from tfseg.evaluation.metrics import METRICS
from tfseg.reports.html import facts, figure, formulas, section, write_page
from tfseg.reports.summary import between
from tfseg.words import counted


def table(values):
    """What `tfseg.evaluation.comparison.compare` returned, as text for people.

    A line for each score and each class' IoU: the first contestant's, then each other's with its
    difference to the first, in percent and percentage points; "*" where 0 lies outside of the
    interval.
    """
    lines = _contestants(values)
    width = max(len(name) for name, _ in _rows(values))
    for name, row in _rows(values):
        parts = [f"{_share(row['values'][0]):>6}"]
        for value, difference in zip(row["values"][1:], row["differences"], strict=True):
            parts.append(f"{_share(value):>6}  {_difference(difference):<24}")
        lines.append(f"{name:<{width}}  {'  '.join(parts)}".rstrip())
    if values["intervals"]:
        lines += ["", values["intervals"], "* 0 lies outside of the difference's interval"]
    for one in values["changed"]:
        for kind in ("better", "worse"):
            for entry in one[kind][:3]:
                lines.append(
                    f"{one['name']} is {kind} on {entry['image']}: mean IoU "
                    f"{entry['before']:.3f} to {entry['after']:.3f}"
                )
    return "\n".join(lines)


def write(path, values, pictures=None):
    """Writes the page, atomically.

    Args:
        path: of the HTML file.
        values: what `compare` returned.
        pictures: function of an image's name to {title: uint8 RGB [h, w, 3]} of the image, its
            truth and what the contestants say, and to the (name, colour) of the classes that
            occur; or None for no pictures.
    """
    names = [one["name"] for one in values["contestants"]]
    about = [f"{counted(values['images'], 'image')} that all have."]
    if values["intervals"]:
        about.append(f"Intervals: {values['intervals']}; differences are paired.")
    sections = [
        "".join(f"<p>{html.escape(text)}</p>" for text in about),
        *_settings(values),
        section("Scores", _numbers(values, names)),
        *_seeds(values),
    ]
    for index, name in enumerate(names[1:]):
        title = f"{name} against {names[0]}"
        sections.append(section(title, _whiskers(values, index)))
        sections += _images(values["changed"][index], pictures)
    sections.append(section("Each class", _classes(values, names)))
    metrics = {"scores": values["scores"], "classes": values["classes"]}
    write_page(path, " · ".join(names), [*sections, formulas(metrics)])


def _settings(values):
    """A section with the settings that differ."""
    rows = {name: ", ".join(lines) for name, lines in values.get("differs", {}).items() if lines}
    return [section("What differs", facts(rows, str))] if rows else []


def _contestants(values):
    lines = [f"{counted(values['images'], 'image')} that all have"]
    for one in values["contestants"]:
        members = one["members"]
        text = one["name"]
        if len(members) > 1:
            parts = (f"{name} {_share({'value': x['mean_iou']})}" for name, x in members.items())
            text += f": mean of {', '.join(parts)} mean IoU"
        lines.append(text)
        lines += [f"    {line}" for line in values.get("differs", {}).get(one["name"], ())]
    return [*lines, ""]


def _rows(values):
    """(name, values and differences) of every score and class."""
    for name, row in values["scores"].items():
        if row["values"][0]["value"] is not None:
            yield METRICS[name].title, row
    for row in values["classes"].get("iou", ()):
        yield f"IoU of {row['name']}", row


def _share(entry):
    return "-" if entry["value"] is None else f"{100 * entry['value']:.2f}"


def _difference(entry):
    if entry["value"] is None:
        return "-"
    text = f"{100 * entry['value']:+.2f}"
    if entry["low"] is not None:
        text += f" [{100 * entry['low']:+.2f}, {100 * entry['high']:+.2f}]"
    return text + (" *" if entry["sure"] else "")


def _numbers(values, names):
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    more = "".join("<th>difference</th>" for _ in names[1:])
    rows = []
    for name, row in values["scores"].items():
        if row["values"][0]["value"] is None:
            continue
        cells = "".join(
            f"<td>{_share(entry)} %{between(_percents(entry), '{:.2f}')}</td>"
            for entry in row["values"]
        )
        rows.append(f"<tr><td>{METRICS[name].title}</td>{cells}{_difference_cells(row)}</tr>")
    return (
        f"<div class=wide><table class=numbers><tr><th></th>{head}{more}</tr>"
        f"{''.join(rows)}</table></div>"
    )


def _percents(entry):
    return {key: None if value is None else 100 * value for key, value in entry.items()}


def _difference_cells(row):
    cells = []
    for entry in row["differences"]:
        text = _difference(entry).removesuffix(" *")
        cells.append(f"<td>{f'<b>{text}</b>' if entry['sure'] else text}</td>")
    return "".join(cells)


def _classes(values, names):
    """Tables of the classes, one for each metric of classes."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    head += "".join("<th>difference</th>" for _ in names[1:])
    parts = []
    for metric, rows in values["classes"].items():
        body = "".join(
            f"<tr><td>{html.escape(row['name'])}</td>"
            + "".join(f"<td>{_share(entry)}</td>" for entry in row["values"])
            + f"{_difference_cells(row)}</tr>"
            for row in rows
        )
        parts.append(
            f"<details{' open' if metric == 'iou' else ''}><summary>{METRICS[metric].title}, in "
            f"percent</summary><div class=wide><table class=numbers><tr><th></th>{head}</tr>{body}"
            "</table></div></details>"
        )
    return "".join(parts)


def _whiskers(values, index):
    """The differences of one contestant to the first, with their intervals, on one scale."""
    rows = [(name, row["differences"][index]) for name, row in _rows(values)]
    rows = [(name, entry) for name, entry in rows if entry["value"] is not None]
    ends = [x for _, e in rows for x in (e["value"], e["low"], e["high"]) if x is not None]
    reach = max(map(abs, ends), default=0) or 1
    parts = []
    for name, entry in rows:
        low = entry["value"] if entry["low"] is None else entry["low"]
        high = entry["value"] if entry["high"] is None else entry["high"]
        at = [50 + 49 * x / reach for x in (low, high, entry["value"])]
        parts.append(
            f"<span>{html.escape(name)}</span><div class=whisker><u style='left:50%'></u>"
            f"<i style='left:{at[0]:.2f}%;width:{max(at[1] - at[0], 0.3):.2f}%'></i>"
            f"<s style='left:calc({at[2]:.2f}% - 1.5px)'></s></div>"
            f"<span>{100 * entry['value']:+.2f}</span>"
        )
    note = "<p>Percentage points; the bar is the 95% interval, the thin line no difference.</p>"
    return f"{note}<div class=bars>{''.join(parts)}</div>"


def _seeds(values):
    """A section for contestants of several seeds."""
    rows = {}
    for index, one in enumerate(values["contestants"]):
        for metric, row in values["scores"].items():
            spread = row["spread"][index]
            if len(one["members"]) > 1 and spread and row["values"][index]["value"] is not None:
                title = f"{one['name']}, {METRICS[metric].title}"
                mean = row["values"][index]["value"]
                rows[title] = (
                    f"mean {mean:.2%}, {spread[0]:.2%} to {spread[1]:.2%} over "
                    f"{counted(len(one['members']), 'seed')}"
                )
    return [section("Seeds", facts(rows, str))] if rows else []


def _images(one, pictures):
    parts = []
    for kind in ("better", "worse"):
        if one[kind]:
            figures = "".join(_figure(entry, pictures) for entry in one[kind])
            parts.append(section(f"Images on which {one['name']} is {kind}", figures))
    return parts


def _figure(entry, pictures):
    shown, classes = pictures(entry["image"]) if pictures else ({}, [])
    caption = f"{entry['image']}: mean IoU {entry['before']:.1%} to {entry['after']:.1%}"
    return figure(shown, classes, caption)
