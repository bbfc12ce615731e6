/** What goes wrong here, in one line; `code` tells the kind of it. */
export class BlockspanError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = "BlockspanError";
    this.code = code;
  }
}

/** The reason of an error of somebody else's: Node hides it in `cause`. */
export function reasonOf(error) {
  const inner = error?.cause;
  return String(inner?.message || inner?.code || error?.message || error);
}
