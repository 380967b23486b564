#!/bin/sh
# See that this machine has what the tests start beside Python: install what is missing where that is simple (root on
# Debian or Ubuntu), name it elsewhere. With TAILRACE_REQUIRE_SERVICES=1 something missing is an error; otherwise the
# tests that need it skip themselves.
set -eu

has_postgresql() { command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
has_chromium() { command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; }
has_chinese_font() {
    ls /usr/share/fonts/*/noto/NotoSansCJK-* >/dev/null 2>&1 && return
    command -v fc-list >/dev/null && [ -n "$(fc-list :lang=zh-cn | head -n 1)" ]
}
has_nspawn() { command -v systemd-nspawn >/dev/null; }
has_git() { command -v git >/dev/null; }
has_subversion() { command -v svn >/dev/null && command -v svnserve >/dev/null; }
has_make() { command -v make >/dev/null; }
has_python() {
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
    done
    return 1
}

packages=''
needs=''
need() {  # PACKAGE, what for
    packages="$packages $1"
    needs="$needs
  $1: $2"
}
has_git || need git "checkouts, the mirror of a repository, every test that pushes"
has_subversion || need subversion "checkouts from Subversion, on both sides"
has_make || need make "everything"
has_python || need python3-venv "everything: Python 3.11 or newer with venv and ensurepip"
has_postgresql || need postgresql "the store's tests on a real PostgreSQL (the server's programs; no server needs to run)"
has_chromium || need chromium "the tests of the page in a real browser"
has_nspawn || need systemd-container "the tests of the units, in a systemd of their own"
has_chinese_font || need fonts-noto-cjk "the pictures of the page in Chinese"
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing$packages …" >&2
    export DEBIAN_FRONTEND=noninteractive
    # The tests start servers of their own: the package shall not leave one running on the machine.
    quiet=/etc/postgresql-common/createcluster.d/tailrace-tests.conf
    case "$packages" in
        *postgresql*)
            trap 'rm -f "$quiet"' EXIT
            mkdir -p "${quiet%/*}"
            echo 'create_main_cluster = false' > "$quiet"
            ;;
    esac
    log=$(mktemp)
    # shellcheck disable=SC2086
    if apt-get -q update > "$log" 2>&1 < /dev/null &&
        apt-get -q install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 $packages >> "$log" 2>&1 < /dev/null; then
        rm -f "$log"
        exit 0
    fi
    tail -n 20 "$log" >&2
    echo "apt-get could not install$packages; its whole output is in $log" >&2
else
    echo "Missing on this machine, with what needs it:$needs" >&2
    echo "On Debian or Ubuntu: sudo apt-get install --no-install-recommends$packages" >&2
fi

if [ "${TAILRACE_REQUIRE_SERVICES:-}" = 1 ]; then
    exit 1
fi
echo "The tests that need it are skipped." >&2
