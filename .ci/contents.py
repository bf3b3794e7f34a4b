"""Check what is in a wheel and in an sdist, given the files of the repository on stdin.

The wheel holds the package and nothing else; the sdist all that is needed to build and test it.
"""

import sys
import tarfile
import zipfile

tracked = set(sys.stdin.read().splitlines())
package = {path for path in tracked if path.startswith("skrepr/")}
(wheel,) = (path for path in sys.argv[1:] if path.endswith(".whl"))
(sdist,) = (path for path in sys.argv[1:] if path.endswith(".tar.gz"))

with zipfile.ZipFile(wheel) as file:
    in_wheel = set(file.namelist())
about = {name for name in in_wheel if name.split("/")[0].endswith(".dist-info")}
with tarfile.open(sdist) as file:
    in_sdist = {member.name.partition("/")[2] for member in file if member.isfile()}

faults = [
    *(f"the wheel has no {name}" for name in package - in_wheel),
    *(f"the wheel has {name}" for name in in_wheel - about - package),
    *(
        f"the package has {name}, which is neither code nor for type checkers"
        for name in package
        if not name.endswith((".py", ".pyi", "/py.typed"))
    ),
    *(
        f"the wheel has no {name}"
        for name in ("METADATA", "licenses/LICENSE")
        if not any(path.endswith(f".dist-info/{name}") for path in about)
    ),
    *(f"the sdist has no {name}" for name in tracked - in_sdist),
    *(f"the sdist has {name}" for name in in_sdist - tracked - {"PKG-INFO"}),
]
if faults:
    sys.exit("\n".join(sorted(faults)))
print(f"{len(in_wheel)} files in the wheel, {len(in_sdist)} in the sdist")
