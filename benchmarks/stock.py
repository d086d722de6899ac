"""AutoKeras 3.0 as it comes, with just the two mends without which it runs no trial today."""

from typing import Any

import autokeras as ak
from autokeras.tuners.task_specific import ImageClassifierTuner


class StockTuner(ImageClassifierTuner):
    """Keras >= 3.13 refuses its np.int64, and TensorFlow no longer brings TensorBoard."""

    def _prepare_model_build(self, hp: Any, **kwargs: Any) -> Any:
        prepared = super()._prepare_model_build(hp, **kwargs)
        for node in self.hypermodel.inputs:
            node.shape = tuple(map(int, node.shape))
        for node in self.hypermodel.outputs:
            head = node.in_blocks[0]
            head.shape = tuple(map(int, head.shape))
        return prepared

    def _configure_tensorboard_dir(self, *args: Any, **kwargs: Any) -> None: ...


def classifier(tuner: type = StockTuner, **kwargs: Any) -> ak.ImageClassifier:
    return ak.ImageClassifier(tuner=tuner, overwrite=True, seed=1, **kwargs)
