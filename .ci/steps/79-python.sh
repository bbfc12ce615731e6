# The Python wheel: built by maturin, installed into fresh environments of the oldest and the newest Python that are here,
# and tested there, with its examples.
. .ci/lib.sh

folder=$CARGO_TARGET_DIR/python
python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv

# tools NAME PYTHON WANTED...: an environment with these packages, made anew where others are wanted
tools() {
  local environment=$folder/$1 python=$2 wanted; shift 2
  wanted="$("$python" -V) $*"
  [ "$(cat "$environment/installed" 2>/dev/null)" != "$wanted" ] || return 0
  rm -rf "$environment"
  "$python" -m venv "$environment"
  persist "$environment/bin/pip" install --quiet --disable-pip-version-check "$@"
  echo "$wanted" >"$environment/installed"
}

tools build python3 maturin==1.16.0
rm -rf "$folder/wheels"
# In a folder of its own: maturin sets variables that would make Cargo build pyo3 anew here, and again for the workspace.
CARGO_TARGET_DIR=$folder/target "$folder/build/bin/maturin" build --quiet --release --locked \
  --manifest-path bindings/python/Cargo.toml --out "$folder/wheels"
wheel=$(echo "$folder"/wheels/*.whl)
echo "$(basename "$wheel"): $(stat -c %s "$wheel") bytes"
listed=$(python3 -m zipfile --list "$wheel" | awk 'NR > 1 { print $1 }' | grep -v dist-info/ | sort | xargs)
expected="blockspan/__init__.py blockspan/__init__.pyi blockspan/_answer.py blockspan/_native.abi3.so blockspan/_pipeline.py blockspan/default.bspan blockspan/py.typed"
[ "$listed" = "$expected" ] || fail "the wheel holds other files: $listed"

# Those that start: pyenv, for one, has commands of versions that are not there.
pythons=()
for minor in 9 10 11 12 13 14 15; do
  for python in "python3.$minor" "$HOME/.pyenv/versions/3.$minor".*/bin/python; do
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then pythons+=("$python"); break; fi
  done
done
[ ${#pythons[@]} -gt 0 ] || pythons=(python3)
for python in "${pythons[0]}" "${pythons[-1]}"; do
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  wanted=(pytest==8.4.2)
  # With the libraries whose record batches are read; the older one shows that the wheel needs none.
  if [ "$python" = "${pythons[-1]}" ]; then wanted+=(pyarrow==26.0.1 polars==2.1.0); fi
  tools "test-$version" "$python" "${wanted[@]}"
  environment=$folder/test-$version/bin
  "$environment/pip" install --quiet --disable-pip-version-check --no-index --force-reinstall "$wheel"
  [ "$("$environment/pip" show blockspan | sed -n 's/^Requires: *//p')" = "" ] || fail "the wheel wants other packages"
  echo "--- Python $version"
  "$environment/python" -I -B -m pytest -p no:cacheprovider bindings/python/tests
  [ "$python" != "${pythons[-1]}" ] || break
done
