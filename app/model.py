"""The chain as an MLflow model: a table of photos in, a table of answers out.

MLflow runs this file when it loads the model ("models from code": nothing is pickled).
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc.model import PythonModel
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Array, Map

from app import memory
from app.chain import Chain

SIGNATURE = ModelSignature(
    Schema([ColSpec(DataType.binary, "photo")]),
    Schema(
        [
            ColSpec(DataType.string, "label", required=False),
            ColSpec(DataType.string, "title", required=False),
            ColSpec(DataType.string, "answer", required=False),
            ColSpec(DataType.double, "confidence", required=False),
            ColSpec(DataType.double, "value", required=False),
            ColSpec(DataType.double, "value_low", required=False),
            ColSpec(DataType.double, "value_high", required=False),
            ColSpec(Map(DataType.double), "probabilities"),
            ColSpec(Array(DataType.double), "box", required=False),
            ColSpec(Array(DataType.string), "warnings"),
            ColSpec(DataType.string, "reason"),
        ]
    ),
)


class FaceModel(PythonModel):
    """Column `photo`: a jpg, png or webp file's bytes (base64 where they are sent as JSON)."""

    def load_context(self, context: Any) -> None:
        memory.give_back()
        self._chain = Chain(Path(context.artifacts["chain"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict | None = None) -> Any:
        """A row for each photo, with the fields of `app.chain.Answer`.

        A bad photo is a row with a `reason`; the others get their answers all the same.
        """
        answers = [self._chain.answer(bytes(photo)) for photo in model_input["photo"]]
        rows = [
            asdict(each) | {"box": each.box and list(each.box), "warnings": list(each.warnings)}
            for each in answers
        ]
        # dtype object: a missing confidence stays None, where a float column would make it NaN
        return pd.DataFrame(rows, columns=SIGNATURE.outputs.input_names(), dtype=object)


set_model(FaceModel())
