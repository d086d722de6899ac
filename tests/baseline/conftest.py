from stages.records.weights import WEIGHTS, Weight, Weights


def write_weights(folder, **pretrained):
    folder.mkdir(parents=True, exist_ok=True)
    none = Weight(name="none", file=None, sha256=None, source="built in")
    WEIGHTS.write(folder, Weights(detector=none, segmenter=none, pretrained=pretrained))
