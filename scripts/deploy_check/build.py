"""The functions' binaries: built with cargo-lambda, their glibc, their size, packed as Lambda takes them."""

import hashlib
import re
import subprocess
import zipfile
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

# Amazon Linux 2023 has this one.
GLIBC = (2, 34)


def functions(template):
    """Each function's binary, by its logical id."""
    resources = template["Resources"].items()
    metadata = {name: one["Metadata"] for name, one in resources if one["Type"] == "AWS::Lambda::Function"}
    return {name: one["BuildProperties"]["Binary"] for name, one in metadata.items()}


def build(root, binaries):
    """Release binaries of this machine's own architecture, for MiniStack runs them here; where they lie."""
    command = ["cargo", "lambda", "build", "--release", "--output-format", "binary"]
    for binary in binaries:
        command += ["--package", binary, "--bin", binary]
    subprocess.run(command, cwd=root, check=True)
    return {binary: root / "target/lambda" / binary / "bootstrap" for binary in binaries}


def needs(path):
    """The newest glibc whose symbols a binary needs."""
    with path.open("rb") as file:
        needed = [section for section in ELFFile(file).iter_sections() if isinstance(section, GNUVerNeedSection)]
        names = [version.name for section in needed for _, versions in section.iter_versions() for version in versions]
    numbers = [re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", name) for name in names]
    return max((int(number[1]), int(number[2])) for number in numbers if number)


def too_new(paths):
    found = {binary: needs(path) for binary, path in paths.items()}
    newest = max(found.values())
    print(f"   glibc {newest[0]}.{newest[1]} at most is needed, {GLIBC[0]}.{GLIBC[1]} is there")
    return [
        f"{binary} needs glibc {major}.{minor}" for binary, (major, minor) in found.items() if (major, minor) > GLIBC
    ]


def pack(path, folder):
    """The zip of a function; its name tells its contents, so that a new build is a change."""
    code = path.read_bytes()
    zipped = folder / f"{path.parent.name}-{hashlib.sha256(code).hexdigest()[:12]}.zip"
    if not zipped.exists():
        entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
        entry.external_attr, entry.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(zipped, "w") as file:
            file.writestr(entry, code, compresslevel=1)
    return zipped


def put_code(template, paths, folder, bucket):
    """Has each function of the translation take its zip; the zips by their keys."""
    folder.mkdir(parents=True, exist_ok=True)
    zips = {}
    for name, binary in functions(template).items():
        zipped = pack(paths[binary], folder)
        template["Resources"][name]["Properties"]["Code"] = {"S3Bucket": bucket, "S3Key": zipped.name}
        zips[zipped.name] = zipped
    return zips
