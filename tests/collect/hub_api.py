"""What the Hugging Face Hub answers, from a server on loopback."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import datasets

SHA, OID = "a" * 40, "b" * 40
JSON = {"Content-Type": "application/json"}


def serve_dataset(
    server, name: str, rows: datasets.Dataset, card: dict[str, str], scratch: Path
) -> None:
    """Answer for the data set `name` with one split, train, whose README.md begins with `card`."""
    rows.to_parquet(scratch / "rows.parquet")
    files = {
        "README.md": f"---\n{json.dumps(card)}\n---\n# Faces\n".encode(),
        "data/train-00000-of-00001.parquet": (scratch / "rows.parquet").read_bytes(),
    }

    def entry(file):
        return {"type": "file", "path": file, "size": len(files[file]), "oid": OID}

    def api(handler):
        path = unquote(handler.path.partition("?")[0])
        if "/tree/" in path:
            below = path.split("/tree/")[1].partition("/")[2]
            entries = [entry(file) for file in files if below and file.startswith(below)]
            folder = {"type": "directory", "path": "data", "oid": "c" * 40}
            return 200, JSON, json.dumps(entries or [entry("README.md"), folder]).encode()
        about = {"_id": "x", "id": name, "sha": SHA, "private": False, "gated": False}
        about |= {"tags": [], "cardData": card, "downloads": 1, "likes": 0}
        about["siblings"] = [{"rfilename": file} for file in files]
        return 200, JSON, json.dumps(about).encode()

    def resolve(handler):
        data = files[handler.path.split("/resolve/")[1].partition("/")[2]]
        headers = {"ETag": f'"{OID}"', "X-Repo-Commit": SHA, "Accept-Ranges": "bytes"}
        if wanted := re.match(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", "")):
            first, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            return 206, headers, data[first : last + 1]
        return 200, headers, data

    base = f"/api/datasets/{name}"
    for path in (base, f"{base}/revision/main", f"{base}/revision/{SHA}"):
        server.routes[path] = api
    server.routes |= {f"{base}/tree/{SHA}": api, f"{base}/tree/{SHA}/data": api}
    server.routes |= {f"/datasets/{name}/resolve/{SHA}/{file}": resolve for file in files}


def environment(server, home: Path) -> dict[str, str]:
    """Variables for a new process, as the library reads its endpoint when it is imported."""
    return {"HF_ENDPOINT": server.url, "HF_HOME": str(home), "HF_TOKEN": ""}
