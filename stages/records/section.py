"""What all sections of params.yaml have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A mapping of params.yaml. An unknown key is an error; nothing changes after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True)
