import json
import re

import msgspec
import pytest
from msgspec.structs import replace

from stages.common.errors import UserError
from stages.records.findings import (
    Bar,
    Figure,
    Finding,
    Point,
    Series,
    finding_file,
    findings_folder,
    read_findings,
)
from stages.report.findings import shown
from stages.report.render import render

EVIL = "<script>alert(1)</script>"
FINDING = Finding(
    name="leak",
    title="Leak",
    task="harry",
    question=f"How much? {EVIL}",
    conclusion="A lot.",
    columns=["order", "accuracy"],
    rows=[["augment, then split", 0.9], ["split, then augment", 0.25]],
    figure=Figure(
        bars=[Bar("leaking", 0.9, low=0.8, high=1.0, chance=0.25), Bar("honest", 0.25)],
    ),
    command="python -m experiments.findings leak",
    seconds=12.0,
)
LINES = Figure(
    x_label="copies",
    y_label="Accuracy",
    series=[
        Series(
            EVIL,
            [
                Point(10, 0.5, low=0.4, high=0.6),
                Point(1, 0.25, low=0.2, high=0.3),
                Point(100, 0.75, low=0.7, high=0.8),
            ],
        ),
        Series("wild", [Point(1, 0.3), Point(100, 0.5)]),
    ],
)


def written(root, *findings):
    """What the report makes of `findings`, after they were files."""
    for finding in findings:
        finding_file(finding.name, finding.task).write(findings_folder(root), finding)
    return [shown(finding) for finding in read_findings(root)]


def test_bars_are_drawn_to_scale(tmp_path):
    [found] = written(tmp_path, FINDING)
    first, second = found.bars
    assert (first.text, first.value, first.low, first.chance) == ("90%", 90, 80, 25)
    assert second.low is None
    html = render("findings.html", {"findings": [found]})
    assert EVIL not in html and "&lt;script&gt;" in html
    assert re.search(r'class="value" width="90.0"', html) and html.count('class="whisker"') == 1


def test_bars_beyond_one_are_numbers():
    bars = [Bar("a", 8.0, low=6.0, high=10.0)]
    [bar] = shown(replace(FINDING, figure=Figure(bars=bars))).bars
    assert (bar.text, bar.value, bar.high) == ("8", 80, 100)


def test_lines_run_from_left_to_right_over_their_intervals(tmp_path):
    copies, leak = written(tmp_path, FINDING, replace(FINDING, name="copies", figure=LINES))
    assert [line.kind for line in copies.chart.lines] == ["band", "series", "series"]
    x = [float(at) for at in re.findall(r"[ML]([\d.]+) ", copies.chart.lines[1].path)]
    assert x == sorted(x) and len(x) == 3
    html = render("findings.html", {"findings": [copies, leak]})
    assert EVIL not in html and 'class="line band"' in html


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        json.dumps({"name": "x"}),
        json.dumps(msgspec.to_builtins(FINDING) | {"figure": {}}),
        json.dumps(msgspec.to_builtins(FINDING) | {"figure": {"bars": [{"label": "a"}]}}),
    ],
)
def test_a_file_that_is_no_finding_is_named(tmp_path, content):
    folder = findings_folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "leak.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot read .*leak\.json: .*experiments\.findings"):
        read_findings(tmp_path)


def test_no_findings_no_section(tmp_path):
    findings_folder(tmp_path).mkdir(parents=True)
    assert read_findings(tmp_path) == read_findings(tmp_path / "missing") == []
