"""Where the photos come from: counts by source and licence, whom to name, and what was refused."""

from typing import Any

import pandas as pd

REASONS = 5  # shown of each source, the most frequent first


def provenance(manifest: pd.DataFrame, rejected: pd.DataFrame) -> dict[str, Any]:
    """`sources`: a row a source with its licences, kept and refused photos and the reasons;
    `credits`: a line an author, licence and credit line, with the pages of their photos."""
    sources = [
        {
            "name": source,
            "kept": int((manifest["source"] == source).sum()),
            "licences": manifest.loc[manifest["source"] == source, "licence"]
            .value_counts()
            .to_dict(),
            "refused": int((rejected["source"] == source).sum()),
            "reasons": _kinds(rejected.loc[rejected["source"] == source, "reason"]),
        }
        for source in sorted({*manifest["source"], *rejected["source"]})
    ]
    by = ["author", "licence", "credit", "source"]
    credits = [
        dict(zip(by, key, strict=True))
        | {
            "photos": len(rows),
            "pages": [
                {"name": name, "url": page}
                for name, page in zip(rows["name"], rows["page"], strict=True)
                if page.startswith(("https://", "http://"))  # nothing that runs when clicked
            ],
        }
        for key, rows in manifest.sort_values("name").groupby(by)
    ]
    return {"sources": sources, "credits": credits}


def _kinds(reasons: pd.Series) -> dict[str, int]:
    """Reasons without what differs from photo to photo; a licence not allowed is named."""
    kinds = reasons.str.replace(r"^same picture .*", "same picture as another", regex=True)
    kinds = kinds.str.replace(r" \(.*", "", regex=True)
    return kinds.value_counts()[:REASONS].to_dict()
