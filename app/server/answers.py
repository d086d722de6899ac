"""From a photo to what the page shows about it: the answers of all networks about one face."""

from collections.abc import Sequence

import cv2
import numpy as np

from app.chain import Chain, Seen
from app.server import wire
from app.server.promoted import Network
from app.server.words import Refused
from stages.evaluate.occlusion import CELLS, one_map, patches
from stages.extract.crop import transform
from stages.extract.face import Face
from stages.records.params import Language
from stages.records.predictions import UNSURE


def answers(
    networks: Sequence[Network], image: np.ndarray, wanted: int | None, language: Language
) -> wire.Answers:
    """The answers about one face of `image`, (H, W, 3) `uint8`.

    `wanted`: its place from left to right; None: the face that the first network chooses.
    Raises `Refused` if there is no such face.
    """
    seen, first = Seen(image), networks[0].chain
    faces = _from_left(first.faces(seen))
    face = _wanted(first, seen, faces, wanted)
    return wire.Answers(
        width=image.shape[1],
        height=image.shape[0],
        faces=[_box(each.box) for each in faces],
        face=next((number for number, each in enumerate(faces) if each is face), None),
        answers=[_answer(each, seen, face, language) for each in networks],
    )


def _answer(network: Network, seen: Seen, face: Face | None, language: Language) -> wire.Answer:
    own = face and _same(network.chain.faces(seen), face)
    if own is None:
        return _no_answer(network, "error.no_face", language)
    found = network.chain.about(seen, own)
    if found.label is None:
        answer = _no_answer(network, "error.nothing_left", language)
        return answer.model_copy(update={"warnings": list(found.flags)})
    return wire.Answer(
        task=network.task,
        label=found.label,
        unsure=found.answer == UNSURE,
        confidence=found.confidence,
        probabilities=found.probabilities,
        value=found.value,
        value_low=found.value_low,
        value_high=found.value_high,
        warnings=list(found.flags),
    )


def _no_answer(network: Network, code: str, language: Language) -> wire.Answer:
    return wire.Answer(task=network.task, code=code, reason=Refused(422, code).reason(language))


def explanation(network: Network, image: np.ndarray, wanted: int | None) -> wire.Explanation:
    """What the answer about a face rests on; `image`, `wanted`: as in `answers`.

    Parts are covered with the blurred picture (Fong and Vedaldi 2017,
    https://arxiv.org/abs/1704.03296): the average picture of the exam is not in the chain.
    """
    chain, seen = network.chain, Seen(image)
    face = _wanted(chain, seen, _from_left(chain.faces(seen)), wanted)
    if face is None:
        raise Refused(422, "error.no_face")
    picture = chain.view(seen, face).picture
    size = len(picture)
    cover = cv2.GaussianBlur(picture, (0, 0), size / 6).reshape(picture.shape)
    found = one_map(
        lambda pictures: chain.outputs(pictures).raw,
        picture,
        cover,
        patches((size, size)),
        regression=chain.settings.kind == "regression",
    )
    grid = cv2.resize(found, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    box, angle = _square(chain, face)
    return wire.Explanation(
        rows=CELLS,
        columns=CELLS,
        box=box,
        angle=angle,
        importance=(grid / (grid.sum() or 1)).tolist(),
    )


def _from_left(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: face.box[0])


def _wanted(chain: Chain, seen: Seen, faces: list[Face], number: int | None) -> Face | None:
    """None: the photo shows no face."""
    if number is None:
        return chain.choose(seen) if faces else None
    if not 0 <= number < len(faces):
        raise Refused(422, "error.no_such_face", face=number, faces=len(faces))
    return faces[number]


def _same(faces: list[Face], face: Face) -> Face | None:
    """Which of `faces`, found by another detector or with another limit, is `face`; None: none."""
    near = [each for each in faces if np.hypot(*(_middle(each) - _middle(face))) < face.box[2] / 2]
    return min(near, key=lambda each: np.hypot(*(_middle(each) - _middle(face))), default=None)


def _middle(face: Face) -> np.ndarray:
    x, y, width, height = face.box
    return np.array([x + width / 2, y + height / 2])


def _box(box: tuple[float, float, float, float]) -> wire.Box:
    x, y, width, height = (round(float(edge), 1) for edge in box)
    return wire.Box(x=x, y=y, width=width, height=height)


def _square(chain: Chain, face: Face) -> tuple[wire.Box, float]:
    """Where in the photo the crop is: an upright square, and by how much it is turned."""
    matrix = transform(face, chain.geometry)
    scale, size = float(np.hypot(*matrix[0, :2])), chain.geometry.size
    middle = np.linalg.solve(matrix[:, :2], (size - 1) / 2 - matrix[:, 2])
    x, y = middle - size / scale / 2
    angle = float(np.degrees(np.arctan2(matrix[0, 1], matrix[0, 0])))
    return _box((x, y, size / scale, size / scale)), round(angle, 1)


def alone(chain: Chain, image: np.ndarray, wanted: int | None) -> np.ndarray:
    """The photo, or the surroundings of the face if it shows several: the others were not asked.

    Raises `Refused` if there is no such face.
    """
    seen = Seen(image)
    faces = _from_left(chain.faces(seen))
    face = _wanted(chain, seen, faces, wanted)
    if face is None:
        raise Refused(422, "error.no_face")
    if len(faces) == 1:
        return image
    x, y, width, height = (round(float(edge)) for edge in face.box)
    top, left = max(y - height // 2, 0), max(x - width // 2, 0)
    return image[top : y + height + height // 2, left : x + width + width // 2]
