#!/bin/sh
# Builds libblockspan and installs it for C programs: the static and the shared library, the header, a pkg-config file
# and a CMake package.
#
#     bindings/c/install.sh [--prefix DIR] [--libdir DIR] [--target TRIPLE] [--libraries DIR]
#
#     --prefix DIR      install below DIR                                     (/usr/local)
#     --libdir DIR      where libraries go, relative to the prefix            (lib)
#     --target TRIPLE   build for another target; its linker as .cargo/config.toml or CARGO_TARGET_..._LINKER says
#     --libraries DIR   build nothing: take libblockspan.a and libblockspan.so from DIR
#
# With DESTDIR in the environment everything goes below that folder, as packagers want it, while the files say what
# will be true without it. Prints each file that it installs. For systems with ELF libraries (Linux, the BSDs).
set -eu

fail() { echo "install.sh: $*" >&2; exit 2; }

here=$(cd "$(dirname "$0")" && pwd)
prefix=/usr/local libdir=lib target='' libraries=''
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --prefix | --libdir | --target | --libraries)
      [ $# -ge 2 ] || fail "$1 needs a value; see --help"
      case $1 in
        --prefix) prefix=$2 ;;
        --libdir) libdir=$2 ;;
        --target) target=$2 ;;
        --libraries) libraries=$2 ;;
      esac
      shift 2 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
done
case $prefix in /*) ;; *) fail "--prefix $prefix: give a path that starts with /" ;; esac
case /$libdir/ in
  //*) fail "--libdir $libdir: give a path relative to the prefix, such as lib/x86_64-linux-gnu" ;;
  */../* | */./*) fail "--libdir $libdir: give a path without . and .." ;;
esac
case $(uname -s) in Darwin | MINGW* | MSYS* | CYGWIN*) fail "$(uname -s) has no ELF libraries; see README.md" ;; esac

if [ -z "$libraries" ]; then
  # In the crate's folder, so that Cargo finds the settings of the repository.
  cd "$here"
  cargo build --release ${target:+--target "$target"}
  folder=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
  libraries=$folder/${target:+$target/}release
fi
for file in libblockspan.a libblockspan.so; do
  [ -f "$libraries/$file" ] || fail "$libraries/$file: no such file"
done

macro() { sed -n "s/^#define BLOCKSPAN_VERSION_$1 \"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$here/include/blockspan.h"; }
version=$(macro STRING) major=$(macro MAJOR) minor=$(macro MINOR)
[ -n "$version" ] || fail "$here/include/blockspan.h: no version in it"
# As build.rs has it.
if [ "$major" = 0 ]; then abi=0.$minor; else abi=$major; fi

root=${DESTDIR:-}$prefix
lib=$root/$libdir

# put MODE FROM TO: under a temporary name first, so that programs that use the old file keep it
put() {
  mkdir -p "$(dirname "$3")"
  cp "$2" "$3.tmp"
  chmod "$1" "$3.tmp"
  mv -f "$3.tmp" "$3"
  echo "$3"
}

link() {
  ln -sfn "$1" "$lib/$2"
  echo "$lib/$2"
}

# fill TEMPLATE TO
filled=$(mktemp)
trap 'rm -f "$filled"' EXIT
escape() { printf '%s' "$1" | sed 's/[\\&|]/\\&/g'; }
fill() {
  sed -e "s|@PREFIX@|$(escape "$prefix")|g" -e "s|@LIBDIR@|$(escape "$libdir")|g" -e "s|@UP@|$up|g" \
    -e "s|@VERSION@|$version|g" -e "s|@MAJOR@|$major|g" -e "s|@MINOR@|$minor|g" -e "s|@ABI@|$abi|g" \
    "$here/packaging/$1.in" >"$filled"
  put 644 "$filled" "$2/$1"
}
# From the library folder up to the prefix.
up=$(printf '%s' "$libdir" | sed 's|/*$||; s|//*|/|g; s|[^/][^/]*|..|g')

put 644 "$here/include/blockspan.h" "$root/include/blockspan.h"
put 644 "$libraries/libblockspan.a" "$lib/libblockspan.a"
put 755 "$libraries/libblockspan.so" "$lib/libblockspan.so.$version"
link "libblockspan.so.$version" "libblockspan.so.$abi"
link "libblockspan.so.$abi" libblockspan.so
fill blockspan.pc "$lib/pkgconfig"
fill blockspan-config.cmake "$lib/cmake/blockspan"
fill blockspan-config-version.cmake "$lib/cmake/blockspan"
