"""What goes over the wire. Positions are in upright pixels of the photo."""

from typing import Literal

from pydantic import BaseModel


class Class(BaseModel):
    label: str
    title: str


class Exam(BaseModel):
    """Of 100 photos of the exam, how many the network named rightly; a 95 % interval."""

    right: int
    low: int
    high: int
    photos: int
    people: Literal["new", "known", "unknown"]


class Years(BaseModel):
    """How far the number is off, on average; a 95 % interval."""

    error: float
    low: float
    high: float


class Task(BaseModel):
    task: str
    title: str
    kind: Literal["classification", "regression"]
    classes: list[Class]
    promoted: bool
    failed: list[str]  # gates that stopped the network
    exam: Exam | None
    years: Years | None
    drawn: bool  # it has learnt from drawn faces only
    card: str


class Tasks(BaseModel):
    drawn: bool  # all tasks are
    inbox: bool
    max_bytes: int
    tasks: list[Task]


class Box(BaseModel):
    x: float
    y: float
    width: float
    height: float


class Answer(BaseModel):
    """Where `label` is null there is no answer; `code` and `reason` say why."""

    task: str
    label: str | None = None
    unsure: bool = False
    confidence: float | None = None
    probabilities: dict[str, float] = {}
    value: float | None = None
    value_low: float | None = None
    value_high: float | None = None
    warnings: list[str] = []
    code: str = ""
    reason: str = ""


class Answers(BaseModel):
    width: int
    height: int
    faces: list[Box]  # from left to right
    face: int | None  # the one that the answers are about
    answers: list[Answer]


class Explanation(BaseModel):
    """What an answer rests on, in a grid over the square that the network sees.

    `box` is that square, turned clockwise by `angle` degrees around its middle.
    """

    rows: int
    columns: int
    box: Box
    angle: float
    importance: list[list[float]]  # their sum is 1, or 0 where no part matters


class Problem(BaseModel):
    code: str
    reason: str  # in the visitor's language


class Ready(BaseModel):
    ready: bool


class Done(BaseModel):
    pass
