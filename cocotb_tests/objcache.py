"""Compiler front end that keeps the objects of Verilator's fixed runtime.

Verilator's makefile puts ``$(OBJCACHE)`` in front of each compiler call. The runtime
(`verilated.cpp`, its VPI, DPI and thread parts) is the same in every model and costs more to
compile than most models, so these files are kept; all else goes straight to the compiler. Run as

    python objcache.py <cache folder> <compiler> <arguments>

An object is found again by the compiler's version, the arguments and the content of the runtime's
folder. Entries are written under a temporary name and renamed; a lock per entry lets parallel
builds wait for one compilation instead of doing it twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def runtime_source(arguments: list[str]) -> Path | None:
    """Return the runtime file that a compiler call translates, or None if it is another file."""
    sources = [a for a in arguments if a.endswith(".cpp") and not a.startswith("-")]
    if "-c" not in arguments or "-o" not in arguments or len(sources) != 1:
        return None
    source = Path(sources[0])
    is_runtime = source.parent.name == "include" and (source.parent / "verilated.h").is_file()
    return source if is_runtime else None


def entry_key(compiler: str, arguments: list[str], source: Path) -> str:
    """Hash of all that decides the object: compiler, arguments, every file of the runtime."""
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout
    output = arguments.index("-o") + 1
    relevant = arguments[:output] + arguments[output + 1 :]
    digest = hashlib.sha256(version + "\0".join([compiler, *relevant]).encode())
    for file in sorted(source.parent.glob("*.[ch]*")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:32]


def compile_kept(folder: Path, compiler: str, arguments: list[str], source: Path) -> int:
    """Copy the object from the cache, compiling it into the cache first if need be."""
    entry = folder / f"{entry_key(compiler, arguments, source)}.o"
    output = arguments[arguments.index("-o") + 1]
    folder.mkdir(parents=True, exist_ok=True)
    if not entry.exists():
        with Path(f"{entry}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not entry.exists():
                status = subprocess.run([compiler, *arguments]).returncode
                if status:
                    return status
                temporary = f"{entry}.{os.getpid()}"
                shutil.copyfile(output, temporary)
                Path(temporary).replace(entry)
    shutil.copyfile(entry, output)
    return 0


def main() -> int:
    """Carry out one compiler call and return its exit status."""
    folder, compiler, *arguments = sys.argv[1:]
    source = runtime_source(arguments)
    if source is None:
        os.execvp(compiler, [compiler, *arguments])
    return compile_kept(Path(folder), compiler, arguments, source)


if __name__ == "__main__":
    sys.exit(main())
