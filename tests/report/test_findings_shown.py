import json
import re

import pytest

from stages.common.errors import UserError
from stages.report.findings import findings
from stages.report.render import render

EVIL = "<script>alert(1)</script>"
FINDING = {
    "name": "leak", "title": "Leak", "task": "harry", "question": f"How much? {EVIL}",
    "conclusion": "A lot.", "columns": ["order", "accuracy"],
    "rows": [["augment, then split", 0.9], ["split, then augment", 0.25]],
    "figure": {"bars": [
        {"label": "leaking", "value": 0.9, "low": 0.8, "high": 1.0, "chance": 0.25},
        {"label": "honest", "value": 0.25, "low": None, "high": None, "chance": None},
    ]},
    "command": "python -m benchmarks.findings leak", "seconds": 12.0,
}  # fmt: skip
LINES = {"x_label": "copies", "y_label": "Accuracy", "series": [
    {"name": EVIL, "points": [[10, 0.5, 0.4, 0.6], [1, 0.25, 0.2, 0.3], [100, 0.75, 0.7, 0.8]]},
    {"name": "wild", "points": [[1, 0.3, None, None], [100, 0.5, None, None]]},
]}  # fmt: skip


def write(folder, name, content):
    (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def test_bars_are_drawn_to_scale(tmp_path):
    write(tmp_path, "leak", FINDING)
    [found] = findings(tmp_path)
    first, second = found["bars"]
    assert (first["text"], first["value"], first["low"], first["chance"]) == ("90%", 90, 80, 25)
    assert second["low"] is None
    html = render("findings.html", findings=[found])
    assert EVIL not in html and "&lt;script&gt;" in html
    assert re.search(r'class="value" width="90.0"', html) and html.count('class="whisker"') == 1


def test_bars_beyond_one_are_numbers(tmp_path):
    bars = [{"label": "a", "value": 8.0, "low": 6.0, "high": 10.0, "chance": None}]
    write(tmp_path, "leak", FINDING | {"figure": {"bars": bars}})
    [bar] = findings(tmp_path)[0]["bars"]
    assert (bar["text"], bar["value"], bar["high"]) == ("8", 80, 100)


def test_lines_run_from_left_to_right_over_their_intervals(tmp_path):
    write(tmp_path, "copies", FINDING | {"name": "copies", "figure": LINES})
    write(tmp_path, "leak", FINDING)
    copies, leak = findings(tmp_path)
    assert [line["kind"] for line in copies["chart"]["lines"]] == ["band", "series", "series"]
    x = [float(at) for at in re.findall(r"[ML]([\d.]+) ", copies["chart"]["lines"][1]["path"])]
    assert x == sorted(x) and len(x) == 3
    html = render("findings.html", findings=[copies, leak])
    assert EVIL not in html and 'class="line band"' in html


@pytest.mark.parametrize(
    "content",
    ["{", "[]", json.dumps({"name": "x"}), json.dumps(FINDING | {"figure": {}}),
     json.dumps(FINDING | {"figure": {"bars": [{"label": "a"}]}})],
)  # fmt: skip
def test_a_file_that_is_no_finding_is_named(tmp_path, content):
    (tmp_path / "leak.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"leak\.json is not a finding.*benchmarks\.findings"):
        findings(tmp_path)


def test_no_findings_no_section(tmp_path):
    assert findings(tmp_path) == findings(tmp_path / "missing") == []
