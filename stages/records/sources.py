"""The schema of `collect.sources` in params.yaml: where a task's photos come from.

The descriptions become docs/parameters.md (`python -m stages.params.describe`).
"""

from pathlib import Path
from typing import Annotated, Literal

import regex
from pydantic import Field, field_validator, model_validator

from stages.records.section import Listed, PathName, Positive, Section, Seed, Wrong

# A server's owner must be able to reach the person who sends the requests.
Contact = Annotated[
    str,
    Field(
        pattern=r"^[!-~]*[@:][!-~]+$",
        description="Your e-mail address or web page. It is sent with each request.",
    ),
]
AllowPrivate = Annotated[
    bool,
    Field(
        description="Also download from addresses of this machine and its own network; otherwise "
        "they are refused."
    ),
]


def _expression(text: str) -> regex.Pattern[str]:
    try:
        return regex.compile(text)
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from error


class Folder(Section):
    """Your own photos: a folder with one sub-folder a class, named as in `classes`.

    It may also hold `wild/` with the same sub-folders, for photos from other cameras and other
    days. They are the final exam; nothing trains on them.
    """

    source: Literal["folder"]
    folder: PathName = Field(
        Path(),
        description="A folder below `collect.path`. `.`: `collect.path` itself.",
    )
    person: str | None = Field(
        None,
        description="A regular expression on the file's name. Its first group is the person in "
        "the photo: `(.+)__\\d+` finds `anna` in `anna__1.jpg`. No person is in two parts of the "
        "split. `null`: persons are unknown.",
    )
    columns: str | None = Field(
        None,
        description="A regular expression on the file's name. Each named group becomes a column "
        "of the manifest: `A(?P<value>\\d+)` finds an age. `null`: no further columns.",
    )
    licence: str = Field(
        "", description="The licence of all photos of the folder. Empty: reported as not stated."
    )
    author: str = Field("", description="The author of all photos of the folder.")

    @field_validator("person")
    @classmethod
    def _one_group(cls, value: str | None) -> str | None:
        if value is not None and _expression(value).groups < 1:
            raise ValueError("needs a (group) that captures the person")
        return value

    @field_validator("columns")
    @classmethod
    def _named_groups(cls, value: str | None) -> str | None:
        if value is not None and not _expression(value).groupindex:
            raise ValueError("needs a (?P<name>group) for each column")
        return value


class Synthetic(Section):
    """Drawn portraits: they need no download and show nobody."""

    source: Literal["synthetic"]
    signal: Literal["age", "undertone", "geometry"] = Field(
        description="What tells the classes apart: signs of age, the undertone of the skin, or the "
        "proportions of the face."
    )
    people: int = Field(ge=1, le=10_000, description="Persons of each class in the training pool.")
    photos: int = Field(ge=1, le=1_000, description="Photos of each of these persons.")
    wild: int = Field(
        ge=0,
        le=10_000,
        description="Photos of each class for `wild`: other persons, other cameras.",
    )
    size: int = Field(ge=128, le=2048, description="Side of the photo, pixels.")
    seed: Seed = Field(description="Another seed draws other persons.")


class Urls(Section):
    """Photos at the addresses of a list."""

    source: Literal["urls"]
    file: PathName = Field(
        description="A CSV file below `collect.path` with the columns "
        "`url,label[,person,licence,author,sha256]`. Further columns, such as `value` or `sex`, "
        "become columns of the manifest."
    )
    contact: Contact
    allow_private: AllowPrivate = False
    max_crawl_delay: float = Field(
        30,
        ge=0,
        le=600,
        description="Seconds. Nothing is downloaded from a site whose robots.txt asks for a longer "
        "pause between two requests (`Crawl-delay`).",
    )


class Entry(Section):
    """A Wikimedia Commons category, or a search for files, and who is on all of its pictures."""

    category: str | None = Field(None, description="The name of a category.")
    search: str | None = Field(None, description="The words of a search for files.")
    person: str = Field("", description="The person on all of its pictures. Empty: unknown.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"category": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_of_both(self) -> "Entry":
        if bool(self.category) == bool(self.search):
            raise Wrong("needs either a category or a search", {("category",): self.category})
        return self


class Commons(Section):
    """Photos of Wikimedia Commons, by category or by search.

    `stages/collect/commons_lists` has lists to start from; check the names.
    """

    source: Literal["commons"]
    file: PathName | None = Field(
        None, description="A YAML file below `collect.path` that holds what `classes` would."
    )
    classes: dict[str, list[Entry]] | None = Field(
        None,
        description="For each class a list of categories (`Category:…`) or of mappings "
        "`{category or search, person}`. Give either `file` or `classes`.",
    )
    contact: Contact
    licences: list[str] = Field(
        min_length=1,
        description="The licences that you accept. `CC BY` covers `CC BY 4.0`, but not `CC BY-SA`.",
    )
    limit: Positive = Field(description="At most so many photos of each class.")
    api: str = Field(
        "https://commons.wikimedia.org/w/api.php",
        description="The address of the MediaWiki API.",
    )
    allow_private: AllowPrivate = False
    max_crawl_delay: float = Field(
        30, ge=0, le=600, description="Seconds, as for `urls`; it counts for the pictures' server."
    )

    @model_validator(mode="after")
    def _one_list(self) -> "Commons":
        if bool(self.file) == bool(self.classes):
            raise Wrong("needs either a file or classes", {("classes",): self.classes})
        return self


class HuggingFace(Section):
    """Photos of an image data set on the Hugging Face Hub."""

    source: Literal["huggingface"]
    dataset: str = Field(description="The data set's name, `owner/name`.")
    config: str | None = Field(
        None, description="The data set's configuration. `null`: its default one."
    )
    revision: str = Field(
        "main",
        description="A branch, tag or commit of the data set. Name a commit where the data must "
        "never change.",
    )
    split: str = Field(description="The data set's own split to read, such as `train`.")
    image: str = Field(description="The column that holds the photo.")
    label: str = Field(description="The column that `labels` or `bins` turns into a class.")
    person: str | None = Field(
        None, description="The column that names the person. `null`: persons are unknown."
    )
    labels: dict[str | int, str] | None = Field(
        None,
        description="For each value of the column `label` its class. Rows with another value are "
        "left out. "
        "Give either `labels` or `bins`.",
    )
    bins: dict[str, Annotated[tuple[float, float], Listed]] | None = Field(
        None,
        description="For each class its `[first, last]` number in the column `label`. The number "
        "is kept as the photo's `value`.",
    )
    limit: Positive = Field(description="Photos of each class, at most.")
    seed: Seed | None = Field(
        None,
        description="`null`: the first photos of each class; reading stops once there are enough. "
        "A number: photos drawn from the whole split, which is then read to its end. Needed where "
        "a data set is sorted.",
    )
    licence: str = Field(
        "", description="The licence of all photos. Empty: what the data set's card says."
    )

    @model_validator(mode="after")
    def _one_map(self) -> "HuggingFace":
        if bool(self.labels) == bool(self.bins):
            raise Wrong("needs either labels or bins", {("labels",): self.labels})
        return self


SOURCES = (Folder, Synthetic, Urls, Commons, HuggingFace)
Source = Annotated[Folder | Synthetic | Urls | Commons | HuggingFace, Field(discriminator="source")]
