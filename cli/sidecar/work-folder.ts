import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { CommandFailure, reasonOf } from "../command-failure.ts";
import { replaceFile } from "../replace-file.ts";

/** Bytes that fit into a UNIX socket's address on every system. */
const LONGEST_SOCKET_PATH = 99;

/** The folder of one sidecar, mode 0700: its bootstrap, its admin socket, and the token as Envoy reads it. */
export class WorkFolder implements AsyncDisposable {
  readonly path: string;
  /** Goes with the sidecar: nobody asked for it by name. */
  readonly #temporary: boolean;

  private constructor(path: string, temporary: boolean) {
    this.path = path;
    this.#temporary = temporary;
  }

  /** Opens `requested`, or a fresh temporary folder. Throws CommandFailure when it cannot be used, or when a sidecar runs in it. */
  static async open(requested: string | undefined): Promise<WorkFolder> {
    let folder: WorkFolder;
    try {
      if (requested === undefined) folder = new WorkFolder(await mkdtemp(join(tmpdir(), "seawall-")), true);
      else {
        folder = new WorkFolder(resolve(requested), false);
        await mkdir(folder.path, { recursive: true, mode: 0o700 });
        const { uid } = await stat(folder.path);
        if (process.getuid !== undefined && uid !== process.getuid()) {
          throw CommandFailure.failed(`the work folder ${folder.path} belongs to another user. Name one of your own with --work-dir.`);
        }
        await chmod(folder.path, 0o700);
      }
      await mkdir(folder.tokenFolder, { recursive: true, mode: 0o700 });
    } catch (error) {
      if (error instanceof CommandFailure) throw error;
      const code = (error as NodeJS.ErrnoException).code ?? "";
      throw CommandFailure.failed(
        `the work folder ${requested ?? tmpdir()} cannot be used: ${reasonOf(code)}. Name another with --work-dir.`,
        error,
      );
    }
    if (Buffer.byteLength(folder.adminSocket) > LONGEST_SOCKET_PATH) {
      throw CommandFailure.usage(
        `the path of the work folder ${folder.path} is too long: with /admin.sock it must have at most ${LONGEST_SOCKET_PATH} bytes. Name a shorter one with --work-dir.`,
      );
    }
    if (await answers(folder.adminSocket)) {
      throw CommandFailure.failed(
        `another sidecar runs in the work folder ${folder.path}. Stop it, or name another folder with --work-dir.`,
      );
    }
    await rm(folder.adminSocket, { force: true });
    return folder;
  }

  get adminSocket(): string {
    return join(this.path, "admin.sock");
  }

  get bootstrapFile(): string {
    return join(this.path, "bootstrap.json");
  }

  /** Watched by Envoy: nothing but the token's file is renamed in it. */
  get tokenFolder(): string {
    return join(this.path, "token");
  }

  get tokenFile(): string {
    return join(this.tokenFolder, "sds.json");
  }

  async writeBootstrap(bootstrap: object): Promise<void> {
    await writeFile(this.bootstrapFile, `${JSON.stringify(bootstrap, null, 2)}\n`, { mode: 0o600 });
  }

  /** Replaces the token in one step; a running Envoy takes it at once. */
  async writeToken(secretFile: object): Promise<void> {
    await replaceFile(this.tokenFile, JSON.stringify(secretFile), this.path);
  }

  /** Removes the token and the socket, and a temporary folder with everything in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#temporary) await rm(this.path, { recursive: true, force: true });
    else await Promise.all([this.tokenFolder, this.adminSocket].map((path) => rm(path, { recursive: true, force: true })));
  }
}

function answers(socketPath: string): Promise<boolean> {
  const { promise, resolve: settle } = Promise.withResolvers<boolean>();
  const socket = connect(socketPath);
  socket.once("connect", () => settle(true));
  socket.once("error", () => settle(false));
  return promise.finally(() => socket.destroy());
}
