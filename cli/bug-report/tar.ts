/** A tar archive in the POSIX ustar format (IEEE Std 1003.1): regular files alone, all in memory. */

export interface ArchivedFile {
  /** Relative, with slashes, at most 255 bytes of which the last part is at most 100. */
  readonly path: string;
  readonly content: string;
}

const BLOCK = 512;

export function tar(files: Iterable<ArchivedFile>, modified: Date): Buffer {
  const blocks: Buffer[] = [];
  for (const { path, content } of files) {
    const bytes = Buffer.from(content, "utf8");
    blocks.push(header(path, bytes.length, modified), bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

function header(path: string, size: number, modified: Date): Buffer {
  const block = Buffer.alloc(BLOCK);
  const { name, prefix } = split(path);
  block.write(name, 0, 100);
  block.write(octal(0o600, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(Math.floor(modified.getTime() / 1_000), 11), 136);
  block.write("        ", 148);
  block.write("0", 156);
  block.write("ustar\0", 257);
  block.write("00", 263);
  block.write(prefix, 345, 155);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

/** A path of more than 100 bytes is cut at a slash. */
function split(path: string): { readonly name: string; readonly prefix: string } {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: "" };
  for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
    const name = path.slice(slash + 1);
    if (Buffer.byteLength(name) <= 100 && slash <= 155) return { name, prefix: path.slice(0, slash) };
  }
  throw new RangeError(`${path} is too long a path for an archive`);
}
