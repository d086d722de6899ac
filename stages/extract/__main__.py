"""python -m stages.extract age"""

import logging

from stages.common.door import door


def main(task: str) -> None:
    from stages.common.files import new_folder
    from stages.extract.crop import Geometry
    from stages.extract.extract import extract
    from stages.records.faces import FACES, GEOMETRY
    from stages.records.folders import Folders, pictures
    from stages.records.manifest import MANIFEST
    from stages.records.params import read

    params, at = read(task).extract, Folders(task)
    with new_folder(at.faces) as out:
        pictures(out).mkdir()
        manifest, scratch = MANIFEST.read(at.raw), at.cache("faces")
        crops = extract(manifest, at.raw, at.weights, out, params, scratch=scratch)
        FACES.write(out, crops)
        GEOMETRY.write(out, Geometry(params.size, params.face_width).places())
    kept = sum(row.kept for row in crops)
    logging.info("%s: a face in %d of %d photos", task, kept, len(crops))


if __name__ == "__main__":
    door(main)
