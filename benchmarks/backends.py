"""KERAS_BACKEND=torch python -m benchmarks.backends: training speed of the first networks.

Pictures a second of 64 x 64 RGB, batch 32, on this machine's CPU (or GPU), after tracing; run once
a backend. The search respects KERAS_BACKEND; PyTorch and JAX are not installed by the lock file.
"""

import time

import numpy as np

STEPS = 60
BLOCKS = ("vanilla", "residual")


def main() -> None:
    import autokeras as ak
    import keras

    from stages.search.trial.blocks import ImageBlock
    from stages.search.trial.space import seeds, space
    from stages.search.trial.target import Classification

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (32 * STEPS, 64, 64, 3), np.uint8)
    y = np.eye(4, dtype=np.float32)[rng.integers(0, 4, len(x))]
    for values in seeds(BLOCKS, False, False, Classification.head_name)[:4]:
        keras.backend.clear_session()
        image = ak.ImageInput()
        image.shape, image.dtype = x.shape[1:], "uint8"
        head = Classification(4).head()
        head.shape = (4,)
        hp = space(BLOCKS, False, False)
        hp.values |= values
        graph = ak.graph.Graph(inputs=image, outputs=head(ImageBlock(name="image_block_1")(image)))
        model = graph.build(hp)
        model.fit(x[:64], y[:64], batch_size=32, verbose=0)
        start = time.perf_counter()
        model.fit(x, y, batch_size=32, verbose=0)
        rate = len(x) / (time.perf_counter() - start)
        names = [values[k] for k in values if k.endswith(("block_type", "separable"))]
        print(f"{keras.backend.backend():12}{names!s:24}{model.count_params():10,}{rate:8.0f}/s")


if __name__ == "__main__":
    main()
