"""Photos from the task's sources -> verified originals and the tables of `records.manifest`."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from stages.collect import commons, drawn, folder, huggingface, urls
from stages.collect.candidate import Candidate, Checked, Context, check
from stages.collect.columns import valued
from stages.collect.forgotten import REASON, Forgotten
from stages.common.errors import UserError
from stages.common.parallel import map_cores
from stages.records.folders import pictures
from stages.records.manifest import MANIFEST, REJECTED, TRUTH, Photo, masks
from stages.records.params import Collect
from stages.records.sources import Commons, Folder, Source, Synthetic, Urls

FEWEST = 3  # photos of a class: one each to train on, to choose by and to test with

log = logging.getLogger(__name__)


def collect(params: Collect, context: Context, out: Path) -> list[Photo]:
    """Fill the empty folder `out`, and return the manifest.

    Every file that a source offers has a row either in the manifest or in the table of refused
    files. `context.key` names `params`. Raises `UserError` for a source that cannot be used, and
    for a class with too few photos.
    """
    candidates = _offered(params, context)
    pictures(out).mkdir()
    drawn_too = any(isinstance(source, Synthetic) for source in params.sources)
    if drawn_too:
        masks(out).mkdir(parents=True)
    one = partial(check, out=out, keep_metadata=params.keep_metadata, forgotten=context.forgotten)
    found = map_cores(one, candidates, desc="collect", total=len(candidates))
    checked = sorted(found, key=_place)
    checked = set_duplicates_aside(_hide_forgotten(checked))
    _refuse_small_classes(checked, context)

    manifest = [each.photo for each in checked if each.photo]
    refused = [each.row() for each in checked if not each.photo]
    ids = {photo.id for photo in manifest}
    for file in [*pictures(out).iterdir(), *masks(out).glob("*")]:
        if file.stem not in ids:  # of photos that were refused after they had been opened
            file.unlink()
    MANIFEST.write(out, manifest)
    REJECTED.write(out, refused)
    if drawn_too:
        TRUTH.write(out, [each.truth for each in checked if each.photo and each.truth])
    parts = Counter(photo.part for photo in manifest).most_common()
    counts = ", ".join(f"{part} {n}" for part, n in parts)
    log.info("kept %d photos (%s), set aside %d", len(manifest), counts, len(refused))
    return manifest


def set_duplicates_aside(checked: list[Checked]) -> list[Checked]:
    """Of photos with the same bytes, at most one is kept; the others get a reason.

    Within a class, the first photo in wild is kept, or else the first: a photo of the final exam
    must not be trained on. If the same picture has several labels, nobody knows which of them is
    right, and none is kept.
    """
    places = defaultdict(list)  # sha256 -> places in `checked`
    for place, each in enumerate(checked):
        if each.photo:
            places[each.photo.sha256].append(place)
    settled = list(checked)
    for twins in places.values():
        if len({checked[place].candidate.label for place in twins}) > 1:
            for place in twins:
                others = ", ".join(checked[p].candidate.name for p in twins if p != place)
                reason = f"same picture under another label: {others}"
                settled[place] = checked[place].refused(reason)
        else:
            first = next((p for p in twins if checked[p].candidate.part == "wild"), twins[0])
            for place in twins:
                if place != first:
                    reason = f"same picture as {checked[first].candidate.name}"
                    settled[place] = checked[place].refused(reason)
    return settled


def _place(checked: Checked) -> tuple[str, ...]:
    each = checked.candidate
    return (each.part, each.label, each.name, each.source)


def _offered(params: Collect, context: Context) -> list[Candidate]:
    """What all sources offer, with the same columns for all of it.

    Raises `UserError` for a class without any candidate in the pool.
    """
    sources = [source for source in params.sources if isinstance(source, Urls | Commons)]
    lists = frozenset(params.path / source.file for source in sources if source.file)
    found: list[Candidate] = []
    for number, source in enumerate(params.sources):
        own = replace(context, key=f"{context.key}.sources.{number}", lists=lists)
        found += [valued(candidate, context.bins) for candidate in _candidates(source, own)]
    full = {each.label for each in found if each.part == "pool" and not each.reason}
    if empty := [name for name in context.classes if name not in full]:
        raise UserError(
            f"{context.key}.sources: no photos for {', '.join(map(repr, empty))}: each class needs"
            f" a folder of its name in {str(params.path)!r} with photos in it (links to folders are"
            f" not followed), or another source that has it{_why(found, empty)}"
        )
    blank = dict.fromkeys((name for each in found for name in each.columns), "")
    found = [replace(each, columns=blank | each.columns) for each in found]
    return [_forget(each, context.forgotten) for each in found]


def _candidates(source: Source, context: Context) -> list[Candidate]:
    match source:
        case Folder():
            return folder.candidates(source, context)
        case Synthetic():
            return drawn.candidates(source, context)
        case Urls():
            return urls.candidates(source, context)
        case Commons():
            return commons.candidates(source, context)
        case _:
            return huggingface.candidates(source, context)


def _why(found: list[Candidate], labels: list[str]) -> str:
    reasons = dict.fromkeys(each.reason for each in found if each.label in labels)
    return f" (set aside: {'; '.join(list(reasons)[:3])})" if reasons else ""


def _forget(candidate: Candidate, forgotten: Forgotten) -> Candidate:
    """A photo of a forgotten person is not even opened."""
    return replace(candidate, reason=REASON) if forgotten.person(candidate.person) else candidate


def _hide_forgotten(checked: Iterable[Checked]) -> list[Checked]:
    """Every file has a row, so those of forgotten pictures stay, but without what identifies the
    people in them."""
    shown, hidden = [], 0
    for each in checked:
        if each.candidate.reason == REASON:
            hidden += 1
            anonymous = replace(
                each.candidate, name="(forgotten)", person="", author="", credit="", page=""
            )
            each = Checked(anonymous).refused(REASON)
        shown.append(each)
    if hidden:
        log.warning("%d pictures are forgotten: delete them from the sources, too", hidden)
    return shown


def _refuse_small_classes(checked: list[Checked], context: Context) -> None:
    for name in context.classes:
        mine = [c for c in checked if c.candidate.label == name and c.candidate.part == "pool"]
        reasons = [each.candidate.reason for each in mine if not each.photo]
        if (usable := len(mine) - len(reasons)) < FEWEST:
            why = "; ".join(list(dict.fromkeys(reasons))[:3])
            raise UserError(
                f"{context.key}: class {name!r} has {usable} usable photos, and needs at least"
                f" {FEWEST} to be split (set aside: {len(reasons)}{why and ': ' + why})"
            )
