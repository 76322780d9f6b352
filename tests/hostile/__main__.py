"""Write all hostile files into a folder: ``python -m tests.hostile FOLDER [http://host:port]``."""

import sys
import tempfile
from pathlib import Path

from tests.hostile.files import hostile_files


def main() -> None:
    """Write them and say what must become of each."""
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for file in hostile_files(Path(folder), sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:9"):
            (target / file.name).write_bytes(file.content)
            print(f"{file.name}: {len(file.content)} bytes, {file.outcome}")


main()
