"""Exported networks in MLflow: among the artifacts of the version whose network they are."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.files import digest
from stages.records.export import EXPORT
from stages.tracking.models import by_alias

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)


def ensure_export(client: "MlflowClient", task: str, folder: Path) -> None:
    """Let the version that `folder` (data/export/<task>) was made of hold its files.

    Nothing happens where there is no such folder, or another network has been promoted since.
    """
    if not EXPORT.path(folder).is_file():
        return
    card = EXPORT.read(folder)
    version = by_alias(client, f"face-{task}", card.role)
    found = digest(sorted(folder.iterdir()))
    if not version or version.tags.get("sha256") != card.network:
        log.info("%s: another network has been promoted since the export", task)
    elif version.tags.get("export") != found:
        model = str(version.source).removeprefix("models:/")
        client.log_model_artifacts(model, str(folder), "export")
        client.set_model_version_tag(version.name, version.version, "export", found)
