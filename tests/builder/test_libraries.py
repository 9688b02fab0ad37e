"""The versions of libraries, told by the names of folders, are those that their metadata say."""

from importlib.metadata import version
from pathlib import Path

import pytest

from builder.cluster import LIBRARIES as OF_NUMBERS
from builder.libraries import installed, version_of
from builder.unchanged import LIBRARIES


@pytest.mark.parametrize("name", sorted({*LIBRARIES, *OF_NUMBERS}))
def test_versions_are_those_of_the_metadata(name: str) -> None:
    assert version_of(name) == version(name)


def test_every_package_is_listed_once_and_in_order() -> None:
    listed = [f"{name}=={version}" for name, version in installed()]
    assert listed == sorted(set(listed), key=str.casefold)
    assert len(listed) >= len(LIBRARIES)


def test_names_may_be_written_any_way_and_what_is_elsewhere_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert version_of("PyData.Sphinx_Theme") == version("pydata-sphinx-theme")
    assert version_of("no-such-package") == ""
    folder = tmp_path / "elsewhere_1-2.5.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere-1\nVersion: 2.5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert version_of("elsewhere-1") == "2.5"
