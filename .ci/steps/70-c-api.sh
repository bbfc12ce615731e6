# The C library. README's commands as they stand there; the program on AArch64 under the emulator, which prints the same
# lines to the last digit; and an installed library that a program finds by pkg-config and by CMake, with nothing left of
# the build.
. .ci/lib.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
target=aarch64-unknown-linux-gnu
warnings=(-std=c11 -O2 -Wall -Wextra -Wpedantic -Werror)
example=bindings/c/examples/ask.c

# compile COMPILER LIBRARIES OUT
compile() {
  "$1" "${warnings[@]}" -Ibindings/c/include "$example" "$2/libblockspan.a" -lpthread -ldl -lm -o "$3"
}

echo "--- README"
# block NAME: the code block of bindings/c/README.md that is marked so
block() {
  awk -v mark="<!-- ci: $1 -->" '
    $0 == mark { wanted = 1; next }
    wanted && /^```/ { if (inside) exit; inside = 1; next }
    inside { print }
  ' bindings/c/README.md | grep . || fail "bindings/c/README.md has no code block marked <!-- ci: $1 -->"
}
# Where it says target/, and where it leaves the program.
build=$(block c-build | sed "s|target/release|$CARGO_TARGET_DIR/release|g; s|-o ask|-o $scratch/ask|; s|cargo build|cargo build --locked|")
ask=$(block c-ask | sed "s|^\./ask|$scratch/ask|")
bash -euxo pipefail -c "$build"
bash -euo pipefail -c "$ask" | tee "$scratch/printed"
diff <(block c-ask-output) "$scratch/printed" || fail "bindings/c/README.md shows other lines than the program prints"

echo "--- the same lines on AArch64"
cargo +debian build --locked --release --target "$target" -p blockspan-capi
compile aarch64-linux-gnu-gcc "$CARGO_TARGET_DIR/$target/release" "$scratch/ask-aarch64"
# A passage of one window, since an emulator is some fifty times slower than a processor, and of one line, since an
# answer is printed as it stands.
tr '\n' ' ' >"$scratch/passage" <<'TEXT'
The lighthouse of Alexandria was built in the third century BC. It was more than 100 metres high, for many centuries
among the tallest structures made by man. Three earthquakes between 956 and 1323 damaged it.
TEXT
questions=("How high was the lighthouse?" "When was it built?")
"$scratch/ask" fixtures/default.bspan "$scratch/passage" "${questions[@]}" | tee "$scratch/host"
[ "$(wc -l <"$scratch/host")" = 2 ] || fail "the C program printed no line for each question"
for cpu in cortex-a53 max; do
  QEMU_CPU=$cpu qemu-aarch64 -L /usr/aarch64-linux-gnu "$scratch/ask-aarch64" fixtures/default.bspan \
    "$scratch/passage" "${questions[@]}" >"$scratch/aarch64"
  diff "$scratch/host" "$scratch/aarch64" || fail "on AArch64 ($cpu) the C program prints other lines"
  echo "AArch64, $cpu: the same"
done

echo "--- C++ takes the header"
c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c++ bindings/c/include/blockspan.h

echo "--- installed"
# Copies, so that the build can be taken away from under the installed library.
mkdir "$scratch/built"
cp "$CARGO_TARGET_DIR/release/libblockspan."{a,so} "$scratch/built"
cp "$example" "$scratch/ask.c"
prefix="$scratch/a prefix"
bindings/c/install.sh --prefix "$prefix" --libdir lib/here --libraries "$scratch/built"
rm -r "$scratch/built"
lib="$prefix/lib/here"

soname=$(readelf -d "$lib/libblockspan.so" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
echo "SONAME $soname"
[ "$(readlink "$lib/libblockspan.so")" = "$soname" ] || fail "libblockspan.so is not a link to its SONAME, '$soname'"
[ -e "$lib/$soname" ] || fail "nothing is installed as $soname"
exported=$(nm -D --defined-only "$lib/libblockspan.so" | awk '{ print $3 }' | sort)
declared=$(grep -o 'blockspan_[a-z_]*(' bindings/c/include/blockspan.h | tr -d '(' | sort -u)
[ "$exported" = "$declared" ] || fail "the library exports other names than the header declares: $exported"

# answers PROGRAM: it prints what the program above did
answers() {
  "$1" fixtures/default.bspan "$scratch/passage" "${questions[@]}" | diff "$scratch/host" - ||
    fail "$1 prints other lines"
}
# asks_for_soname PROGRAM
asks_for_soname() {
  readelf -d "$1" | grep -F "(NEEDED)" | grep -F "[$soname]" || fail "$1 does not ask for $soname"
}

export PKG_CONFIG_PATH="$lib/pkgconfig"
version=$(sed -n 's/^#define BLOCKSPAN_VERSION_STRING "\(.*\)"/\1/p' bindings/c/include/blockspan.h)
[ "$(pkg-config --modversion blockspan)" = "$version" ] || fail "blockspan.pc has another version than the header"
# As the shell takes them apart: the prefix has a space in it.
flags=()
eval "flags=($(pkg-config --cflags --libs blockspan))"
cc "${warnings[@]}" "$scratch/ask.c" "${flags[@]}" -lpthread -o "$scratch/ask-pkg-config"
asks_for_soname "$scratch/ask-pkg-config"
LD_LIBRARY_PATH="$lib" answers "$scratch/ask-pkg-config"
eval "flags=($(pkg-config --static --cflags --libs blockspan))"
cc "${warnings[@]}" -static "$scratch/ask.c" "${flags[@]}" -lpthread -o "$scratch/ask-static"
answers "$scratch/ask-static"
echo "pkg-config: shared and static"

cmake -S bindings/c/tests/cmake -B "$scratch/cmake" "-DCMAKE_PREFIX_PATH=$prefix" "-DASK=$scratch/ask.c" \
  "-Dblockspan_DIR=$lib/cmake/blockspan" -DCMAKE_C_FLAGS=-Werror >"$scratch/log" || { cat "$scratch/log"; fail "CMake"; }
cmake --build "$scratch/cmake" >"$scratch/log" || { cat "$scratch/log"; fail "CMake's build"; }
asks_for_soname "$scratch/cmake/ask_blockspan"
answers "$scratch/cmake/ask_blockspan"
answers "$scratch/cmake/ask_blockspan_static"
# Before 1.0 another minor version is another interface; an older patch is not enough.
for wanted in "${version%.*}.99" 0.0 0.99 1; do
  if cmake -S bindings/c/tests/cmake -B "$scratch/other" "-Dblockspan_DIR=$lib/cmake/blockspan" "-DASK=$scratch/ask.c" \
    "-DWANTED=$wanted" >"$scratch/log" 2>&1; then fail "find_package(blockspan $wanted) takes $version"; fi
  grep -q "blockspan" "$scratch/log" || { cat "$scratch/log"; fail "CMake fails for another reason"; }
done
echo "CMake: shared and static"

# Built by the script itself, and below another root.
DESTDIR="$scratch/stage" bindings/c/install.sh --prefix /usr >/dev/null
cmp "$scratch/stage/usr/lib/libblockspan.so" "$lib/libblockspan.so" || fail "install.sh builds another library"
grep -qx 'prefix=/usr' "$scratch/stage/usr/lib/pkgconfig/blockspan.pc" || fail "DESTDIR got into blockspan.pc"
for wrong in "--prefix relative" "--libdir /lib" "--libdir lib/../.." "--libraries $scratch/none" --prefix --what; do
  if bindings/c/install.sh --prefix "$scratch/none" $wrong 2>"$scratch/log"; then fail "install.sh takes $wrong"; fi
  [ "$(wc -l <"$scratch/log")" = 1 ] || fail "install.sh $wrong: $(cat "$scratch/log")"
  [ ! -e "$scratch/none" ] || fail "install.sh $wrong left something"
done
