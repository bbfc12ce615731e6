# The README's two commands, as they stand there, in a clean clone, or here where nothing differs from one. The second is
# the test suite.
#
# The README marks them by a comment on the line before the code block:
#     <!-- ci: answer -->          the command that answers a question
#     <!-- ci: answer-output -->   what it prints: each line must be among those really printed
#     <!-- ci: test -->            the command that runs all tests
# Lines that clone the repository or enter its folder are left out; that has been done.
. .ci/lib.sh

# What earlier steps leave in the tree, beside what compilers and npm do: made anew whenever it is wanted.
rm -rf fuzz/models
others=$(git status --porcelain --ignored | grep -vxE '!! (.*/)?(target|node_modules)/' || true)
if [ -z "$others" ]; then
  echo "the tree is the last commit's: running here, so that nothing compiles twice"
else
  echo "running in a clone of the last commit; these are not in it:"
  echo "$others"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  git clone --quiet . "$scratch/blockspan"
  cd "$scratch/blockspan"
fi

# block NAME: the code block that the README marks so
block() {
  awk -v mark="<!-- ci: $1 -->" '
    $0 == mark { wanted = 1; next }
    wanted && /^```/ { if (inside) exit; inside = 1; next }
    inside && !/^(git clone|cd blockspan)/ { print }
  ' README.md | grep . || fail "README.md has no code block marked <!-- ci: $1 -->"
}

answer=$(block answer)
expected=$(block answer-output)
test=$(block test)

echo "\$ $answer"
printed=$(bash -euo pipefail -c "$answer")
echo "$printed"
while IFS= read -r line; do
  grep -qxF -- "$line" <<<"$printed" || fail "README.md promises this line, which was not printed: $line"
done <<<"$expected"

[ "$test" = "cargo test --workspace --release" ] || fail "README.md's test command is: $test"
echo "\$ $test"
bash -euo pipefail -c "$test"
