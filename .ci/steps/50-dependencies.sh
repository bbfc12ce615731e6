# Dependencies point one way: kernels <- engine <- (trainer, reader <- appliance) <- tests, retrieval <- appliance; no candle on the appliance.
. .ci/lib.sh

# crates PACKAGE [CARGO-TREE-OPTION...]: the names of all crates that it is built from
crates() { cargo tree --locked -q --edges normal,build --prefix none --format '{p}' -p "$@" | cut -d' ' -f1 | sort -u; }

# within PACKAGE OURS...: of this workspace's crates, PACKAGE may be built from itself and OURS only
within() {
  local package=$1 allowed other; shift
  allowed=" $package $* "
  for other in $(crates "$package" | grep -x 'blockspan.*'); do
    [[ $allowed == *" $other "* ]] || fail "$package must not depend on $other"
  done
}

within blockspan-kernels
within blockspan-engine blockspan-kernels
within blockspan-reader blockspan-kernels blockspan-engine
within blockspan-squad
within blockspan-retrieval
within blockspan-trainer blockspan-kernels blockspan-engine blockspan-squad
within blockspan blockspan-kernels blockspan-engine blockspan-reader blockspan-retrieval blockspan-squad
within blockspan-capi blockspan-kernels blockspan-engine
within blockspan-python blockspan-kernels blockspan-engine blockspan-reader

for package in blockspan blockspan-capi blockspan-engine blockspan-kernels blockspan-python blockspan-reader blockspan-retrieval; do
  if crates "$package" | grep -E '^(candle|tokenizers|safetensors)'; then
    fail "$package must not depend on the training crates above"
  fi
done
for package in blockspan-kernels blockspan-engine; do
  echo "$package, bare: $(crates "$package" --no-default-features | xargs)"
done
