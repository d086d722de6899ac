"""reports/export.html: what each exported file is worth, and why one is not shipped."""

from pathlib import Path

from stages.records.calibration import Temperature
from stages.records.export import EXPORT, Card, File, Variant
from stages.records.faces import EyePlaces
from stages.records.folders import EXPORTS
from stages.records.look import Look
from stages.records.promotion import Gate
from stages.report.exports import main


def variant(runtime, weights, shipped, gate=None):
    files = (File(f"network.{runtime}", "network", 1_234_000, "ab"),) if shipped else ()
    return Variant(
        runtime=runtime,
        weights=weights,
        shipped=shipped,
        files=files,
        calibration=Temperature(1.0),
        apart=1e-6,
        milliseconds=12.34,
        gate=gate,
    )


def card(task, **fields):
    refused = Gate("int8", False, -0.05, -0.01, -0.1, 0.0, "accuracy -0.050 <here>")
    found = {
        "task": task,
        "title": f"Which {task}?",
        "role": "champion",
        "network": "0" * 64,
        "kind": "classification",
        "classes": {"a": "A", "b": "B"},
        "bins": None,
        "unsure_below": 0.4,
        "picture": Look(32, "rgb", "keep"),
        "crop": EyePlaces(256, ((98.0, 117.0), (156.0, 117.0))),
        "face_width": 0.5,
        "views": ("pixels",),
        "outputs": ("classes",),
        "variants": (
            variant("litert", "float32", True),
            variant("litert", "int8", False, refused),
            variant("onnx", "float32", True),
        ),
        "exam": {},
        "drawn": False,
        "photos": {},
        "weights": {},
    }
    return Card(**found | fields)


def test_each_task_has_its_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    EXPORT.write(Path("data/export/age"), card("age"))
    EXPORT.write(Path("data/export/pets"), card("pets", role="challenger", drawn=True))
    main()
    text = EXPORTS.read_text()
    age, pets = text.split('<section class="task"')[1:]
    for section in (age, pets):
        assert section.count("<tr") == 4 and section.count("the one to take") == 2
        [row] = [each for each in section.split("</tr>") if "refused" in each]
        assert "accuracy -0.050 &lt;here&gt;" in row and "not shipped" in row
        assert '<td class="n">1.23</td>' in section and '<td class="n">12.3</td>' in section
    assert "A challenger" in pets and "A demo" in pets
    assert "A challenger" not in age and "A demo" not in age
