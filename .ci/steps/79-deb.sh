# The Debian packages: amd64 is installed, asked, served from and removed; arm64 is looked into and asked under the emulator.
. .ci/lib.sh

version=3.8.0
cargo deb --version 2>/dev/null | grep -qx "$version" ||
  persist cargo install --locked --quiet cargo-deb --version "$version" --target-dir "$CARGO_TARGET_DIR/cargo-deb"

context="The lighthouse on Gannet Point was built in 1862."
question="When was the lighthouse built?"
files="usr/bin/blockspan usr/share/man/man1/blockspan-serve.1.gz usr/share/bash-completion/completions/blockspan
  usr/lib/systemd/system/blockspan.service usr/lib/systemd/system/blockspan.socket etc/blockspan/serve.env"

# answered TEXT: whether it begins with the answer
answered() { [ "$(head -n 1 <<<"$1")" = 1862 ] || fail "the packaged command answers: $1"; }

scratch=$(mktemp -d)
trap 'dpkg --purge blockspan >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT

package=$(packaging/deb.sh)
[ "$(dpkg-deb --field "$package" Architecture)" = amd64 ] || fail "$package is not for amd64"
dpkg-deb --field "$package" Depends | grep -qF "libc6 (>= 2.36)" || fail "$package does not say that it needs glibc 2.36"
dpkg --install "$package" >/dev/null
for file in $files; do [ -s "/$file" ] || fail "$package: $file is missing"; done
answered "$(blockspan ask --context "$context" "$question")"
blockspan selftest >/dev/null
bytes=$(($(stat -c %s /usr/bin/blockspan) - $(stat -c %s fixtures/default.bspan)))
echo "$package: the command has $bytes bytes beside the default model"
[ "$bytes" -le 4000000 ] || fail "the command has grown beyond 4.0 MB"
exposure=$(systemd-analyze security --offline=true --threshold=15 /usr/lib/systemd/system/blockspan.service | tail -n 1)
echo "${exposure#→ }"

BLOCKSPAN_LISTEN=127.0.0.1:0 blockspan serve 2>"$scratch/log" &
service=$!
for _ in $(seq 100); do
  address=$(grep -o '127\.0\.0\.1:[0-9]*' "$scratch/log" | head -n 1) && break
  sleep 0.1
done
python3 - "$address" "$context" "$question" <<'PYTHON'
import json, sys, urllib.request

address, context, question = sys.argv[1:]
body = json.dumps({"inputs": {"context": context, "question": question}}).encode()
request = urllib.request.Request(f"http://{address}/", body, {"Content-Type": "application/json"})
answer = json.load(urllib.request.urlopen(request, timeout=30))
assert answer["answer"] == "1862", answer
PYTHON
kill -TERM "$service"
wait "$service" || fail "the service ended with status $?"

dpkg --purge blockspan >/dev/null
for file in $files; do [ ! -e "/$file" ] || fail "$file is left after the package was removed"; done

package=$(BLOCKSPAN_DEB_CARGO="cargo +debian" packaging/deb.sh aarch64-unknown-linux-gnu)
[ "$(dpkg-deb --field "$package" Architecture)" = arm64 ] || fail "$package is not for arm64"
dpkg-deb --extract "$package" "$scratch/arm64"
for file in $files; do [ -s "$scratch/arm64/$file" ] || fail "$package: $file is missing"; done
answered "$(qemu-aarch64 -L /usr/aarch64-linux-gnu "$scratch/arm64/usr/bin/blockspan" ask --context "$context" "$question")"
