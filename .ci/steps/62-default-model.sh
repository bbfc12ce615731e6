# The script that makes the default model, end to end on a tiny one; and again, which finds every stage done.
. .ci/lib.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Of the whole workspace, so that features and with them the builds are those of the tests.
cargo build --locked --release --quiet --workspace --bin blockspan --bin blockspan-trainer
make() { fixtures/default-model.sh --smoke --work "$scratch/work" --bin "$CARGO_TARGET_DIR/release"; }
make >"$scratch/first" 2>"$scratch/log" || { tail -5 "$scratch/log"; fail "default-model.sh --smoke"; }
sed -n '/AUROC/p; /^best F1/p; /^EM/p' "$scratch/first"
for key in base training_data sparsity exact_match f1 evaluated_on null_threshold answerable_slope answerable_intercept \
  license attribution; do
  grep -q "^ *$key  *[^ ]" "$scratch/first" || fail "the model's card has no $key"
done
find "$scratch/work" -type f -printf '%P %T@\n' | sort >"$scratch/before"
make >"$scratch/second" 2>>"$scratch/log"
find "$scratch/work" -type f -printf '%P %T@\n' | sort | diff "$scratch/before" - || fail "a second run made something anew"
[ "$(grep -c ': is there$' "$scratch/second")" = 6 ] || fail "a second run did not find its six stages"
