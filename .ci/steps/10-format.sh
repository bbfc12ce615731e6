# rustfmt, and shell and Python files that at least parse.
. .ci/lib.sh
cargo fmt --all --check
for file in .ci/run .ci/*.sh .ci/steps/*.sh; do bash -n "$file"; done
python3 - fixtures/*.py <<'PYTHON'
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)
PYTHON
