#!/bin/sh
# Make .venv from requirements.lock, with this checkout installed in it, and build the page.
# What is made already is left alone: a second call takes a fraction of a second.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

# An interpreter that will do, on stdout: $PYTHON when it is set, otherwise the first of the usual names.
# It is asked, not judged by its name: a name can be a shim of pyenv that leads nowhere.
find_python() {
    if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3 python3.14 python3.13 python3.12 python3.11; fi
    tried="$*" old='' bare=''
    for name; do
        version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        if ! "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            old="$old${old:+, }$name is $version"
        elif ! "$name" -c 'import venv, ensurepip' 2>/dev/null; then
            bare=$version
        else
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    if [ -n "$bare" ]; then
        say "Python $bare is here, but without its modules venv and ensurepip, which make Tailrace's own environment."
        say "Debian and Ubuntu keep them in a package of their own: apt-get install python$bare-venv"
    elif [ -n "$old" ]; then
        say "Tailrace needs Python 3.11 or newer, but $old."
    else
        say "Tailrace needs Python 3.11 or newer, and none of these runs: $tried."
    fi
    say "Another interpreter can be named: make setup PYTHON=/path/to/python3.12"
    return 1
}

# The environment is as good as new when it was made from these files, in this place, and still starts.
wanted=$(cat requirements.lock pyproject.toml tools/setup.sh | cksum)" $PWD"
is_ready() {
    [ "$(cat .venv/made-from 2>/dev/null)" = "$wanted" ] || return 1
    .venv/bin/python -c '' 2>/dev/null || return 1
    # Only an interpreter that was asked for by name can be another than the one that made the environment.
    [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" -c 'import sys; print(sys.version)')" = "$(.venv/bin/python -c 'import sys; print(sys.version)')" ]
}

# uv takes a sixth of pip's time. It does not know pip's own settings (a company's index, for one), so pip stands by.
# The machine's own uv is taken when it is the lock's version. Without a network, what uv has kept in its cache will do:
# whether a package is the one that is meant is told by the lock's hashes, wherever it comes from.
install_locked() {
    uv=.venv/bin/uv
    sed '/^uv==/,/^[^ #]/ {/^uv==/d; /^ /d}' requirements.lock > .venv/but-uv.txt
    if [ "$(command uv --version 2>/dev/null | cut -d ' ' -f 2)" = "$(sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements.lock)" ]; then
        ln -s "$(command -v uv)" $uv
    else
        awk '/^uv==/ {on = 1} on && !/^(uv==| )/ {exit} on && !/#/' requirements.lock > .venv/uv.txt
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
    fi &&
        { uv_sync || { say "uv could not fetch the packages; trying with those that it has kept …" && uv_sync --offline; }; } && return
    say "uv could not install the packages; trying with pip …"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
}
uv_sync() {
    # Compiled now, once: where Python may not write its caches, every process would compile all that it imports.
    VIRTUAL_ENV="$PWD/.venv" $uv pip sync --quiet --no-config --require-hashes --compile-bytecode "$@" .venv/but-uv.txt
}

if ! is_ready; then
    python=$(find_python)
    say "Making .venv with $("$python" -V) …"
    rm -f .venv/made-from
    "$python" -m venv --clear .venv
    install_locked
    # hatchling is in the lock: isolation would fetch it once more, at whatever version is the newest.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
    printf '%s\n' "$wanted" > .venv/made-from
fi

exec .venv/bin/python tools/page.py
