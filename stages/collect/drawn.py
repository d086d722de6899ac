"""The source `synthetic`: portraits that `stages.collect.synthetic` draws, with their truth."""

from functools import partial

import cv2

from stages.collect.candidate import Candidate, Context, Picture
from stages.collect.columns import VALUE
from stages.collect.synthetic import Spec, draw, plan, years
from stages.common.errors import UserError
from stages.records.sources import Synthetic


def candidates(source: Synthetic, context: Context) -> list[Candidate]:
    """The portraits to draw. Raises `UserError` for what cannot be drawn."""
    try:
        specs = plan(context.classes, **source.model_dump(exclude={"source"}))
    except ValueError as error:
        raise UserError(f"{context.key}: {error}") from error
    ages = context.bins if source.signal == "age" else None  # in years, if the classes have them
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
            columns={VALUE: f"{years(spec, *ages[spec.label]):.1f}"} if ages else {},
        )
        for spec in specs
    ]


def drawn(spec: Spec) -> Picture:
    """The portrait as the bytes of a JPEG file."""
    photo = draw(spec)
    bgr = cv2.cvtColor(photo.image, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
    return Picture(data, photo.box, photo.mask)
