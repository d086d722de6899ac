"""The browser's example in an export's README.md, as it is written there."""

import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from onnx import helper

from app.publish import runtime
from stages.common.errors import UserError
from stages.export.bundle import readme
from stages.export.runtimes import Exported
from stages.records.export import EXPORT
from tests.page.conftest import _missing
from tests.page.hosted import hosted, url_of
from tests.page.published import export, write_part
from tests.promote.mini import REPO, TASK

pytestmark = pytest.mark.slow

PACKAGE = runtime.Package(  # 33 MB
    "onnxruntime-web@1.30.0",
    "onnxruntime-web-1.30.0.tgz",
    "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71",
)
SCRIPT = "ort.wasm.min.mjs"
FILES = (SCRIPT, "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
RUN = """async (numbers) => {
    const ort = await import("./%s");
    const picture = Float32Array.from(numbers);
    %s
    return Object.fromEntries(Object.entries(answers).map(([name, { data }]) => [name, [...data]]));
}"""


@pytest.fixture
def folder(project, tmp_path) -> Path:
    """An export whose head sees the picture both ways round; the runtime beside it."""
    try:
        package = runtime.find(PACKAGE, None, REPO / ".cache/site", download=True)
    except UserError as error:
        _missing(str(error))
    export(project / "data/promote" / TASK, tmp_path)
    card = EXPORT.read(tmp_path)
    [variant] = card.variants
    trunk, _ = variant.files
    size = 3 * card.picture.size**2
    rng = np.random.default_rng(1)
    head = write_part(
        tmp_path,
        "head",
        [
            helper.make_node("Concat", ["features", "mirrored_features"], ["both"], axis=1),
            helper.make_node("MatMul", ["both", "kernel"], ["sums"]),
            helper.make_node("Softmax", ["sums"], ["classes"], axis=1),
        ],
        {"kernel": rng.normal(0, 1e-4, (2 * size, 2)).astype(np.float32)},
        [("features", 1, size), ("mirrored_features", 1, size)],
        ("classes", 1, 2),
    )
    litert = replace(variant, runtime="litert")  # the README names its files
    card = replace(
        card,
        views=("features", "mirrored_features"),
        variants=(replace(variant, files=(trunk, head)), litert),
    )
    EXPORT.write(tmp_path, card)
    with tarfile.open(package) as packed:
        for name in FILES:
            found = packed.extractfile(f"package/dist/{name}")
            assert found
            with (tmp_path / name).open("wb") as file:
                shutil.copyfileobj(found, file)
    return tmp_path


def test_the_example_for_a_browser_gives_the_networks_answers(browser, folder):
    card = EXPORT.read(folder)
    [example] = re.findall(r"```js\n(.*?)```", readme(card), re.S)
    picture = np.random.default_rng(2).integers(0, 256, (1, *card.picture.shape), np.uint8)
    files = [folder / each.file for each in card.shipped("onnx").files]
    wanted = Exported("onnx", files, card.views).predict_on_batch(picture)
    assert abs(wanted[0, 0] - wanted[0, 1]) > 0.01
    numbers = picture[0].transpose(2, 0, 1).astype(float).ravel().tolist()
    with hosted(folder) as server:
        page = browser.new_page()
        page.goto(url_of(server) + "card.json")
        found = page.evaluate(RUN % (SCRIPT, example), numbers)
        page.close()
    assert list(found) == ["classes"]
    np.testing.assert_allclose(found["classes"], wanted[0], atol=1e-5)
