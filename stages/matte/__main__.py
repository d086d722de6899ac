"""python -m stages.matte age"""

import logging

from stages.common.door import door


def main(task: str) -> None:
    from stages.common.files import new_folder
    from stages.matte.matte import matte
    from stages.records.faces import FACES
    from stages.records.folders import Folders, pictures
    from stages.records.mattes import MATTES
    from stages.records.params import read

    params, at = read(task).matte, Folders(task)
    with new_folder(at.mattes) as out:
        pictures(out).mkdir()
        crops, scratch = FACES.read(at.faces), at.cache("mattes")
        cutouts = matte(crops, at.faces, at.weights, out, params, scratch=scratch)
        MATTES.write(out, cutouts)
    logging.info("%s: %d of %d cut-outs kept", task, sum(row.kept for row in cutouts), len(cutouts))


if __name__ == "__main__":
    door(main)
