# Every published crate builds from what `cargo package` puts into its tarball, and the command that is built so works.
#
# The tarballs are unpacked side by side, each taking the others in place of a registry's, with the repository's
# Cargo.lock and profiles, so that crates of others which the lint step has checked are not checked again.
. .ci/lib.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

persist cargo package --workspace --exclude blockspan-tests --exclude blockspan-python --no-verify --allow-dirty --quiet --target-dir "$scratch/target"

members=()
for tarball in "$scratch"/target/package/*.crate; do
  tar -xzf "$tarball" -C "$scratch"
  member=$(basename "$tarball" .crate)
  members+=("$member")
  bytes=$(stat -c %s "$tarball")
  echo "$member: $bytes bytes"
  [ "$bytes" -le 10000000 ] || fail "$member: a registry takes 10 MB"
  for file in README.md LICENSE-MIT LICENSE-APACHE; do
    [ -s "$scratch/$member/$file" ] || fail "$member: $file is missing"
  done
  for field in description license repository keywords categories; do
    grep -q "^$field = " "$scratch/$member/Cargo.toml" || fail "$member: $field is missing in its Cargo.toml"
  done
done
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
[ "${members[*]}" = "$(printf 'blockspan%s-'"$version"' ' '' -capi -engine -kernels -reader -retrieval -squad -trainer | sed 's/ $//')" ] ||
  fail "the published crates are others: ${members[*]}"
[ -x "$scratch/blockspan-capi-$version/install.sh" ] || fail "blockspan-capi: install.sh is missing"

{
  echo '[workspace]'
  echo 'resolver = "3"'
  printf 'members = ['; printf '"%s", ' "${members[@]}"; echo ']'
  echo '[patch.crates-io]'
  for member in "${members[@]}"; do echo "${member%-"$version"} = { path = \"$member\" }"; done
  sed -n '/^\[profile/,$p' Cargo.toml
} >"$scratch/Cargo.toml"
cp Cargo.lock "$scratch"
repository=$PWD
cd "$scratch"
cargo metadata --offline --format-version 1 >/dev/null || fail "the tarballs ask for other crates than Cargo.lock has"
cargo check --offline --release --workspace
cargo build --offline --release -p blockspan

command=$CARGO_TARGET_DIR/release/blockspan
context="The lighthouse on Gannet Point was built in 1862."
for words in "ask --context text What?" inspect tokenize; do
  if $command $words </dev/null 2>error; then fail "the package cannot hold the default model, yet '$words' needs none"; fi
  grep "no default model" error || fail "'$words' does not say that it needs a model: $(cat error)"
done
url=$(grep -o 'https://[^ ,]*' error) || fail "the message does not say where a model is"
[ -f "$repository/${url##*/raw/v"$version"/}" ] || fail "$url: the repository has no such file"
"$command" ask --model "$repository/fixtures/default.bspan" --context "$context" "When was it built?" | grep -x 1862
# What lies in the target folder is not the repository's command; the next build there makes it anew.
rm -f "$command"
