"""data/export/<task>: files, card.json and README.md."""

from collections import Counter
from pathlib import Path

import jinja2

from stages.common.errors import UserError
from stages.common.files import sha256
from stages.export.export import export, output_names
from stages.export.pictures import photos_as_seen
from stages.records.chain import CHAIN, ORIGIN, weights
from stages.records.evaluation import METRICS
from stages.records.export import EXPORT, Card
from stages.records.faces import GEOMETRY
from stages.records.folders import Folders
from stages.records.licences import LICENCES, UNKNOWN
from stages.records.manifest import MANIFEST
from stages.records.promotion import SEEN, answering
from stages.records.trials import CLASSES, MODEL, TRIALS
from stages.records.weights import WEIGHTS


def bundle(at: Folders, out: Path) -> Card:
    """Fill the empty folder `out`, which then replaces data/export/<task>."""
    role = answering(at.promote)
    champion = at.promote / role
    if not champion.is_dir():
        raise UserError(f"{at.promote} has no network to export; run `dvc repro promote@{at.task}`")
    chain = CHAIN.read(champion)
    test, val = (photos_as_seen(at, part, champion) for part in ("test", "val"))
    found, variants = export(champion, test, val, out)
    card = Card(
        task=at.task,
        title=chain.title,
        role=role,
        network=sha256(champion / MODEL),
        kind=chain.kind,
        classes=CLASSES.read(champion),
        bins=chain.bins,
        unsure_below=chain.unsure_below,
        picture=chain.augment,
        crop=GEOMETRY.read(champion),
        face_width=chain.extract.face_width,
        views=found.views,
        outputs=output_names(chain.kind, len(found.rest.outputs)),
        variants=tuple(variants),
        exam=METRICS.read(champion),
        drawn=ORIGIN.read(champion).drawn if ORIGIN.path(champion).is_file() else None,
        photos=_licences_of_photos(at, champion),
        weights=_licences_of_weights(champion),
    )
    EXPORT.write(out, card)
    (out / "README.md").write_text(readme(card), encoding="utf-8")
    return card


def readme(card: Card) -> str:
    """Markdown: what the files are worth, and how to use them."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    shipped = {name: card.shipped(name) for name in ("litert", "onnx")}
    return environment.get_template("README.md").render(card=card, **shipped)


def _licences_of_photos(at: Folders, champion: Path) -> dict[str, int]:
    """Licence -> photos that the network has learnt from; those that are gone are "unknown"."""
    manifest = MANIFEST.frame(at.raw).set_index("id")["licence"]
    found = SEEN.frame(champion)["id"].map(manifest).fillna("unknown").replace("", "not stated")
    return dict(Counter(found).most_common())


def _licences_of_weights(champion: Path) -> dict[str, str]:
    """Of the detector, the segmenter, and what the members of the network started from."""
    used = WEIGHTS.read(weights(champion))
    names = [each.name for each in (used.detector, used.segmenter) if each.file]
    trials = TRIALS.read(champion)
    members = {each.trial for each in trials.members} or {trials.winner}
    for trial in trials.trials:
        block = str(trial.hyperparameters.get("block_type"))
        starts = block == "face" or trial.hyperparameters.get("pretrained")
        if trial.trial in members and starts:
            names.append(block)
    return {name: LICENCES.get(name, UNKNOWN) for name in dict.fromkeys(names)}
