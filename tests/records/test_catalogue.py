"""The table of files in docs/architecture.md."""

import importlib
import pkgutil

from stages import records
from stages.common.closure import ROOT
from stages.records.catalogue import CATALOGUE, PAGE, edges, page, writer
from stages.records.json_file import JsonFile
from stages.records.table_file import TableFile


def test_the_document_is_up_to_date():
    text = (ROOT / PAGE).read_text("utf-8")
    assert page(text, ROOT) == text, "run `make docs`"


def test_every_file_of_records_is_in_it():
    named = {"/".join(entry.path.parts[-2:]) for entry in CATALOGUE}
    for module in pkgutil.iter_modules(records.__path__):
        for each in vars(importlib.import_module(f"stages.records.{module.name}")).values():
            if isinstance(each, (JsonFile, TableFile)):
                assert any(name.endswith(each.name) for name in named), each.name


def test_every_file_has_one_writer():
    outputs, _ = edges(ROOT)
    for entry in CATALOGUE:
        assert writer(entry, outputs) and ", " not in writer(entry, outputs), entry.path
