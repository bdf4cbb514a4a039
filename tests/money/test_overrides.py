"""Our corrections: each is sourced and dated, and a slip in the file is an error."""

from pathlib import Path

import pytest

import lanewise.money
from lanewise.errors import ConfigError
from lanewise.money import overrides

SHIPPED = overrides.read(Path(lanewise.money.__file__).parent / "overrides.toml")


def test_each_model_is_corrected_once_with_a_source():
    models = [entry.model for entry in SHIPPED.price]
    assert len(set(models)) == len(models)
    assert all(entry.source for entry in SHIPPED.price)


def test_a_stated_price_names_its_vendor_and_is_exact():
    for entry in SHIPPED.price:
        if entry.standard is not None:
            assert entry.vendor, entry.model
            assert entry.standard.stated().input > 0, entry.model


@pytest.mark.parametrize(
    "text",
    [
        "revision = 1",
        'revision = 1\n[[price]]\nmodel = "m"\nsource = "s"\ndate = 2026-01-01\nwithdrawn = ["batch"]',
        'revision = 1\n[[price]]\nmodel = "m"\nsource = "s"',
        'revision = 1\n[[price]]\nmodel = "m"\nsource = "s"\ndate = 2026-01-01\nstandard = {input = 0.1, output = 1}',
        "revision =",
    ],
)
def test_a_misspelt_undated_or_inexact_correction_is_an_error(tmp_path, text):
    path = tmp_path / "overrides.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"overrides\.toml"):
        overrides.read(path)
