# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the shell scripts of tools/ share. Sourced by bash; sets nothing but functions and SL_TOP,
# the top of the tree.

SL_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Neither make nor configure can work under a path with a space or another character of the shell's.
# Such a tree is reached through a link, which is remembered beside it for the next run.
safe_top() {
    local memo=$SL_TOP/.build-link link=''
    case $SL_TOP in *[!A-Za-z0-9_./+,:@~-]*) ;; *) return 0 ;; esac
    [ ! -f "$memo" ] || link=$(cat "$memo")
    if [ -z "$link" ] || [ ! -O "${link%/*}" ] || [ "$(readlink "$link")" != "$SL_TOP" ]; then
        link=$(mktemp -d "${TMPDIR:-/tmp}/sluice-tree.XXXXXX")/tree || return 1
        # Whoever may read the tree may go through: a daemon can have become another user.
        chmod 755 "${link%/*}" && ln -s "$SL_TOP" "$link" && printf '%s\n' "$link" >"$memo" || return 1
    fi
    SL_TOP=$link
}
safe_top || { printf 'cannot link to %s\n' "$SL_TOP" >&2; exit 1; }

say() { printf '%s\n' "$*"; }

# die WHAT [WHAT TO DO]
die() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    [ $# -lt 2 ] || printf '%s: %s\n' "${0##*/}" "$2" >&2
    exit 1
}

# A log without make's lines of progress.
show_log() { grep -vE '^  (CC|CCLD|AR|GEN|CXX|CXXLD) ' "$1"; }

# quietly LOG COMMAND...: nothing on success; on failure the whole log, the command, and its status.
quietly() {
    local log=$1 rc=0
    shift
    "$@" >"$log" 2>&1 </dev/null || rc=$?
    [ $rc -eq 0 ] || {
        show_log "$log" >&2
        printf '%s: failed with %d: %s\n' "${0##*/}" "$rc" "$*" >&2
    }
    return $rc
}

# package_rows GROUP...: the packages of these groups, alternatives still joined by "|". A group has
# those of GROUP-x too.
package_rows() {
    local group
    for group in "$@"; do
        awk -v g="$group" '$1 == g || index($1, g "-") == 1 { print $2; n++ } END { exit !n }' "$SL_TOP/tools/packages" ||
            die "tools/packages has no group $group"
    done
}

# installed PACKAGE
installed() {
    case $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) in *" installed") ;; *) return 1 ;; esac
}

# missing_packages GROUP...: what tools/install would install, one a line.
missing_packages() {
    local row one rows
    rows=$(package_rows "$@") || return 1
    for row in $rows; do
        for one in ${row//|/ }; do
            installed "$one" && continue 2
        done
        printf '%s\n' "${row%%|*}"
    done
}

# install_packages GROUP...: as root at once, else through sudo. Nothing to do takes no time.
install_packages() {
    local need
    need=$(missing_packages "$@") || exit 1
    [ -z "$need" ] || install_as_root "these packages are missing: ${need//$'\n'/ }" "$@"
}

update_package_lists() {
    install_as_root "apt has no package lists" --update
}

# install_as_root WHY ARG...
install_as_root() {
    local why=$1
    shift
    if [ "$(id -u)" -eq 0 ]; then
        "$SL_TOP/tools/install" "$@" || exit 1
    elif command -v sudo >/dev/null; then
        say "$why; asking sudo"
        sudo "$SL_TOP/tools/install" "$@" || exit 1
    else
        die "$why" "run as root: $SL_TOP/tools/install $*"
    fi
}

# configure_in FOLDER ARG...: makes configure if it is older than its sources, and runs it in FOLDER
# when it has not run there yet with these arguments.
configure_in() {
    local dir=$1 stamp
    shift
    mkdir -p "$dir"
    if [ ! -x "$SL_TOP/configure" ] || [ ! -f "$SL_TOP/Makefile.in" ] ||
        [ "$SL_TOP/configure.ac" -nt "$SL_TOP/configure" ]; then
        quietly "$dir/autogen.log" "$SL_TOP/autogen.sh" || return 1
    fi
    stamp="$SL_TOP $*"
    [ -f "$dir/config.status" ] && [ "$(cat "$dir/.arguments" 2>/dev/null)" = "$stamp" ] &&
        [ ! "$SL_TOP/configure" -nt "$dir/config.status" ] && return 0
    (cd "$dir" && quietly configure.log "$SL_TOP/configure" "$@") || return 1
    printf '%s\n' "$stamp" >"$dir/.arguments"
}
