# The Python wheel: built by maturin, installed into fresh environments of the oldest and the newest Python that are here,
# and tested there, with its examples.
. .ci/lib.sh

. .ci/python.sh

build_wheel
echo "$(basename "$wheel"): $(stat -c %s "$wheel") bytes"
listed=$(python3 -m zipfile --list "$wheel" | awk 'NR > 1 { print $1 }' | grep -v dist-info/ | sort | xargs)
expected="blockspan/__init__.py blockspan/__init__.pyi blockspan/_answer.py blockspan/_native.abi3.so blockspan/_pipeline.py blockspan/_tasks.py blockspan/default.bspan blockspan/haystack.py blockspan/py.typed blockspan/ray.py blockspan/spark.py"
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
  if [ "$python" = "${pythons[-1]}" ]; then wanted+=(pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1 arro3-core==0.9.1); fi
  tools "test-$version" "$python" "${wanted[@]}"
  environment=$folder/test-$version/bin
  install_wheel "test-$version"
  [ "$("$environment/pip" show blockspan | sed -n 's/^Requires: *//p')" = "" ] || fail "the wheel wants other packages"
  echo "--- Python $version"
  "$environment/python" -I -B -m pytest -p no:cacheprovider --ignore bindings/python/tests/cluster bindings/python/tests
  [ "$python" != "${pythons[-1]}" ] || break
done
