"""Packages of compiled libraries, unpacked once for each content in a process, into a folder that goes when it ends.

glibc never unmaps such a library: it has symbols that are unique in the process, and data of threads that live on. A
package that was unpacked anew at each load would stay in memory, and on the disk, as often as it was loaded. Opened
from the same file, a library is the one that is there already.
"""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path

from fgcompile.artifact.seal import read_seal
from fgcompile.system.leftovers import lasting_folder

_FOLDERS: dict[str, Path] = {}
_LOCK = threading.Lock()


def unpacked(content: bytes) -> Path:
    """The folder with the files of a package, whose seal and container have been checked."""
    seal = read_seal(content)
    with _LOCK, zipfile.ZipFile(io.BytesIO(content)) as archive:
        folder = _FOLDERS.get(seal)
        # Whoever cleans up among temporary files may have been there.
        if folder is None or not all((folder / name).is_file() for name in archive.namelist()):
            folder = lasting_folder()
            archive.extractall(folder)
            _FOLDERS[seal] = folder
    return folder
