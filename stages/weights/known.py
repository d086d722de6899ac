"""The weights this project knows by name: file, address and pinned sha256."""

from dataclasses import dataclass

ZOO = "https://github.com/opencv/opencv_zoo/raw/main/models"
REMBG = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"


@dataclass(frozen=True)
class Weight:
    file: str
    url: str
    sha256: str


def _yunet(edition: str, sha256: str) -> Weight:
    file = f"face_detection_yunet_{edition}.onnx"
    return Weight(file, f"{ZOO}/face_detection_yunet/{file}", sha256)


def _rembg(name: str, sha256: str) -> Weight:
    return Weight(f"{name}.onnx", f"{REMBG}/{name}.onnx", sha256)


# The same network twice, MIT licence; the newer file also loads in OpenCV 5. First come, first used
YUNET = (
    _yunet("2023mar", "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"),
    _yunet("2026may", "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"),
)

SEGMENTERS = {
    name: _rembg(name, sha256)
    for name, sha256 in {
        "u2netp": "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        "u2net": "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
        "u2net_human_seg": "01eb6a29a5c4d8edb30b56adad9bb3a2a0535338e480724a213e0acfd2d1c73c",
        "silueta": "75da6c8d2f8096ec743d071951be73b4a8bc7b3e51d9a6625d63644f90ffeedb",
        "isnet-general-use": "60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
    }.items()
}
