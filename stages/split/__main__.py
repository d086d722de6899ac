"""python -m stages.split age"""

from stages.common.door import door


def main(task: str) -> None:
    from stages.common.files import new_folder
    from stages.records.folders import Folders, photos
    from stages.records.manifest import MANIFEST
    from stages.records.mattes import MATTES
    from stages.records.params import read
    from stages.records.splits import DUPLICATES, REMOVED, SPLITS
    from stages.split.duplicates import find_duplicates
    from stages.split.identities import identities_for
    from stages.split.split import refuse_leaks, split, summary

    params, at = read(task), Folders(task)
    wanted, classes = params.split, list(params.classes)
    kept = [cutout.id for cutout in MATTES.read(at.mattes) if cutout.kept]
    manifest = MANIFEST.frame(at.raw)
    manifest = manifest[manifest.id.isin(kept)]
    least, scratch = wanted.duplicate_similarity, at.cache("thumbnails")
    duplicates = find_duplicates(kept, photos(at.raw), photos(at.faces), least, scratch=scratch)
    faces = identities_for(at, wanted, manifest)
    table = split(manifest, duplicates, classes, wanted, faces=faces, key=f"tasks.{task}.split")
    refuse_leaks(table, duplicates, wanted.keep_together)
    used = table.part != ""
    with new_folder(at.splits) as out:
        SPLITS.write_frame(out, table.loc[used, SPLITS.columns])
        REMOVED.write_frame(out, table.loc[~used, REMOVED.columns])
        DUPLICATES.write_frame(out, duplicates)
    summary(table)


if __name__ == "__main__":
    door(main)
