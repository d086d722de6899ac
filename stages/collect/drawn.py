"""The embedded default source: portraits drawn by `stages.collect.synthetic`."""

from functools import partial

import cv2

from stages.collect.candidate import Candidate, Picture
from stages.collect.synthetic import Spec, draw, plan
from stages.common.errors import UserError
from stages.common.params import Collect


def candidates(params: Collect, classes: list[str], key: str) -> tuple[list[Candidate], list[dict]]:
    """The portraits to draw, and no refusals. Raises `UserError` for what cannot be drawn."""
    try:
        specs = plan(classes, **params.synthetic.model_dump())
    except ValueError as error:
        raise UserError(f"{key}.synthetic: {error}") from error
    return [
        Candidate(
            name=spec.name,
            label=spec.label,
            person=spec.person,
            part="wild" if spec.part == "wild" else "pool",
            source="synthetic",
            load=partial(drawn, spec),
            licence="drawn; shows nobody",
            author="stages.collect.synthetic",
        )
        for spec in specs
    ], []


def drawn(spec: Spec) -> Picture:
    photo = draw(spec)
    bgr = cv2.cvtColor(photo.image, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
    return Picture(data, photo.box, photo.mask)
