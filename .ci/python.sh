# Sourced by the steps that use the Python wheel.

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

# build_wheel: sets `wheel`. The second step that asks has it at once.
build_wheel() {
  tools build python3 maturin==1.16.0
  rm -rf "$folder/wheels"
  # In a folder of its own: maturin sets variables that would make Cargo build pyo3 anew here, and again for the workspace.
  CARGO_TARGET_DIR=$folder/target "$folder/build/bin/maturin" build --quiet --release --locked \
    --manifest-path bindings/python/Cargo.toml --out "$folder/wheels"
  wheel=$(echo "$folder"/wheels/*.whl)
}

# install_wheel NAME: into that environment, without anything else
install_wheel() {
  "$folder/$1/bin/pip" install --quiet --disable-pip-version-check --no-index --no-deps --force-reinstall "$wheel"
}
