"""The part of AutoKeras' search space that is worth a machine's time.

The pictures are augmented already, so AutoKeras' own augmentation, with its vertical flips, stays
off. Each block type has complete seeds, which are tried in turn before the tuner mutates the best
one: AutoKeras' greedy tuner hardly ever changes the block type by itself.

Names are AutoKeras 3.0's. `tests/search` compares them with the installed version.
"""

from collections.abc import Sequence
from typing import Any

import keras_tuner

# What `blocks: auto` means on a CPU, where an epoch of the large ones takes minutes, and on a GPU.
FIXED = ("face", "edges", "colour")  # features that are computed once: a trial takes seconds
SMALL = (*FIXED, "vanilla", "residual")
ALL = (*SMALL, "efficient", "resnet", "xception")
# Start from weights: `face` always, the others from ImageNet's if `search.pretrained`
PRETRAINED = ("face", "squeezenet", "efficient", "resnet", "xception")

IMAGE = "image_block_1/"
CONV = IMAGE + "conv_block_1/"
RESIDUAL = IMAGE + "residual_block_1/"
SQUEEZENET = IMAGE + "squeeze_net_block_1/"
FIXED_BLOCKS = {name: f"{IMAGE}{name}_block_1/" for name in FIXED}
# block type -> AutoKeras' name of its block, and the version searched. Xception has one version.
APPLICATIONS = {
    "efficient": (IMAGE + "efficient_net_block_1/", "b0"),
    "resnet": (IMAGE + "res_net_block_1/", "resnet50_v2"),
    "xception": (IMAGE + "xception_block_1/", None),
}


def space(blocks: Sequence[str], pretrained: bool, tune: bool) -> keras_tuner.HyperParameters:
    """The restricted space: AutoKeras takes what is declared here instead of its own ranges.

    `tune`: SFace's last units may train, which takes a GPU.
    """
    hp = keras_tuner.HyperParameters()
    hp.Choice(IMAGE + "block_type", list(blocks), default=blocks[0])
    hp.Fixed(IMAGE + "normalize", True)
    hp.Fixed(IMAGE + "augment", False)
    if "vanilla" in blocks:
        with hp.conditional_scope(IMAGE + "block_type", ["vanilla"]):
            hp.Choice(CONV + "kernel_size", [3, 5], default=3)
            hp.Boolean(CONV + "separable", default=False)
            hp.Fixed(CONV + "max_pooling", True)
            hp.Choice(CONV + "num_blocks", [2, 3], default=3)
            hp.Choice(CONV + "num_layers", [1, 2], default=1)
            for i in range(3):
                for j in range(2):
                    hp.Choice(CONV + f"filters_{i}_{j}", [16, 32, 64, 128], default=32)
    if "residual" in blocks:
        with hp.conditional_scope(IMAGE + "block_type", ["residual"]):
            hp.Choice(RESIDUAL + "filters", [16, 32, 64], default=32)
            hp.Choice(RESIDUAL + "num_stages", [2, 3, 4], default=3)
    for block in FIXED:
        if block in blocks:
            with hp.conditional_scope(IMAGE + "block_type", [block]):
                hp.Choice(FIXED_BLOCKS[block] + "width", [0, 64, 128, 256], default=128)
                if block == "face":
                    tuned = FIXED_BLOCKS[block] + "tuned"
                    hp.Boolean(tuned, default=False) if tune else hp.Fixed(tuned, False)
                    kinds = ["both", "pool", "embedding"]
                    hp.Choice(FIXED_BLOCKS[block] + "features", kinds, default="both")
    if "squeezenet" in blocks:
        with hp.conditional_scope(IMAGE + "block_type", ["squeezenet"]):
            hp.Fixed(SQUEEZENET + "pretrained", pretrained)
            if pretrained:
                hp.Choice(SQUEEZENET + "frozen", [0, 13, 25], default=0)
    for block, (name, version) in APPLICATIONS.items():
        if block in blocks:
            with hp.conditional_scope(IMAGE + "block_type", [block]):
                hp.Fixed(name + "pretrained", pretrained)
                hp.Fixed(name + "imagenet_size", False)
                if version:
                    hp.Fixed(name + "version", version)
    hp.Fixed("optimizer", "adam")  # AutoKeras' schedule for AdamW counts all copies as one epoch
    hp.Choice("learning_rate", [3e-3, 1e-3, 3e-4, 1e-4], default=1e-3)
    hp.Choice("weight_decay", [0.0, 0.01, 0.1, 1.0], default=0.0)  # AdamW's
    return hp


def seeds(blocks: Sequence[str], pretrained: bool, tune: bool, head: str) -> list[dict[str, Any]]:
    """Complete hyperparameters for the first trials: those of `SEEDS` for these block types.

    `tune`: as for `space`. `head`: AutoKeras' name of the network's last block.
    """
    wanted = [seed for seed in SEEDS if seed[0] in blocks and (tune or not seed[1].get("tuned"))]
    found = [_complete(block, seed, pretrained, head) for block, seed in wanted]
    return [seed for n, seed in enumerate(found) if seed not in found[:n]]


def _complete(block: str, seed: dict[str, Any], pretrained: bool, head: str) -> dict[str, Any]:
    reduction, dropout = f"{head}/spatial_reduction_1/reduction_type", f"{head}/dropout"
    common = {
        IMAGE + "block_type": block,
        IMAGE + "normalize": True,
        IMAGE + "augment": False,
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
    }
    if block in FIXED:
        prefix, own = FIXED_BLOCKS[block], dict(seed)
        found = {name: own.pop(name) for name in ("learning_rate", "weight_decay")}
        found[dropout] = own.pop("head_dropout")
        return common | found | {prefix + name: value for name, value in own.items()}
    if block == "vanilla":
        own = {reduction: seed["reduction"], dropout: seed["head_dropout"]}
        return common | _conv(seed["kernel"], seed["filters"], seed.get("separable", False)) | own
    if block == "squeezenet":
        common |= {dropout: 0.25, SQUEEZENET + "pretrained": pretrained}
        frozen = {SQUEEZENET + "frozen": seed["frozen"]} if pretrained else {}
        return common | frozen | {"learning_rate": seed["learning_rate"]}
    common |= {reduction: "global_avg", dropout: 0.25}
    if block == "residual":
        return common | {RESIDUAL + name: value for name, value in seed.items()}
    name, version = APPLICATIONS[block]
    common |= {name + "pretrained": pretrained, name + "imagenet_size": False}
    return common | ({name + "version": version} if version else {})


# These learn fastest on faces in the few epochs that a CPU has time for. With a kernel of 5,
# AutoKeras pools by 4: three layers see a whole 200-pixel picture at half the cost. The maximum
# over the picture (global_max) ignores the augmentation's shifts. Dropout between layers slows
# learning.
POOLED = {"kernel": 5, "filters": [16, 32, 64], "reduction": "global_max", "head_dropout": 0.25}
WIDE = {"kernel": 5, "filters": [32, 64, 128], "reduction": "global_max", "head_dropout": 0.25}
FLAT = {"kernel": 3, "filters": [16, 32, 64], "reduction": "flatten", "head_dropout": 0.5}
SEPARABLE = WIDE | {"separable": True}

# Heads on fixed features. Few numbers that tell people apart want a linear head and large steps;
# many want dropout, weight decay and small ones.
LINEAR = {"width": 0, "learning_rate": 3e-3, "weight_decay": 0.1}
REGULAR = {"width": 128, "head_dropout": 0.5, "learning_rate": 1e-3, "weight_decay": 1.0}
FACE = {"tuned": False, "features": "both"}

# Most useful first. For the age of real people, a pretrained network with all layers trained was
# far better than any from scratch; for colours at 32 pixels it was as good.
SEEDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("face", FACE | LINEAR | {"features": "embedding", "head_dropout": 0.5}),
    ("face", FACE | REGULAR),
    ("colour", LINEAR | {"head_dropout": 0.0}),
    ("edges", REGULAR | {"width": 0}),
    ("face", FACE | REGULAR | {"width": 0}),
    ("face", FACE | REGULAR | {"tuned": True, "learning_rate": 3e-4, "weight_decay": 0.1}),
    ("face", FACE | REGULAR | {"features": "pool"}),
    ("colour", REGULAR | {"width": 64, "head_dropout": 0.25, "weight_decay": 0.1}),
    ("squeezenet", {"frozen": 0, "learning_rate": 3e-4}),
    ("vanilla", POOLED),
    ("squeezenet", {"frozen": 0, "learning_rate": 1e-4}),
    ("vanilla", WIDE),
    ("residual", {"filters": 16, "num_stages": 3}),
    ("efficient", {}),
    ("resnet", {}),
    ("xception", {}),
    ("squeezenet", {"frozen": 13, "learning_rate": 3e-4}),  # half the time, almost as good
    ("vanilla", SEPARABLE),
    ("residual", {"filters": 32, "num_stages": 3}),
    ("vanilla", FLAT),
)


def _conv(kernel: int, filters: list[int], separable: bool) -> dict[str, Any]:
    return {
        CONV + "kernel_size": kernel,
        CONV + "separable": separable,
        CONV + "max_pooling": True,
        CONV + "num_blocks": len(filters),
        CONV + "num_layers": 1,
        CONV + "dropout": 0.0,
    } | {CONV + f"filters_{i}_0": n for i, n in enumerate(filters)}
