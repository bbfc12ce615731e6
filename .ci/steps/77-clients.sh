# The clients of Hugging Face's inference API, Python's and JavaScript's, unchanged, against a running server.
. .ci/lib.sh

command -v npm >/dev/null || install_packages nodejs npm
python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv

clients=appliance/tests/clients
work=$CARGO_TARGET_DIR/clients
wanted=$(sha256sum "$clients"/requirements.txt "$clients"/package-lock.json)
if [ "$(cat "$work/installed" 2>/dev/null)" != "$wanted" ]; then
  rm -rf "$work"
  mkdir -p "$work"
  python3 -m venv "$work/venv"
  persist "$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$clients/requirements.txt"
  cp "$clients"/{package.json,package-lock.json,.npmrc} "$work"
  (cd "$work" && persist npm ci --silent)
  echo "$wanted" >"$work/installed"
fi
cp "$clients"/ask.* "$work"

# Of the whole workspace, so that features and with them the builds are those of the tests.
cargo build --locked --release --quiet --workspace --bin blockspan

"$CARGO_TARGET_DIR/release/blockspan" serve --listen 127.0.0.1:0 2>"$work/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
url=
for _ in $(seq 300); do
  url=$(grep -o 'http://[0-9.:]*' "$work/log" | head -n 1) && break
  kill -0 "$server" || fail "the server ended: $(cat "$work/log")"
  sleep 0.1
done
[ -n "$url" ] || fail "the server does not listen: $(cat "$work/log")"

# No token of whoever runs this, and no word to anyone but the server.
export HF_HUB_DISABLE_IMPLICIT_TOKEN=1 HF_HUB_DISABLE_TELEMETRY=1 DO_NOT_TRACK=1 HF_HOME="$work/home"
"$work/venv/bin/python" "$work/ask.py" "$url"
node "$work/ask.mjs" "$url"

kill "$server"
trap - EXIT
wait "$server" || fail "the server ended with status $?"
