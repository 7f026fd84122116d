"""A file of members is not written over a folder."""

from pathlib import Path

import pytest

from streams.cli.render.rows import Form, open_rows


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("folder", [".", "/"])
def test_a_folder_is_no_file(form: Form, folder: str) -> None:
    with pytest.raises(IsADirectoryError), open_rows([], form, Path(folder)):
        pass
