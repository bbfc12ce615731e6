// A model with other metadata: what `engine/FORMAT.md` says of the header, the section table and their checksums.

const MASK = (1n << 64n) - 1n;
const [P1, P2, P3, P4, P5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
];
const rotate = (word, bits) => ((word << bits) | (word >> (64n - bits))) & MASK;
const round = (lane, word) => (rotate((lane + word * P2) & MASK, 31n) * P1) & MASK;

/** XXH64 with seed 0. */
export function xxh64(bytes) {
  let at = 0;
  let hash = P5;
  const long = () => bytes.readBigUInt64LE((at += 8) - 8);
  if (bytes.length >= 32) {
    const lanes = [(P1 + P2) & MASK, P2, 0n, -P1 & MASK];
    while (at + 32 <= bytes.length) for (let lane = 0; lane < 4; lane++) lanes[lane] = round(lanes[lane], long());
    hash = lanes.reduce((sum, lane, index) => (sum + rotate(lane, [1n, 7n, 12n, 18n][index])) & MASK, 0n);
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  while (at + 8 <= bytes.length) hash = (rotate(hash ^ round(0n, long()), 27n) * P1 + P4) & MASK;
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(bytes.readUInt32LE(at)) * P1) & MASK), 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at++) hash = (rotate(hash ^ ((BigInt(bytes[at]) * P5) & MASK), 11n) * P1) & MASK;
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}

/** The same model with these lines as its metadata, filled up to the length of what stood there. */
export function withMetadata(model, lines) {
  const bytes = Buffer.from(model);
  const table = bytes.subarray(128, 128 + 32 * bytes.readUInt32LE(24));
  const [offset, length] = [Number(table.readBigUInt64LE(8)), Number(table.readBigUInt64LE(16))];
  const text = Buffer.from(lines);
  const rest = length - text.length;
  if (rest < 3) throw new Error(`there are ${length} bytes for metadata, these lines have ${text.length}`);
  const section = Buffer.concat([text, Buffer.from(`n:${"-".repeat(rest - 3)}\n`)]);
  section.copy(bytes, offset);
  table.writeBigUInt64LE(xxh64(section), 24);
  bytes.writeBigUInt64LE(xxh64(bytes.subarray(0, 120)) ^ rotate(xxh64(table), 1n), 120);
  return bytes;
}
