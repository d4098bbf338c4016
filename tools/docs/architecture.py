"""Draws docs/architecture.svg, the package's parts and their imports, from the files themselves.

    python tools/docs/architecture.py

An arrow points from what imports to what is imported. Where a chain of arrows says the same, the
arrow is left out; so each part may, and mostly does, use all that its arrows lead to. The files
that stand lowest and import no package are one box.
"""

import ast
import collections
import html
import itertools
import pathlib
import statistics
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tfseg"
PICTURE = ROOT / "docs" / "architecture.svg"
# The box of the files that import no package.
BASE = "base"

WIDTH, HEIGHT = 250, 62  # of a box, and
BASE_WIDTH = 460  # of the box of files
LANE = 16  # what an arrow takes that passes a row of boxes
GAP, STEP, MARGIN = 24, 104, 16  # between neighbours, from row to row, around all


def modules() -> dict[str, pathlib.Path]:
    """{dotted name: file} of all that the package has."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("tfseg", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports() -> dict[str, set[str]]:
    """{module: the modules of tfseg that its import statements name, also those in functions}."""
    found = modules()

    def named(path):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if alias.name in found)
            elif isinstance(node, ast.ImportFrom) and node.module in found:
                names = (f"{node.module}.{alias.name}" for alias in node.names)
                yield from (name if name in found else node.module for name in names)

    return {name: set(named(path)) for name, path in found.items()}


def child(module: str, package: str) -> str:
    """The file or package right in `package` that a module belongs to; "" for its own __init__."""
    return module[len(package) + 1 :].partition(".")[0]


def parts() -> tuple[dict[str, set[str]], list[str]]:
    """{part: the parts that it imports}, and the files that are the lowest part."""
    graph: dict[str, set[str]] = collections.defaultdict(set)
    for name, others in imports().items():
        here = child(name, "tfseg")
        if here not in ("", "__main__"):
            graph[here] |= {child(other, "tfseg") for other in others} - {"", here}
    reached = reach(graph)
    packages = {name for name in graph if (PACKAGE / name).is_dir()}
    upper = {name for name in graph if ({name} | reached[name]) & packages}
    drawn = {name: {o if o in upper else BASE for o in graph[name]} for name in sorted(upper)}
    return {**drawn, BASE: set()}, sorted(set(graph) - upper)


def reach(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """{part: all that chains of its imports lead to}."""
    found = {name: set(others) for name, others in graph.items()}
    for between, name in itertools.product(graph, graph):
        if between in found[name]:
            found[name] |= found[between]
    return found


def arrows(graph: dict[str, set[str]]) -> set[tuple[str, str]]:
    """The imports that no chain of others stands for."""
    reached = reach(graph)
    return {
        (name, other)
        for name, others in graph.items()
        for other in others
        if not any(other in reached[between] for between in others)
    }


def rows(graph: dict[str, set[str]]) -> list[list]:
    """Parts from the top down, each above what it imports; a pair is an arrow that passes a row."""
    reached = reach(graph)
    height: dict[str, int] = {}
    for name in sorted(graph, key=lambda name: len(reached[name])):
        height[name] = 1 + max((height[other] for other in graph[name]), default=-1)
    top = max(height.values())
    table: list[list] = [[] for _ in range(top + 1)]
    for name in graph:
        table[top - height[name]].append(name)
    for arrow in sorted(arrows(graph)):
        for row in range(top - height[arrow[0]] + 1, top - height[arrow[1]]):
            table[row].append(arrow)
    return table


def chain(arrow, table: list[list]) -> list[tuple[int, object]]:
    """The places (row, part or arrow) that an arrow joins, from the top down."""
    where = {item: row for row, items in enumerate(table) for item in items if item != arrow}
    first, last = (where[name] for name in arrow)
    return [(first, arrow[0]), *((r, arrow) for r in range(first + 1, last)), (last, arrow[1])]


def place(table: list[list], lines: set[tuple[str, str]]) -> dict[tuple[int, object], float]:
    """{(row, part or arrow): its middle}, near what it is joined with. Orders the rows so."""
    joined = collections.defaultdict(list)
    for arrow in sorted(lines):
        for one, other in itertools.pairwise(chain(arrow, table)):
            joined[one].append(other)
            joined[other].append(one)
    x = {(r, item): float(i) for r, items in enumerate(table) for i, item in enumerate(items)}
    for turn in range(40):
        for row in range(len(table))[:: 1 if turn % 2 else -1]:
            wanted = {
                item: statistics.mean(x[one] for one in joined[row, item]) for item in table[row]
            }
            if turn < 30:
                table[row].sort(key=lambda item, wanted=wanted: (wanted[item], str(item)))
            x.update({(row, item): value for item, value in _spread(table[row], wanted)})
    least = min(value - _width(item) / 2 for (_, item), value in x.items())
    return {key: value - least + MARGIN for key, value in x.items()}


def _width(item) -> int:
    if not isinstance(item, str):
        return LANE
    return BASE_WIDTH if item == BASE else WIDTH


def _spread(items: list, wanted: dict) -> list[tuple[object, float]]:
    """Places in this order and with gaps between, moved all together as they are wanted."""
    ends = list(itertools.accumulate(_width(item) + GAP for item in items))
    middles = [end - GAP - _width(item) / 2 for end, item in zip(ends, items, strict=True)]
    shift = statistics.mean(wanted[i] - m for i, m in zip(items, middles, strict=True))
    return [(item, middle + shift) for item, middle in zip(items, middles, strict=True)]


def words(name: str, base: list[str]) -> tuple[str, str]:
    """A box's heading and what it says: the first words of the docstring."""
    if name == BASE:
        return "files", " ".join(base)
    path = PACKAGE / name / "__init__.py"
    path = path if path.is_file() else PACKAGE / f"{name}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    text = " ".join(text.split("\n\n")[0].split()).rstrip(".").replace("`", "")
    return (f"{name}/" if path.name == "__init__.py" else path.name), text


def svg() -> str:
    """The picture."""
    graph, base = parts()
    table, lines = rows(graph), arrows(graph)
    x = place(table, lines)
    width = max(value + _width(item) / 2 for (_, item), value in x.items()) + MARGIN
    height = 2 * MARGIN + STEP * (len(table) - 1) + HEIGHT
    drawing = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        f'width="{width:.0f}" height="{height}" font-family="sans-serif" font-size="12">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#4b5b66"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height}" fill="#ffffff"/>',
    ]
    for arrow in sorted(lines):
        drawing.append(_line(arrow, [(x[at], at[0]) for at in chain(arrow, table)]))
    for (row, item), middle in sorted(x.items(), key=lambda one: (one[0][0], one[1])):
        if isinstance(item, str):
            drawing += _box(middle, MARGIN + STEP * row, _width(item), *words(item, base))
    return "\n".join([*drawing, "</svg>", ""])


def _line(arrow, points) -> str:
    path = ""
    for (from_x, row), (to_x, below) in itertools.pairwise(points):
        upper = MARGIN + STEP * row + HEIGHT
        lower = MARGIN + STEP * below
        bend = (upper + lower) / 2
        # Through the row of boxes that the arrow passes, then over to its next place.
        path += f"V{upper}" if path else f"M{from_x:.1f} {upper}"
        path += f"C{from_x:.1f} {bend} {to_x:.1f} {bend} {to_x:.1f} {lower}"
    title = f"<title>{arrow[0]} imports {arrow[1]}</title>"
    style = 'fill="none" stroke="#4b5b66" stroke-width="1.3" marker-end="url(#head)"'
    return f'<path d="{path}" {style}>{title}</path>'


def _box(middle: float, top: float, width: int, heading: str, text: str) -> list[str]:
    at = f'x="{middle:.1f}" text-anchor="middle"'
    lines = textwrap.wrap(text, int(width / 6.6), max_lines=2, placeholder=" …")
    return [
        f'<rect x="{middle - width / 2:.1f}" y="{top}" width="{width}" height="{HEIGHT}" rx="6" '
        'fill="#e3f1ef" stroke="#00796b"/>',
        f'<text {at} y="{top + 18}" font-weight="bold" font-size="14">{heading}</text>',
        *(
            f'<text {at} y="{top + 36 + 16 * number}" fill="#333333">{html.escape(line)}</text>'
            for number, line in enumerate(lines)
        ),
    ]


if __name__ == "__main__":
    PICTURE.write_text(svg(), encoding="utf-8")
    print(f"written: {PICTURE}")
