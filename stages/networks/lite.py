"""A saved network answers through LiteRT, without TensorFlow: it starts in a tenth of a second.

https://ai.google.dev/edge/litert
"""

from pathlib import Path
from typing import Any

import numpy as np

from stages.common.backend import silent_stderr
from stages.common.parallel import cores
from stages.records.trials import LITE


class Lite:
    """The network in a folder, as `stages.networks.predict` takes it. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Raises ValueError if the file is missing, broken, or asks for what LiteRT lacks."""
        from ai_edge_litert.interpreter import Interpreter

        try:
            with silent_stderr():  # it reports which kernels it uses
                self._network = Interpreter(str(folder / LITE), num_threads=cores())
                self._network.allocate_tensors()
                self._network.invoke()  # what is missing may show here first
        except RuntimeError as error:
            raise ValueError(f"{folder / LITE}: {error}") from error
        [self._input] = self._network.get_input_details()
        # By the name that Keras gave them: the file has them in another order.
        named = self._network.get_signature_runner().get_output_details()
        found = [named[name] for name in sorted(named)]
        self._places = [each["index"] for each in found]
        self.outputs = [np.empty(each["shape"], np.float32) for each in found]

    def predict_on_batch(self, pictures: np.ndarray) -> Any:
        """What the network says of `pictures`, uint8 (N, H, W, C), as Keras' method of this name:
        float32 (N, K), or a list of those where it has several outputs."""
        place = self._input["index"]
        self._network.resize_tensor_input(place, pictures.shape)
        self._network.allocate_tensors()
        self._network.set_tensor(place, pictures)
        self._network.invoke()
        found = [self._network.get_tensor(each) for each in self._places]
        return found if len(found) > 1 else found[0]
