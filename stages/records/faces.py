"""data/faces/<task>: face crops in one geometry, and a row for every photo."""

from stages.records.json_file import JsonFile
from stages.records.record import Record
from stages.records.table_file import TableFile

Point = tuple[float, float]  # x, y in pixels


class Crop(Record):
    """A photo and, where a face was found, its crop images/<id>.png (RGB).

    Positions are in the photo's pixels. `stages.extract.quality.measure` has the units of the
    measures from `sharpness` to `lightness`.
    """

    id: str
    label: str
    kept: bool  # there is a crop
    reason: str = ""  # why there is none
    detector: str = ""
    score: float | None = None  # on the detector's own scale
    x: float | None = None  # the face's box
    y: float | None = None
    w: float | None = None
    h: float | None = None
    landmarks: tuple[Point, ...] | None = None  # eyes, nose tip, mouth corners, from left to right
    faces: int | None = None  # how many the photo shows
    sharpness: float | None = None
    turn: float | None = None
    tilt: float | None = None
    tint: float | None = None
    colours: float | None = None
    lightness: float | None = None
    flags: tuple[str, ...] = ()  # of `stages.records.flags.FACE_FLAGS`

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """x, y, width and height of the face. None: no face was found."""
        if self.x is None or self.y is None or self.w is None or self.h is None:
            return None
        return self.x, self.y, self.w, self.h


class EyePlaces(Record):
    """Where the eyes are in every crop."""

    size: int  # side of the square crop in pixels
    eyes: tuple[Point, Point]  # left and right, as seen, in the crop's pixels


FACES = TableFile("faces.csv", Crop)
GEOMETRY = JsonFile("geometry.json", EyePlaces)
