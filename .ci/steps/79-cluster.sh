# Ray and Spark for real, on this machine: two workers each, of which one is killed half-way. Every row is answered once,
# with the bits of `blockspan batch`. And the reader for Haystack, in both of its versions.
. .ci/lib.sh
. .ci/python.sh

# The engines want a Python of this decade; the wheel itself is tested with the others by 79-python. They are fetched while
# the wheel and the command compile.
{
  tools cluster python3 pytest==8.4.2 ray==2.60.0 pyspark==4.3.0 pyarrow==26.0.1 pandas==2.3.3 fsspec==2026.9.0
  tools haystack-2 python3 pytest==8.4.2 haystack-ai==2.31.0
  tools haystack-3 python3 pytest==8.4.2 haystack-ai==3.4.1
} &
fetching=$!
build_wheel
cargo build --quiet --locked --release -p blockspan
command -v java >/dev/null || install_packages openjdk-17-jre-headless
wait "$fetching"
for name in cluster haystack-2 haystack-3; do install_wheel "$name"; done

scratch=$(mktemp -d /tmp/blockspan.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
# A folder for models that travel, away from that of whoever else works here; and no reports to anybody.
export TMPDIR=$scratch HAYSTACK_TELEMETRY_ENABLED=False RAY_USAGE_STATS_ENABLED=0
export BLOCKSPAN=$CARGO_TARGET_DIR/release/blockspan

for version in 2 3; do
  echo "--- Haystack $version"
  "$folder/haystack-$version/bin/python" -I -B -m pytest -p no:cacheprovider bindings/python/tests/test_haystack.py
done
echo "--- Ray and Spark, ${BLOCKSPAN_CLUSTER_ROWS:-10000} rows"
"$folder/cluster/bin/python" -I -B -m pytest -p no:cacheprovider --durations=3 bindings/python/tests/cluster
